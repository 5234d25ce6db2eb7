//! `relayclient`: takes every recipient from clients that may relay (BUILTIN-8, -9).

use bstr::BString;

use crate::{
    plugin::{Answer, Hook, Module},
    response::Response,
    session::Session,
};

/// The plugin.
pub struct Relayclient;

impl Module for Relayclient {
    fn has(&self, hook: Hook) -> bool {
        hook == Hook::Recipient
    }

    fn variables(&self) -> &'static [&'static str] {
        &["RELAYCLIENT"]
    }

    fn recipient(&mut self, session: &Session, address: &mut BString, _: &mut BString) -> Answer {
        if let Some(suffix) = session.variable(b"RELAYCLIENT") {
            address.extend_from_slice(&suffix);
        } else if session.number(b"authenticated").unwrap_or(0) == 0 {
            return None;
        }
        Some(Response::accepted())
    }
}
