//! Takes the parts of a package off the connection, each in its own time and no further than it goes.

use std::cell::{Cell, Ref};

use bstr::BString;

use super::{BODY, BODY_COMMA, Position, Stop, WRAPPER, blocks::Blocks};
use crate::{
    chain::Chain,
    connection::{Connection, End},
    session::Session,
    wire::{
        netstring::{Field, Length, Step, Unfit},
        qmtp::Encoding,
    },
};

/// The longest address that is read past before it is refused; a longer one is broken framing
/// (NS-ADDR-5, NS-MEM-3).
const ADDRESS_DECLARED_MAX: u64 = 1_000_000;

/// Reads a package, inside the bounds of QMQP's outer netstring if there is one.
pub(in crate::protocol) struct Reader<'a> {
    connection: &'a Connection,
    /// Bytes left of the outer netstring.
    left: Cell<Option<u64>>,
}

impl<'a> Reader<'a> {
    pub(in crate::protocol) fn new(connection: &'a Connection) -> Self {
        Self { connection, left: Cell::new(None) }
    }

    /// What follows is the content of a netstring of `length` bytes; `None`: it is no longer.
    pub(in crate::protocol) fn bound(&self, length: Option<u64>) {
        self.left.set(length);
    }

    /// Whether all of the outer netstring was read.
    pub(in crate::protocol) fn is_at_bound(&self) -> bool {
        self.left.get() == Some(0)
    }

    /// The bytes that are there, never none.
    pub(in crate::protocol) fn fill(&self, at: Position) -> Result<Ref<'a, [u8]>, Stop> {
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

    pub(in crate::protocol) fn consume(&self, count: usize) {
        self.connection.consume(count);
        self.count(count);
    }

    fn count(&self, count: usize) {
        self.left.set(self.left.get().map(|left| left.saturating_sub(count as u64)));
    }

    /// The next byte, which stays.
    pub(in crate::protocol) fn peek(&self, at: Position) -> Result<u8, Stop> {
        Ok(self.fill(at)?[0])
    }

    /// The next byte.
    pub(in crate::protocol) fn byte(&self, at: Position) -> Result<u8, Stop> {
        let byte = self.peek(at)?;
        self.consume(1);
        Ok(byte)
    }

    /// A comma.
    pub(in crate::protocol) fn comma(&self, at: Position) -> Result<(), Stop> {
        if self.byte(at)? == b',' { Ok(()) } else { Err(at.broken()) }
    }

    /// A length with its colon; one that points beyond the outer netstring is refused at once.
    pub(in crate::protocol) fn length(&self, at: Position) -> Result<u64, Stop> {
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
    pub(in crate::protocol) fn content(
        &self,
        length: u64,
        at: Position,
        mut take: impl FnMut(&[u8]),
    ) -> Result<(), Stop> {
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
    pub(in crate::protocol) fn address(&self, at: Position) -> Result<(BString, Option<Unfit>), Stop> {
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
    pub(in crate::protocol) fn message(
        &self,
        session: &Session,
        chain: Option<&mut Chain>,
        encoding: Encoding,
        length: u64,
    ) -> Result<(), Stop> {
        let mut blocks = chain.map(|chain| Blocks::new(session, chain, encoding));
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
