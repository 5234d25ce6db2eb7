//! `require-auth`: refuses senders who neither authenticated nor may relay (BUILTIN-10).

use bstr::BString;

use crate::{
    plugin::{Answer, Hook, Module},
    response::Response,
    session::Session,
};

/// The plugin.
pub struct RequireAuth;

impl Module for RequireAuth {
    fn has(&self, hook: Hook) -> bool {
        hook == Hook::Sender
    }

    fn variables(&self) -> &'static [&'static str] {
        &["RELAYCLIENT"]
    }

    fn sender(&mut self, session: &Session, _: &mut BString, _: &mut BString) -> Answer {
        let may_send =
            session.number(b"authenticated").unwrap_or(0) != 0 || session.variable(b"RELAYCLIENT").is_some();
        (!may_send).then(|| Response::new(530, "5.7.1 You must authenticate first."))
    }
}
