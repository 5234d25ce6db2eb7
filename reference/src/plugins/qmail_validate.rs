//! `qmail-validate`: accepts and refuses addresses as qmail's control files say (QVAL-1 … 13).
//!
//! The files are read once, at the start. One that does not exist is empty; one that exists and cannot
//! be read refuses the session, since nobody would notice the missing list otherwise (SEC-108).

use std::{
    collections::HashSet,
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
};

use bstr::{BString, ByteSlice};

use crate::{
    plugin::{Answer, Hook, Module},
    qmail_home,
    response::Response,
    session::Session,
    wire::{cdb, control},
};

/// Senders that are not welcome.
const BADMAILFROM: &str = "control/badmailfrom";

/// Recipients that nobody may write to.
const BADRCPTTO: &str = "control/badrcptto";

/// Domains whose mail is taken.
const RCPTHOSTS: &str = "control/rcpthosts";

/// More of them.
const MORERCPTHOSTS: &str = "control/morercpthosts.cdb";

/// A domain's longest name (RFC 5321 4.5.3.1.2) with the period in front of a suffix. Nothing longer is
/// looked up, so that a recipient of periods costs no more than any other (SEC-70).
const KEY_MAX: usize = 256;

/// The plugin.
#[derive(Default)]
pub struct QmailValidate {
    badmailfrom: Addresses,
    badrcptto: Addresses,
    rcpthosts: HashSet<BString>,
    more: Option<Database>,
}

/// Whole addresses, and domains with `@` in front.
#[derive(Default)]
struct Addresses(HashSet<BString>);

/// An open constant database.
struct Database {
    file: File,
    length: u64,
}

impl Module for QmailValidate {
    fn has(&self, hook: Hook) -> bool {
        matches!(hook, Hook::Init | Hook::Sender | Hook::Recipient)
    }

    fn init(&mut self, session: &Session) -> Answer {
        qmail_home::enter(session.setting(qmail_home::VARIABLE)).and_then(|()| self.load(session)).err()
    }

    fn sender(&mut self, _: &Session, address: &mut BString, _: &mut BString) -> Answer {
        if self.badmailfrom.has(&address.to_ascii_lowercase()) {
            return Some(Response::new(553, "5.1.0 Sorry, your envelope sender is in my badmailfrom list."));
        }
        // Not "no opinion": those who load this plugin need no other for senders (QVAL-7).
        Some(Response::accepted())
    }

    fn recipient(&mut self, session: &Session, address: &mut BString, _: &mut BString) -> Answer {
        let address = address.to_ascii_lowercase();
        if self.badrcptto.has(&address) {
            return Some(Response::new(553, "5.1.1 Sorry, that address is in my badrcptto list."));
        }
        match self.takes(&address[at(&address)? + 1..]) {
            Ok(is_taken) => is_taken.then(Response::accepted),
            Err(error) => Some(unusable(session, MORERCPTHOSTS, &error)),
        }
    }
}

impl QmailValidate {
    fn load(&mut self, session: &Session) -> Result<(), Response> {
        let list = |path| entries(path).map_err(|error| unusable(session, path, &error));
        *self = Self {
            badmailfrom: Addresses(list(BADMAILFROM)?),
            badrcptto: Addresses(list(BADRCPTTO)?),
            rcpthosts: list(RCPTHOSTS)?,
            more: Database::open(MORERCPTHOSTS).map_err(|error| unusable(session, MORERCPTHOSTS, &error))?,
        };
        Ok(())
    }

    /// Whether a list has the domain, or a period and what follows one of its periods (QVAL-9).
    fn takes(&self, domain: &[u8]) -> io::Result<bool> {
        let mut rest = domain;
        while !rest.is_empty() {
            if rest.len() <= KEY_MAX
                && (self.rcpthosts.contains(rest.as_bstr())
                    || self.more.as_ref().map_or(Ok(false), |more| more.has(rest))?)
            {
                return Ok(true);
            }
            rest = rest[1..].find_byte(b'.').map_or(&[], |period| &rest[1 + period..]);
        }
        Ok(false)
    }
}

/// Where the domain of an address begins, at its last `@`; nothing if there is no local part (QVAL-6).
fn at(address: &[u8]) -> Option<usize> {
    address.rfind_byte(b'@').filter(|at| *at > 0)
}

impl Addresses {
    /// Whether the address, in lower case, or all addresses of its domain are listed (QVAL-6).
    fn has(&self, address: &[u8]) -> bool {
        let domain = || at(address).is_some_and(|at| self.0.contains(address[at..].as_bstr()));
        !self.0.is_empty() && (self.0.contains(address.as_bstr()) || domain())
    }
}

/// The entries of a control file; none if it does not exist (QVAL-3).
fn entries(path: &str) -> io::Result<HashSet<BString>> {
    match fs::read(path) {
        Ok(file) => Ok(control::entries(&file).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(HashSet::new()),
        Err(error) => Err(error),
    }
}

impl Database {
    /// The database, if it exists (QVAL-12).
    fn open(path: &str) -> io::Result<Option<Self>> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        Ok(Some(Self { file, length: metadata.len() }))
    }

    fn has(&self, key: &[u8]) -> io::Result<bool> {
        let read = |offset, buffer: &mut [u8]| self.file.read_exact_at(buffer, offset);
        cdb::contains(self.length, key, read).map_err(io::Error::other)
    }
}

/// A file that may list who is to be refused cannot be asked (QVAL-4, -12).
fn unusable(session: &Session, path: &str, error: &io::Error) -> Response {
    session.log(format!("{path}: {error}").as_bytes());
    Response::internal()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(entries: &[&str]) -> HashSet<BString> {
        entries.iter().map(|entry| BString::from(*entry)).collect()
    }

    #[test]
    fn an_address_is_listed_whole_or_by_its_last_domain() {
        let listed = Addresses(set(&["bad@x", "@bad", "plain", "@"]));
        for address in ["bad@x", "a@bad", "@bad", "plain", "a@b@bad", "a@", "@"] {
            assert!(listed.has(address.as_bytes()), "{address}");
        }
        for address in ["ok@x", "a@sub.bad", "bad", "plain@y", "a@bad@x", ""] {
            assert!(!listed.has(address.as_bytes()), "{address}");
        }
    }

    #[test]
    fn a_domain_is_taken_by_itself_or_by_a_suffix_with_its_period() {
        let plugin = QmailValidate { rcpthosts: set(&["host.com", ".sub.com"]), ..QmailValidate::default() };
        let long = format!("{}.sub.com", "a.".repeat(2000));
        for domain in ["host.com", "a.sub.com", "b.a.sub.com", ".sub.com", &long] {
            assert!(plugin.takes(domain.as_bytes()).unwrap(), "{domain}");
        }
        for domain in ["sub.com", "a.host.com", "host.com.", "", ".", "..", "xsub.com", "com"] {
            assert!(!plugin.takes(domain.as_bytes()).unwrap(), "{domain}");
        }
    }
}
