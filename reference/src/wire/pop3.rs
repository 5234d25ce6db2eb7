//! POP3: command lines, their numbers, and a message on its way to the client.
//! Implements POP3-LINE-2 … 5, MAILDIR-NUM-1, -TOP-3, -DATA-1 … 6, -8; stops SEC-93 and SEC-95.

use bstr::{BStr, ByteSlice};

/// One command of a client. Both parts may be empty and may hold any byte but LF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Command<'a> {
    /// Everything before the first space (POP3-LINE-2).
    pub word: &'a BStr,
    /// Everything behind the spaces that follow, its own trailing spaces included.
    pub argument: &'a BStr,
}

impl<'a> Command<'a> {
    /// Splits `line`, which has lost its line end.
    pub fn parse(line: &'a [u8]) -> Self {
        let (word, rest) = line.split_at(memchr::memchr(b' ', line).unwrap_or(line.len()));
        Self { word: word.as_bstr(), argument: skip_spaces(rest).as_bstr() }
    }

    /// Whether the whole word is `word`, ASCII case aside (POP3-LINE-3).
    pub fn is(&self, word: &[u8]) -> bool {
        self.word.eq_ignore_ascii_case(word)
    }
}

fn skip_spaces(bytes: &[u8]) -> &[u8] {
    bytes.trim_start_with(|c| c == ' ')
}

/// What is wrong with a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotANumber;

/// An argument that is one number and nothing else; one beyond 64 bits is the greatest (MAILDIR-NUM-1).
///
/// # Errors
/// There is anything but digits.
pub fn number(argument: &[u8]) -> Result<u64, NotANumber> {
    if argument.is_empty() || !argument.iter().all(u8::is_ascii_digit) {
        return Err(NotANumber);
    }
    let digits = argument.iter().map(|byte| u64::from(byte - b'0'));
    Ok(digits.fold(0, |number: u64, digit| number.saturating_mul(10).saturating_add(digit)))
}

/// The message number that opens the argument of RETR and TOP, and what is left behind it and the
/// spaces that follow. Without digits it is 0, which no message has (MAILDIR-TOP-3).
///
/// # Errors
/// The number is negative.
pub fn leading_number(argument: &[u8]) -> Result<(u64, &[u8]), NotANumber> {
    let argument = argument.trim_start_with(|c| matches!(c, '\t' | '\n' | '\x0b' | '\x0c' | '\r' | ' '));
    let unsigned = argument.strip_prefix(b"-").or_else(|| argument.strip_prefix(b"+")).unwrap_or(argument);
    let digits = unsigned.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = unsigned.split_at(digits);
    let value = if digits.is_empty() { 0 } else { number(digits)? };
    if argument.starts_with(b"-") && value > 0 {
        return Err(NotANumber);
    }
    Ok((value, skip_spaces(rest)))
}

/// Turns a stored message into what the client is sent: every line ended by CR LF, a dot in front of
/// a line that begins with one. What it is given may be cut anywhere.
#[derive(Debug)]
pub struct Retrieval {
    /// Lines of the body still to be sent; no limit if there is none.
    body_lines: Option<u64>,
    in_header: bool,
    /// Nothing of the current line has been seen; a dot now would be stuffed.
    at_line_start: bool,
    /// The current line so far is empty, or the CR in `held`.
    is_empty: bool,
    /// A CR whose next byte is not known: part of the line end if that is LF, else data.
    held: bool,
}

impl Retrieval {
    /// A message of which, behind the header and the blank line, `body_lines` are wanted, or all.
    pub fn new(body_lines: Option<u64>) -> Self {
        Self { body_lines, in_header: true, at_line_start: true, is_empty: true, held: false }
    }

    /// Whether all that is wanted has been sent.
    pub fn is_complete(&self) -> bool {
        !self.in_header && self.at_line_start && self.body_lines == Some(0)
    }

