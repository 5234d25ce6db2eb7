//! A message in the pieces that hooks get (NS-HOOK-2).

use crate::{chain::Chain, session::Session, wire::qmtp::Encoding};

/// What hooks get at once (NS-HOOK-2).
const BLOCK: usize = 8192;

/// A message on its way to the hooks, in blocks of [`BLOCK`] bytes.
pub(super) struct Blocks<'a> {
    session: &'a Session,
    chain: &'a mut Chain,
    encoding: Encoding,
    /// The beginning of the next one.
    block: Vec<u8>,
}

impl<'a> Blocks<'a> {
    pub(super) fn new(session: &'a Session, chain: &'a mut Chain, encoding: Encoding) -> Self {
        Self { session, chain, encoding, block: Vec::new() }
    }

    /// The next bytes; `are_last`: no others follow.
    pub(super) fn push(&mut self, mut input: &[u8], are_last: bool) {
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

    pub(super) fn finish(&mut self) {
        self.encoding.finish(&mut self.block);
        self.hand_on();
    }

    /// What there is, though it is no whole block.
    pub(super) fn hand_on(&mut self) {
        for block in self.block.chunks(BLOCK) {
            self.chain.data_block(self.session, block);
        }
    }
}
