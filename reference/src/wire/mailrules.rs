//! The rules file of plugin `mailrules`: one rule a line, its fields divided by colons (RULES-LINE,
//! RULES-SEL, RULES-ESC).
//!
//! Reading opens nothing: a list is a name here, and whoever opens it puts something else in its place.

mod remarks;

use std::fmt;

use bstr::BString;

pub use self::remarks::{Remark, remarks};
use super::{
    glob::Glob,
    rule_text::{self, Line, ListName, Place},
};

/// What a rule does with a sender or recipient that it matches (RULES-LINE-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// `k`: takes it.
    Accept,
    /// `K`: takes it, and no later plugin is asked (RULES-FINAL-1).
    FinalAccept,
    /// `d`: refuses it for good.
    Reject,
    /// `z`: refuses it for now.
    Defer,
    /// `n`: applies its settings; the walk goes on.
    Apply,
    /// `p`: applies its settings and ends the walk.
    Pass,
    /// `&`: guards the next rule that is none of these (RULES-AND-1).
    And,
}

impl Code {
    fn of(byte: u8) -> Option<Self> {
        Some(match byte {
            b'k' => Self::Accept,
            b'K' => Self::FinalAccept,
            b'd' => Self::Reject,
            b'z' => Self::Defer,
            b'n' => Self::Apply,
            b'p' => Self::Pass,
            b'&' => Self::And,
            _ => return None,
        })
    }
}

/// What an address is held against. `L` is a list: its name, or the list itself once it is open.
#[derive(Debug, Clone)]
pub struct Pattern<L = ListName> {
    /// Where it begins.
    pub place: Place,
    /// Whether a match counts as none and the other way round (RULES-NEG-1).
    pub negated: bool,
    /// What matches.
    pub test: Test<L>,
}

/// The two kinds of patterns.
#[derive(Debug, Clone)]
pub enum Test<L> {
    /// The whole address looks so.
    Glob(Glob),
    /// The address is listed.
    List(L),
}

impl<L> Pattern<L> {
    /// The pattern with its list, if it has one, opened.
    ///
    /// # Errors
    /// That of `open`.
    pub fn open<M, E>(self, open: impl FnOnce(Place, L) -> Result<M, E>) -> Result<Pattern<M>, E> {
        let Self { place, negated, test } = self;
        let test = match test {
            Test::Glob(glob) => Test::Glob(glob),
            Test::List(list) => Test::List(open(place, list)?),
        };
        Ok(Pattern { place, negated, test })
    }
}

/// One rule.
#[derive(Debug, Clone)]
pub struct Rule<L = ListName> {
    /// Whether it judges senders; else recipients.
    pub of_senders: bool,
    /// What it does.
    pub code: Code,
    /// What the sender must look like.
    pub sender: Pattern<L>,
    /// What the recipient must look like; a rule of senders does not look at it (RULES-SEL-3).
    pub recipient: Pattern<L>,
    /// The text of the answer; empty for the default.
    pub response: BString,
    /// The most bytes a message may have; 0 changes nothing (RULES-LINE-7).
    pub data_bytes: u64,
    /// What is appended to a recipient (RULES-RC-1).
    pub suffix: BString,
    /// `NAME=VALUE`, or just a name (RULES-ENV-1, -6).
    pub environment: Vec<BString>,
}

impl<L> Rule<L> {
    /// The rule with its lists opened.
    ///
    /// # Errors
    /// That of `open`.
    pub fn open<M, E>(self, mut open: impl FnMut(Place, L) -> Result<M, E>) -> Result<Rule<M>, E> {
        Ok(Rule {
            of_senders: self.of_senders,
            code: self.code,
            sender: self.sender.open(&mut open)?,
            recipient: self.recipient.open(&mut open)?,
            response: self.response,
            data_bytes: self.data_bytes,
            suffix: self.suffix,
            environment: self.environment,
        })
    }
}

/// What is wrong with a line, and where.
pub type Fault = rule_text::Fault<Cause>;

/// What can be wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A selector that begins with neither `s` nor `r` (RULES-SEL-1).
    Selector,
    /// A data-bytes field with something else than digits (RULES-LINE-7).
    DataBytes,
    /// An octal escape that is no byte, or NUL (RULES-ESC-4).
    Octal,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Selector => "a selector is `:sender` or `:recipient`",
            Self::DataBytes => "data bytes must be decimal digits",
            Self::Octal => "an octal escape must be one of \\001 to \\377",
        })
    }
}

