//! `accept-sender`: takes every sender (BUILTIN-3).

use bstr::BString;

use crate::{
    plugin::{Answer, Hook, Module},
    response::Response,
    session::Session,
};

/// The plugin.
pub struct AcceptSender;

impl Module for AcceptSender {
    fn has(&self, hook: Hook) -> bool {
        hook == Hook::Sender
    }

    fn sender(&mut self, _: &Session, _: &mut BString, _: &mut BString) -> Answer {
        Some(Response::accepted())
    }
}
