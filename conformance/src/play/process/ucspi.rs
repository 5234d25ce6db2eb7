//! A UCSPI server around the program: it hands over TLS by three descriptors of its own (TLS-22).

use std::{
    io,
    os::fd::{AsRawFd as _, OwnedFd},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    pipe::{PipeFlags, pipe_with},
};

use super::{Process, set_nonblocking};
use crate::transcript::front::{UCSPI_DESCRIPTORS, UcspiFault};

/// The server's ends of the three descriptors, and copies of the program's: it opens them by their
/// path, so that nobody else who is started meanwhile gets them.
pub(super) struct Ucspi {
    /// `None` once the server is gone.
    control: Option<OwnedFd>,
    is_to_go: bool,
    to_program: OwnedFd,
    from_program: OwnedFd,
    pub(super) copies: Vec<OwnedFd>,
    /// For the shell that starts the program.
    pub(super) redirections: String,
}

impl Ucspi {
    pub(super) fn new(fault: UcspiFault) -> io::Result<Self> {
        let (control, asks) = pipe_with(PipeFlags::CLOEXEC)?;
        let (reads, to_program) = pipe_with(PipeFlags::CLOEXEC)?;
        let (from_program, writes) = pipe_with(PipeFlags::CLOEXEC)?;
        for ours in [&control, &to_program, &from_program] {
            set_nonblocking(ours)?;
        }
        let mut redirections = String::new();
        for (at, ((_, number), theirs)) in UCSPI_DESCRIPTORS.iter().zip([&asks, &reads, &writes]).enumerate()
        {
            if fault == UcspiFault::Missing(at) {
                continue;
            }
            let (arrow, pid, fd) = (if at == 1 { '<' } else { '>' }, std::process::id(), theirs.as_raw_fd());
            redirections.push_str(&format!(" {number}{arrow}/proc/{pid}/fd/{fd}"));
        }
        let copies = vec![asks, reads, writes];
        let (control, is_to_go) = (Some(control), fault == UcspiFault::Gone);
        Ok(Self { control, is_to_go, to_program, from_program, copies, redirections })
    }
}

impl Process {
    /// The byte by which the program asks the UCSPI server for a handshake, if it has.
    ///
    /// # Errors
    /// There is no such server.
    pub fn asked_ucspi(&self) -> io::Result<Option<u8>> {
        let ucspi = self.ucspi.as_ref().ok_or_else(|| io::Error::other("the case has no `ucspi-tls`"))?;
        let mut byte = [0];
        match ucspi.control.as_ref().map(|control| rustix::io::read(control, &mut byte)) {
            Some(Ok(1)) => Ok(Some(byte[0])),
            _ => Ok(None),
        }
    }

    /// The program has said something, so that it has opened its descriptors: a UCSPI server that is to
    /// be gone goes.
    pub fn has_spoken(&mut self) {
        if let Some(ucspi) = self.ucspi.as_mut().filter(|ucspi| ucspi.is_to_go) {
            ucspi.control = None;
            // A program just started beside us holds a copy of that end until its exec is complete. The
            // pipe's own end tells when the last reader is gone.
            let wait = Timespec { tv_sec: 1, tv_nsec: 0 };
            let _gone = poll(&mut [PollFd::new(&ucspi.copies[0], PollFlags::empty())], Some(&wait));
        }
    }

    /// Whether a UCSPI server stands around the program.
    pub fn has_ucspi(&self) -> bool {
        self.ucspi.is_some()
    }

    /// The client is behind the UCSPI server's descriptors from now on.
    pub fn enter_ucspi(&mut self) {
        if let Some(ucspi) = self.ucspi.take() {
            self.in_the_clear = self.rx.replace(ucspi.from_program);
            self.tx = Some(ucspi.to_program);
            self.unread = None;
            self.copies = ucspi.copies;
        }
    }
}
