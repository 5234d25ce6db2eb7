//! What a hook answers and a client is told: a number and a text (CORE-RESP-1 … 8).

use std::io::Write as _;

use bstr::{BString, ByteSlice};

use crate::wire::text;

/// A hook's answer. Below 400 it accepts, from 400 on it refuses.
///
/// `text` may hold several lines separated by `\n`; each becomes a line of the reply. `None` means
/// "no text of my own": the next one in line is used, last the protocol's default (HOOK-RESP-1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    number: u16,
    text: Option<BString>,
    is_final: bool,
}

/// Set in a module's number: skip the remaining plugins of this event (HOOK-FINAL-1).
pub const FINAL_FLAG: u32 = 1024;

impl Response {
    /// A response of our own with `number` in 200..=599 and a text.
    pub fn new(number: u16, text: impl Into<BString>) -> Self {
        debug_assert!((200..600).contains(&number));
        Self { number, text: Some(text.into()), is_final: false }
    }

    /// An acceptance that leaves the text to others: `250` (BUILTIN-2).
    pub fn accepted() -> Self {
        Self { number: 250, text: None, is_final: false }
    }

    /// What a module returned, its flag taken off and its number checked.
    ///
    /// A number outside 200..=599 is no reply: it becomes `451 4.3.0 Internal error.` (CORE-RESP-2).
    pub fn from_module(number: u32, text: Option<BString>) -> Self {
        let is_final = number & FINAL_FLAG != 0;
        match u16::try_from(number % FINAL_FLAG) {
            Ok(number @ 200..600) => Self { number, text, is_final },
            _ => Self::internal(),
        }
    }

    /// `451 4.3.0 Internal error.` (CORE-RESP-7)
    pub fn internal() -> Self {
        Self::new(451, "4.3.0 Internal error.")
    }

    /// The number, 200..=599.
    pub fn number(&self) -> u16 {
        self.number
    }

    /// The number as a module gives it, for debug lines (CORE-LOG-6).
    pub fn number_with_flag(&self) -> u32 {
        u32::from(self.number) | if self.is_final { FINAL_FLAG } else { 0 }
    }

    /// The text, lines separated by `\n`; `None` if the module gave none.
    pub fn text(&self) -> Option<&[u8]> {
        self.text.as_deref().map(AsRef::as_ref)
    }

    /// The lines of the text; a response without text has one empty line (CORE-RESP-8).
    pub fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.text().unwrap_or_default().split_str("\n")
    }

    /// Whether this is an acceptance.
    pub fn is_ok(&self) -> bool {
        self.number < 400
    }

    /// Whether the remaining plugins of the event are skipped (HOOK-FINAL-1).
    pub fn is_final(&self) -> bool {
        self.is_final
    }
}

/// How responses are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// `NNN-line CRLF … NNN line CRLF` (CORE-RESP-2).
    Smtp,
    /// One netstring: a letter and the lines (CORE-RESP-3).
    Netstring,
}

impl Framing {
    /// The bytes of a response.
    pub fn encode(self, response: &Response) -> Vec<u8> {
        match self {
            Self::Smtp => smtp_reply(response),
            Self::Netstring => netstring_reply(response),
        }
    }
}

fn smtp_reply(response: &Response) -> Vec<u8> {
    let number = response.number().to_string();
    let mut reply = Vec::with_capacity(80);
    let mut lines = response.lines().peekable();
    while let Some(line) = lines.next() {
        reply.extend_from_slice(number.as_bytes());
        reply.push(if lines.peek().is_some() { b'-' } else { b' ' });
        reply.extend_from_slice(&text::for_reply(line));
        reply.extend_from_slice(b"\r\n");
    }
    reply
}

/// Room for what is around the text of a netstring.
const FRAME: usize = 24;

fn netstring_reply(response: &Response) -> Vec<u8> {
    let letter = match response.number() {
        500.. => b'D',
        400..500 => b'Z',
        _ => b'K',
    };
    let text = response.text().unwrap_or_default();
    let mut reply = Vec::with_capacity(text.len() + FRAME);
    // There is no way in which this can fail.
    let _written = write!(reply, "{}:", text.len() + 1);
    reply.push(letter);
    reply.extend_from_slice(text);
    reply.push(b',');
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_have_a_number_on_each_line() {
        assert_eq!(smtp_reply(&Response::new(553, "a\n\nb")), b"553-a\r\n553-\r\n553 b\r\n");
        assert_eq!(smtp_reply(&Response::new(250, "")), b"250 \r\n");
        assert_eq!(smtp_reply(&Response::new(250, "a\rb\x7f")), b"250 a?b?\r\n");
    }

    #[test]
    fn netstring_letters_follow_the_number() {
        assert_eq!(netstring_reply(&Response::new(250, "ok")), b"3:Kok,");
        assert_eq!(netstring_reply(&Response::new(455, "not\nnow")), b"8:Znot\nnow,");
        assert_eq!(netstring_reply(&Response::new(553, "no")), b"3:Dno,");
    }
}
