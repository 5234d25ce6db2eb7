//! What QMTP and QMQP have in common: netstrings taken off the connection, the message handed on in
//! blocks, the envelope's addresses (NS-ERR, NS-EOF, NS-ADDR).
//!
//! A package is read in steps; each names its [`Position`], and with it what is told if the package
//! breaks or ends there.

use std::cell::{Cell, Ref};

use bstr::BString;

use super::ExitStatus;
use crate::{
    chain::Chain,
    connection::{Connection, End},
    response::Response,
    session::Session,
    wire::{
        netstring::{Field, Length, Step, Unfit},
        qmtp::Encoding,
    },
};

/// The session limit without `$SESSION_TIMEOUT` (NS-TIME-2, -3).
pub(super) const SESSION_LIMIT: u64 = 3600;

/// What hooks get at once (NS-HOOK-2).
const BLOCK: usize = 8192;

/// The longest address that is read past before it is refused; a longer one is broken framing
/// (NS-ADDR-5, NS-MEM-3).
const ADDRESS_DECLARED_MAX: u64 = 1_000_000;

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

/// Reads a package, inside the bounds of QMQP's outer netstring if there is one.
pub(super) struct Reader<'a> {
    connection: &'a Connection,
    /// Bytes left of the outer netstring.
    left: Cell<Option<u64>>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(connection: &'a Connection) -> Self {
        Self { connection, left: Cell::new(None) }
    }

    /// What follows is the content of a netstring of `length` bytes; `None`: it is no longer.
    pub(super) fn bound(&self, length: Option<u64>) {
        self.left.set(length);
    }

    /// Whether all of the outer netstring was read.
    pub(super) fn is_at_bound(&self) -> bool {
        self.left.get() == Some(0)
    }

    /// The bytes that are there, never none.
    pub(super) fn fill(&self, at: Position) -> Result<Ref<'a, [u8]>, Stop> {
        let most = self.most()?;
        let bytes = self.connection.fill().map_err(|end| ended(end, at))?;
        Ok(Ref::map(bytes, |bytes| &bytes[..bytes.len().min(most)]))
    }

    /// How many bytes there may be, never none.
    fn most(&self) -> Result<usize, Stop> {
        match self.left.get() {
            // The inner netstrings do not fit into the outer one (QMQP-WRAP-3).
            Some(0) => Err(WRAPPER.broken()),
            left => Ok(left.map_or(usize::MAX, |left| usize::try_from(left).unwrap_or(usize::MAX))),
        }
    }

    pub(super) fn consume(&self, count: usize) {
        self.connection.consume(count);
        self.count(count);
    }

    fn count(&self, count: usize) {
        self.left.set(self.left.get().map(|left| left.saturating_sub(count as u64)));
    }

    /// The next byte, which stays.
    pub(super) fn peek(&self, at: Position) -> Result<u8, Stop> {
        Ok(self.fill(at)?[0])
    }

    /// The next byte.
    pub(super) fn byte(&self, at: Position) -> Result<u8, Stop> {
        let byte = self.peek(at)?;
        self.consume(1);
        Ok(byte)
    }

    /// A comma.
    pub(super) fn comma(&self, at: Position) -> Result<(), Stop> {
        if self.byte(at)? == b',' { Ok(()) } else { Err(at.broken()) }
    }

    /// A length with its colon; one that points beyond the outer netstring is refused at once.
    pub(super) fn length(&self, at: Position) -> Result<u64, Stop> {
        let mut length = Length::default();
        loop {
            let input = self.fill(at)?;
            let (value, taken) = match length.push(&input) {
                Ok(Step::GoesOn) => (None, input.len()),
                Ok(Step::Done(value, taken)) => (Some(value), taken),
                Err(_) => return Err(at.broken()),
            };
            drop(input);
            self.consume(taken);
            match (value, self.left.get()) {
                (Some(value), Some(left)) if value >= left => return Err(WRAPPER.broken()),
                (Some(value), _) => return Ok(value),
                (None, _) => {}
            }
        }
    }

    /// Hands each piece of the next `length` bytes to `take`.
    pub(super) fn content(&self, length: u64, at: Position, mut take: impl FnMut(&[u8])) -> Result<(), Stop> {
        let mut left = length;
        while left > 0 {
            let input = self.fill(at)?;
            let taken = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
            take(&input[..taken]);
            drop(input);
            self.consume(taken);
            left -= taken as u64;
        }
        Ok(())
    }

    /// The netstring of an address.
    pub(super) fn address(&self, at: Position) -> Result<(BString, Option<Unfit>), Stop> {
        let length = self.length(at)?;
        if length > ADDRESS_DECLARED_MAX {
            return Err(at.broken());
        }
        let mut field = Field::default();
        self.content(length, at, |bytes| field.push(bytes))?;
        self.comma(at)?;
        Ok(field.finish())
    }

    /// `length` bytes of message and the comma behind them. Without a chain they are read past.
    ///
    /// If the input ends inside, what came before is handed on all the same (NS-HOOK-2).
    pub(super) fn message(
        &self,
        session: &Session,
        chain: Option<&mut Chain>,
        encoding: Encoding,
        length: u64,
    ) -> Result<(), Stop> {
        let mut blocks = chain.map(|chain| Blocks { session, chain, encoding, block: Vec::new() });
        let mut left = length;
        while left > 0 {
            let most = self.most()?.min(usize::try_from(left).unwrap_or(usize::MAX));
            let mut taken = 0;
            let lent = self.connection.lend(|input| {
                let input = &input[..input.len().min(most)];
                taken = input.len();
                if let Some(blocks) = &mut blocks {
                    blocks.push(input, taken as u64 == left);
                }
                taken
            });
            if let Err(end) = lent {
                if let Some(blocks) = &mut blocks {
                    blocks.hand_on();
                }
                return Err(ended(end, BODY));
            }
            self.count(taken);
            left -= taken as u64;
        }
        if let Some(blocks) = &mut blocks {
            blocks.finish();
        }
        self.comma(BODY_COMMA)
    }
}

fn ended(end: End, at: Position) -> Stop {
    if end == End::SessionOver { Stop::Done } else { at.end.map_or(Stop::Done, Stop::Broken) }
}

/// A message on its way to the hooks, in blocks of [`BLOCK`] bytes.
struct Blocks<'a> {
    session: &'a Session,
    chain: &'a mut Chain,
    encoding: Encoding,
    /// The beginning of the next one.
    block: Vec<u8>,
}

impl Blocks<'_> {
    /// The next bytes; `are_last`: no others follow.
    fn push(&mut self, mut input: &[u8], are_last: bool) {
        while !input.is_empty() {
            // What needs no decoding and is a block already is handed on where it is.
            let is_block = self.block.is_empty() && (are_last || input.len() >= BLOCK);
            if is_block && self.encoding == Encoding::Lf {
                let (block, rest) = input.split_at(input.len().min(BLOCK));
                self.chain.data_block(self.session, block);
                input = rest;
                continue;
            }
            let (piece, rest) = input.split_at(input.len().min(BLOCK - self.block.len()));
            self.encoding.push(piece, &mut self.block);
            // A CR that was held may make it one byte longer.
            if self.block.len() >= BLOCK {
                self.chain.data_block(self.session, &self.block[..BLOCK]);
                self.block.drain(..BLOCK);
            }
            input = rest;
        }
    }

    fn finish(&mut self) {
        self.encoding.finish(&mut self.block);
        self.hand_on();
    }

    /// What there is, though it is no whole block.
    fn hand_on(&mut self) {
        for block in self.block.chunks(BLOCK) {
            self.chain.data_block(self.session, block);
        }
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
