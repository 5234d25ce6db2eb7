//! A password that comes by itself: PASS in POP3, LOGIN in IMAP (CVM-REQ-4).

use std::time::Instant;

use bstr::{BStr, ByteSlice};

use super::{
    modules::{Modules, Question, Verdict},
    user,
};
use crate::wire::cvm::Credential;

/// Asks the modules about a user and a password: the account is always sent, a domain if there is one, the
/// password unless it is empty.
pub fn check(modules: &Modules, name: &BStr, password: &BStr, until: Instant) -> Verdict {
    let default = user::default_domain();
    let (account, domain) = user::split(name);
    // An empty domain of the client's takes the place of the default, if there is one (CVM-DOM-3).
    let domain = match domain {
        Some(domain) if !domain.is_empty() || default.is_some() => Some(domain),
        Some(_) => None,
        None => default.as_ref().map(AsRef::as_ref),
    };
    let mut credentials: Vec<(Credential, &[u8])> = vec![(Credential::Account, account)];
    credentials.extend(domain.map(|domain| (Credential::Domain, domain.as_bytes())));
    if !password.is_empty() {
        credentials.push((Credential::Password, password));
    }
    modules.ask(Question::Password(&credentials), &[], until)
}
