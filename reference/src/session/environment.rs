//! The variables of a session: those of the process, what rules and modules lay over them, and what
//! children get of either (SESS-ENV, CORE-ENV).

use std::{
    cell::RefCell,
    collections::BTreeMap,
    ffi::OsStr,
    os::unix::ffi::{OsStrExt, OsStringExt},
};

use bstr::{BString, ByteSlice};

use super::Session;
use crate::wire::number::whole_decimal;

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

/// What is laid over the environment of the process.
pub(super) struct Environment {
    /// `$PROTO`, read once (CORE-ENV-1, -4).
    prefix: BString,
    overlay: RefCell<BTreeMap<BString, Entry>>,
    /// The smallest number each name was given since the overlay was last emptied (SESS-ENV-7). With
    /// one value a name in the overlay that is all there is to keep (RULES-ENV-8).
    smallest: RefCell<BTreeMap<BString, u64>>,
    /// Variables that children no longer get, whatever becomes of the overlay (TLS-24).
    withdrawn: RefCell<Vec<BString>>,
    exported: RefCell<BTreeMap<BString, BString>>,
    settings: RefCell<Option<BTreeMap<BString, Option<BString>>>>,
}

impl Environment {
    pub(super) fn new() -> Self {
        Self {
            prefix: process_variable(b"PROTO").unwrap_or_else(|| "TCP".into()),
            overlay: RefCell::default(),
            smallest: RefCell::default(),
            withdrawn: RefCell::default(),
            exported: RefCell::default(),
            settings: RefCell::default(),
        }
    }
}

/// A variable of the process environment, as bytes.
pub fn process_variable(name: &[u8]) -> Option<BString> {
    std::env::var_os(OsStr::from_bytes(name)).map(|value| value.into_vec().into())
}

impl Session {
    /// A setting of the process environment, read at start-up (SESS-ENV-9).
    pub fn setting(&self, name: &str) -> Option<BString> {
        self.recorded(name.as_bytes(), process_variable(name.as_bytes()))
    }

    fn recorded(&self, name: &[u8], value: Option<BString>) -> Option<BString> {
        if let Some(seen) = self.environment.settings.borrow_mut().as_mut() {
            seen.insert(name.into(), value.clone());
        }
        value
    }

    /// A connection fact: the variable named `$PROTO` followed by `name`; empty counts as unset
    /// (CORE-ENV-1 … 4).
    pub fn fact(&self, name: &str) -> Option<BString> {
        let full = [self.environment.prefix.as_slice(), name.as_bytes()].concat();
        self.recorded(&full, process_variable(&full)).filter(|value| !value.is_empty())
    }

    /// `$PROTO`, `TCP` if unset.
    pub fn prefix(&self) -> &[u8] {
        &self.environment.prefix
    }

    /// From now on every setting read is remembered, for `--check`.
    pub fn record_settings(&self) {
        *self.environment.settings.borrow_mut() = Some(BTreeMap::new());
    }

    /// The settings read since [`Session::record_settings`], by name, with their values.
    pub fn settings(&self) -> BTreeMap<BString, Option<BString>> {
        self.environment.settings.borrow().clone().unwrap_or_default()
    }

    /// The value of a variable: the overlay's, else the process environment's (SESS-ENV-1).
    pub fn variable(&self, name: &[u8]) -> Option<BString> {
        let overlay = self.environment.overlay.borrow();
        let value = match overlay.get(name.as_bstr()).and_then(|entry| entry.value.as_ref()) {
            Some(Value::Set(value)) => Some(value.clone()),
            Some(Value::Unset) => None,
            None => self.beneath(name),
        };
        self.recorded(name, value)
    }

    /// The value beneath the overlay.
    fn beneath(&self, name: &[u8]) -> Option<BString> {
        self.environment.exported.borrow().get(name.as_bstr()).cloned().or_else(|| process_variable(name))
    }

    /// Changes a variable of the process environment, as far as modules and children can tell: beneath
    /// the overlay, and to stay (AUTH-17).
    pub fn export(&self, name: &[u8], value: &[u8]) {
        self.environment.exported.borrow_mut().insert(name.into(), value.into());
    }

    /// Takes every [`Session::export`] back.
    pub(super) fn forget_exported(&self) {
        self.environment.exported.borrow_mut().clear();
    }

