//! The plays of a case that deserve a look, gathered until the case is done, and what a run came to.

use super::{
    event::{CaseResult, Play, Summary},
    style::{self, BAD, GOOD, VERDICTS},
};

/// Plays that are unexpected or known failures, by case.
#[derive(Debug, Default)]
pub struct Plays(Vec<Play>);

impl Plays {
    /// Keeps a play if it deserves a look.
    pub fn keep(&mut self, play: &Play) {
        if style::is_unexpected(&play.verdict) || play.verdict == "xfail" {
            self.0.push(play.clone());
        }
    }

    /// Takes out the plays of a case. Those that show the same are together, the deliveries in the
    /// order of reports.
    pub fn of(&mut self, case: &CaseResult) -> Vec<Vec<Play>> {
        let mut plays: Vec<Play> = self.0.extract_if(.., |play| play.case == case.case).collect();
        plays.sort_by_key(|play| case.deliveries.iter().position(|(delivery, _)| *delivery == play.delivery));
        let mut groups: Vec<Vec<Play>> = Vec::new();
        for play in plays {
            let same = |group: &&mut Vec<Play>| {
                group[0].verdict == play.verdict
                    && group[0].detail == play.detail
                    && group[0].findings.first() == play.findings.first()
            };
            match groups.iter_mut().find(same) {
                Some(group) => group.push(play),
                None => groups.push(vec![play]),
            }
        }
        groups
    }
}

/// The first departure of a play that speaks for a case, in one line; else the case's detail.
pub fn in_short(case: &CaseResult, groups: &[Vec<Play>]) -> String {
    let first = groups.iter().flatten().find(|play| play.verdict == case.verdict);
    match first.and_then(|play| play.findings.first()) {
        Some(finding) => {
            let aspect = super::block::aspect(&finding.aspect);
            format!("{aspect}: expected {} | got {}", finding.expected, finding.got)
        }
        None => case.detail.clone().unwrap_or_else(|| style::meaning(&case.verdict).into()),
    }
}

/// What a run came to, in words, and their colour.
pub fn conclusion(summary: &Summary) -> (anstyle::Style, String) {
    let count = |verdict: &str| summary.verdicts.get(verdict).copied().unwrap_or(0);
    let total: usize = summary.verdicts.values().sum();
    let list = |unexpected: bool| {
        let chosen = VERDICTS.into_iter().filter(|v| style::is_unexpected(v) == unexpected && count(v) > 0);
        chosen.map(|verdict| format!("{} {verdict}", count(verdict))).collect::<Vec<_>>().join(", ")
    };
    let unexpected: usize = VERDICTS.into_iter().filter(|v| style::is_unexpected(v)).map(count).sum();
    match summary.exit {
        0 => (GOOD, format!("all as expected: {}", list(false))),
        4 if total == 0 => (BAD, "nothing was verified: no case was selected".into()),
        4 => (BAD, format!("nothing was verified: {}", list(false))),
        _ if unexpected > 0 => {
            let wrong = match summary.faults.len() {
                0 => String::new(),
                count => format!("; {} of the cases or lists", faults(count)),
            };
            (BAD, format!("{unexpected} of {total} cases unexpected: {}{wrong}", list(true)))
        }
        _ => (BAD, format!("the cases or lists are wrong: {}", faults(summary.faults.len()))),
    }
}

fn faults(count: usize) -> String {
    if count == 1 { "1 fault".into() } else { format!("{count} faults") }
}
