//! `spamassassin`: has each message rewritten by spamd, and refuses spam if told to (SPAM-1 … 18).
//!
//! What comes back is the message from then on. It is taken only whole: a reply cut short, or an empty
//! one, is a failed scan and a temporary refusal (SPAM-11).

use std::{
    ffi::OsString,
    fs::File,
    io::{self, Seek, SeekFrom, Write},
    os::unix::ffi::OsStringExt,
};

use bstr::{BString, ByteSlice};

use crate::{
    plugin::{Answer, Finding, Hook, Module},
    resolver::Unresolved,
    response::Response,
    scratch,
    service::{self, Endpoint, Service, Waits},
    session::Session,
    wire::spamd::{self, Status},
};

/// Where spamd listens by custom (SPAM-1).
const DEFAULT_PORT: u16 = 783;

/// How much longer than the message its rewritten form may be: header fields and a report. Without a
/// limit a scanner could fill the disk.
const GROWTH_MAX: u64 = 1024 * 1024;

const PATH: &str = "SPAMD_PATH";
const HOST: &str = "SPAMD_HOST";
const PORT: &str = "SPAMD_PORT";
const TIMEOUT: &str = "SPAMD_TIMEOUT";
const CONNECT_TIMEOUT: &str = "SPAMD_CONNECT_TIMEOUT";
const SEND_TIMEOUT: &str = "SPAMD_SEND_TIMEOUT";
const MAXSIZE: &str = "SPAMD_MAXSIZE";
const USER: &str = "SPAMD_USER";
const REJECT: &str = "SPAMD_REJECT";

/// The plugin.
pub struct Spamassassin;

/// A message as the scanner wants it.
struct Rewritten {
    file: File,
    is_spam: bool,
}

/// Where the operator says that spamd is.
enum Place {
    Path(BString),
    Host(BString),
}

impl Place {
    /// The socket, else the host; `None` if neither is set (SPAM-2, -12).
    fn find(session: &Session) -> Option<Self> {
        let host = || session.variable(HOST.as_bytes()).map(Self::Host);
        session.variable(PATH.as_bytes()).map(Self::Path).or_else(host)
    }

    fn endpoints(self, session: &Session) -> Result<Vec<Endpoint>, Unresolved> {
        match self {
            Self::Path(path) => Ok(vec![Endpoint::Unix(OsString::from_vec(path.into()).into())]),
            Self::Host(host) => {
                let port = service::port(service::number(session, PORT), DEFAULT_PORT);
                service::endpoints(session, &host, port)
            }
        }
    }
}

fn waits(session: &Session) -> Waits {
    let number = |name| service::number(session, name);
    Waits::new(session, number(CONNECT_TIMEOUT), number(SEND_TIMEOUT), number(TIMEOUT))
}

/// The request up to the message; `None` if the user's name would be more than one line (SPAM-4, -18).
fn request(size: u64, user: Option<&BString>) -> Option<Vec<u8>> {
    let mut request = format!("PROCESS SPAMC/1.2\r\nContent-Length: {size}\r\n").into_bytes();
    if let Some(user) = user {
        if user.find_byteset(b"\r\n\0").is_some() {
            return None;
        }
        request.extend_from_slice(&[b"User: ", user.as_slice(), b"\r\n"].concat());
    }
    request.extend_from_slice(b"\r\n");
    Some(request)
}

/// Sends a message to one scanner and takes what it makes of it.
fn scan(
    session: &Session,
    endpoint: &Endpoint,
    waits: Waits,
    message: (&File, u64),
    request: &[u8],
) -> io::Result<Rewritten> {
    let (file, size) = message;
    let mut scanner = Service::connect(endpoint, waits)?;
    scanner.send(request)?;
    scanner.send_file(file, size)?;
    scanner.end_sending()?;
    let mut received = Vec::new();
    let head = loop {
        match scanner.receive()? {
            [] => return Err(io::ErrorKind::UnexpectedEof.into()),
            bytes => received.extend_from_slice(bytes),
        }
        if let Some(head) = spamd::head(&received).map_err(|_| io::ErrorKind::InvalidData)? {
            break head;
        }
    };
    let limit = head.length.unwrap_or(u64::MAX).min(size.saturating_add(GROWTH_MAX));
    let mut rewritten = Rewritten { file: scratch::create(session)?, is_spam: false };
    let mut status = Status::default();
    let mut length = 0u64;
    let mut take = |bytes: &[u8]| {
        length += bytes.len() as u64;
        if length > limit {
            return Err(io::Error::from(io::ErrorKind::InvalidData));
        }
        status.push(bytes);
        rewritten.file.write_all(bytes)
    };
    take(&received[head.size..])?;
    loop {
        match scanner.receive()? {
            [] => break,
            bytes => take(bytes)?,
        }
    }
    if !head.is_whole(length, size) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    rewritten.is_spam = status.is_spam();
    Ok(rewritten)
}