    /// What was exported, for the environment of children that the overlay is not for.
    pub fn exported(&self) -> Vec<(BString, BString)> {
        self.environment.exported.borrow().iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// *put*: takes `NAME=VALUE`; the newest assignment wins (SESS-ENV-2, -4). An entry without `=`
    /// assigns nothing: it keeps the variable from children (SESS-ENV-6).
    pub fn put(&self, entry: &[u8]) {
        match entry.split_once_str("=") {
            Some((name, value)) => self.assign(name, value),
            None => self.environment.overlay.borrow_mut().entry(entry.into()).or_default().withheld = true,
        }
    }

    /// *set*: without `overwrite` an existing overlay entry stays (SESS-ENV-2).
    pub fn set(&self, name: &[u8], value: &[u8], overwrite: bool) {
        let has_value = |entry: &Entry| matches!(entry.value, Some(Value::Set(_)));
        let kept = !overwrite && self.environment.overlay.borrow().get(name.as_bstr()).is_some_and(has_value);
        if !kept {
            self.assign(name, value);
        }
    }

    /// From now on there is no such variable, for look-ups and children, until it is assigned or the
    /// overlay emptied. A limit of the process environment holds all the same (RULESX-SET-4).
    pub fn unset(&self, name: &[u8]) {
        let entry = Entry { value: Some(Value::Unset), withheld: true };
        self.environment.overlay.borrow_mut().insert(name.into(), entry);
    }

    fn assign(&self, name: &[u8], value: &[u8]) {
        let entry = Entry { value: Some(Value::Set(value.into())), withheld: false };
        self.environment.overlay.borrow_mut().insert(name.into(), entry);
        if let Some(number) = whole_decimal(value).filter(|number| *number > 0) {
            let mut smallest = self.environment.smallest.borrow_mut();
            smallest.entry(name.into()).and_modify(|least| *least = number.min(*least)).or_insert(number);
        }
    }

    /// *clear*: empties the overlay (SESS-ENV-3).
    pub fn clear_overlay(&self) {
        self.environment.overlay.borrow_mut().clear();
        self.environment.smallest.borrow_mut().clear();
    }

    /// The overlay and what was exported, for a child's environment: `None` removes a variable
    /// (SESS-ENV-5, -6).
    pub fn overlay(&self) -> Vec<(BString, Option<BString>)> {
        let exported = self.exported().into_iter().map(|(name, value)| (name, Some(value)));
        let mut all: BTreeMap<_, _> = exported.collect();
        all.extend(self.environment.withdrawn.borrow().iter().map(|name| (name.clone(), None)));
        all.extend(self.environment.overlay.borrow().iter().map(|(name, entry)| match &entry.value {
            Some(Value::Set(value)) if !entry.withheld => (name.clone(), Some(value.clone())),
            _ => (name.clone(), None),
        }));
        all.into_iter().collect()
    }

    /// From now on children do not get the variable of the process (TLS-24).
    pub fn withdraw(&self, name: &[u8]) {
        self.environment.withdrawn.borrow_mut().push(name.into());
    }

    /// The smallest non-zero whole decimal among the process value and every assignment, 0 if none
    /// (SESS-ENV-7).
    pub fn smallest(&self, name: &[u8]) -> u64 {
        let number = |value: BString| whole_decimal(&value).filter(|number| *number > 0);
        let assigned = self.environment.smallest.borrow().get(name.as_bstr()).copied();
        // What was exported hides the process value, but raises no limit (RULESX-SET-6).
        let exported = self.environment.exported.borrow().get(name.as_bstr()).cloned().and_then(number);
        let process = process_variable(name).and_then(number);
        [assigned, exported, process].into_iter().flatten().min().unwrap_or(0)
    }

    /// The overlay's value if it is a whole decimal, else the process value likewise, else `default`
    /// (SESS-ENV-8).
    pub fn first_number(&self, name: &[u8], default: u64) -> u64 {
        let values = [self.variable(name), self.beneath(name)];
        values.into_iter().flatten().find_map(|value| whole_decimal(&value)).unwrap_or(default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{connection::Connection, log::Log};

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
    fn a_withdrawn_variable_stays_away_from_children() {
        let session = session();
        session.withdraw(b"MAILFRONT_TEST");
        session.clear_overlay();
        assert_eq!(session.overlay(), [("MAILFRONT_TEST".into(), None)]);
    }
}
