//! `qmqp`: one package for each connection, a message, its sender and its recipients inside of one
//! netstring; one answer for all (QMQP-PKT-1 … QMQP-END-1).
//!
//! Stops netstring lengths that wrap or lie (SEC-65, -66) and addresses that forge an envelope (SEC-40):
//! [`crate::wire::netstring`] believes no length, and the outer one must be that of the inner ones.

use bstr::BString;

use super::{
    ExitStatus, Protocol,
    netstrings::{
        MESSAGE, NEXT_RECIPIENT, RECIPIENT, Reader, SESSION_LIMIT, Stop, WRAPPER, log_recipient, recipient,
        sender,
    },
};
use crate::{
    chain::{Chain, RECIPIENT_BYTES_MAX, RECIPIENTS_MAX},
    response::{Framing, Response},
    session::Session,
    wire::qmtp::Encoding,
};

/// The protocol.
#[derive(Default)]
pub struct Qmqp;

impl Protocol for Qmqp {
    fn name(&self) -> BString {
        "QMQP".into()
    }

    fn framing(&self) -> Framing {
        Framing::Netstring
    }

    fn default_session_limit(&self) -> u64 {
        SESSION_LIMIT
    }

    fn run(&mut self, session: &Session, chain: &mut Chain) -> ExitStatus {
        let reader = Reader::new(&session.connection);
        let answered = package(session, chain, &reader)
            .and_then(|response| session.respond(&response).map_err(Stop::unsent));
        // Whatever follows is not served, and the client need not close first (QMQP-END-1).
        answered.err().unwrap_or(Stop::Done).finish(session)
    }
}

/// The package, to its final comma: the response (QMQP-RSP-1). The hooks come in the order of NS-HOOK-1.
fn package(session: &Session, chain: &mut Chain, reader: &Reader<'_>) -> Result<Response, Stop> {
    let refusal = chain.reset(session);
    reader.bound(Some(reader.length(WRAPPER)?));
    let length = reader.length(MESSAGE)?;
    let refusal = refusal.or_else(|| chain.data_start(session));
    let open = refusal.is_none().then_some(&mut *chain);
    // The message is as it is, a line end at its start included (QMQP-BODY-1, -2).
    reader.message(session, open, Encoding::Lf, length)?;
    let refusal = sender(session, chain, reader, refusal)?;
    let refusal = recipients(session, chain, reader, refusal)?;
    Ok(refusal.unwrap_or_else(|| chain.message_end(session)))
}

/// The recipients up to the comma of the outer netstring. The first refusal is that of the message, and
/// the last thing a hook is asked (QMQP-RCPT-1, -2).
fn recipients(
    session: &Session,
    chain: &mut Chain,
    reader: &Reader<'_>,
    mut refusal: Option<Response>,
) -> Result<Option<Response>, Stop> {
    let (mut count, mut bytes) = (0, 0);
    while !reader.is_at_bound() {
        // This comma would end a package that is shorter than its outer length (QMQP-WRAP-3).
        if reader.peek(NEXT_RECIPIENT)? == b',' {
            return Err(WRAPPER.broken());
        }
        let (address, unfit) = reader.address(RECIPIENT)?;
        log_recipient(session, &address);
        count += 1;
        bytes += address.len();
        refusal = refusal.or_else(|| {
            if count > RECIPIENTS_MAX || bytes > RECIPIENT_BYTES_MAX {
                return Some(Response::new(550, "5.5.3 Too many recipients"));
            }
            recipient(session, chain, address, unfit)
        });
    }
    reader.bound(None);
    reader.comma(NEXT_RECIPIENT)?;
    let nobody = || Response::new(554, "5.5.1 There are no recipients");
    Ok(refusal.or_else(|| (count == 0).then(nobody)))
}
