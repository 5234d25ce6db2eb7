//! Lines, for the protocols that speak in them (SMTP-CMD-1, -14, -16).

use bstr::BString;

use super::{Connection, End};

/// The bytes that ended a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineEnd {
    /// CR LF.
    Crlf,
    /// LF alone (SMTP-CMD-1).
    Lf,
}

/// A line from the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// The bytes without their line end.
    Complete(BString, LineEnd),
    /// More than the limit; it was read to its end and thrown away (SMTP-CMD-16).
    TooLong,
}

impl Connection {
    /// One line of at most `max` bytes, its line end not counted. Memory stays within `max` however
    /// long the line is. A last line without line end is nothing (SMTP-CMD-14).
    ///
    /// # Errors
    /// The input ended before the line did.
    pub fn read_line(&self, max: usize) -> Result<Line, End> {
        let mut line = Vec::new();
        Ok(match self.read_line_into(max, &mut line)? {
            Some(line_end) => Line::Complete(line.into(), line_end),
            None => Line::TooLong,
        })
    }

    /// As [`Connection::read_line`], into a buffer that is emptied first. Of a line that is too long,
    /// for which there is nothing as line end, it has the beginning.
    ///
    /// # Errors
    /// The input ended before the line did.
    pub fn read_line_into(&self, max: usize, line: &mut Vec<u8>) -> Result<Option<LineEnd>, End> {
        line.clear();
        let mut length = 0usize;
        loop {
            let bytes = self.fill()?;
            let end = memchr::memchr(b'\n', &bytes);
            let part = &bytes[..end.unwrap_or(bytes.len())];
            // One byte more than the limit, since the last one may be the CR of the line end.
            let room = (max + 1).saturating_sub(line.len());
            line.extend_from_slice(&part[..part.len().min(room)]);
            length = length.saturating_add(part.len());
            let used = part.len() + usize::from(end.is_some());
            drop(bytes);
            self.consume(used);
            if end.is_some() {
                return Ok(finish_line(line, length, max));
            }
        }
    }
}

/// Takes the CR of its end off a line that was `length` bytes long; nothing if it is longer than `max`.
fn finish_line(line: &mut Vec<u8>, length: usize, max: usize) -> Option<LineEnd> {
    if length > line.len() {
        return None;
    }
    let line_end = if line.last() == Some(&b'\r') { LineEnd::Crlf } else { LineEnd::Lf };
    if line_end == LineEnd::Crlf {
        line.pop();
    }
    (line.len() <= max).then_some(line_end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(bytes: &[u8], max: usize) -> Option<(Vec<u8>, LineEnd)> {
        let mut line = bytes[..bytes.len().min(max + 1)].to_vec();
        finish_line(&mut line, bytes.len(), max).map(|line_end| (line, line_end))
    }

    #[test]
    fn a_line_end_is_not_counted() {
        assert_eq!(finished(b"abc\r", 3), Some((b"abc".to_vec(), LineEnd::Crlf)));
        assert_eq!(finished(b"abc", 3), Some((b"abc".to_vec(), LineEnd::Lf)));
        assert_eq!(finished(b"abcd", 3), None);
        assert_eq!(finished(b"abcd\r", 3), None);
    }

    #[test]
    fn only_one_cr_belongs_to_the_line_end() {
        assert_eq!(finished(b"a\r\r", 3), Some((b"a\r".to_vec(), LineEnd::Crlf)));
    }
}
