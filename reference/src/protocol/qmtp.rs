//! `qmtp`: any number of packages, each a message, its sender and its recipients; an answer for each
//! recipient (QMTP-PKT-1 … QMTP-SES-3).
//!
//! Stops netstring lengths that wrap or lie (SEC-65, -66) and addresses that forge an envelope (SEC-40):
//! [`crate::wire::netstring`] and [`crate::wire::qmtp`] believe no length.

use bstr::BString;

use super::{
    ExitStatus, Protocol,
    netstrings::{
        ENCODING, MESSAGE, RECIPIENT, Reader, SESSION_LIMIT, Stop, log_recipient, recipient, sender,
    },
};
use crate::{
    chain::{Chain, RECIPIENT_BYTES_MAX, RECIPIENTS_MAX},
    response::{Framing, Response},
    session::Session,
    wire::{
        address::ADDRESS_MAX,
        qmtp::{Encoding, List, ListError, Recipients, Room},
    },
};

/// Bytes of the longest list: as many recipients as may be, each with the longest address. A longer one is
/// broken framing (NS-MEM-3).
const LIST_MAX: u64 = (RECIPIENTS_MAX * (ADDRESS_MAX + "4096:,".len())) as u64;

/// What is kept of a list until its comma is read (NS-MEM-5).
const KEPT: Room = Room { recipients: RECIPIENTS_MAX, bytes: RECIPIENT_BYTES_MAX };

/// Answers written at once.
const ANSWERS: u64 = 1000;

/// The protocol.
#[derive(Default)]
pub struct Qmtp;

impl Protocol for Qmtp {
    fn name(&self) -> BString {
        "QMTP".into()
    }

    fn framing(&self) -> Framing {
        Framing::Netstring
    }

    fn default_session_limit(&self) -> u64 {
        SESSION_LIMIT
    }

    fn run(&mut self, session: &Session, chain: &mut Chain) -> ExitStatus {
        let reader = Reader::new(&session.connection);
        loop {
            if let Err(stop) = package(session, chain, &reader) {
                return stop.finish(session);
            }
        }
    }
}

/// One package, from the first digit of its message's length to its last answer. The hooks come in the
/// order of NS-HOOK-1.
fn package(session: &Session, chain: &mut Chain, reader: &Reader<'_>) -> Result<(), Stop> {
    // While the client thinks, nothing is held of what came before (NS-HOOK-1, NS-BACK-4, -5).
    let refusal = chain.reset(session);
    let length = reader.length(MESSAGE)?;
    let Some(length) = length.checked_sub(1) else { return Err(Stop::Broken("Zero length message")) };
    let Some(encoding) = Encoding::named(reader.byte(ENCODING)?) else {
        return Err(ENCODING.broken());
    };
    let refusal = refusal.or_else(|| chain.data_start(session));
    let open = refusal.is_none().then_some(&mut *chain);
    reader.message(session, open, encoding, length)?;
    let refusal = sender(session, chain, reader, refusal)?;
    let list = list(reader)?;
    match refusal {
        Some(refusal) => {
            whole(&list)?;
            Answers { session, logged: false }.all(&refusal, list.recipients.len() as u64 + list.excess)
        }
        None => answer(session, chain, list),
    }
}

/// The list of recipients, its own comma included: nobody is asked about one before that (QMTP-RCPT-1).
fn list(reader: &Reader<'_>) -> Result<Recipients, Stop> {
    let length = reader.length(RECIPIENT)?;
    if length > LIST_MAX {
        return Err(RECIPIENT.broken());
    }
    let mut list = List::new(length, KEPT);
    reader.content(length, RECIPIENT, |bytes| list.push(bytes))?;
    reader.comma(RECIPIENT)?;
    Ok(list.finish())
}

/// A list with an error in it is broken framing (QMTP-RCPT-2, -5).
fn whole(list: &Recipients) -> Result<(), Stop> {
    match list.error {
        None => Ok(()),
        Some(ListError::NotADigit) => Err(Stop::Broken("Invalid netstring length")),
        Some(ListError::TooLong) => Err(Stop::Broken("Netstring length too long")),
        Some(ListError::MissingComma) => Err(Stop::Broken("Netstring missing comma")),
    }
}

/// Asks about each recipient, delivers to those accepted, and answers for each (QMTP-RSP-3, -4).
fn answer(session: &Session, chain: &mut Chain, mut list: Recipients) -> Result<(), Stop> {
    let recipients = std::mem::take(&mut list.recipients);
    let mut refusals: Vec<Option<Response>> = Vec::with_capacity(recipients.len());
    for (address, unfit) in recipients {
        log_recipient(session, &address);
        refusals.push(recipient(session, chain, address, unfit));
    }
    // An error behind some good recipients is found only now, and undoes them (QMTP-RCPT-3).
    whole(&list)?;
    let is_accepted = refusals.iter().any(Option::is_none);
    // None accepted, or none at all: nothing is delivered (QMTP-RCPT-6).
    let result = is_accepted.then(|| chain.message_end(session));
    let mut shared = Answers { session, logged: false };
    for same in refusals.chunk_by(|one, next| one.is_none() && next.is_none()) {
        match (&same[0], &result) {
            (Some(refusal), _) => Answers { session, logged: false }.all(refusal, 1)?,
            (None, Some(result)) => shared.all(result, same.len() as u64)?,
            (None, None) => {}
        }
    }
    let too_many = Response::new(452, "4.5.3 Too many recipients.");
    Answers { session, logged: false }.all(&too_many, list.excess)
}

/// Sends the same answer for several recipients; a refusal is logged the first time only (QMTP-RSP-3).
struct Answers<'a> {
    session: &'a Session,
    logged: bool,
}

impl Answers<'_> {
    fn all(&mut self, response: &Response, count: u64) -> Result<(), Stop> {
        let connection = &self.session.connection;
        if count == 0 {
            return Ok(());
        }
        if !std::mem::replace(&mut self.logged, true) {
            connection.log_refusal(response);
        }
        let answer = Framing::Netstring.encode(response);
        let mut left = count;
        while left > 1 {
            let now = left.min(ANSWERS);
            connection.write(&answer.repeat(now as usize)).map_err(Stop::unsent)?;
            left -= now;
        }
        if left == 1 { connection.write(&answer).map_err(Stop::unsent) } else { Ok(()) }
    }
}
