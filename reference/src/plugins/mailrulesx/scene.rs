//! One event as rules see it: the variables they read and change (RULESX-VAR, RULESX-SUBST, RULESX-SET).

use bstr::BString;

use super::Kept;
use crate::{
    response::Response,
    session::{MAX_DATA_BYTES, Session},
    wire::{
        address::ADDRESS_MAX,
        mailrulesx::{Assignment, Piece, Section, Template, Variable},
        number::whole_decimal,
        rule_text::Place,
    },
};

/// The longest message or value with everything put in (RULESX-SUBST-2).
const EXPANDED_MAX: usize = 64 * 1024;

/// What some shells take for a function and execute (RULESX-SET-5, SEC-45).
const FUNCTION: &[u8] = b"() {";

/// What is being judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    Connect,
    Sender,
    Recipient,
}

impl Event {
    /// Whether the rules of a section are tried at this event (RULESX-SECT-1, -2).
    pub(super) fn tries(self, section: Section) -> bool {
        match section {
            Section::None => self != Self::Connect,
            Section::Connect => self == Self::Connect,
            Section::Sender => self == Self::Sender,
            Section::Recipient => self == Self::Recipient,
        }
    }
}

/// Why a walk ends without a decision of a rule.
pub(super) enum Failure {
    /// With this answer.
    Answer(Response),
    /// With `451`, and with the place in the rules and the reason in the log.
    Internal(Place, &'static str),
}

/// The event and its variables.
pub(super) struct Scene<'a> {
    pub(super) session: &'a Session,
    pub(super) event: Event,
    pub(super) sender: Option<BString>,
    pub(super) recipient: Option<BString>,
    /// What is to outlast a reset.
    pub(super) kept: Kept,
}

impl<'a> Scene<'a> {
    /// An event without addresses.
    pub(super) fn new(session: &'a Session, event: Event) -> Self {
        Self { session, event, sender: None, recipient: None, kept: Kept::default() }
    }

    /// The value of a variable, if it is defined (RULESX-VAR-1).
    pub(super) fn value(&self, variable: &Variable) -> Option<BString> {
        match variable {
            Variable::Authenticated => {
                self.session.number(b"authenticated").filter(|number| *number > 0).map(|_| "1".into())
            }
            Variable::Sender => self.sender.clone(),
            Variable::Recipient => self.recipient.clone(),
            Variable::DataBytes => self.size_limit().map(|limit| limit.to_string().into()),
            Variable::Environment(name) => self.session.variable(name),
        }
    }

    fn size_limit(&self) -> Option<u64> {
        let limits = [self.session.smallest(b"DATABYTES"), self.session.number(MAX_DATA_BYTES).unwrap_or(0)];
        limits.into_iter().filter(|limit| *limit > 0).min()
    }

    /// A text with the values of its variables in it.
    pub(super) fn expand(&self, template: &Template, place: Place) -> Result<BString, Failure> {
        let mut text = BString::default();
        for piece in template.pieces() {
            match piece {
                Piece::Text(bytes) => text.extend_from_slice(bytes),
                Piece::Variable(variable) => {
                    text.extend_from_slice(&self.value(variable).unwrap_or_default());
                }
            }
            if text.len() > EXPANDED_MAX {
                return Err(Failure::Internal(place, "too long with its variables put in"));
            }
        }
        Ok(text)
    }

    /// Makes an assignment.
    pub(super) fn assign(&mut self, assignment: &Assignment, place: Place) -> Result<(), Failure> {
        let (variable, template) = match assignment {
            Assignment::Set(variable, template) => (variable, template),
            Assignment::Unset(name) => {
                self.session.unset(name);
                if self.event == Event::Connect {
                    self.kept.unset.push(name.clone());
                }
                return Ok(());
            }
        };
        let value = self.expand(template, place)?;
        match (variable, self.event) {
            (Variable::Sender, Event::Sender) => self.sender = Some(fit(value)?),
            (Variable::Recipient, Event::Recipient) => self.recipient = Some(fit(value)?),
            (Variable::DataBytes, _) => self.limit_size(&value, place)?,
            (Variable::Environment(name), event) => {
                if value.starts_with(FUNCTION) && template.literal().is_none() {
                    return Err(Failure::Internal(place, "a value put together begins with `() {`"));
                }
                match event {
                    Event::Connect => self.session.export(name, &value),
                    _ => self.session.set(name, &value, true),
                }
            }
            // Of the other event, or of none (RULESX-SET-2); `authenticated` is a syntax error.
            (Variable::Authenticated | Variable::Sender | Variable::Recipient, _) => {}
        }
        Ok(())
    }

    /// Lowers the size limit; empty and zero change nothing (RULESX-SET-3).
    fn limit_size(&mut self, value: &[u8], place: Place) -> Result<(), Failure> {
        if !value.iter().all(u8::is_ascii_digit) {
            return Err(Failure::Internal(place, "databytes is no decimal number"));
        }
        let limit = whole_decimal(value).unwrap_or(0);
        if limit > 0 {
            self.session.lower_number(MAX_DATA_BYTES, limit);
            if self.event == Event::Connect {
                self.kept.data_bytes = Some(self.kept.data_bytes.map_or(limit, |least| least.min(limit)));
            }
        }
        Ok(())
    }
}

/// An address of a rule is no longer than one of a client (SMTP-MAIL-18).
fn fit(address: BString) -> Result<BString, Failure> {
    let too_long = || Failure::Answer(Response::new(501, "5.1.3 Address too long."));
    (address.len() <= ADDRESS_MAX).then_some(address).ok_or_else(too_long)
}
