//! Bytes to the system, without being caught in a write that lasts longer than the time limits.

use std::{cell::Cell, io::IoSlice, os::fd::BorrowedFd};

use rustix::{
    event::PollFlags,
    io::{Errno, ReadWriteFlags, pwritev2},
};

use super::{End, READ_SIZE, limits::Limits};

/// How much is written at once: what a pipe that polls writable takes without blocking (`PIPE_BUF`),
/// so that the time limits hold on output too (CORE-TIME-2).
const WRITE_SIZE: usize = 4096;

/// Where bytes go.
pub(super) struct Output {
    pub(super) fd: BorrowedFd<'static>,
    /// Whether the system can be asked to write as much as fits, without waiting.
    writes_at_once: Cell<bool>,
}

impl Output {
    pub(super) fn new(fd: BorrowedFd<'static>) -> Self {
        Self { fd, writes_at_once: Cell::new(true) }
    }

    /// Sends all of `bytes` as they are; gives how many of them went out.
    pub(super) fn transmit(&self, limits: &Limits, bytes: &[u8]) -> (u64, Result<(), End>) {
        let mut sent = 0;
        while sent < bytes.len() {
            match self.write_some(limits, &bytes[sent..]) {
                Ok(written) => sent += written,
                Err(end) => return (sent as u64, Err(end)),
            }
        }
        (sent as u64, Ok(()))
    }

    /// Writes what the client takes at once, and waits first only if that is nothing; perhaps nothing.
    fn write_some(&self, limits: &Limits, bytes: &[u8]) -> Result<usize, End> {
        if self.writes_at_once.get() {
            limits.check()?;
            let much = [IoSlice::new(&bytes[..bytes.len().min(READ_SIZE)])];
            match pwritev2(self.fd, &much, u64::MAX, ReadWriteFlags::NOWAIT) {
                Ok(written) => return Ok(written),
                Err(Errno::INTR) => return Ok(0),
                Err(Errno::AGAIN) => {}
                // Not every descriptor and every kernel can be asked so.
                Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL | Errno::SPIPE) => {
                    self.writes_at_once.set(false);
                }
                Err(_) => return Err(End::Failed),
            }
        }
        limits.wait(self.fd, PollFlags::OUT)?;
        match rustix::io::write(self.fd, &bytes[..bytes.len().min(WRITE_SIZE)]) {
            Ok(written) => Ok(written),
            Err(Errno::INTR | Errno::AGAIN) => Ok(0),
            Err(_) => Err(End::Failed),
        }
    }
}
