//! Moves bytes between the client's side and the program, without ever waiting blindly.
//!
//! What the client does is done here; [`turn`] moves what can be moved, and [`pump`] does so until what
//! the client waits for has come.

mod handshake;
mod pump;
mod turn;

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    net::{Shutdown, shutdown},
};

pub use self::pump::{Stop, Until};
use self::turn::read_available;
use super::{Delivery, Exchange, process::Process, tls::Client};
use crate::sandbox::service::Servers;

/// Both directions of one connection, and standard error.
pub struct Wire {
    /// The program.
    pub process: Process,
    delivery: Delivery,
    /// Whether `drip` and `split` send single bytes.
    pub finest: bool,
    queue: VecDeque<Piece>,
    /// What encrypts the bytes, from a handshake on.
    pub tls: Option<Client>,
    /// Everything the program wrote to the client.
    pub output: Vec<u8>,
    /// Everything it wrote to standard error.
    pub log: Vec<u8>,
    /// Everything the connection took from the client.
    pub sent: Vec<u8>,
    /// The conversation in order.
    pub exchange: Vec<Exchange>,
    /// The program closed its side.
    pub closed: bool,
    /// The program has ended.
    pub ended: bool,
    /// The client reads nothing for now.
    pub paused: bool,
    /// What the program took is looked at when it has ended, so that its end is not taken before.
    pub is_measured: bool,
    /// The services that the program talks to.
    pub servers: Option<Servers>,
    deadline: Instant,
    /// When something last happened.
    moved: Instant,
}

/// Bytes to be written in one go.
struct Piece {
    bytes: Vec<u8>,
    /// What the client says by them, if that is not the bytes themselves.
    plaintext: Option<Vec<u8>>,
}

impl Wire {
    /// A wire to a freshly started program; after `limit` every pump gives up.
    pub fn new(process: Process, servers: Option<Servers>, delivery: Delivery, limit: Duration) -> Self {
        Self {
            process,
            delivery,
            finest: false,
            queue: VecDeque::new(),
            tls: None,
            output: Vec::new(),
            log: Vec::new(),
            sent: Vec::new(),
            exchange: Vec::new(),
            closed: false,
            ended: false,
            paused: false,
            is_measured: false,
            servers,
            deadline: Instant::now() + limit,
            moved: Instant::now(),
        }
    }

    /// Takes what was said so far out of the play, all but the last `kept` bytes of the output.
    pub fn forget(&mut self, kept: usize) {
        let cut = self.output.len().saturating_sub(kept);
        self.output.drain(..cut);
        self.sent.clear();
        self.exchange = vec![Exchange::Received(self.output.clone())];
    }

    /// Queues bytes for the program, cut as the delivery says.
    pub fn send(&mut self, bytes: &[u8]) {
        if self.process.tx.is_none() {
            return;
        }
        for piece in self.delivery.cut(bytes, self.finest) {
            match (&mut self.tls, self.queue.back_mut()) {
                // What waits is written with one call, so that nobody reads in between.
                (None, Some(Piece { bytes, plaintext: None })) if !self.delivery.in_packets() => {
                    bytes.extend_from_slice(piece);
                }
                (None, _) => self.queue.push_back(Piece { bytes: piece.to_vec(), plaintext: None }),
                (Some(tls), _) => {
                    let piece = Piece { bytes: tls.give(piece), plaintext: Some(piece.to_vec()) };
                    self.queue.push_back(piece);
                }
            }
        }
    }

    /// Closes our sending side; queued bytes must have been written.
    pub fn half_close(&mut self) {
        self.queue.clear();
        if let Some(tx) = self.process.tx.take() {
            if self.delivery.over_tcp() {
                let _ = shutdown(&tx, Shutdown::Write);
            }
            self.exchange.push(Exchange::HalfClosed);
        }
    }

    /// Closes our receiving side.
    pub fn stop_reading(&mut self) {
        if let Some(rx) = self.process.rx.take()
            && self.delivery.over_tcp()
        {
            let _ = shutdown(&rx, Shutdown::Read);
        }
        // A program just started beside us holds a copy of our end until its exec is complete. The
        // pipe's own end tells when the last reader is gone.
        let own = format!("/proc/{}/fd/1", self.process.pid());
        let flags = rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::NONBLOCK;
        if !self.delivery.over_tcp()
            && let Ok(pipe) = rustix::fs::open(own, flags, rustix::fs::Mode::empty())
        {
            let wait = Timespec { tv_sec: 1, tv_nsec: 0 };
            let _ = poll(&mut [PollFd::new(&pipe, PollFlags::empty())], Some(&wait));
        }
        self.closed = true;
    }

    /// What the program said to the client in the clear after a UCSPI server had stepped between.
    pub fn read_in_the_clear(&mut self) {
        if let Some(rx) = self.process.in_the_clear.take() {
            read_available(&rx, &mut self.output);
        }
    }

    /// Whether all that was queued is written, or never can be.
    pub fn is_drained(&self) -> bool {
        self.queue.is_empty() || self.process.tx.is_none() || self.ended
    }
}
