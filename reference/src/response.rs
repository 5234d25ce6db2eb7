//! What a hook answers and a client is told: a number and a text (CORE-RESP-1 … 8).

use bstr::{BString, ByteSlice};

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
