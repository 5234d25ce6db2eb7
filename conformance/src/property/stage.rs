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
        // All at once is the fastest delivery.
        self.play_and(source, Delivery::Burst, |_| Ok(()))
    }

    /// The same in a delivery of one's choice; what the server said is also held against `more`.
    ///
    /// # Errors
    /// The transcript cannot be read or the play could not be done.
    pub fn play_and(
        &self,
        source: &str,
        delivery: Delivery,
        more: impl FnOnce(&[u8]) -> Trial,
    ) -> io::Result<Trial> {
        let case = parse("made-up", source).map_err(|e| io::Error::other(format!("{e} in\n{source}")))?;
        let (findings, output) = self.findings(&case, delivery)?;
        Ok(more(&output).and(if findings.is_empty() { Ok(()) } else { Err(told(&findings)) }))
    }

    fn findings(&self, case: &Case, delivery: Delivery) -> io::Result<(Vec<Finding>, Vec<u8>)> {
        let world = World::new(self.workshop, self.target, &case.front)?;
        let mut outcome = play::play(case, &self.program, self.target.pipelining, &world, delivery, LIMIT)?;
        let mut findings = judge(case, &world, &mut outcome).findings;
        findings.retain(|finding| finding.level > Level::May);
        Ok((findings, outcome.output))
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
