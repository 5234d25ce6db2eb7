//! How long a client may be silent, and how long it may stay (CORE-TIME-1, -7, -8, -11, -12,
//! POP3-TIME-1 … 6, IMAP-START-3).

use crate::{
    connection::{Connection, DEFAULT_TIMEOUT},
    session::process_variable,
    wire::number::decimal_prefix,
};

/// How long a session may last, in seconds (CORE-TIME-8, POP3-TIME-5).
const DEFAULT_SESSION: u64 = 86_400;

/// The time limits of a program that has no plugins to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeLimits {
    inactivity: u64,
    session: u64,
}

impl TimeLimits {
    /// `$TIMEOUT` and `$SESSION_TIMEOUT`.
    pub fn of_session() -> Self {
        Self {
            inactivity: positive(&[b"TIMEOUT"]).unwrap_or(DEFAULT_TIMEOUT),
            session: positive(&[b"SESSION_TIMEOUT"]).unwrap_or(DEFAULT_SESSION),
        }
    }

    /// The same, or `$AUTH_TIMEOUT` and `$AUTH_SESSION_TIMEOUT` where they are set, to whatever
    /// (POP3-TIME-2).
    pub fn of_authentication() -> Self {
        Self {
            inactivity: positive(&[b"AUTH_TIMEOUT", b"TIMEOUT"]).unwrap_or(DEFAULT_TIMEOUT),
            session: positive(&[b"AUTH_SESSION_TIMEOUT", b"SESSION_TIMEOUT"]).unwrap_or(DEFAULT_SESSION),
        }
    }

    /// Makes them the connection's.
    pub fn apply_to(self, connection: &Connection) {
        connection.set_inactivity(self.inactivity);
        connection.set_session_limit(self.session);
    }
}

/// The number that the first of these variables that is set begins with, unless it is 0.
pub fn positive(names: &[&[u8]]) -> Option<u64> {
    let value = names.iter().find_map(|name| process_variable(name))?;
    decimal_prefix(&value).filter(|number| *number > 0)
}
