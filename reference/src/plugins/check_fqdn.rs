//! `check-fqdn`: completes addresses that lack a domain, refuses those it cannot complete, and keeps
//! senders to a list of domains (FQDN-ADDR-1 … 8, FQDN-DOM-1 … 5).

use bstr::{BString, ByteSlice};

use crate::{
    plugin::{Answer, Hook, Module},
    response::Response,
    session::Session,
};

/// The plugin.
pub struct CheckFqdn;

impl Module for CheckFqdn {
    fn has(&self, hook: Hook) -> bool {
        matches!(hook, Hook::Sender | Hook::Recipient)
    }

    fn variables(&self) -> &'static [&'static str] {
        &["DEFAULTHOST", "DEFAULTDOMAIN", "SENDER_DOMAINS"]
    }

    fn sender(&mut self, session: &Session, address: &mut BString, _: &mut BString) -> Answer {
        let domains = session.variable(b"SENDER_DOMAINS");
        if address.is_empty() {
            return domains.and_then(|_| refused("5.1.2 Empty sender address prohibited"));
        }
        complete(session, address).or_else(|| {
            let domain = address.rsplit_once_str("@").map_or(&b""[..], |(_, domain)| domain);
            let allowed =
                domains?.split_str(":").any(|one| !one.is_empty() && one.eq_ignore_ascii_case(domain));
            if allowed { None } else { refused("5.1.2 Sender contains a disallowed domain") }
        })
    }

    fn recipient(&mut self, session: &Session, address: &mut BString, _: &mut BString) -> Answer {
        if address.is_empty() {
            return refused("5.1.2 Recipient address may not be empty");
        }
        complete(session, address)
    }
}

/// Makes `address`, which is not empty, end in a domain with a dot, or says what it lacks.
fn complete(session: &Session, address: &mut BString) -> Answer {
    // An `@` at the very beginning has nobody before it (FQDN-ADDR-3).
    if !address[1..].contains(&b'@') {
        let Some(host) = session.variable(b"DEFAULTHOST") else {
            return refused("5.1.2 Address is missing a domain name");
        };
        address.push(b'@');
        address.extend_from_slice(&host);
    }
    let has_dot = address.rsplit_once_str("@").is_some_and(|(_, domain)| domain.contains(&b'.'));
    if !has_dot {
        let Some(domain) = session.variable(b"DEFAULTDOMAIN") else {
            return refused("5.1.2 Address does not contain a fully qualified domain name");
        };
        address.push(b'.');
        address.extend_from_slice(&domain);
    }
    None
}

fn refused(text: &str) -> Answer {
    Some(Response::new(554, text))
}
