//! Moves bytes between the client's side and the program, without ever waiting blindly.

mod handshake;

use std::{
    collections::VecDeque,
    io,
    os::fd::{AsFd, OwnedFd},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    net::{Shutdown, shutdown},
};

use super::{Delivery, Exchange, process::Process, tls::Client};
use crate::sandbox::service::Servers;

/// How long to wait for an event before looking whether the program is blocked on its input. It only
/// bounds how often that is looked at; an event ends the wait at once.
const LOOK_FIRST: Duration = Duration::from_micros(1500);
/// The longest such wait.
const LOOK_MOST: Duration = Duration::from_millis(20);

/// How long the output of an ended program may stay open.
const HELD_MOST: Duration = Duration::from_millis(1500);

/// How much of a chatty program's output is kept: a guard, far above any case.
const OUTPUT_MAX: usize = 256 << 20;

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

/// What a pump waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// New output, the end of it, or silence.
    Output,
    /// Everything is written and read, and the program waits.
    Silence,
    /// The end of the output.
    Close,
    /// The end of a handshake, for better or worse.
    Handshake,
    /// This time, or the end of the output.
    Moment(Instant),
    /// The end of the process, its output and its standard error.
    End,
}

/// How a pump came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// There is new output.
    Output,
    /// The program has read everything, says nothing and waits.
    Silence,
    /// Its output is at an end.
    Closed,
    /// It has ended and nothing more can come.
    Ended,
    /// It has ended, but something holds its output or its standard error open.
    Held,
    /// The guard's time is over.
    Deadline,
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

    /// One round of moving bytes, for as long as something is queued.
    ///
    /// # Errors
    /// A system call failed that should not.
    pub fn pump_once(&mut self) -> io::Result<Stop> {
        let now = Instant::now();
        if now >= self.deadline {
            return Ok(Stop::Deadline);
        }
        self.turn(self.deadline - now)?;
        Ok(Stop::Output)
    }

    /// Moves bytes until what `until` says has come.
    ///
    /// # Errors
    /// A system call failed that should not.
    pub fn pump(&mut self, until: Until) -> io::Result<Stop> {
        let before = self.output.len();
        let mut look = LOOK_FIRST;
        let mut held = None;
        loop {
            if self.process.is_remote() {
                // Of a server the end of the connection is all that is seen.
                self.ended |= self.closed;
            }
            if until == Until::Output && self.output.len() > before {
                return Ok(Stop::Output);
            }
            if until == Until::Handshake && self.tls.as_ref().is_none_or(|tls| !tls.is_handshaking()) {
                return Ok(Stop::Output);
            }
            if self.closed && !matches!(until, Until::Silence | Until::End) {
                return Ok(Stop::Closed);
            }
            if self.paused && self.ended && until == Until::Close {
                return Ok(Stop::Closed);
            }
            if self.ended && self.closed && self.process.err.is_none() {
                return Ok(Stop::Ended);
            }
            let now = Instant::now();
            if now >= self.deadline {
                return Ok(Stop::Deadline);
            }
            if let Until::Moment(moment) = until {
                if now >= moment {
                    return Ok(Stop::Silence);
                }
                look = moment - now;
            }
            if self.ended {
                // Whatever it wrote is there already, and then the end. If that does not come, somebody
                // else holds the other end; a program that is being started beside us does so shortly.
                let held_since = *held.get_or_insert(now);
                if !self.turn(look)? && held_since.elapsed() > HELD_MOST {
                    return Ok(Stop::Held);
                }
                continue;
            }
            if self.turn(look.min(self.deadline - now))? {
                look = LOOK_FIRST;
                continue;
            }
            look = (look * 2).min(LOOK_MOST);
            let may_be_silent =
                matches!(until, Until::Output | Until::Silence | Until::Handshake) && self.is_drained();
            if may_be_silent
                && !self.serves()
                && self.process.is_silent(self.moved.elapsed())
                && !self.turn(Duration::ZERO)?
            {
                return Ok(Stop::Silence);
            }
            if self.paused && until == Until::Silence && self.process.is_stuck(self.moved.elapsed()) {
                return Ok(Stop::Silence);
            }
        }
    }

    /// Whether a service is about to do something by itself.
    fn serves(&self) -> bool {
        self.servers.as_ref().is_some_and(Servers::is_busy)
    }

    /// Waits for events and handles them; `false` if there was none.
    fn turn(&mut self, wait: Duration) -> io::Result<bool> {
        let wake = self.servers.as_ref().and_then(Servers::wake);
        let wait = wake.map_or(wait, |wake| wait.min(wake.saturating_duration_since(Instant::now())));
        let wait = Timespec::try_from(wait).map_err(io::Error::other)?;
        let (mut readable, mut logged, mut writable, mut ended) = (false, false, false, false);
        let mut asked = wake.is_some();
        {
            let process = &self.process;
            let mut fds: Vec<PollFd<'_>> = Vec::with_capacity(4);
            let mut roles: Vec<&mut bool> = Vec::with_capacity(4);
            if let Some(rx) = process.rx.as_ref().filter(|_| !self.closed && !self.paused) {
                fds.push(PollFd::new(rx, PollFlags::IN));
                roles.push(&mut readable);
            }
            if let Some(err) = &process.err {
                fds.push(PollFd::new(err, PollFlags::IN));
                roles.push(&mut logged);
            }
            if let Some(tx) = process.tx.as_ref().filter(|_| !self.queue.is_empty()) {
                fds.push(PollFd::new(tx, PollFlags::OUT));
                roles.push(&mut writable);
            }
            if let Some(pidfd) = process.pidfd.as_ref().filter(|_| !self.ended) {
                fds.push(PollFd::new(pidfd, PollFlags::IN));
                roles.push(&mut ended);
            }
            let own = fds.len();
            if let Some(servers) = &self.servers {
                servers.watch(&mut fds);
            }
            match poll(&mut fds, Some(&wait)) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for (fd, role) in fds.iter().zip(roles) {
                *role = !fd.revents().is_empty();
            }
            asked |= fds[own..].iter().any(|fd| !fd.revents().is_empty());
        }
        if asked && let Some(servers) = &mut self.servers {
            servers.serve()?;
        }
        if readable {
            self.read_output()?;
        }
        if logged {
            self.read_log();
        }
        if writable {
            self.write()?;
        }
        if ended {
            self.ended = true;
            // Our copies of the server's ends must not keep its output open.
            self.process.drop_copies();
        }
        let happened = readable || logged || writable || ended || asked;
        if happened {
            self.moved = Instant::now();
        }
        Ok(happened)
    }

    fn read_output(&mut self) -> io::Result<()> {
        let Some(rx) = &self.process.rx else { return Ok(()) };
        let before = self.output.len();
        let end = match &mut self.tls {
            None => read_available(rx, &mut self.output),
            Some(tls) => {
                let mut records = Vec::new();
                let end = read_available(rx, &mut records);
                self.output.extend(tls.take(&records));
                end
            }
        };
        self.queue_records();
        if self.output.len() > OUTPUT_MAX {
            return Err(io::Error::other("the program's output does not end"));
        }
        if self.output.len() > before {
            self.process.has_spoken();
            self.exchange.push(Exchange::Received(self.output[before..].to_vec()));
        }
        self.closed |= end;
        Ok(())
    }

    fn read_log(&mut self) {
        if let Some(err) = &self.process.err
            && read_available(err, &mut self.log)
        {
            self.process.err = None;
        }
    }

    fn write(&mut self) -> io::Result<()> {
        while let (Some(tx), Some(piece)) = (&self.process.tx, self.queue.front_mut()) {
            match rustix::io::write(tx, &piece.bytes) {
                Ok(written) => {
                    let is_whole = written == piece.bytes.len();
                    // A record says nothing before it is complete.
                    let said = match &mut piece.plaintext {
                        None => piece.bytes[..written].to_vec(),
                        Some(plaintext) if is_whole => std::mem::take(plaintext),
                        Some(_) => Vec::new(),
                    };
                    self.sent.extend_from_slice(&said);
                    match self.exchange.last_mut() {
                        _ if said.is_empty() => {}
                        Some(Exchange::Sent(sent)) => sent.extend(said),
                        _ => self.exchange.push(Exchange::Sent(said)),
                    }
                    if !is_whole {
                        piece.bytes.drain(..written);
                        return Ok(());
                    }
                    self.queue.pop_front();
                }
                Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::INTR) => {}
                // The program no longer reads: what is left can never arrive.
                Err(Errno::PIPE | Errno::CONNRESET) => self.queue.clear(),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// Reads what is there; `true` at the end.
fn read_available(fd: &OwnedFd, into: &mut Vec<u8>) -> bool {
    let mut buffer = [0u8; 65536];
    loop {
        match rustix::io::read(fd.as_fd(), &mut buffer[..]) {
            Ok(0) => return true,
            Ok(n) => {
                into.extend_from_slice(&buffer[..n]);
                if n < buffer.len() {
                    return false;
                }
            }
            Err(Errno::AGAIN) => return false,
            Err(Errno::INTR) => {}
            // A connection reset after the program left unread input behind is the end of it, too.
            Err(_) => return true,
        }
    }
}
