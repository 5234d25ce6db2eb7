//! The bytes a client has sent, lent to those who read a protocol: what was read and not consumed stays
//! here, and more is waited for only when there is none.

use std::cell::Ref;

use bstr::BString;

use super::{Connection, End};

/// What was read and perhaps not yet consumed.
#[derive(Default)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    start: usize,
}

impl Buffer {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, start: 0 }
    }

    pub(super) fn unconsumed(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    fn is_used_up(&self) -> bool {
        self.start == self.bytes.len()
    }

    fn consume(&mut self, count: usize) {
        self.start = self.bytes.len().min(self.start + count);
    }
}

impl Connection {
    /// The bytes read but not yet consumed, never empty: if there are none, waits for more.
    ///
    /// # Errors
    /// There will be none.
    pub fn fill(&self) -> Result<Ref<'_, [u8]>, End> {
        self.await_bytes(1)?;
        Ok(Ref::map(self.buffer.borrow(), Buffer::unconsumed))
    }

    /// Takes the first `count` bytes of [`Connection::fill`] away.
    pub fn consume(&self, count: usize) {
        self.buffer.borrow_mut().consume(count);
    }

    /// Lends the bytes of [`Connection::fill`] to `take`, which says how many of them it used up. Who reads
    /// from the connection meanwhile gets what comes behind them.
    ///
    /// # Errors
    /// There will be none.
    pub fn lend(&self, take: impl FnOnce(&[u8]) -> usize) -> Result<(), End> {
        self.await_bytes(1)?;
        let mut lent = self.buffer.take();
        let used = take(lent.unconsumed());
        lent.consume(used);
        let mut buffer = self.buffer.borrow_mut();
        if buffer.is_used_up() {
            *buffer = lent;
        } else {
            drop(buffer);
            self.give_back(lent.unconsumed());
        }
        Ok(())
    }

    /// Puts bytes back in front of those not yet consumed.
    pub fn give_back(&self, bytes: &[u8]) {
        let mut buffer = self.buffer.borrow_mut();
        let start = std::mem::take(&mut buffer.start);
        buffer.bytes.splice(..start, bytes.iter().copied());
    }

    /// Exactly `count` bytes. What is kept grows with what comes, not with what was announced.
    ///
    /// # Errors
    /// The input ended before.
    pub fn read_exact(&self, count: usize) -> Result<BString, End> {
        let mut taken = Vec::new();
        while taken.len() < count {
            let left = count - taken.len();
            self.await_bytes(left)?;
            let mut buffer = self.buffer.borrow_mut();
            let used = buffer.unconsumed().len().min(left);
            taken.extend_from_slice(&buffer.unconsumed()[..used]);
            buffer.consume(used);
        }
        Ok(taken.into())
    }

    /// Reads if nothing is left to be consumed. Once there was an end there is nothing more: a caller that
    /// goes on reading is told the same (AUTH-14).
    fn await_bytes(&self, wanted: usize) -> Result<(), End> {
        if !self.buffer.borrow().is_used_up() {
            return Ok(());
        }
        let read = self.input_end.get().map_or_else(|| self.read(wanted), Err);
        self.input_end.set(read.err());
        read
    }

    fn read(&self, wanted: usize) -> Result<(), End> {
        let mut bytes = self.buffer.take().bytes;
        bytes.clear();
        match self.tls.borrow_mut().as_mut() {
            None => self.input.receive(&self.limits, &mut bytes, wanted)?,
            Some(stream) => self.decrypt(stream, &mut bytes)?,
        }
        self.bytes_in.set(self.bytes_in.get() + bytes.len() as u64);
        *self.buffer.borrow_mut() = Buffer::new(bytes);
        Ok(())
    }
}
