//! The report a person reads while and after a run.

use std::io::{self, Write};

use super::{
    Report,
    event::{CaseResult, Event, Play, Summary},
};

/// Writes to the terminal: what is unexpected as it happens, then a table.
#[derive(Default)]
pub struct Terminal {
    plays: Vec<Play>,
}

impl Terminal {
    /// A report on standard output.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Report for Terminal {
    fn take(&mut self, event: &Event) -> io::Result<()> {
        let mut out = anstream::stdout().lock();
        match event {
            Event::RunStart { target, cases, plays, .. } => {
                writeln!(out, "{target}: {cases} cases, {plays} plays")
            }
            Event::Play(play) => {
                self.plays.push((**play).clone());
                Ok(())
            }
            Event::Case(case) => self.case(case, &mut out),
            Event::RunEnd(summary) => Self::end(summary, &mut out),
        }
    }
}

impl Terminal {
    fn case(&mut self, case: &CaseResult, out: &mut impl Write) -> io::Result<()> {
        let plays: Vec<Play> = self.plays.extract_if(.., |play| play.case == case.case).collect();
        if ["pass", "variant", "skip", "xfail", "blocked"].contains(&case.verdict.as_str()) {
            return Ok(());
        }
        writeln!(out, "{}: {} {}", case.verdict, case.case, case.detail.as_deref().unwrap_or_default())?;
        for play in plays.iter().filter(|play| play.verdict == case.verdict).take(1) {
            for finding in &play.findings {
                writeln!(
                    out,
                    "  [{}] {} line {}: expected {} | got {}",
                    play.delivery, finding.aspect, finding.line, finding.expected, finding.got
                )?;
            }
            if let Some(evidence) = &play.evidence {
                for line in evidence.conversation.iter().chain(&evidence.log) {
                    writeln!(out, "    {line}")?;
                }
                writeln!(out, "    {}", evidence.reproduce)?;
            }
        }
        Ok(())
    }

    fn end(summary: &Summary, out: &mut impl Write) -> io::Result<()> {
        for fault in &summary.faults {
            writeln!(out, "fault: {fault}")?;
        }
        let rate = f64::from(u32::try_from(summary.plays).unwrap_or(u32::MAX)) / summary.seconds.max(0.001);
        writeln!(
            out,
            "{:?} {} plays in {:.2} s ({rate:.0}/s)",
            summary.verdicts, summary.plays, summary.seconds
        )
    }
}
