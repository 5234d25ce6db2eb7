//! One who has come to a service: what its script says is said, and what it says is kept.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags},
    io::Errno,
    net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown, sockopt},
};

use super::place::{Come, Place};
use crate::{
    sandbox::service::{
        call::Call,
        dialogue::{Dialogue, End, Want},
    },
    transcript::{service::Line, text::Variables},
};

/// Most bytes read of one connection: a guard, far above any case.
const READ_MAX: usize = 256 << 20;

/// One connection or datagram.
pub(super) struct Connection {
    /// The place of its service among all.
    pub(super) service: usize,
    socket: Option<OwnedFd>,
    /// Who sent the datagram.
    peer: Option<SocketAddr>,
    elsewhere: Option<UdpSocket>,
    dialogue: Dialogue,
    out: Vec<u8>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Follows its script and reads.
    Reading,
    /// Has something to send.
    Sending,
    /// Follows its script when this time has come.
    Waiting(Instant),
    /// Reads what still comes; its script is over.
    Draining,
    /// Nothing is left to do.
    Over,
}

impl Connection {
    /// Somebody who has come to the service at `service`, and what is said to them.
    pub(super) fn new(service: usize, come: Come, mut lines: Vec<Line>, variables: Variables) -> Self {
        let (mut socket, mut peer, mut datagram) = (None, None, None);
        match come {
            Come::Stream(stream) => socket = Some(stream),
            Come::Datagram(bytes, from) => (datagram, peer) = (Some(bytes), Some(from)),
        }
        if let Some(Line::Answer { tcp, .. }) = lines.first_mut() {
            *tcp = socket.is_some();
        }
        let mut dialogue = Dialogue::new(lines, variables);
        if let Some(datagram) = datagram {
            dialogue.feed(0, &datagram);
            dialogue.end(0);
        }
        Self { service, socket, peer, elsewhere: None, dialogue, out: Vec::new(), state: State::Reading }
    }

    /// What was said on it.
    pub(super) fn into_call(self) -> Call {
        self.dialogue.into_call()
    }

    /// What is to be watched before it can go on.
    pub(super) fn watched(&self) -> Option<PollFd<'_>> {
        let flags = match self.state {
            State::Reading | State::Draining => PollFlags::IN,
            State::Sending => PollFlags::OUT,
            State::Waiting(_) | State::Over => return None,
        };
        self.socket.as_ref().map(|socket| PollFd::new(socket, flags))
    }

    /// Whether it will say or do something by itself.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self.state, State::Sending | State::Waiting(_))
    }

    /// When it goes on although nothing happens.
    pub(super) fn wake(&self) -> Option<Instant> {
        match self.state {
            State::Waiting(wake) => Some(wake),
            _ => None,
        }
    }

    /// Does what can be done.
    ///
    /// # Errors
    /// A socket fails in a way that is not the target's doing.
    pub(super) fn go_on(&mut self, now: Instant, place: &Place) -> io::Result<()> {
        if self.wake().is_some_and(|wake| now < wake) || self.state == State::Over {
            return Ok(());
        }
        if !self.read() {
            self.state = State::Over;
            return Ok(());
        }
        loop {
            if self.state == State::Draining || !self.flush() {
                return Ok(());
            }
            match self.dialogue.advance(now) {
                Want::Input(_) | Want::Never => {
                    // Of a connection that is at its end nothing more will come.
                    self.state = if self.state == State::Over { State::Over } else { State::Reading };
                    return Ok(());
                }
                Want::Send(bytes) => self.say(bytes, place)?,
                Want::Elsewhere => {
                    self.elsewhere = Some(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?);
                }
                Want::Until(wake) => {
                    self.state = State::Waiting(wake);
                    return Ok(());
                }
                Want::HalfClose => self.half_close(),
                Want::CloseDescriptor(_) => {}
                Want::End(end) => {
                    match end {
                        End::Done(_) | End::Died(_) => {
                            self.half_close();
                            self.state = if self.socket.is_some() { State::Draining } else { State::Over };
                        }
                        End::Closed => self.close(),
                        End::Reset => {
                            if let Some(socket) = &self.socket {
                                sockopt::set_socket_linger(socket, Some(Duration::ZERO))?;
                            }
                            self.close();
                        }
                    }
                    return Ok(());
                }
            }
        }
    }

    fn close(&mut self) {
        self.socket = None;
        self.state = State::Over;
    }

    fn half_close(&self) {
        if let Some(socket) = &self.socket {
            let _ = shutdown(socket, Shutdown::Write);
        }
    }

    /// Reads what is there; `false` if the connection is gone, or its script is over and all is read.
    fn read(&mut self) -> bool {
        let Some(socket) = &self.socket else { return true };
        let mut buffer = [0; 65536];
        while self.dialogue.received() < READ_MAX {
            match recv(socket, &mut buffer[..], RecvFlags::empty()) {
                Ok((0, _)) => {
                    self.dialogue.end(0);
                    if self.state == State::Draining {
                        return false;
                    }
                    return true;
                }
                Ok((length, _)) => self.dialogue.feed(0, &buffer[..length]),
                Err(Errno::AGAIN) => return true,
                Err(Errno::INTR) => {}
                Err(_) => {
                    self.dialogue.end(0);
                    return false;
                }
            }
        }
        false
    }

    /// Sends what is left to send; `false` if it cannot go on now.
    fn flush(&mut self) -> bool {
        let Some(socket) = &self.socket else { return true };
        while !self.out.is_empty() {
            match send(socket, &self.out, SendFlags::NOSIGNAL) {
                Ok(length) => _ = self.out.drain(..length),
                Err(Errno::AGAIN) => {
                    self.state = State::Sending;
                    return false;
                }
                Err(Errno::INTR) => {}
                // The target is gone.
                Err(_) => self.out.clear(),
            }
        }
        true
    }

    fn say(&mut self, bytes: Vec<u8>, place: &Place) -> io::Result<()> {
        let Some(peer) = self.peer else {
            self.out = bytes;
            return Ok(());
        };
        let Some(socket) = self.elsewhere.as_ref().or_else(|| place.datagrams()) else {
            return Ok(());
        };
        match socket.send_to(&bytes, peer) {
            Err(error) if error.kind() != io::ErrorKind::ConnectionRefused => Err(error),
            _ => Ok(()),
        }
    }
}
