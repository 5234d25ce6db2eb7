//! What a play amounts to.

use super::{Aspect, Judgement};
use crate::{target::Known, transcript::model::Level};

/// The verdict on one play of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Ran, was checked, and is right.
    Pass,
    /// Right, by one of several ways the contract allows.
    Variant(String),
    /// Departs from the contract.
    Fail,
    /// Died by this signal.
    Crash(String),
    /// Had to be ended.
    Hang,
    /// Left processes or descriptors behind.
    Leak,
    /// The target does not have these features.
    Skip(String),
    /// Nothing wrong was seen, but a demand could not be checked on this target.
    Unobservable(String),
    /// A case this one builds on has failed.
    Blocked(String),
    /// Fails as the target's list says.
    Xfail,
    /// Passes although the target's list says it fails.
    Xpass,
    /// Fails otherwise than the target's list says.
    Changed,
    /// Failed, and did not when played again.
    Flaky,
    /// The suite itself could not do its part.
    SuiteError(String),
}

impl Verdict {
    /// The word for reports.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Variant(_) => "variant",
            Self::Fail => "fail",
            Self::Crash(_) => "crash",
            Self::Hang => "hang",
            Self::Leak => "leak",
            Self::Skip(_) => "skip",
            Self::Unobservable(_) => "unobservable",
            Self::Blocked(_) => "blocked",
            Self::Xfail => "xfail",
            Self::Xpass => "xpass",
            Self::Changed => "changed",
            Self::Flaky => "flaky",
            Self::SuiteError(_) => "suite-error",
        }
    }

    /// More than the word: the signal, the feature, the alternative.
    pub fn detail(&self) -> Option<&str> {
        match self {
            Self::Variant(d)
            | Self::Crash(d)
            | Self::Skip(d)
            | Self::Unobservable(d)
            | Self::Blocked(d)
            | Self::SuiteError(d) => Some(d),
            _ => None,
        }
    }

    /// Whether it makes a run fail.
    pub fn is_unexpected(&self) -> bool {
        matches!(
            self,
            Self::Fail | Self::Crash(_) | Self::Hang | Self::Leak | Self::Xpass | Self::Changed | Self::Flaky
        )
    }

    /// Whether the target's behaviour was really checked.
    pub fn is_verified(&self) -> bool {
        !matches!(self, Self::Skip(_) | Self::Unobservable(_) | Self::Blocked(_) | Self::SuiteError(_))
    }

    /// Which of several plays speaks for the case: the higher one.
    pub fn weight(&self) -> u8 {
        match self {
            Self::Skip(_) => 0,
            Self::Pass => 1,
            Self::Variant(_) => 2,
            Self::Unobservable(_) => 3,
            Self::Blocked(_) => 4,
            Self::Xfail => 5,
            Self::Xpass => 6,
            Self::Flaky => 7,
            Self::Changed => 8,
            Self::Fail => 9,
            Self::Leak => 10,
            Self::Hang => 11,
            Self::Crash(_) => 12,
            Self::SuiteError(_) => 13,
        }
    }
}

/// The verdict on one play, known failures not yet considered. Findings below `level` do not count.
pub fn plain(judgement: &Judgement, level: Level) -> Verdict {
    let counted = judgement.findings.iter().filter(|finding| finding.level >= level);
    let Some(first) = counted.min_by_key(|finding| finding.aspect) else {
        if let Some(what) = judgement.unobservable.first() {
            return Verdict::Unobservable(what.clone());
        }
        return match judgement.variants.first() {
            Some(_) => Verdict::Variant(judgement.variants.join(", ")),
            None => Verdict::Pass,
        };
    };
    match first.aspect {
        Aspect::Hang => Verdict::Hang,
        Aspect::Crash => Verdict::Crash(first.got.clone()),
        Aspect::Leak => Verdict::Leak,
        _ => Verdict::Fail,
    }
}

/// The verdict when the target's list has an entry for the case.
pub fn with_known(
    verdict: Verdict,
    judgement: &Judgement,
    level: Level,
    known: &Known,
    delivery: &str,
) -> Verdict {
    if !known.speaks_of(delivery) || !(verdict.is_unexpected() || verdict.is_verified()) {
        return verdict;
    }
    if !verdict.is_unexpected() {
        return if known.sometimes { verdict } else { Verdict::Xpass };
    }
    let first = judgement.findings.iter().find(|finding| finding.level >= level);
    match first {
        Some(finding) if known.observed.covers(&finding.signature()) => Verdict::Xfail,
        _ => Verdict::Changed,
    }
}
