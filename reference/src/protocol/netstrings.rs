//! What QMTP and QMQP have in common: netstrings taken off the connection by a [`Reader`], the message
//! handed on in [`blocks`], the envelope's addresses (NS-ERR, NS-EOF, NS-ADDR).
//!
//! A package is read in steps; each names its [`Position`], and with it what is told if the package
//! breaks or ends there.

mod blocks;
mod reader;

use bstr::BString;

pub(super) use self::reader::Reader;
use super::ExitStatus;
use crate::{chain::Chain, connection::End, response::Response, session::Session, wire::netstring::Unfit};

/// The session limit without `$SESSION_TIMEOUT` (NS-TIME-2, -3).
pub(super) const SESSION_LIMIT: u64 = 3600;

/// What is told when a package ends or breaks at some place (NS-EOF-2, NS-ERR-2).
#[derive(Clone, Copy)]
pub(super) struct Position {
    /// At the end of input; without a text nothing is due there.
    end: Option<&'static str>,
    /// At a wrong byte or a length that cannot be.
    fault: &'static str,
}

impl Position {
    /// The package breaks here.
    pub(super) fn broken(self) -> Stop {
        Stop::Broken(self.fault)
    }
}

const fn position(end: Option<&'static str>, fault: &'static str) -> Position {
    Position { end, fault }
}

/// The length of QMQP's outer netstring.
pub(super) const WRAPPER: Position = position(None, "Invalid wrapper netstring");
/// The length of the message.
pub(super) const MESSAGE: Position = position(None, "Invalid message body netstring");
/// The byte that names QMTP's line encoding.
pub(super) const ENCODING: Position =
    position(Some("EOF while reading body NL"), "Cannot handle non-LF line terminator");
/// The message.
const BODY: Position = position(Some("EOF while reading body"), "Invalid netstring terminator");
/// The comma behind it.
const BODY_COMMA: Position = position(Some("EOF while reading comma"), "Invalid netstring terminator");
/// The sender's netstring.
const SENDER: Position = position(Some("EOF while reading sender address"), "Invalid sender netstring");
/// A recipient's netstring, and QMTP's list of them.
pub(super) const RECIPIENT: Position =
    position(Some("EOF while reading recipient list"), "Invalid recipient netstring");
/// Where a recipient's netstring may begin or the package end.
pub(super) const NEXT_RECIPIENT: Position =
    position(Some("EOF before end of recipient list"), "Invalid recipient netstring");

/// Why the session is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// All that was asked is answered, or nobody is there or has time to be told more.
    Done,
    /// The package is broken or cut short: the text for the client (NS-ERR-1).
    Broken(&'static str),
    /// A response cannot be sent (NS-RSP-8).
    Mute,
}

impl Stop {
    /// Tells the client what there is to tell.
    pub(super) fn finish(self, session: &Session) -> ExitStatus {
        let mute = || session.connection.log_refusal(&Response::new(451, "EOF while sending response"));
        match self {
            Self::Done => return ExitStatus::DONE,
            Self::Mute => mute(),
            Self::Broken(text) => match session.respond(&Response::new(451, text)) {
                Ok(()) => {}
                Err(End::SessionOver) => return ExitStatus::DONE,
                Err(_) => mute(),
            },
        }
        ExitStatus::FATAL
    }

    pub(super) fn unsent(end: End) -> Self {
        if end == End::SessionOver { Self::Done } else { Self::Mute }
    }
}

/// The sender's netstring; then its hooks, unless the message is refused already (NS-HOOK-3).
pub(super) fn sender(
    session: &Session,
    chain: &mut Chain,
    reader: &Reader<'_>,
    refusal: Option<Response>,
) -> Result<Option<Response>, Stop> {
    let (mut address, unfit) = reader.address(SENDER)?;
    session.log_parts(&[b"sender <", &address, b">"]);
    Ok(refusal.or_else(|| {
        let response = match unfit {
            Some(unfit) => refused_address("5.1.7", unfit),
            None => chain.sender(session, &mut address, &mut BString::default()),
        };
        Some(response).filter(|response| !response.is_ok())
    }))
}

/// Logs a recipient that has been read (NS-LOG-2).
pub(super) fn log_recipient(session: &Session, address: &BString) {
    session.log_parts(&[b"recipient <", address, b">"]);
}

/// Runs a recipient's hooks: its refusal, or nothing.
pub(super) fn recipient(
    session: &Session,
    chain: &mut Chain,
    mut address: BString,
    unfit: Option<Unfit>,
) -> Option<Response> {
    let response = match unfit {
        Some(unfit) => refused_address("5.1.3", unfit),
        None => chain.recipient(session, &mut address, &mut BString::default()),
    };
    Some(response).filter(|response| !response.is_ok())
}

/// An address that no module gets to see (NS-ADDR-3, -5).
fn refused_address(code: &str, unfit: Unfit) -> Response {
    let text = match unfit {
        Unfit::TooLong => "Address too long.",
        Unfit::ForbiddenByte => "Illegal character in address.",
    };
    Response::new(553, format!("{code} {text}"))
}
