//! What the modules of one connection share: environment, numbers, strings, and the connection.
//!
//! All methods take `&self`. A loaded C module calls back into the session while the chain runs one
//! of its hooks, so the parts are cells, each borrowed only inside one method.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    ffi::OsStr,
    os::unix::ffi::{OsStrExt, OsStringExt},
};

use bstr::{BString, ByteSlice};

use crate::{
    connection::{Connection, End},
    response::Response,
    wire::{number::whole_decimal, text},
};

/// The session string that holds the client's name for itself (SESS-STR-3).
const HELO_DOMAIN: &[u8] = b"helo_domain";

/// The session number that is 1 inside TLS (SESS-NUM-2).
const TLS_STATE: &[u8] = b"tls_state";

/// The session number that limits the size of a message (SESS-NUM-2, RULES-DB-1).
pub const MAX_DATA_BYTES: &[u8] = b"maxdatabytes";

/// What the overlay says of a variable.
#[derive(Debug, Default)]
struct Entry {
    /// What look-ups see, if not the process environment.
    value: Option<Value>,
    /// Whether children do not get the variable, whatever its value (SESS-ENV-6).
    withheld: bool,
}

#[derive(Debug)]
enum Value {
    Set(BString),
    /// As if the process environment had none (RULESX-SET-4).
    Unset,
}

/// The state of one connection, from start-up to exit.
pub struct Session {
    /// Standard input and output with their limits and byte counts.
    pub connection: Connection,
    /// `$PROTO`, read once (CORE-ENV-1, -4).
    prefix: BString,
    overlay: RefCell<BTreeMap<BString, Entry>>,
    /// The smallest number each name was given since the overlay was last emptied (SESS-ENV-7). With
    /// one value a name in the overlay that is all there is to keep (RULES-ENV-8).
    smallest: RefCell<BTreeMap<BString, u64>>,
    /// Variables that children no longer get, whatever becomes of the overlay (TLS-24).
    withdrawn: RefCell<Vec<BString>>,
    exported: RefCell<BTreeMap<BString, BString>>,
    numbers: RefCell<BTreeMap<BString, u64>>,
    strings: RefCell<BTreeMap<BString, BString>>,
    protocol: RefCell<BString>,
    injected: RefCell<BString>,
    settings: RefCell<Option<BTreeMap<BString, Option<BString>>>>,
    /// Whether `helo_domain` came from HELO or EHLO and may be replaced by the next one (SESS-STR-3).
    helo_is_from_client: Cell<bool>,
    message_waits: Cell<bool>,
}

/// A variable of the process environment, as bytes.
pub fn process_variable(name: &[u8]) -> Option<BString> {
    std::env::var_os(OsStr::from_bytes(name)).map(|value| value.into_vec().into())
}

impl Session {
    /// A fresh session over `connection`.
    pub fn new(connection: Connection) -> Self {
        Self {
            connection,
            prefix: process_variable(b"PROTO").unwrap_or_else(|| "TCP".into()),
            overlay: RefCell::default(),
            smallest: RefCell::default(),
            withdrawn: RefCell::default(),
            exported: RefCell::default(),
            numbers: RefCell::default(),
            strings: RefCell::default(),
            protocol: RefCell::default(),
            injected: RefCell::default(),
            settings: RefCell::default(),
            helo_is_from_client: Cell::new(false),
            message_waits: Cell::new(false),
        }
    }

    /// A setting of the process environment, read at start-up (SESS-ENV-9).
    pub fn setting(&self, name: &str) -> Option<BString> {
        self.recorded(name.as_bytes(), process_variable(name.as_bytes()))
    }

    fn recorded(&self, name: &[u8], value: Option<BString>) -> Option<BString> {
        if let Some(seen) = self.settings.borrow_mut().as_mut() {
            seen.insert(name.into(), value.clone());
        }
        value
    }

