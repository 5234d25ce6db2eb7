//! What serves a client: reads its bytes, runs the events they ask for, writes the responses.

mod netstrings;
pub mod qmqp;
pub mod qmtp;
pub mod smtp;

use bstr::BString;

use crate::{chain::Chain, plugin::Finding, response::Framing, session::Session};

/// The status a program exits with (CORE-EXIT-1 … 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExitStatus(pub i32);

impl ExitStatus {
    /// The session ended as sessions do.
    pub const DONE: Self = Self(0);
    /// It was cut short.
    pub const FAILED: Self = Self(1);
    /// It could not be understood, or nothing could be started.
    pub const FATAL: Self = Self(111);
}

/// A protocol module.
pub trait Protocol {
    /// Its name in trace headers, unless the client makes it another (SESS-PROTO-1).
    fn name(&self) -> BString;

    /// How it writes responses, those of a failed start-up included (CORE-MOD-6).
    fn framing(&self) -> Framing;

    /// The session limit in seconds without a usable `$SESSION_TIMEOUT` (CORE-TIME-8, -9).
    fn default_session_limit(&self) -> u64 {
        86_400
    }

    /// Reads its settings. A failure ends the program before any greeting (CORE-START-7).
    ///
    /// # Errors
    /// The status to exit with; what there was to say has been said.
    fn init(&mut self, session: &Session) -> Result<(), ExitStatus> {
        let _ = session;
        Ok(())
    }

    /// What `--check` should tell of its settings, after a good [`Protocol::init`].
    fn check(&self, session: &Session) -> Vec<Finding> {
        let _ = session;
        Vec::new()
    }

    /// Serves the client to the end of the session.
    fn run(&mut self, session: &Session, chain: &mut Chain) -> ExitStatus;
}
