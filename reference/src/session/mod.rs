//! What the modules of one connection share: numbers, strings, the connection, and the [`environment`].
//!
//! All methods take `&self`. A loaded C module calls back into the session while the chain runs one
//! of its hooks, so the parts are cells, each borrowed only inside one method.

mod environment;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};

use bstr::{BString, ByteSlice};

use self::environment::Environment;
use crate::{
    connection::{Connection, End},
    response::Response,
    wire::text,
};

pub use self::environment::process_variable;

/// The session string that holds the client's name for itself (SESS-STR-3).
const HELO_DOMAIN: &[u8] = b"helo_domain";

/// The session number that is 1 inside TLS (SESS-NUM-2).
const TLS_STATE: &[u8] = b"tls_state";

/// The session number that limits the size of a message (SESS-NUM-2, RULES-DB-1).
pub const MAX_DATA_BYTES: &[u8] = b"maxdatabytes";

/// The state of one connection, from start-up to exit.
pub struct Session {
    /// Standard input and output with their limits and byte counts.
    pub connection: Connection,
    environment: Environment,
    numbers: RefCell<BTreeMap<BString, u64>>,
    strings: RefCell<BTreeMap<BString, BString>>,
    protocol: RefCell<BString>,
    injected: RefCell<BString>,
    /// Whether `helo_domain` came from HELO or EHLO and may be replaced by the next one (SESS-STR-3).
    helo_is_from_client: Cell<bool>,
    message_waits: Cell<bool>,
}

impl Session {
    /// A fresh session over `connection`.
    pub fn new(connection: Connection) -> Self {
        Self {
            connection,
            environment: Environment::new(),
            numbers: RefCell::default(),
            strings: RefCell::default(),
            protocol: RefCell::default(),
            injected: RefCell::default(),
            helo_is_from_client: Cell::new(false),
            message_waits: Cell::new(false),
        }
    }

    /// A session number (SESS-NUM-1).
    pub fn number(&self, name: &[u8]) -> Option<u64> {
        self.numbers.borrow().get(name.as_bstr()).copied()
    }

    /// Sets a session number, replacing an earlier value.
    pub fn set_number(&self, name: &[u8], value: u64) {
        self.numbers.borrow_mut().insert(name.into(), value);
    }

    /// Sets a session number that is a limit to the smaller of `value` and what it is; 0 counts as none.
    pub fn lower_number(&self, name: &[u8], value: u64) {
        let current = self.number(name).filter(|limit| *limit > 0);
        self.set_number(name, current.map_or(value, |limit| limit.min(value)));
    }

    /// Deletes a session number; an absent one is no error.
    pub fn delete_number(&self, name: &[u8]) {
        self.numbers.borrow_mut().remove(name.as_bstr());
    }

    /// A session string (SESS-STR-1).
    pub fn string(&self, name: &[u8]) -> Option<BString> {
        self.strings.borrow().get(name.as_bstr()).cloned()
    }

    /// Sets a session string, replacing an earlier value (SESS-STR-2).
    pub fn set_string(&self, name: &[u8], value: &[u8]) {
        if name == HELO_DOMAIN {
            self.helo_is_from_client.set(false);
        }
        self.strings.borrow_mut().insert(name.into(), value.into());
    }

    /// Deletes a session string.
    pub fn delete_string(&self, name: &[u8]) {
        self.strings.borrow_mut().remove(name.as_bstr());
    }

    /// Stores the name of HELO or EHLO as the session string `helo_domain`, made fit for a header;
    /// one that a module set stays (SESS-STR-3, SMTP-HELO-7, -12).
    pub fn store_helo(&self, name: &[u8]) {
        if self.helo_is_from_client.get() || self.string(HELO_DOMAIN).is_none() {
            self.strings.borrow_mut().insert(HELO_DOMAIN.into(), text::for_helo(name));
            self.helo_is_from_client.set(true);
        }
    }

    /// Whether the client is served inside TLS (TLS-6, TLS-24).
    pub fn is_in_tls(&self) -> bool {
        self.number(TLS_STATE).is_some_and(|state| state != 0)
    }

    /// Says that the client is served inside TLS.
    pub fn enter_tls(&self) {
        self.set_number(TLS_STATE, 1);
    }

