//! `accept-recipient`: takes every recipient (BUILTIN-3).

use bstr::BString;

use crate::{
    plugin::{Answer, Hook, Module},
    response::Response,
    session::Session,
};

/// The plugin.
pub struct AcceptRecipient;

impl Module for AcceptRecipient {
    fn has(&self, hook: Hook) -> bool {
        hook == Hook::Recipient
    }

    fn recipient(&mut self, _: &Session, _: &mut BString, _: &mut BString) -> Answer {
        Some(Response::accepted())
    }
}
