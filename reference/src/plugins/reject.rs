//! `reject`: refuses every sender while `$SMTPREJECT` or `$REJECT` is set (BUILTIN-5 … 7).

use bstr::BString;

use crate::{
    plugin::{Answer, Hook, Module},
    response::Response,
    session::Session,
};

/// The plugin.
pub struct Reject;

impl Module for Reject {
    fn has(&self, hook: Hook) -> bool {
        hook == Hook::Sender
    }

    fn variables(&self) -> &'static [&'static str] {
        &["SMTPREJECT", "REJECT"]
    }

    fn sender(&mut self, session: &Session, _: &mut BString, _: &mut BString) -> Answer {
        // An empty `$SMTPREJECT` is set: it hides `$REJECT` (BUILTIN-6).
        let value = session.variable(b"SMTPREJECT").or_else(|| session.variable(b"REJECT"))?;
        let (number, text) = match value.strip_prefix(b"-") {
            Some(text) => (553, text),
            None => (451, value.as_ref()),
        };
        let text = if text.is_empty() { b"You are not allowed to use this mail server." } else { text };
        Some(Response::new(number, text))
    }
}