/// Puts `content` in the place of what `file` holds.
fn replace(mut file: &File, mut content: File) -> io::Result<()> {
    content.seek(SeekFrom::Start(0))?;
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    io::copy(&mut content, &mut file).map(drop)
}

fn unscanned() -> Answer {
    Some(Response::new(451, "4.3.0 Could not SpamAssassin scan message"))
}

impl Module for Spamassassin {
    fn has(&self, hook: Hook) -> bool {
        hook == Hook::MessageEnd
    }

    fn needs_file(&self) -> bool {
        true
    }

    fn variables(&self) -> &'static [&'static str] {
        &[PATH, HOST, PORT, TIMEOUT, CONNECT_TIMEOUT, SEND_TIMEOUT, MAXSIZE, USER, REJECT]
    }

    fn check(&self, session: &Session) -> Vec<Finding> {
        let numbers = [PORT, TIMEOUT, CONNECT_TIMEOUT, SEND_TIMEOUT, MAXSIZE];
        let mut findings = service::doubtful_numbers(session, &numbers);
        match Place::find(session).map(|place| place.endpoints(session)) {
            Some(Ok(endpoints)) => findings.extend(service::unreachable(&endpoints, waits(session))),
            Some(Err(Unresolved)) => {
                findings.push(Finding::Problem("the host of spamd cannot be resolved".into()));
            }
            None => findings.push(Finding::Problem("neither $SPAMD_PATH nor $SPAMD_HOST is set".into())),
        }
        if request(0, session.variable(USER.as_bytes()).as_ref()).is_none() {
            findings.push(Finding::Problem("$SPAMD_USER is more than one line".into()));
        }
        findings
    }

    fn message_end(&mut self, session: &Session, file: Option<&File>) -> Answer {
        let Some(Ok(size)) = file.map(|file| file.metadata().map(|metadata| metadata.len())) else {
            return Some(Response::internal());
        };
        let file = file?;
        let Some(place) = Place::find(session) else { return unscanned() };
        if service::number(session, MAXSIZE).is_some_and(|limit| size > limit) {
            session.connection.log.warning(b"SpamAssassin scanning skipped: message larger than maximum");
            return None;
        }
        let Ok(endpoints) = place.endpoints(session) else {
            return Some(Response::new(451, "4.3.0 Could not resolve SpamAssassin hostname"));
        };
        let Some(request) = request(size, session.variable(USER.as_bytes()).as_ref()) else {
            return unscanned();
        };
        let waits = waits(session);
        let scanned = endpoints.into_iter().find_map(|endpoint| {
            let scanned = scan(session, &endpoint, waits, (file, size), &request);
            scanned
                .map_err(|error| {
                    service::log_failure(session, "spamassassin", &endpoint, &error.to_string());
                })
                .ok()
        });
        let Some(rewritten) = scanned else { return unscanned() };
        if rewritten.is_spam
            && let Some(text) = session.variable(REJECT.as_bytes())
        {
            let default = || BString::from("5.3.0 Spam detected, message refused");
            return Some(Response::new(554, if text.is_empty() { default() } else { text }));
        }
        // After a failure the file is neither message; the refusal sees to it that nobody takes it.
        replace(file, rewritten.file).err().map(|_| Response::internal())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_names_the_size_and_perhaps_a_user() {
        let plain = b"PROCESS SPAMC/1.2\r\nContent-Length: 17\r\n\r\n";
        assert_eq!(request(17, None).as_deref(), Some(&plain[..]));
        let with_user = b"PROCESS SPAMC/1.2\r\nContent-Length: 0\r\nUser: \r\n\r\n";
        assert_eq!(request(0, Some(&"".into())).as_deref(), Some(&with_user[..]));
        for user in ["a\rb", "a\nX: y", "a\0"] {
            assert_eq!(request(0, Some(&user.into())), None);
        }
    }
}
