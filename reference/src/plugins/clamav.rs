//! `clamav`: has each message scanned by clamd and refuses what it finds (CLAM-1 … 16).
//!
//! Without a verdict the message is refused for now: an unscanned one is never taken, except above the
//! size that the operator set (CLAM-4).

use std::{fs::File, io};

use bstr::BString;

use crate::{
    plugin::{Answer, Finding, Hook, Module},
    response::Response,
    service::{self, Endpoint, Service, Waits},
    session::Session,
    wire::clamd::{Verdict, verdict},
};

/// Where clamd listens by custom (CLAM-2).
const DEFAULT_PORT: u16 = 3310;

const HOST: [&str; 2] = ["CLAMAV_HOST", "CLAMD_HOST"];
const PORT: [&str; 2] = ["CLAMAV_PORT", "CLAMD_PORT"];
const TIMEOUT: [&str; 2] = ["CLAMAV_TIMEOUT", "CLAMD_TIMEOUT"];
const CONNECT_TIMEOUT: &str = "CLAMAV_CONNECT_TIMEOUT";
const SEND_TIMEOUT: &str = "CLAMAV_SEND_TIMEOUT";
const MAXSIZE: &str = "CLAMAV_MAXSIZE";

/// The plugin.
pub struct Clamav;

/// The number in the first of two variables that is set, be it a number or not (CLAM-2).
fn number(session: &Session, names: [&str; 2]) -> Option<u64> {
    let name = if session.variable(names[0].as_bytes()).is_some() { names[0] } else { names[1] };
    service::number(session, name)
}

fn host(session: &Session) -> Option<BString> {
    HOST.iter().find_map(|name| session.variable(name.as_bytes()))
}

fn port(session: &Session) -> u16 {
    service::port(number(session, PORT), DEFAULT_PORT)
}

fn waits(session: &Session) -> Waits {
    let one = |name| service::number(session, name);
    Waits::new(session, one(CONNECT_TIMEOUT), one(SEND_TIMEOUT), number(session, TIMEOUT))
}

/// What one scanner says of a message (CLAM-5).
fn scan(endpoint: &Endpoint, waits: Waits, file: &File, size: u32) -> io::Result<Verdict> {
    let mut scanner = Service::connect(endpoint, waits)?;
    scanner.send(&[b"nINSTREAM\n", &size.to_be_bytes()[..]].concat())?;
    scanner.send_file(file, size.into())?;
    scanner.send(&[0; 4])?;
    let mut reply = Vec::new();
    loop {
        match scanner.receive()? {
            [] => return Err(io::ErrorKind::UnexpectedEof.into()),
            bytes => reply.extend_from_slice(bytes),
        }
        if let Some(verdict) = verdict(&reply) {
            return Ok(verdict);
        }
    }
}

fn unscanned() -> Answer {
    Some(Response::new(451, "4.3.0 Could not virus scan message"))
}

impl Module for Clamav {
    fn has(&self, hook: Hook) -> bool {
        hook == Hook::MessageEnd
    }

    fn needs_file(&self) -> bool {
        true
    }

    fn variables(&self) -> &'static [&'static str] {
        &[HOST[0], HOST[1], PORT[0], PORT[1], TIMEOUT[0], TIMEOUT[1], CONNECT_TIMEOUT, SEND_TIMEOUT, MAXSIZE]
    }

    fn check(&self, session: &Session) -> Vec<Finding> {
        let names = [PORT[0], PORT[1], TIMEOUT[0], TIMEOUT[1], CONNECT_TIMEOUT, SEND_TIMEOUT, MAXSIZE];
        let mut findings = service::doubtful_numbers(session, &names);
        match host(session).map(|host| service::endpoints(session, &host, port(session))) {
            Some(Ok(endpoints)) => findings.extend(service::unreachable(&endpoints, waits(session))),
            Some(Err(_)) => findings.push(Finding::Problem("the host of clamd cannot be resolved".into())),
            None => findings.push(Finding::Problem("$CLAMAV_HOST is not set".into())),
        }
        findings
    }

    fn message_end(&mut self, session: &Session, file: Option<&File>) -> Answer {
        let Some(Ok(size)) = file.map(|file| file.metadata().map(|metadata| metadata.len())) else {
            return Some(Response::internal());
        };
        let file = file?;
        let Some(host) = host(session) else { return unscanned() };
        if service::number(session, MAXSIZE).is_some_and(|limit| size > limit) {
            session.connection.log.warning(b"ClamAV scanning skipped: message larger than maximum");
            return None;
        }
        let Ok(size) = u32::try_from(size) else {
            session.connection.log.warning(b"ClamAV scanning skipped: message larger than chunk size");
            return None;
        };
        let Ok(endpoints) = service::endpoints(session, &host, port(session)) else {
            return Some(Response::new(451, "4.3.0 Could not resolve virus scanner hostname"));
        };
        let waits = waits(session);
        for endpoint in endpoints {
            match scan(&endpoint, waits, file, size) {
                Ok(Verdict::Clean) => return None,
                Ok(Verdict::Infected(found)) => {
                    return Some(Response::new(554, [b"5.7.0 Virus scan failed: ", &found[..]].concat()));
                }
                Ok(Verdict::Failed) => service::log_failure(session, "clamav", &endpoint, "scan failed"),
                Err(error) => service::log_failure(session, "clamav", &endpoint, &error.to_string()),
            }
        }
        unscanned()
    }
}
