//! Lines that mean something else here than they did in the C programs, or nothing at all.

use std::fmt;

use super::{
    super::rule_text::{self, Line, ListName, Place},
    Code, Fields,
};

/// Something that the writer of a rules file should know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remark {
    /// The byte that shows it.
    pub place: Place,
    text: &'static str,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.text)
    }
}

const IGNORED: &str = "neither a rule nor a comment: ignored";
const OCTAL: &str = "a digit behind a backslash; the C program made a NUL of it";
const LAST_BACKSLASH: &str = "a backslash at the end of the line: dropped";
const UNCLOSED: &str =
    "`[` without `]` is an ordinary byte; in the C program the whole pattern matched there";
const LAST_QUESTION: &str = "`?` needs a byte; behind the last `*` the C program did without";
const HUGE: &str = "2^64 bytes or more are no limit; the C program took the remainder";

/// The remarks on a file, in its order.
pub fn remarks(file: &[u8]) -> Vec<Remark> {
    let mut remarks = Vec::new();
    for line in rule_text::lines(file) {
        match line.text.first() {
            None | Some(b'#' | b':') => {}
            Some(first) if Code::of(*first).is_none() => {
                remarks.push(Remark { place: line.place(0), text: IGNORED });
            }
            Some(_) => {
                escapes(line, &mut remarks);
                fields(line, &mut remarks);
            }
        }
    }
    remarks
}

fn escapes(line: Line<'_>, remarks: &mut Vec<Remark>) {
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'\\', &line.text[at..]) {
        let text = match line.text.get(at + found + 1) {
            None => Some(LAST_BACKSLASH),
            Some(b'0'..=b'7') => Some(OCTAL),
            Some(_) => None,
        };
        remarks.extend(text.map(|text| Remark { place: line.place(at + found), text }));
        at = (at + found + 2).min(line.text.len());
    }
}

/// Looks at what the fields say; a line with a fault in it has been told of already.
fn fields(line: Line<'_>, remarks: &mut Vec<Remark>) {
    let mut fields = Fields { line, at: 1 };
    for _ in 0..2 {
        let place = line.place(fields.at);
        let Ok(pattern) = fields.field() else { return };
        let bangs = pattern.iter().take_while(|byte| **byte == b'!').count();
        if ListName::parse(&pattern[bangs..]).is_none() {
            remarks.extend(glob(&pattern[bangs..]).map(|text| Remark { place, text }));
        }
    }
    let Ok(_) = fields.field() else { return };
    let place = line.place(fields.at);
    if fields.data_bytes() == Ok(u64::MAX) {
        remarks.push(Remark { place, text: HUGE });
    }
}

/// What the C program read otherwise in a glob (RULES-GLOB-5, -6).
fn glob(pattern: &[u8]) -> Option<&'static str> {
    let mut rest = pattern;
    while let Some(open) = memchr::memchr(b'[', rest) {
        match closing(&rest[open + 1..]) {
            Some(length) => rest = &rest[open + 1 + length..],
            None => return Some(UNCLOSED),
        }
    }
    let last_run =
        rest.iter().rposition(|byte| !matches!(byte, b'*' | b'?')).map_or(rest, |at| &rest[at + 1..]);
    let starred = memchr::memchr(b'*', last_run).map(|star| &last_run[star..]);
    starred.filter(|run| run.contains(&b'?')).map(|_| LAST_QUESTION)
}

/// How many bytes a set takes behind its `[`, the `]` included.
fn closing(set: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match set.get(at)? {
            b']' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}
