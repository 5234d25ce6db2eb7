//! The stream of events as a file, one JSON object a line (HARNESS: the source of all reports).

use std::{
    fmt::Write as _,
    io::{self, Write},
};

use super::{Report, event::Event};

/// Writes each event as it comes. The file is plain ASCII: whatever is not is escaped as JSON
/// allows, so that looking at it moves no cursor and reverses no text.
pub struct Ndjson<W> {
    out: W,
}

impl<W: Write + Send> Ndjson<W> {
    /// A report on `out`.
    pub fn new(out: W) -> Self {
        Self { out }
    }
}

impl<W: Write + Send> Report for Ndjson<W> {
    fn take(&mut self, event: &Event) -> io::Result<()> {
        let line = serde_json::to_string(event).map_err(io::Error::other)?;
        writeln!(self.out, "{}", ascii(&line))?;
        match event {
            Event::RunEnd(_) => self.out.flush(),
            _ => Ok(()),
        }
    }
}

/// JSON text with everything but printable ASCII escaped.
fn ascii(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() && !c.is_ascii_control() {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::events;

    #[test]
    fn lines_with_hostile_bytes_read_back() {
        let mut out = Vec::new();
        let mut ndjson = Ndjson::new(&mut out);
        events().iter().try_for_each(|event| ndjson.take(event)).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.bytes().all(|b| b == b'\n' || (b' '..=b'~').contains(&b)));
        let back: Result<Vec<Event>, _> = text.lines().map(serde_json::from_str).collect();
        assert_eq!(back.unwrap(), events());
        insta::assert_snapshot!(text);
    }
}
