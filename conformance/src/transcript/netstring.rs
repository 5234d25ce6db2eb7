//! Netstrings in texts, which nobody counts by hand: right ones and ones that are wrong on purpose.

use super::text::{Piece, Variables};

/// How deep netstrings may stand inside each other in a text. QMQP needs two; printing and sending
/// them recurses.
pub const DEPTH_MAX: usize = 8;

/// `${[}content${]}`: the content with its length before it and a comma behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Netstring {
    /// What is declared.
    pub length: Length,
    /// What is between the colon and the comma.
    pub content: Vec<Piece>,
    /// What is behind it.
    pub end: End,
}

/// The length that a netstring declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Length {
    /// `${[}`: that of the content.
    Right,
    /// `${[+3}`, `${[-1}`: that of the content and so many more, or fewer.
    Off(i64),
    /// `${[=007}`: exactly these bytes in place of digits.
    Written(Vec<u8>),
}

/// What a netstring ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// `${]}`: a comma.
    Comma,
    /// `${]!}`: nothing.
    Missing,
    /// `${]=X}`: another byte.
    Byte(u8),
}

impl Netstring {
    /// Appends the bytes, with `variables` filled in.
    pub fn expand_into(&self, variables: &Variables, bytes: &mut Vec<u8>) {
        let mut content = Vec::new();
        self.content.iter().for_each(|piece| piece.expand_into(variables, &mut content));
        match &self.length {
            Length::Right => bytes.extend_from_slice(content.len().to_string().as_bytes()),
            Length::Off(by) => {
                let declared = i128::try_from(content.len()).unwrap_or(i128::MAX) + i128::from(*by);
                bytes.extend_from_slice(declared.to_string().as_bytes());
            }
            Length::Written(digits) => bytes.extend_from_slice(digits),
        }
        bytes.push(b':');
        bytes.append(&mut content);
        match self.end {
            End::Comma => bytes.push(b','),
            End::Missing => {}
            End::Byte(byte) => bytes.push(byte),
        }
    }
}

/// The first netstring of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next<'a> {
    /// Its content, and how many bytes it takes up.
    Whole(&'a [u8], usize),
    /// More bytes are needed.
    Incomplete,
    /// They are none, whatever follows.
    Wrong,
}

/// Most digits of a length: more than any output or input of a case can need.
const DIGITS_MAX: usize = 10;

/// The first netstring of `bytes`, its length without leading zeros (NS-RSP-2).
pub fn next(bytes: &[u8]) -> Next<'_> {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let canonical = digits == 1 || (digits > 0 && bytes[0] != b'0');
    match bytes.get(digits) {
        None if digits == 0 || (canonical && digits <= DIGITS_MAX) => Next::Incomplete,
        Some(b':') if canonical && digits <= DIGITS_MAX => {
            let length = std::str::from_utf8(&bytes[..digits]).ok().and_then(|text| text.parse().ok());
            let length: usize = length.unwrap_or(usize::MAX);
            let content = &bytes[digits + 1..];
            match content.get(length) {
                Some(b',') => Next::Whole(&content[..length], digits + 1 + length + 1),
                Some(_) => Next::Wrong,
                None => Next::Incomplete,
            }
        }
        _ => Next::Wrong,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::parse;

    /// What the first step of a case sends.
    fn sent(text: &str) -> Vec<u8> {
        let case = parse("x", &format!("+++\n+++\nC| {text}\n")).unwrap();
        let Some(crate::transcript::Item::Step(step)) = case.body.first() else { panic!("no step") };
        let crate::transcript::Act::SendRaw(text) = &step.act else { panic!("nothing sent") };
        text.expand(&Variables::from([("N".into(), b"4242".to_vec())]))
    }

    #[test]
    fn lengths_are_counted_also_inside_each_other() {
        assert_eq!(sent("${[}\\ntest\\n${]}"), b"6:\ntest\n,");
        assert_eq!(sent("${[}${[}a@b${]}${[}${N}${\"x\" * 6}${]}${]}."), b"20:3:a@b,10:4242xxxxxx,,.");
        assert_eq!(sent("${[}${]}"), b"0:,");
    }

    #[test]
    fn what_is_wrong_is_wrong_on_purpose() {
        assert_eq!(sent("${[+3}ab${]}${[-1}ab${]}${[-9}ab${]}"), b"5:ab,1:ab,-7:ab,");
        assert_eq!(sent("${[=007}ab${]}${[=}ab${]!}${[= \\x7d}${]=;}${[}${]=\\x7d}"), b"007:ab,:ab }:;0:}");
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        for (text, column) in [
            ("${[}a", 4),
            ("a${]}", 5),
            ("${[+}${]}", 4),
            ("${[x}${]}", 4),
            ("${[}${]=ab}", 8),
            (&"${[}".repeat(9), 36),
        ] {
            let error = parse("x", &format!("+++\n+++\nC| {text}\n")).unwrap_err();
            assert_eq!((error.line, error.column), (3, column), "{text}: {error}");
        }
    }

    #[test]
    fn the_first_netstring_is_found_at_once_or_never() {
        assert_eq!(next(b"3:Kok,1:"), Next::Whole(b"Kok", 6));
        assert_eq!(next(b"0:,"), Next::Whole(b"", 3));
        for start in [&b""[..], b"3", b"3:", b"3:Kok", b"4294967295:", b"9999999999:x"] {
            assert_eq!(next(start), Next::Incomplete, "{start:?}");
        }
        for wrong in [&b":"[..], b"03:Kok,", b"3:Kok.", b"x", b"-1:", b"3 :", b"99999999999:", b"00"] {
            assert_eq!(next(wrong), Next::Wrong, "{wrong:?}");
        }
    }
}
