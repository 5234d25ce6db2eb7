//! `accept`: takes every sender and recipient, well-formed or not (BUILTIN-2).

use bstr::BString;

use crate::{
    plugin::{Answer, Hook, Module},
    response::Response,
    session::Session,
};

/// The plugin.
pub struct Accept;

impl Module for Accept {
    fn has(&self, hook: Hook) -> bool {
        matches!(hook, Hook::Sender | Hook::Recipient)
    }

    fn sender(&mut self, _: &Session, _: &mut BString, _: &mut BString) -> Answer {
        Some(Response::accepted())
    }

    fn recipient(&mut self, _: &Session, _: &mut BString, _: &mut BString) -> Answer {
        Some(Response::accepted())
    }
}
