//! A list of credential modules, and the question put to them one after the other (CVM-ADDR-1 … 4).
//!
//! Stops password checks that are look-ups (CVM-XFER-8, AUTH-20): the secret of look-ups is in a module's
//! environment only while a look-up is asked.

use std::time::Instant;

use bstr::{BString, ByteSlice};
use rustix::rand::{GetRandomFlags, getrandom};

use super::{identity::Identity, transport};
use crate::{
    session::process_variable,
    wire::{
        cvm::{self, Credential, Fact, Facts, RequestError, ResponseError},
        number::decimal_prefix,
    },
};

/// The variable that turns modules built on the CVM library from password checks to look-ups.
pub const LOOKUP_SECRET: &str = "CVM_LOOKUP_SECRET";

/// The result of a module that knows the account and does not accept, or does not know it.
const REJECTED: u8 = 100;

/// Random bytes in requests that may go over a network (CVM-REQ-3).
const RANDOM_BYTES: u64 = 8;

/// Where a module is (CVM-ADDR-1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A program, found as a shell finds it.
    Command(BString),
    /// A socket in the file system.
    Local(BString),
    /// Host and port, still in one.
    Udp(BString),
}

/// What a module is asked.
#[derive(Debug, Clone, Copy)]
pub enum Question<'a> {
    /// Whether the credentials are good.
    Password(&'a [(Credential, &'a [u8])]),
    /// Whether there is such an account; with the secret that entitles to the question.
    LookUp(&'a [(Credential, &'a [u8])], &'a [u8]),
}

/// What became of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The account is this one.
    Accepted(Identity),
    /// It is none that the modules accept (code 100); they may have said why.
    Rejected(Facts),
    /// Nobody knows: nothing may be granted, and it may be tried again.
    Failed(Trouble),
}

/// Why nobody knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// There is no module to ask (CVM-ADDR-4).
    NoModule,
    /// The question does not fit into a request (CVM-REQ-7, -8).
    Request(RequestError),
    /// The module cannot be reached, or went away (CVM-XFER-2, -3).
    Unreachable(std::io::ErrorKind),
    /// Its address is none (CVM-XFER-4).
    Address,
    /// It did not answer in time (CVM-XFER-4, -7).
    Silent,
    /// It died of a signal.
    Died,
    /// What it said is no answer (CVM-RESP-2).
    Response(ResponseError),
    /// It failed by itself (CVM-RESP-3).
    Code(u8),
    /// It accepted somebody whose account it does not tell (CVM-RESP-4, -6).
    Identity(Fact),
}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Self {
        Self::Unreachable(error.kind())
    }
}

impl Address {
    fn parse(text: &[u8]) -> Self {
        if let Some(path) = text.strip_prefix(b"cvm-local:") {
            Self::Local(path.into())
        } else if let Some(place) = text.strip_prefix(b"cvm-udp:") {
            Self::Udp(place.into())
        } else {
            Self::Command(text.strip_prefix(b"cvm-command:").unwrap_or(text).into())
        }
    }
}

/// A list of modules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Modules(Vec<Address>);

impl Modules {
    /// The modules of a list separated by commas; a last comma is nothing (CVM-ADDR-1, -3).
    pub fn from_list(list: &[u8]) -> Self {
        let list = list.strip_suffix(b",").unwrap_or(list);
        let texts = list.split_str(",").filter(|_| !list.is_empty());
        Self(texts.map(Address::parse).collect())
    }

    /// The addresses in their order.
    pub fn addresses(&self) -> &[Address] {
        &self.0
    }

    /// Asks the modules in their order until one decides, for no longer than to `until`. `environment` is
    /// added to that of commands.
    pub fn ask(&self, question: Question<'_>, environment: &[(BString, BString)], until: Instant) -> Verdict {
        match self.try_to_ask(question, environment, until) {
            Ok(verdict) => verdict,
            Err(trouble) => Verdict::Failed(trouble),
        }
    }

    fn try_to_ask(
        &self,
        question: Question<'_>,
        environment: &[(BString, BString)],
        until: Instant,
    ) -> Result<Verdict, Trouble> {
        let random = self.random_bytes()?;
        let request = question.request(&random).map_err(Trouble::Request)?;
        let mut verdict = Err(Trouble::NoModule);
        for address in &self.0 {
            let response = match address {
                Address::Command(name) => {
                    let secret = question.secret();
                    transport::command(name, &request, environment, secret, until)?.response(&random)?
                }
                Address::Local(path) => response(&random, &transport::local(path, &request, until)?)?,
                Address::Udp(host) => response(&random, &transport::udp(host, &request, &random, until)?)?,
            };
            match response.code {
                0 => {
                    let identity = Identity::from_facts(response.facts).map_err(Trouble::Identity)?;
                    return Ok(Verdict::Accepted(identity));
                }
                REJECTED => {
                    let is_last_word = out_of_scope(&response.facts) == Some(0);
                    verdict = Ok(Verdict::Rejected(response.facts));
                    if is_last_word {
                        break;
                    }
                }
                code => return Err(Trouble::Code(code)),
            }
        }
        verdict
    }

