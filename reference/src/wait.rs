//! Waiting for descriptors, and never longer than to a given moment.

use std::{io, os::fd::BorrowedFd, time::Instant};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};

/// Waits until `fd` is ready or has an error that the next call will tell. `false`: it was not before
/// `until`.
///
/// # Errors
/// Those of `poll`.
pub fn ready(fd: BorrowedFd<'_>, event: PollFlags, until: Instant) -> io::Result<bool> {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).ok();
        match poll(&mut [PollFd::from_borrowed_fd(fd, event)], timeout.as_ref()) {
            Err(Errno::INTR) => {}
            result => return Ok(result? > 0),
        }
    }
}
