//! The report a person reads while and after a run.

use std::{
    collections::BTreeMap,
    io::{self, IsTerminal as _, Write},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{
    Report, block,
    event::{CaseResult, Event, Play, Summary},
    plays::{Plays, conclusion, in_short},
    style::{self, BAD, DIM, HEAD},
    table::Table,
};
use crate::{spec::Spec, transcript::text::printable};

/// Writes what is unexpected as it happens, then a table and the conclusion. On a terminal a bar
/// shows how far the run is; elsewhere there are only lines.
pub struct Terminal<W> {
    out: W,
    spec: &'static Spec,
    quiet: bool,
    bar: ProgressBar,
    plays: Plays,
    table: Table,
    unexpected: usize,
    /// Why cases were not played, and how many of them.
    left_out: BTreeMap<(String, String), usize>,
}

impl Terminal<anstream::Stdout> {
    /// A report on standard output, the bar on standard error. A quiet one has a line for each
    /// unexpected case and the conclusion.
    pub fn new(quiet: bool) -> Self {
        let shows_bar = !quiet && io::stderr().is_terminal() && io::stdout().is_terminal();
        let target = if shows_bar { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self::on(anstream::stdout(), quiet, target)
    }
}

impl<W: Write + Send> Terminal<W> {
    /// A report on `out`.
    pub fn on(out: W, quiet: bool, bar: ProgressDrawTarget) -> Self {
        let bar = ProgressBar::with_draw_target(None, bar);
        if let Ok(style) = ProgressStyle::with_template("{bar:32.green/dim} {pos}/{len} cases, {msg}") {
            bar.set_style(style);
        }
        Self {
            out,
            spec: Spec::embedded(),
            quiet,
            bar,
            plays: Plays::default(),
            table: Table::default(),
            unexpected: 0,
            left_out: BTreeMap::new(),
        }
    }

    fn start(&mut self, event: &Event) -> io::Result<()> {
        let Event::RunStart { target, title, cases, plays, shard, .. } = event else { return Ok(()) };
        if self.quiet {
            return Ok(());
        }
        let shard = shard.as_ref().map(|shard| format!(", part {shard}")).unwrap_or_default();
        let title = if title.is_empty() { String::new() } else { format!(" ({title})") };
        writeln!(
            self.out,
            "{HEAD}{}{HEAD:#}{}: {cases} cases in {plays} plays{shard}\n",
            printable(target.as_bytes()),
            printable(title.as_bytes())
        )?;
        // Drawn below the heading.
        self.bar.set_length(u64::try_from(*cases).unwrap_or(u64::MAX));
        self.bar.set_message("as expected so far");
        self.out.flush()
    }

    fn case(&mut self, case: &CaseResult) -> io::Result<()> {
        let groups = self.plays.of(case);
        self.table.count(case.area(), &case.verdict);
        self.bar.inc(1);
        let reason = case.detail.clone().unwrap_or_default();
        match case.verdict.as_str() {
            "skip" | "unobservable" | "blocked" => {
                *self.left_out.entry((case.verdict.clone(), reason)).or_default() += 1;
            }
            verdict if style::is_unexpected(verdict) => {
                let mut text = Vec::new();
                if self.quiet {
                    line(&mut text, case, &groups)?;
                } else {
                    blocks(&mut text, case, &groups, self.spec)?;
                }
                let out = &mut self.out;
                self.bar.suspend(|| out.write_all(&text).and_then(|()| out.flush()))?;
            }
            _ => {}
        }
        if style::is_unexpected(&case.verdict) {
            self.unexpected += 1;
            self.bar.set_message(format!("{} unexpected", self.unexpected));
        }
        Ok(())
    }

    fn end(&mut self, summary: &Summary) -> io::Result<()> {
        self.bar.finish_and_clear();
        let out = &mut self.out;
        if !self.quiet && !summary.verdicts.is_empty() {
            self.table.write(out)?;
            writeln!(out)?;
            for ((verdict, reason), count) in &self.left_out {
                writeln!(out, "{DIM}{verdict}{DIM:#} {count} × {}", printable(reason.as_bytes()))?;
            }
            let rate =
                f64::from(u32::try_from(summary.plays).unwrap_or(u32::MAX)) / summary.seconds.max(0.001);
            writeln!(out, "{} plays in {:.2} s, {rate:.0} a second", summary.plays, summary.seconds)?;
        }
        for fault in &summary.faults {
            writeln!(out, "{BAD}suite-error{BAD:#} {}", printable(fault.as_bytes()))?;
        }
        let (style, words) = conclusion(summary);
        writeln!(out, "{style}{words}{style:#}")?;
        out.flush()
    }
}

impl<W: Write + Send> Report for Terminal<W> {
    fn take(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::RunStart { .. } => self.start(event),
            Event::Play(play) => {
                self.plays.keep(play);
                Ok(())
            }
            Event::Case(case) => self.case(case),
            Event::RunEnd(summary) => self.end(summary),
        }
    }
}

fn blocks(out: &mut Vec<u8>, case: &CaseResult, groups: &[Vec<Play>], spec: &Spec) -> io::Result<()> {
    for group in groups.iter().filter(|group| style::is_unexpected(&group[0].verdict)) {
        let also: Vec<&str> = group[1..].iter().map(|play| play.delivery.as_str()).collect();
        block::write(out, case, &group[0], &also, spec)?;
    }
    Ok(())
}

/// A case in one line, for quiet reports.
fn line(out: &mut Vec<u8>, case: &CaseResult, groups: &[Vec<Play>]) -> io::Result<()> {
    let style = style::of_verdict(&case.verdict);
    let (id, what) = (printable(case.case.as_bytes()), in_short(case, groups));
    writeln!(out, "{style}{}{style:#} {id} {}", case.verdict, printable(what.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::{events, is_tame, spec};

    fn written(events: &[Event], quiet: bool) -> String {
        let mut out = Vec::new();
        let mut terminal = Terminal::on(&mut out, quiet, ProgressDrawTarget::hidden());
        terminal.spec = spec();
        events.iter().try_for_each(|event| terminal.take(event)).unwrap();
        let plain = anstream::adapter::strip_bytes(&out).into_vec();
        String::from_utf8(plain).unwrap()
    }

    #[test]
    fn a_run_with_hostile_bytes() {
        let text = written(&events(), false);
        assert!(is_tame(&text));
        insta::assert_snapshot!(text);
    }

    #[test]
    fn a_quiet_run_with_hostile_bytes() {
        let text = written(&events(), true);
        assert!(is_tame(&text));
        insta::assert_snapshot!(text);
    }

    #[test]
    fn only_colours_are_escape_sequences() {
        let mut out = Vec::new();
        let mut terminal = Terminal::on(&mut out, false, ProgressDrawTarget::hidden());
        terminal.spec = spec();
        events().iter().try_for_each(|event| terminal.take(event)).unwrap();
        let text = String::from_utf8(out).unwrap();
        let sequences = text.split('\u{1b}').skip(1);
        for sequence in sequences {
            let parameters = sequence.strip_prefix('[').and_then(|rest| rest.split_once('m'));
            let parameters = parameters.map_or("none", |(parameters, _)| parameters);
            assert!(parameters.bytes().all(|b| b.is_ascii_digit() || b == b';'), "{sequence:?}");
        }
    }

    #[test]
    fn a_conclusion_says_what_a_run_is_worth() {
        let summary = |verdicts: &[(&str, usize)], faults: usize, exit: u8| Summary {
            verdicts: verdicts.iter().map(|(verdict, count)| ((*verdict).into(), *count)).collect(),
            faults: vec![String::new(); faults],
            exit,
            ..Summary::default()
        };
        let said = |verdicts: &[(&str, usize)], faults, exit| conclusion(&summary(verdicts, faults, exit)).1;
        let all = [
            said(&[("pass", 3), ("xfail", 1)], 0, 0),
            said(&[("pass", 3), ("xpass", 1), ("crash", 2)], 0, 1),
            said(&[], 0, 4),
            said(&[("skip", 7)], 0, 4),
            said(&[("pass", 3)], 1, 6),
            said(&[("pass", 3), ("suite-error", 1)], 0, 6),
        ];
        insta::assert_snapshot!(all.join("\n"));
    }
}
