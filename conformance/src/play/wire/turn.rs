//! One turn: waits for events, and moves all bytes that can be moved.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};

use super::Wire;
use crate::{play::Exchange, sandbox::service::Servers};

/// How much of a chatty program's output is kept: a guard, far above any case.
const OUTPUT_MAX: usize = 256 << 20;

impl Wire {
    /// Waits for events and handles them; `false` if there was none.
    pub(super) fn turn(&mut self, wait: Duration) -> io::Result<bool> {
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
        } else if !self.ended && !self.is_measured {
            self.process.take_orphans();
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
pub(super) fn read_available(fd: &OwnedFd, into: &mut Vec<u8>) -> bool {
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
