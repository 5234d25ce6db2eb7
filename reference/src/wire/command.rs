//! A command line, its line end taken off, as verb and argument (SMTP-CMD-1 … 5, RFC 5321 §4.1.1).

use bstr::{BStr, ByteSlice};

/// One command of a client. Both parts may be empty and may hold any byte but LF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Command<'a> {
    /// Everything before the first space or tab (SMTP-CMD-3, -5).
    pub verb: &'a BStr,
    /// Everything after the blanks that follow the verb, its own trailing blanks included.
    pub argument: &'a BStr,
}

impl<'a> Command<'a> {
    /// Splits `line`, which has lost its LF or CRLF. Every line is a command, if perhaps no known one.
    pub fn parse(line: &'a [u8]) -> Self {
        let (verb, rest) = line.split_at(line.find_byteset(b" \t").unwrap_or(line.len()));
        let argument = &rest[rest.find_not_byteset(b" \t").unwrap_or(rest.len())..];
        Self { verb: verb.as_bstr(), argument: argument.as_bstr() }
    }

    /// Whether the verb is `verb`, ASCII case aside. The whole verb counts: NUL or CR behind a known
    /// one makes an unknown one (SMTP-CMD-4, -15).
    pub fn is(&self, verb: &[u8]) -> bool {
        self.verb.eq_ignore_ascii_case(verb)
    }
}

/// Whether an argument has a byte that no known verb may have in its own: a NUL would cut envelopes,
/// a CR would break header lines (SMTP-CMD-15).
pub fn has_nul_or_cr(argument: &[u8]) -> bool {
    memchr::memchr2(b'\0', b'\r', argument).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(line: &[u8]) -> (&[u8], &[u8]) {
        let command = Command::parse(line);
        (command.verb.as_bytes(), command.argument.as_bytes())
    }

    #[test]
    fn the_verb_ends_at_a_blank() {
        assert_eq!(parts(b"NOOP"), (&b"NOOP"[..], &b""[..]));
        assert_eq!(parts(b"NOOP foo bar"), (&b"NOOP"[..], &b"foo bar"[..]));
        assert_eq!(parts(b"NOOP\tfoo"), (&b"NOOP"[..], &b"foo"[..]));
        assert_eq!(parts(b"NOOP \t \tfoo"), (&b"NOOP"[..], &b"foo"[..]));
        assert_eq!(parts(b"noop "), (&b"noop"[..], &b""[..]));
        assert_eq!(parts(b"MAIL<a> b"), (&b"MAIL<a>"[..], &b"b"[..]));
        assert_eq!(parts(b"EHLO a  b\t "), (&b"EHLO"[..], &b"a  b\t "[..]));
    }

    #[test]
    fn other_white_space_is_no_blank() {
        for byte in [0x0b, 0x0c, 0xa0, b'\r', b'\0'] {
            let line = [b'N', byte, b'x'];
            assert_eq!(parts(&line), (&line[..], &b""[..]));
        }
    }

    #[test]
    fn an_empty_line_and_a_leading_blank_make_an_empty_verb() {
        assert_eq!(parts(b""), (&b""[..], &b""[..]));
        assert_eq!(parts(b" "), (&b""[..], &b""[..]));
        assert_eq!(parts(b" NOOP"), (&b""[..], &b"NOOP"[..]));
        assert_eq!(parts(b"\tNOOP x"), (&b""[..], &b"NOOP x"[..]));
    }

    #[test]
    fn verbs_compare_whole_and_without_case() {
        assert!(Command::parse(b"nOoP x").is(b"NOOP"));
        assert!(!Command::parse(b"NOOP\0junk").is(b"NOOP"));
        assert!(!Command::parse(b"NOOP\r").is(b"NOOP"));
        assert!(!Command::parse(b"NOO").is(b"NOOP"));
        assert!(!Command::parse(b"MAIL:<a>").is(b"MAIL"));
    }

    #[test]
    fn nul_and_cr_are_found_anywhere() {
        for argument in [&b"\0"[..], b"\r", b"a\0", b"\ra", b"a b\0c"] {
            assert!(has_nul_or_cr(argument), "{}", argument.as_bstr());
        }
        assert!(!has_nul_or_cr(b"a\tb\x01\xff"));
        assert!(!has_nul_or_cr(b""));
    }
}
