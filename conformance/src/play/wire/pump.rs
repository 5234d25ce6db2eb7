//! Waiting for the program: for what it says, for its silence, for its end.

use std::{
    io,
    time::{Duration, Instant},
};

use super::Wire;
use crate::sandbox::service::Servers;

/// How long to wait for an event before looking whether the program is blocked on its input. It only
/// bounds how often that is looked at; an event ends the wait at once.
pub(super) const LOOK_FIRST: Duration = Duration::from_micros(1500);
/// The longest such wait.
pub(super) const LOOK_MOST: Duration = Duration::from_millis(20);

/// How long the output of an ended program may stay open.
const HELD_MOST: Duration = Duration::from_millis(1500);

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
}
