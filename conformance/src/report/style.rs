//! The colours of the terminal, and the words and order that all reports use for verdicts.

use anstyle::{AnsiColor, Style};

/// Something is wrong.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// Something deserves a look.
pub const ODD: Style = AnsiColor::Yellow.on_default().bold();
/// Something is right.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// A heading.
pub const HEAD: Style = Style::new().bold();
/// Something that guides the eye.
pub const GUIDE: Style = AnsiColor::Blue.on_default().bold();
/// Something of less weight.
pub const DIM: Style = Style::new().dimmed();

/// Verdicts in the order of reports: first what is as expected, then what is not.
pub const VERDICTS: [&str; 14] = [
    "pass",
    "variant",
    "xfail",
    "skip",
    "unobservable",
    "fail",
    "crash",
    "hang",
    "leak",
    "changed",
    "xpass",
    "flaky",
    "blocked",
    "suite-error",
];

/// How many of [`VERDICTS`] are as expected.
const EXPECTED: usize = 5;

/// Whether a verdict makes a run fail.
pub fn is_unexpected(verdict: &str) -> bool {
    !VERDICTS[..EXPECTED].contains(&verdict)
}

/// The colour of a verdict.
pub fn of_verdict(verdict: &str) -> Style {
    match verdict {
        "pass" | "variant" => GOOD,
        "xfail" | "skip" | "unobservable" => DIM,
        "xpass" | "changed" | "flaky" | "blocked" => ODD,
        _ => BAD,
    }
}

/// What a verdict means, in one line.
pub fn meaning(verdict: &str) -> &'static str {
    match verdict {
        "pass" => "ran, was checked, and is right",
        "variant" => "right, by one of several ways the contract allows",
        "xfail" => "fails as the target's list of known failures says",
        "skip" => "not played, for the reason given",
        "unobservable" => "nothing wrong was seen, but this target gives no way to check all of it",
        "fail" => "departs from the contract",
        "crash" => "died by a signal",
        "hang" => "had to be ended",
        "leak" => "left processes or open descriptors behind",
        "changed" => "fails otherwise than the target's list of known failures says",
        "xpass" => "passes although the target's list of known failures says it fails",
        "flaky" => "failed, and did not when played again",
        "blocked" => "not played, since the case it builds on has failed",
        _ => "the suite could not do its part",
    }
}