    /// The random bytes of one question; none unless it may go over a network (CVM-REQ-3, CVM-XFER-6).
    fn random_bytes(&self) -> Result<Vec<u8>, Trouble> {
        if !self.0.iter().any(|address| matches!(address, Address::Udp(_))) {
            return Ok(Vec::new());
        }
        let wanted = process_variable(b"CVM_RANDOM_BYTES")
            .map_or(RANDOM_BYTES, |value| decimal_prefix(&value).unwrap_or(0));
        let mut bytes = vec![0; usize::from(u8::try_from(wanted).unwrap_or(u8::MAX))];
        fill_with_random(&mut bytes)?;
        Ok(bytes)
    }
}

impl Question<'_> {
    fn request(self, random: &[u8]) -> Result<Vec<u8>, RequestError> {
        match self {
            Self::Password(credentials) => cvm::request(random, credentials),
            Self::LookUp(credentials, secret) => {
                cvm::request(random, &[credentials, &[(Credential::Secret, secret)]].concat())
            }
        }
    }

    /// What a command finds in `$CVM_LOOKUP_SECRET` while it is asked.
    fn secret(self) -> Option<BString> {
        match self {
            Self::Password(_) => None,
            Self::LookUp(_, secret) => Some(secret.into()),
        }
    }
}

/// Fills `bytes` from the system's source.
///
/// # Errors
/// It has none.
pub fn fill_with_random(bytes: &mut [u8]) -> std::io::Result<()> {
    let mut filled = 0;
    while filled < bytes.len() {
        filled += getrandom(&mut bytes[filled..], GetRandomFlags::empty())?;
    }
    Ok(())
}

/// What a module that rejected an account says of its domain: 0 is its own, so that its word is the last;
/// an empty fact counts as 0, one that is no number as absent (CVM-ADDR-2).
pub fn out_of_scope(facts: &Facts) -> Option<u64> {
    let value = facts.first(Fact::OutOfScope)?;
    if value.is_empty() {
        return Some(0);
    }
    value.iter().all(u8::is_ascii_digit).then(|| decimal_prefix(value)).flatten()
}

fn response(random: &[u8], packet: &[u8]) -> Result<cvm::Response, Trouble> {
    cvm::response(random, packet).map_err(Trouble::Response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_names_its_modules() {
        let addresses = |list: &str| Modules::from_list(list.as_bytes()).0;
        let command = |name: &str| Address::Command(name.into());
        assert_eq!(addresses("a,cvm-command:b,/c d"), [command("a"), command("b"), command("/c d")]);
        assert_eq!(
            addresses("cvm-local:/s,cvm-udp:h:1,CVM-UDP:h:1"),
            [Address::Local("/s".into()), Address::Udp("h:1".into()), command("CVM-UDP:h:1")]
        );
        assert_eq!(addresses(",a,"), [command(""), command("a")]);
        assert_eq!(addresses("a,,b"), [command("a"), command(""), command("b")]);
        assert_eq!(addresses(""), []);
        assert_eq!(addresses(","), []);
    }

    #[test]
    fn an_empty_list_and_a_long_credential_ask_nobody() {
        let ask = |list: &str, account: &[u8]| {
            let credentials = [(Credential::Account, account)];
            let until = Instant::now() + std::time::Duration::from_secs(10);
            Modules::from_list(list.as_bytes()).ask(Question::Password(&credentials), &[], until)
        };
        assert_eq!(ask("", b"bob"), Verdict::Failed(Trouble::NoModule));
        let too_long = Trouble::Request(RequestError::CredentialTooLong(Credential::Account));
        assert_eq!(ask("/nonexistent", &[b'x'; 256]), Verdict::Failed(too_long));
        let missing = Trouble::Unreachable(std::io::ErrorKind::NotFound);
        assert_eq!(ask("/nonexistent", b"bob"), Verdict::Failed(missing));
    }

    #[test]
    fn only_a_number_says_what_is_out_of_scope() {
        let scope = |value: &[u8]| {
            let length = u8::try_from(value.len()).unwrap();
            let packet = [&[100, 0, 16, length], value, b"\0"].concat();
            out_of_scope(&cvm::response(b"", &packet).unwrap().facts)
        };
        assert_eq!(
            [scope(b"0"), scope(b""), scope(b"1"), scope(b"x"), scope(b"-1")],
            [Some(0), Some(0), Some(1), None, None]
        );
        assert_eq!(out_of_scope(&cvm::response(b"", b"\x64\0\0").unwrap().facts), None);
    }
}
