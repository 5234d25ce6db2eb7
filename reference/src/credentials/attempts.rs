//! How often a client may fail to say who it is. Stops guessing (SEC-84).

use crate::wire::number::decimal_prefix;

/// The setting that takes the place of [`FAILURES_MAX`].
pub const MAXAUTHFAIL: &str = "MAXAUTHFAIL";

/// Failures in one session; with the last one it ends (AUTH-15, POPAUTH-AUTH-3, CORE-LIM-1).
pub const FAILURES_MAX: u64 = 20;

/// Counts failures. It lives as long as the session: nothing the client does sets it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempts {
    left: u64,
}

impl Attempts {
    /// As many as `$MAXAUTHFAIL` says if that is a positive number, else [`FAILURES_MAX`].
    pub fn from_setting(value: Option<&[u8]>) -> Self {
        Self { left: value.and_then(decimal_prefix).filter(|n| *n > 0).unwrap_or(FAILURES_MAX) }
    }

    /// How many are left.
    pub fn left(self) -> u64 {
        self.left
    }

    /// One more failure. `true`: it was the last one, the session ends with its answer.
    #[must_use]
    pub fn failed(&mut self) -> bool {
        self.left = self.left.saturating_sub(1);
        self.left == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_positive_number_changes_the_cap() {
        for (value, expected) in
            [(None, 20), (Some("3x"), 3), (Some("0"), 20), (Some("-1"), 20), (Some("x"), 20), (Some(""), 20)]
        {
            assert_eq!(Attempts::from_setting(value.map(str::as_bytes)).left(), expected, "{value:?}");
        }
    }

    #[test]
    fn the_last_failure_ends_the_session() {
        let mut attempts = Attempts::from_setting(Some(b"2"));
        assert!(!attempts.failed());
        assert!(attempts.failed());
        assert!(attempts.failed());
    }
}