    /// Forgets what the client called itself and who it proved to be: somebody between could have said
    /// it in its place before TLS (TLS-10).
    pub fn forget_client(&self) {
        let is_learned =
            |name: &BString| *name == HELO_DOMAIN || *name == "authenticated" || name.starts_with(b"auth_");
        self.numbers.borrow_mut().retain(|name, _| !is_learned(name));
        self.strings.borrow_mut().retain(|name, _| !is_learned(name));
        self.forget_exported();
        self.helo_is_from_client.set(false);
    }

    /// The protocol name for trace headers: `SMTP`, `ESMTP`, `QMTP` or `QMQP` (SESS-PROTO-1).
    pub fn protocol(&self) -> BString {
        self.protocol.borrow().clone()
    }

    /// Sets the protocol name.
    pub fn set_protocol(&self, name: impl Into<BString>) {
        *self.protocol.borrow_mut() = name.into();
    }

    /// Whether the envelope follows the message, so that what a rule sets for this message is not yet
    /// known while its data pass (NS-HOOK-1, -5).
    pub fn envelope_is_last(&self) -> bool {
        matches!(self.protocol.borrow().as_slice(), b"QMQP" | b"QMTP")
    }

    /// Says whether each message waits in a temporary file for its end (PLUG-LIST-7).
    pub fn set_message_waits(&self, waits: bool) {
        self.message_waits.set(waits);
    }

    /// Whether the backend begins with a message before its envelope, and so what a rule sets, is known
    /// (NS-HOOK-5).
    pub fn backend_is_ahead(&self) -> bool {
        self.envelope_is_last() && !self.message_waits.get()
    }

    /// Adds bytes in front of the message, from a data-start hook (HOOK-DATA-6).
    pub fn inject(&self, bytes: &[u8]) {
        self.injected.borrow_mut().extend_from_slice(bytes);
    }

    /// Takes what was injected since the last call.
    pub fn take_injected(&self) -> BString {
        std::mem::take(&mut *self.injected.borrow_mut())
    }

    /// Sends a response in the protocol's framing, each refusal logged first (CORE-LOG-3).
    ///
    /// # Errors
    /// The client is gone or does not read.
    pub fn respond(&self, response: &Response) -> Result<(), End> {
        self.connection.respond(response)
    }

    /// Writes a line to the log (CORE-LOG-1).
    pub fn log(&self, text: &[u8]) {
        self.connection.log.line(text);
    }

    /// As [`Session::log`], of a text in parts.
    pub fn log_parts(&self, text: &[&[u8]]) {
        self.connection.log.parts(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Log;

    fn session() -> Session {
        Session::new(Connection::new(Log::new("test")))
    }

    #[test]
    fn tls_makes_forget_who_the_client_is_and_nothing_else() {
        let session = session();
        session.enter_tls();
        session.store_helo(b"one");
        session.set_number(b"authenticated", 1);
        session.set_number(b"auth_uid", 7);
        session.set_string(b"auth_user", b"bob");
        session.set_number(b"maxrcpts", 3);
        session.set_string(b"tls_cipher", b"AES");
        session.forget_client();
        for name in [&b"authenticated"[..], b"auth_uid"] {
            assert_eq!(session.number(name), None, "{}", name.as_bstr());
        }
        for name in [HELO_DOMAIN, b"auth_user"] {
            assert_eq!(session.string(name), None, "{}", name.as_bstr());
        }
        assert_eq!(session.number(b"maxrcpts"), Some(3));
        assert_eq!(session.string(b"tls_cipher"), Some("AES".into()));
        assert!(session.is_in_tls());
    }

    #[test]
    fn a_helo_name_yields_to_the_next_but_a_module_s_stays() {
        let session = session();
        session.store_helo(b"one");
        session.store_helo(b"two\x01");
        assert_eq!(session.string(HELO_DOMAIN), Some("two?".into()));
        session.set_string(HELO_DOMAIN, b"mine");
        session.store_helo(b"three");
        assert_eq!(session.string(HELO_DOMAIN), Some("mine".into()));
        session.delete_string(HELO_DOMAIN);
        session.store_helo(b"four");
        assert_eq!(session.string(HELO_DOMAIN), Some("four".into()));
    }
}
