//! What the two formats of mail rules have in common: lines, escapes, and lists named in patterns
//! (RULES-FILE-6, -7, RULES-ESC-1 … 5, RULES-LIST-1 … 3).

use std::{error, fmt};

use bstr::{BString, ByteSlice};

/// Where in a file something stands, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The byte of the line.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// What is wrong with a rules file, and where; `C` are the causes that its format has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault<C> {
    /// The byte that shows it.
    pub place: Place,
    /// What it is.
    pub cause: C,
}

impl<C: fmt::Display> fmt::Display for Fault<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.cause)
    }
}

impl<C: fmt::Debug + fmt::Display> error::Error for Fault<C> {}

/// A line without the white space around it.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    start: Place,
    /// What it holds, without LF and NUL.
    pub text: &'a [u8],
}

impl Line<'_> {
    /// Where the byte at `offset` of the text stands.
    pub fn place(&self, offset: usize) -> Place {
        Place { column: self.start.column + offset, ..self.start }
    }
}

/// The lines of a file (RULES-FILE-6). A NUL ends what a line holds (RULES-FILE-7).
pub fn lines(file: &[u8]) -> impl Iterator<Item = Line<'_>> {
    file.split(|byte| *byte == b'\n').enumerate().map(|(index, line)| {
        let unindented = trim_start(line);
        let start = Place { line: index + 1, column: line.len() - unindented.len() + 1 };
        let text = trim(unindented);
        Line { start, text: text.find_byte(b'\0').map_or(text, |end| &text[..end]) }
    })
}

/// `text` without the white space around it.
pub fn trim(text: &[u8]) -> &[u8] {
    let text = trim_start(text);
    &text[..text.iter().rposition(|byte| !is_white(*byte)).map_or(0, |last| last + 1)]
}

fn trim_start(text: &[u8]) -> &[u8] {
    &text[text.iter().position(|byte| !is_white(*byte)).unwrap_or(text.len())..]
}

/// Space, TAB, LF, VT, FF and CR are white space.
fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// An octal escape outside `\001` … `\377` (RULES-ESC-4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadOctal;

/// The byte that an escape stands for, and how many bytes behind the backslash it takes. Nothing
/// stands behind one at the end of a line, which is dropped (RULES-ESC-5).
///
/// # Errors
/// Three octal digits that are no byte, or NUL.
pub fn escaped(behind: &[u8]) -> Result<Option<(u8, usize)>, BadOctal> {
    let digit = |index: usize| behind.get(index).filter(|byte| (b'0'..=b'7').contains(byte));
    if let (Some(a), Some(b), Some(c)) = (digit(0), digit(1), digit(2)) {
        let value = [a, b, c].into_iter().fold(0u16, |value, digit| value * 8 + u16::from(digit - b'0'));
        let byte = u8::try_from(value).ok().filter(|byte| *byte != 0);
        return byte.map(|byte| Some((byte, 3))).ok_or(BadOctal);
    }
    // Any other byte stands for itself (RULES-ESC-2).
    Ok(behind.first().map(|byte| (if *byte == b'n' { b'\n' } else { *byte }, 1)))
}

/// A list of addresses that a pattern names, `[[FILE]]` or `[[@FILE]]` (RULES-LIST-1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListName {
    /// The file.
    pub file: BString,
    /// Whether only the domain of an address is looked up.
    pub domain_only: bool,
}

/// A pattern no longer than this is no list (RULES-LIST-2).
const NO_LIST: usize = 5;

impl ListName {
    /// The list that an unescaped pattern of `mailrules` names, if it names one.
    pub fn parse(pattern: &[u8]) -> Option<Self> {
        Self::bracketed(pattern).filter(|_| pattern.len() > NO_LIST)
    }

    /// The list between brackets, however short its name (RULESX-COND-4).
    pub fn bracketed(pattern: &[u8]) -> Option<Self> {
        let inner = pattern.strip_prefix(b"[[")?.strip_suffix(b"]]").filter(|inner| !inner.is_empty())?;
        Some(match inner.strip_prefix(b"@") {
            Some(file) => Self { file: file.into(), domain_only: true },
            None => Self { file: inner.into(), domain_only: false },
        })
    }

    /// Whether the file is a CDB; anything else is a text list (RULES-LIST-3).
    pub fn is_cdb(&self) -> bool {
        self.file.len() > b".cdb".len() && self.file.ends_with(b".cdb")
    }
}

/// What follows the last `@` of an address (RULES-LIST-5, -6).
pub fn domain(address: &[u8]) -> Option<&[u8]> {
    memchr::memrchr(b'@', address).map(|at| &address[at + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_trimmed_and_keep_their_places() {
        let seen: Vec<_> = lines(b"a\r\n\n \x0b\tb c \n x \0 d\n\xff")
            .map(|line| (line.place(0).to_string(), line.text.to_vec()))
            .collect();
        let expected: [(&str, &[u8]); 5] =
            [("1:1", b"a"), ("2:1", b""), ("3:4", b"b c"), ("4:2", b"x "), ("5:1", b"\xff")];
        assert_eq!(seen, expected.map(|(place, text)| (place.to_string(), text.to_vec())));
    }

    #[test]
    fn escapes() {
        for (behind, byte) in [
            (&b"n"[..], Some((b'\n', 1))),
            (b"t", Some((b't', 1))),
            (b"1018", Some((b'A', 3))),
            (b"377", Some((255, 3))),
            (b"18", Some((b'1', 1))),
            (b"108", Some((b'1', 1))),
            (b"9", Some((b'9', 1))),
            (b"", None),
        ] {
            assert_eq!(escaped(behind), Ok(byte), "{behind:?}");
        }
        for behind in [&b"000"[..], b"400", b"777"] {
            assert_eq!(escaped(behind), Err(BadOctal));
        }
    }

    #[test]
    fn names_of_lists() {
        let name = |pattern: &[u8]| ListName::parse(pattern).map(|l| (l.file.to_string(), l.domain_only));
        assert_eq!(name(b"[[@Z]]"), Some(("Z".into(), true)));
        assert_eq!(name(b"[[./Z]]"), Some(("./Z".into(), false)));
        assert_eq!(name(b"[[]]]]"), Some(("]]".into(), false)));
        for pattern in [&b"[[Z]]"[..], b"[[file]]x", b"[file]]", b"[[[]]", b""] {
            assert_eq!(name(pattern), None);
        }
        let is_cdb = |file: &str| ListName { file: file.into(), domain_only: false }.is_cdb();
        assert!(is_cdb("x.cdb") && !is_cdb(".cdb") && !is_cdb("x.CDB"));
    }

    #[test]
    fn the_domain_is_behind_the_last_at() {
        assert_eq!(domain(b"a@b@c"), Some(&b"c"[..]));
        assert_eq!(domain(b"a@"), Some(&b""[..]));
        assert_eq!(domain(b"a"), None);
    }
}
