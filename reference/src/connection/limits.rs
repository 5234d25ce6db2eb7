//! How long a client may take: for each move, and for all of them together (CORE-TIME).

use std::{
    cell::Cell,
    os::fd::BorrowedFd,
    time::{Duration, Instant},
};

use rustix::event::PollFlags;

use super::{Connection, End};
use crate::wait;

/// Inactivity allowed without `$TIMEOUT`, in seconds (CORE-TIME-1).
pub const DEFAULT_TIMEOUT: u64 = 1200;

/// The longest time limit, in seconds: larger values act as this one, a century (CORE-TIME-6).
pub const LONGEST: u64 = 100 * 366 * 86_400;

/// The time limits of a connection.
pub(super) struct Limits {
    inactivity: Cell<Duration>,
    deadline: Cell<Option<Instant>>,
}

impl Limits {
    pub(super) fn new() -> Self {
        Self { inactivity: Cell::new(Duration::from_secs(DEFAULT_TIMEOUT)), deadline: Cell::new(None) }
    }

    /// Waits until `fd` is ready, or has an error that the next call will tell.
    pub(super) fn wait(&self, fd: BorrowedFd<'_>, event: PollFlags) -> Result<(), End> {
        self.check()?;
        let (until, cause) = self.next();
        match wait::ready(fd, event, until) {
            Ok(true) => Ok(()),
            Ok(false) => Err(cause),
            Err(_) => Err(End::Failed),
        }
    }

    /// A busy client must not outlive the session limit either.
    pub(super) fn check(&self) -> Result<(), End> {
        let is_over = self.deadline.get().is_some_and(|deadline| deadline <= Instant::now());
        if is_over { Err(End::SessionOver) } else { Ok(()) }
    }

    /// How long a wait that begins now may last, and what it means if it does.
    fn next(&self) -> (Instant, End) {
        let silent_until = Instant::now() + self.inactivity.get();
        match self.deadline.get() {
            Some(deadline) if deadline <= silent_until => (deadline, End::SessionOver),
            _ => (silent_until, End::TimedOut),
        }
    }
}

impl Connection {
    /// Limits each wait for the client to `seconds` (CORE-TIME-2).
    pub fn set_inactivity(&self, seconds: u64) {
        self.limits.inactivity.set(Duration::from_secs(seconds.min(LONGEST)));
    }

    /// Ends the session `seconds` from now (CORE-TIME-7).
    pub fn set_session_limit(&self, seconds: u64) {
        self.limits.deadline.set(Instant::now().checked_add(Duration::from_secs(seconds.min(LONGEST))));
    }

    /// What is left of the session; `None` without a limit.
    pub fn session_left(&self) -> Option<Duration> {
        self.limits.deadline.get().map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// When the session ends, for those who wait for others than the client (CORE-TIME-7).
    pub fn session_end(&self) -> Instant {
        self.limits.deadline.get().unwrap_or_else(|| Instant::now() + Duration::from_secs(LONGEST))
    }

    /// When somebody else who is asked now must have answered: the client's own limits hold for those
    /// who work for it (CVM-XFER-7).
    pub fn patience(&self) -> Instant {
        self.limits.next().0
    }
}
