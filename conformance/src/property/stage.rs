//! A target on which made-up transcripts are played.

use std::io;

use crate::{
    judge::{Finding, judge},
    play::{self, Delivery, player::LIMIT},
    sandbox::{Workshop, World},
    target::{Program, Target},
    transcript::{Case, model::Level, parse},
};

use super::search::Trial;

/// A program of a target, ready to be played against.
pub struct Stage<'a> {
    /// Where plays happen.
    pub workshop: &'a Workshop,
    /// The implementation.
    pub target: &'a Target,
    /// The program of its that the transcripts run.
    pub program: Program,
}

impl Stage<'_> {
    /// Plays a transcript once; says what was wrong.
    ///
    /// # Errors
    /// The transcript cannot be read or the play could not be done.
    pub fn play(&self, source: &str) -> io::Result<Trial> {
        let case = parse("made-up", source).map_err(|e| io::Error::other(format!("{e} in\n{source}")))?;
        let findings = self.findings(&case)?;
        Ok(if findings.is_empty() { Ok(()) } else { Err(told(&findings)) })
    }

    fn findings(&self, case: &Case) -> io::Result<Vec<Finding>> {
        let world = World::new(self.workshop, self.target, &case.front)?;
        // All at once is the fastest delivery; the order of plugins has nothing to do with it.
        let delivery = Delivery::Burst;
        let mut outcome = play::play(case, &self.program, self.target.pipelining, &world, delivery, LIMIT)?;
        let mut findings = judge(case, &world, &mut outcome).findings;
        findings.retain(|finding| finding.level > Level::May);
        Ok(findings)
    }
}

/// The findings as lines for a person.
fn told(findings: &[Finding]) -> String {
    let line = |finding: &Finding| {
        let Finding { aspect, line, expected, got, .. } = finding;
        format!("{} at line {line}: expected {expected}, got {got}", aspect.name())
    };
    findings.iter().map(line).collect::<Vec<_>>().join("\n")
}
