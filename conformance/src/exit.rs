//! The program's exit statuses.

/// What a run or another verb comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Everything was as expected.
    Expected,
    /// A result was not as expected.
    Unexpected,
    /// The command line or an input file is wrong.
    Usage,
    /// The target could not be started.
    NotStarted,
    /// Nothing was verified.
    NothingVerified,
    /// The suite itself, or a case, is wrong.
    SuiteError,
}

impl Status {
    /// The number the program exits with.
    pub fn code(self) -> u8 {
        match self {
            Self::Expected => 0,
            Self::Unexpected => 1,
            Self::Usage => 2,
            Self::NotStarted => 3,
            Self::NothingVerified => 4,
            Self::SuiteError => 6,
        }
    }
}
