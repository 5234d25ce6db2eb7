//! TLS between the client and everything else: from a handshake on, what is read and written are
//! records, and who uses the connection sees none of them (TLS-8, TLS-11, TLS-12).

use std::time::Instant;

use rustix::event::PollFlags;

use super::{Connection, End, READ_SIZE, reading::Buffer};
use crate::{
    tls::{
        Negotiated,
        stream::{self, Stream},
    },
    wait,
};

/// Why there is no TLS after a handshake (TLS-7).
#[derive(Debug, Clone, PartialEq)]
pub enum NoHandshake {
    /// The client does not keep to the protocol, or there is nothing both sides know.
    Protocol(rustls::Error),
    /// The client did not go on.
    End(End),
}

impl Connection {
    /// Shakes hands. From then on everything read and written goes through `stream`, and the counts
    /// begin anew (SMTP-MISC-10). What the client sent ahead is taken for its part of the handshake,
    /// never for commands (TLS-8).
    ///
    /// # Errors
    /// There is no TLS; nothing may be sent any more.
    pub fn shake_hands(&self, mut stream: Stream) -> Result<Negotiated, NoHandshake> {
        let early = self.buffer.take();
        self.bytes_in.set(0);
        self.bytes_out.set(0);
        let mut records = early.unconsumed().to_vec();
        let mut bytes = Vec::new();
        loop {
            let taken = stream.take(&records, &mut bytes);
            // An alert tells the client what is wrong; whether it arrives matters no more.
            let sent = self.transmit(&stream.outgoing());
            taken.map_err(NoHandshake::Protocol)?;
            sent.map_err(NoHandshake::End)?;
            if let Some(negotiated) = stream.negotiated() {
                self.bytes_in.set(bytes.len() as u64);
                *self.buffer.borrow_mut() = Buffer::new(bytes);
                *self.tls.borrow_mut() = Some(stream);
                return Ok(negotiated);
            }
            if stream.is_over() {
                return Err(NoHandshake::End(End::Eof));
            }
            records.clear();
            self.input.receive(&self.limits, &mut records, READ_SIZE).map_err(NoHandshake::End)?;
        }
    }

    /// Tells a client inside TLS that nothing more will come, if it takes that at once (TLS-12).
    pub fn close(&self) {
        if let Some(mut stream) = self.tls.take() {
            stream.close();
            let fd = self.output.fd;
            if wait::ready(fd, PollFlags::OUT, Instant::now()).is_ok_and(|ready| ready) {
                // It is a courtesy to a client that may be gone.
                let _ignored = rustix::io::write(fd, &stream.outgoing());
            }
        }
    }

    /// Reads until there is plaintext. Whatever ends TLS ends the input (TLS-11).
    pub(super) fn decrypt(&self, stream: &mut Stream, plaintext: &mut Vec<u8>) -> Result<(), End> {
        let mut records = Vec::new();
        while plaintext.is_empty() {
            if stream.is_over() {
                return Err(End::Eof);
            }
            records.clear();
            self.input
                .receive(&self.limits, &mut records, READ_SIZE)
                .map_err(|end| if end == End::SessionOver { end } else { End::Eof })?;
            let taken = stream.take(&records, plaintext);
            self.transmit(&stream.outgoing())?;
            if let Err(error) = taken {
                self.log.line(format!("TLS error {}", stream::error_number(&error)).as_bytes());
            }
        }
        Ok(())
    }

    /// Writes plaintext, record by record. It is counted once its record is out.
    pub(super) fn encrypt(&self, stream: &mut Stream, plaintext: &[u8]) -> Result<(), End> {
        for record in plaintext.chunks(stream::RECORD_MAX) {
            stream.give(record).map_err(|_| End::Failed)?;
            self.transmit(&stream.outgoing())?;
            self.bytes_out.set(self.bytes_out.get() + record.len() as u64);
        }
        Ok(())
    }

    fn transmit(&self, records: &[u8]) -> Result<(), End> {
        self.output.transmit(&self.limits, records).1
    }
}