    /// A connection fact: the variable named `$PROTO` followed by `name`; empty counts as unset
    /// (CORE-ENV-1 … 4).
    pub fn fact(&self, name: &str) -> Option<BString> {
        let full = [self.prefix.as_slice(), name.as_bytes()].concat();
        self.recorded(&full, process_variable(&full)).filter(|value| !value.is_empty())
    }

    /// `$PROTO`, `TCP` if unset.
    pub fn prefix(&self) -> &[u8] {
        &self.prefix
    }

    /// From now on every setting read is remembered, for `--check`.
    pub fn record_settings(&self) {
        *self.settings.borrow_mut() = Some(BTreeMap::new());
    }

    /// The settings read since [`Session::record_settings`], by name, with their values.
    pub fn settings(&self) -> BTreeMap<BString, Option<BString>> {
        self.settings.borrow().clone().unwrap_or_default()
    }

    /// The value of a variable: the overlay's, else the process environment's (SESS-ENV-1).
    pub fn variable(&self, name: &[u8]) -> Option<BString> {
        let value = match self.overlay.borrow().get(name.as_bstr()).and_then(|entry| entry.value.as_ref()) {
            Some(Value::Set(value)) => Some(value.clone()),
            Some(Value::Unset) => None,
            None => self.beneath(name),
        };
        self.recorded(name, value)
    }

    /// The value beneath the overlay.
    fn beneath(&self, name: &[u8]) -> Option<BString> {
        self.exported.borrow().get(name.as_bstr()).cloned().or_else(|| process_variable(name))
    }

    /// Changes a variable of the process environment, as far as modules and children can tell: beneath
    /// the overlay, and to stay (AUTH-17).
    pub fn export(&self, name: &[u8], value: &[u8]) {
        self.exported.borrow_mut().insert(name.into(), value.into());
    }

