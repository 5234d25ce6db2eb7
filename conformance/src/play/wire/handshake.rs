//! The client's part in TLS: its records on the wire, and the UCSPI server that may stand in between.

use std::{
    io,
    time::{Duration, Instant},
};

use super::{
    Client, Delivery, Piece, Wire,
    pump::{LOOK_FIRST, LOOK_MOST},
};

impl Wire {
    /// Starts a handshake: from now on everything goes through `client`.
    ///
    /// What the program has said since `answered` bytes of its output belongs to the handshake already.
    pub fn begin_tls(&mut self, mut client: Client, answered: usize) {
        let early = self.output.split_off(answered.min(self.output.len()));
        self.output.extend(client.take(&early));
        // A library may read a record in parts, which packets do not allow: only single bytes stay packets.
        if self.delivery != Delivery::Drip {
            self.process.end_packets();
        }
        self.tls = Some(client);
        self.queue_records();
    }

    /// After a good handshake.
    pub fn end_handshake(&mut self) {
        self.process.end_packets();
    }

    /// Queues bytes that go past TLS.
    pub fn send_beneath(&mut self, bytes: Vec<u8>) {
        if self.process.tx.is_some() {
            self.queue.push_back(Piece { bytes, plaintext: Some(Vec::new()) });
        }
    }

    /// Says inside TLS that nothing more will be sent.
    pub fn close_tls(&mut self) {
        if let Some(tls) = &mut self.tls
            && self.process.tx.is_some()
        {
            self.queue.push_back(Piece { bytes: tls.close(), plaintext: Some(Vec::new()) });
        }
    }

    /// Records of the library's own making, cut as the delivery says.
    pub(super) fn queue_records(&mut self) {
        if let Some(tls) = &mut self.tls {
            let records = tls.outgoing();
            let pieces =
                self.delivery.cut(&records, self.finest).into_iter().filter(|piece| !piece.is_empty());
            let pieces = pieces.map(|piece| Piece { bytes: piece.to_vec(), plaintext: Some(Vec::new()) });
            self.queue.extend(pieces);
        }
    }

    /// Waits until the program asks the UCSPI server that stands around it for a handshake, and does
    /// as such a server would: the program's new descriptors are the client's from then on.
    ///
    /// # Errors
    /// Why there is no handshake; or a system call failed that should not.
    pub fn await_ucspi(&mut self) -> io::Result<Result<(), String>> {
        let mut look = LOOK_FIRST;
        loop {
            // In this order: a program that was silent before it was asked about has asked for nothing.
            let is_over =
                self.ended || (self.process.is_silent(self.moved.elapsed()) && !self.turn(Duration::ZERO)?);
            if let Some(byte) = self.process.asked_ucspi()? {
                if byte != b'y' {
                    return Ok(Err(format!("the control byte is {:?}", char::from(byte))));
                }
                break;
            }
            if Instant::now() >= self.deadline {
                return Ok(Err("no control byte came in time".into()));
            }
            if is_over {
                return Ok(Err("no control byte came".into()));
            }
            self.turn(look)?;
            look = (look * 2).min(LOOK_MOST);
        }
        // The server would read the client's hello from the same connection.
        match self.process.unread_bytes() {
            0 => {
                self.process.enter_ucspi();
                // The program has closed its old side by now.
                self.closed = false;
                Ok(Ok(()))
            }
            left => Ok(Err(format!("{left} bytes of plain text stand in front of the client's hello"))),
        }
    }
}
