//! Bytes from the system: as many as there are, or none that another program is to read.

use std::{cell::Cell, os::fd::BorrowedFd};

use rustix::{
    buffer::spare_capacity,
    event::PollFlags,
    io::Errno,
    net::{RecvFlags, recv},
};

use super::{End, READ_SIZE, limits::Limits};

/// How far a socket is looked into for the end of a line.
const PEEK_SIZE: usize = 4096;

/// Where bytes come from.
pub(super) struct Input {
    pub(super) fd: Cell<BorrowedFd<'static>>,
    reading: Cell<Reading>,
}

/// How much is taken from the system at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// As much as there is.
    Ahead,
    /// Up to the end of a line, which a socket shows before it is read.
    Peeking,
    /// One byte: a pipe shows nothing.
    Bytewise,
}

impl Input {
    pub(super) fn new(fd: BorrowedFd<'static>) -> Self {
        Self { fd: Cell::new(fd), reading: Cell::new(Reading::Ahead) }
    }

    /// From now on no byte is taken that is not needed.
    pub(super) fn read_nothing_ahead(&self) {
        self.reading.set(Reading::Peeking);
    }

    /// Reads what the client has sent, at least one byte, into an empty buffer; no more than `wanted`
    /// where nothing may be read ahead.
    pub(super) fn receive(&self, limits: &Limits, bytes: &mut Vec<u8>, wanted: usize) -> Result<(), End> {
        loop {
            limits.wait(self.fd.get(), PollFlags::IN)?;
            match self.read_into(bytes, wanted) {
                Ok(0) => return Err(End::Eof),
                Ok(_) => return Ok(()),
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(_) => return Err(End::Failed),
            }
        }
    }

    /// Reads once; no more than `wanted`, or than a line, where nothing may be read ahead.
    fn read_into(&self, bytes: &mut Vec<u8>, wanted: usize) -> Result<usize, Errno> {
        let fd = self.fd.get();
        if self.reading.get() == Reading::Ahead {
            bytes.reserve_exact(READ_SIZE);
            return rustix::io::read(fd, spare_capacity(bytes));
        }
        let most = if wanted > 1 { wanted.min(READ_SIZE) } else { self.bytes_of_line()? };
        bytes.resize(most, 0);
        let read = rustix::io::read(fd, &mut bytes[..]);
        bytes.truncate(*read.as_ref().unwrap_or(&0));
        read
    }

    /// How many bytes can be read without passing the end of a line.
    fn bytes_of_line(&self) -> Result<usize, Errno> {
        if self.reading.get() == Reading::Peeking {
            let mut seen = [0; PEEK_SIZE];
            match recv(self.fd.get(), &mut seen, RecvFlags::PEEK) {
                Ok((count, _)) => {
                    return Ok(memchr::memchr(b'\n', &seen[..count]).map_or(count.max(1), |at| at + 1));
                }
                Err(Errno::NOTSOCK) => self.reading.set(Reading::Bytewise),
                Err(error) => return Err(error),
            }
        }
        Ok(1)
    }
}