    /// Appends to `out` what the next `bytes` of the file become.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let mut rest = bytes;
        while !rest.is_empty() && !self.is_complete() {
            let end = memchr::memchr(b'\n', rest);
            self.part(&rest[..end.unwrap_or(rest.len())], end.is_some(), out);
            rest = end.map_or(&[], |end| &rest[end + 1..]);
        }
    }

    /// A part of a line, or its rest if the line `ends`.
    fn part(&mut self, part: &[u8], ends: bool, out: &mut Vec<u8>) {
        if self.held && !(part.is_empty() && ends) {
            self.held = false;
            self.data(b"\r", out);
        }
        let data = part.strip_suffix(b"\r").unwrap_or(part);
        self.held |= data.len() < part.len();
        if !data.is_empty() {
            self.data(data, out);
        }
        if ends {
            self.held = false;
            out.extend_from_slice(b"\r\n");
            self.end_line();
        }
    }

    fn data(&mut self, data: &[u8], out: &mut Vec<u8>) {
        if self.at_line_start && data.starts_with(b".") {
            out.push(b'.');
        }
        out.extend_from_slice(data);
        self.at_line_start = false;
        self.is_empty = false;
    }

    fn end_line(&mut self) {
        if self.in_header {
            // The blank line is sent and not counted (MAILDIR-DATA-5).
            self.in_header = !self.is_empty;
        } else if let Some(lines) = &mut self.body_lines {
            *lines = lines.saturating_sub(1);
        }
        self.at_line_start = true;
        self.is_empty = true;
    }

    /// Appends what follows the last byte: a line end if the last line has none, and also behind a
    /// complete line unless the message is to be `exact` (MAILDIR-DATA-3, -8).
    pub fn finish(self, exact: bool, out: &mut Vec<u8>) {
        if self.held {
            out.push(b'\r');
        }
        if !(exact && self.at_line_start && !self.held) {
            out.extend_from_slice(b"\r\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(b"NOOP", b"NOOP", b"")]
    #[case(b"LIST   1 ", b"LIST", b"1 ")]
    #[case(b"LIST\t1", b"LIST\t1", b"")]
    #[case(b" QUIT", b"", b"QUIT")]
    #[case(b"quit ", b"quit", b"")]
    #[case(b"", b"", b"")]
    fn a_word_ends_at_a_space(#[case] line: &[u8], #[case] word: &[u8], #[case] argument: &[u8]) {
        let command = Command::parse(line);
        assert_eq!((command.word.as_bytes(), command.argument.as_bytes()), (word, argument));
    }

    #[rstest]
    #[case(b"1", Ok(1))]
    #[case(b"01", Ok(1))]
    #[case(b"99999999999999999999", Ok(u64::MAX))]
    #[case(b"", Err(NotANumber))]
    #[case(b"1 ", Err(NotANumber))]
    #[case(b"-1", Err(NotANumber))]
    #[case(b"x", Err(NotANumber))]
    fn a_number_is_all_digits(#[case] argument: &[u8], #[case] expected: Result<u64, NotANumber>) {
        assert_eq!(number(argument), expected);
    }

    #[rstest]
    #[case(b"1", Ok((1, &b""[..])))]
    #[case(b"1 ", Ok((1, &b""[..])))]
    #[case(b"1  2", Ok((1, &b"2"[..])))]
    #[case(b"1x", Ok((1, &b"x"[..])))]
    #[case(b"1\t", Ok((1, &b"\t"[..])))]
    #[case(b"x", Ok((0, &b"x"[..])))]
    #[case(b"-", Ok((0, &b""[..])))]
    #[case(b"--1", Ok((0, &b"-1"[..])))]
    #[case(b"-1", Err(NotANumber))]
    #[case(b"99999999999999999999 1", Ok((u64::MAX, &b"1"[..])))]
    fn a_leading_number_is_loose(
        #[case] argument: &[u8],
        #[case] expected: Result<(u64, &[u8]), NotANumber>,
    ) {
        assert_eq!(leading_number(argument), expected);
    }

    /// The message cut into pieces of `size`.
    fn sent(stored: &[u8], lines: Option<u64>, exact: bool, size: usize) -> Vec<u8> {
        let mut retrieval = Retrieval::new(lines);
        let mut out = Vec::new();
        stored.chunks(size).for_each(|piece| retrieval.push(piece, &mut out));
        retrieval.finish(exact, &mut out);
        out
    }

    #[rstest]
    #[case(b"", None, b"\r\n")]
    #[case(b"\n", None, b"\r\n\r\n")]
    #[case(b"a\n\nb\n", None, b"a\r\n\r\nb\r\n\r\n")]
    #[case(b"a\n\nb", None, b"a\r\n\r\nb\r\n")]
    #[case(b".\n..\n.a", None, b"..\r\n...\r\n..a\r\n")]
    #[case(b"a\r\n\r\nb\r\n", None, b"a\r\n\r\nb\r\n\r\n")]
    #[case(b"a\r\r\n\r.\rb\r", None, b"a\r\r\n\r.\rb\r\r\n")]
    #[case(b"\0\xff\n", None, b"\0\xff\r\n\r\n")]
    #[case(b"h\n\n1\n2\n", Some(0), b"h\r\n\r\n\r\n")]
    #[case(b"h\r\n\r\n1\r\n2\r\n", Some(0), b"h\r\n\r\n\r\n")]
    #[case(b"h\n\n1\n2\n", Some(1), b"h\r\n\r\n1\r\n\r\n")]
    #[case(b"h\n\n1\n2", Some(2), b"h\r\n\r\n1\r\n2\r\n")]
    #[case(b"h\n\n1\n2\n", Some(u64::MAX), b"h\r\n\r\n1\r\n2\r\n\r\n")]
    #[case(b"h\nno end\n", Some(0), b"h\r\nno end\r\n\r\n")]
    #[case(b"\n1\n2\n", Some(1), b"\r\n1\r\n\r\n")]
    #[case(b"h\n\r\r\n\n1\n", Some(0), b"h\r\n\r\r\n\r\n\r\n")]
    fn a_message_is_sent_in_lines(
        #[case] stored: &[u8],
        #[case] lines: Option<u64>,
        #[case] expected: &[u8],
    ) {
        for size in 1..=stored.len().max(1) {
            assert_eq!(sent(stored, lines, false, size).as_bstr(), expected.as_bstr(), "pieces of {size}");
        }
    }

    #[rstest]
    #[case(b"", b"")]
    #[case(b"\n", b"\r\n")]
    #[case(b"a\n", b"a\r\n")]
    #[case(b"a", b"a\r\n")]
    #[case(b"a\n\r", b"a\r\n\r\r\n")]
    fn an_exact_message_has_no_line_more(#[case] stored: &[u8], #[case] expected: &[u8]) {
        for size in 1..=stored.len().max(1) {
            assert_eq!(sent(stored, None, true, size).as_bstr(), expected.as_bstr(), "pieces of {size}");
        }
    }
}