/// The rules of a file in their order, each a value or what is wrong with its line. A line that is
/// neither rule nor selector is skipped (RULES-LINE-2).
pub fn rules(file: &[u8]) -> impl Iterator<Item = Result<Rule, Fault>> {
    let mut section = None;
    rule_text::lines(file).filter_map(move |line| {
        let (first, rest) = line.text.split_first()?;
        if *first == b':' {
            match rest.first() {
                Some(b's') => section = Some(true),
                Some(b'r') => section = Some(false),
                _ => return Some(Err(Fault { place: line.place(1), cause: Cause::Selector })),
            }
            return None;
        }
        let code = Code::of(*first)?;
        Some(Fields { line, at: 1 }.rule(code, section))
    })
}

/// A line being read; `at` is the next byte.
struct Fields<'a> {
    line: Line<'a>,
    at: usize,
}

impl Fields<'_> {
    fn rule(mut self, code: Code, section: Option<bool>) -> Result<Rule, Fault> {
        let (sender, _) = self.pattern()?;
        let (recipient, is_star) = self.pattern()?;
        let response = self.field()?;
        let data_bytes = self.data_bytes()?;
        let suffix = self.field()?;
        let environment = self.environment()?;
        // Before the first selector the recipient pattern decides (RULES-SEL-4).
        let of_senders = section.unwrap_or(is_star);
        Ok(Rule { of_senders, code, sender, recipient, response, data_bytes, suffix, environment })
    }

    /// A pattern, and whether it is a single `*`.
    fn pattern(&mut self) -> Result<(Pattern, bool), Fault> {
        let place = self.line.place(self.at);
        let bangs = self.line.text[self.at..].iter().take_while(|byte| **byte == b'!').count();
        self.at += bangs;
        let text = self.field()?;
        let test = match ListName::parse(&text) {
            Some(list) => Test::List(list),
            None => Test::Glob(Glob::folded(&text)),
        };
        Ok((Pattern { place, negated: bangs % 2 == 1, test }, text == "*"))
    }

    /// The next field, unescaped; empty if the line has no more.
    fn field(&mut self) -> Result<BString, Fault> {
        self.text(b':')
    }

    /// The bytes up to an unescaped `end`, which is consumed.
    fn text(&mut self, end: u8) -> Result<BString, Fault> {
        let rest = &self.line.text[self.at..];
        let plain = memchr::memchr2(b'\\', end, rest).unwrap_or(rest.len());
        self.at += plain;
        let mut text = rest[..plain].to_vec();
        while let Some(byte) = self.next(end)? {
            text.push(byte);
        }
        Ok(text.into())
    }

    /// The next byte of a field or item, unescaped; `None` behind the last, the `end` byte consumed.
    fn next(&mut self, end: u8) -> Result<Option<u8>, Fault> {
        let Some(&byte) = self.line.text.get(self.at) else { return Ok(None) };
        self.at += 1;
        match byte {
            b'\\' => {
                let escaped = rule_text::escaped(&self.line.text[self.at..]);
                let fault = |_| Fault { place: self.line.place(self.at - 1), cause: Cause::Octal };
                let Some((byte, length)) = escaped.map_err(fault)? else { return Ok(None) };
                self.at += length;
                Ok(Some(byte))
            }
            byte => Ok((byte != end).then_some(byte)),
        }
    }

    /// Digits; a number beyond 2^64 is as good as none (RULES-LINE-7, -8).
    fn data_bytes(&mut self) -> Result<u64, Fault> {
        let rest = &self.line.text[self.at..];
        let digits = &rest[..memchr::memchr(b':', rest).unwrap_or(rest.len())];
        if let Some(wrong) = digits.iter().position(|byte| !byte.is_ascii_digit()) {
            return Err(Fault { place: self.line.place(self.at + wrong), cause: Cause::DataBytes });
        }
        self.at += (digits.len() + 1).min(rest.len());
        Ok(super::number::whole_decimal(digits).unwrap_or(0))
    }

    /// The rest of the line: assignments divided by commas, empty ones dropped (RULES-ENV-1).
    fn environment(&mut self) -> Result<Vec<BString>, Fault> {
        let rest = &self.line.text[self.at..];
        let most = if rest.is_empty() { 0 } else { memchr::memchr_iter(b',', rest).count() + 1 };
        let mut items = Vec::with_capacity(most);
        while self.at < self.line.text.len() {
            let item = self.text(b',')?;
            if !item.is_empty() {
                items.push(item);
            }
        }
        Ok(items)
    }
}

#[cfg(test)]
mod tests;