    /// What was exported, for the environment of children that the overlay is not for.
    pub fn exported(&self) -> Vec<(BString, BString)> {
        self.exported.borrow().iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// *put*: takes `NAME=VALUE`; the newest assignment wins (SESS-ENV-2, -4). An entry without `=`
    /// assigns nothing: it keeps the variable from children (SESS-ENV-6).
    pub fn put(&self, entry: &[u8]) {
        match entry.split_once_str("=") {
            Some((name, value)) => self.assign(name, value),
            None => self.overlay.borrow_mut().entry(entry.into()).or_default().withheld = true,
        }
    }

    /// *set*: without `overwrite` an existing overlay entry stays (SESS-ENV-2).
    pub fn set(&self, name: &[u8], value: &[u8], overwrite: bool) {
        let has_value = |entry: &Entry| matches!(entry.value, Some(Value::Set(_)));
        let kept = !overwrite && self.overlay.borrow().get(name.as_bstr()).is_some_and(has_value);
        if !kept {
            self.assign(name, value);
        }
    }

    /// From now on there is no such variable, for look-ups and children, until it is assigned or the
    /// overlay emptied. A limit of the process environment holds all the same (RULESX-SET-4).
    pub fn unset(&self, name: &[u8]) {
        let entry = Entry { value: Some(Value::Unset), withheld: true };
        self.overlay.borrow_mut().insert(name.into(), entry);
    }

    fn assign(&self, name: &[u8], value: &[u8]) {
        let entry = Entry { value: Some(Value::Set(value.into())), withheld: false };
        self.overlay.borrow_mut().insert(name.into(), entry);
        if let Some(number) = whole_decimal(value).filter(|number| *number > 0) {
            let mut smallest = self.smallest.borrow_mut();
            smallest.entry(name.into()).and_modify(|least| *least = number.min(*least)).or_insert(number);
        }
    }

    /// *clear*: empties the overlay (SESS-ENV-3).
    pub fn clear_overlay(&self) {
        self.overlay.borrow_mut().clear();
        self.smallest.borrow_mut().clear();
    }

    /// The overlay and what was exported, for a child's environment: `None` removes a variable
    /// (SESS-ENV-5, -6).
    pub fn overlay(&self) -> Vec<(BString, Option<BString>)> {
        let exported = self.exported().into_iter().map(|(name, value)| (name, Some(value)));
        let mut all: BTreeMap<_, _> = exported.collect();
        all.extend(self.withdrawn.borrow().iter().map(|name| (name.clone(), None)));
        all.extend(self.overlay.borrow().iter().map(|(name, entry)| match &entry.value {
            Some(Value::Set(value)) if !entry.withheld => (name.clone(), Some(value.clone())),
            _ => (name.clone(), None),
        }));
        all.into_iter().collect()
    }

    /// From now on children do not get the variable of the process (TLS-24).
    pub fn withdraw(&self, name: &[u8]) {
        self.withdrawn.borrow_mut().push(name.into());
    }

    /// The smallest non-zero whole decimal among the process value and every assignment, 0 if none
    /// (SESS-ENV-7).
    pub fn smallest(&self, name: &[u8]) -> u64 {
        let number = |value: BString| whole_decimal(&value).filter(|number| *number > 0);
        let assigned = self.smallest.borrow().get(name.as_bstr()).copied();
        // What was exported hides the process value, but raises no limit (RULESX-SET-6).
        let exported = self.exported.borrow().get(name.as_bstr()).cloned().and_then(number);
        let process = process_variable(name).and_then(number);
        [assigned, exported, process].into_iter().flatten().min().unwrap_or(0)
    }

    /// The overlay's value if it is a whole decimal, else the process value likewise, else `default`
    /// (SESS-ENV-8).
    pub fn first_number(&self, name: &[u8], default: u64) -> u64 {
        let values = [self.variable(name), self.beneath(name)];
        values.into_iter().flatten().find_map(|value| whole_decimal(&value)).unwrap_or(default)
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
        self.exported.borrow_mut().clear();
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
    fn the_newest_assignment_wins_but_the_smallest_is_remembered() {
        let session = session();
        session.put(b"MAILFRONT_TEST=9");
        session.set(b"MAILFRONT_TEST", b"5x", true);
        session.set(b"MAILFRONT_TEST", b"7", false);
        session.put(b"MAILFRONT_TEST=12");
        assert_eq!(session.variable(b"MAILFRONT_TEST"), Some("12".into()));
        assert_eq!(session.smallest(b"MAILFRONT_TEST"), 9);
        session.clear_overlay();
        assert_eq!(session.variable(b"MAILFRONT_TEST"), None);
        assert_eq!(session.smallest(b"MAILFRONT_TEST"), 0);
    }

    #[test]
    fn an_entry_without_value_is_invisible_and_kept_for_children() {
        let session = session();
        session.put(b"MAILFRONT_TEST");
        assert_eq!(session.variable(b"MAILFRONT_TEST"), None);
        assert_eq!(session.overlay(), [("MAILFRONT_TEST".into(), None)]);
        session.put(b"MAILFRONT_TEST=1");
        assert_eq!(session.overlay(), [("MAILFRONT_TEST".into(), Some("1".into()))]);
        session.put(b"MAILFRONT_TEST");
        assert_eq!(session.variable(b"MAILFRONT_TEST"), Some("1".into()));
        assert_eq!(session.overlay(), [("MAILFRONT_TEST".into(), None)]);
    }

    #[test]
    fn an_unset_variable_is_gone_until_it_is_assigned() {
        let session = session();
        assert!(session.variable(b"PATH").is_some());
        session.unset(b"PATH");
        assert_eq!((session.variable(b"PATH"), session.overlay()), (None, vec![("PATH".into(), None)]));
        session.set(b"PATH", b"1", false);
        assert_eq!(session.variable(b"PATH"), Some("1".into()));
        session.unset(b"PATH");
        session.clear_overlay();
        assert!(session.variable(b"PATH").is_some());
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
    fn a_withdrawn_variable_stays_away_from_children() {
        let session = session();
        session.withdraw(b"MAILFRONT_TEST");
        session.clear_overlay();
        assert_eq!(session.overlay(), [("MAILFRONT_TEST".into(), None)]);
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
