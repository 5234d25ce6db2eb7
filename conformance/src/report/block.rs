//! One unexpected play as a block that stands alone: what was demanded and where, what came, how it
//! came to that, and a line that does it again.

use std::io::{self, Write};

use super::{
    event::{CaseResult, Departure, Evidence, Play},
    style::{self, BAD, DIM, GUIDE, HEAD},
};
use crate::{spec::Spec, transcript::text::printable};

/// Most departures shown of one play.
const FINDINGS_MAX: usize = 6;
/// Lines of the conversation shown before and behind the place where it went wrong.
const BEFORE: usize = 12;
/// See [`BEFORE`].
const BEHIND: usize = 3;
/// Most lines shown of standard error.
const LOG_MAX: usize = 12;
/// Longest piece of a source line or a clause shown, in characters.
const TEXT_MAX: usize = 240;

/// Writes the block of one play; `also` are further deliveries in which the same was seen.
///
/// # Errors
/// `out` cannot be written.
pub fn write(
    out: &mut impl Write,
    case: &CaseResult,
    play: &Play,
    also: &[&str],
    spec: &Spec,
) -> io::Result<()> {
    let style = style::of_verdict(&play.verdict);
    let same = if also.is_empty() { String::new() } else { format!("; the same in {}", also.join(", ")) };
    writeln!(out, "{style}{}{style:#} {HEAD}{}{HEAD:#}", play.verdict, printable(case.case.as_bytes()))?;
    writeln!(out, "  {}", printable(case.title.as_bytes()))?;
    writeln!(out, "  {DIM}in delivery {}{same}{DIM:#}", play.delivery)?;
    if let Some(detail) = &play.detail {
        writeln!(out, "  {}", printable(detail.as_bytes()))?;
    }
    writeln!(out)?;
    listed(out, case, play)?;
    for finding in play.findings.iter().take(FINDINGS_MAX) {
        diagnostic(out, case, finding)?;
    }
    if play.findings.len() > FINDINGS_MAX {
        writeln!(out, "  … {} more\n", play.findings.len() - FINDINGS_MAX)?;
    }
    if let Some(evidence) = &play.evidence {
        story(out, evidence, wrong_line(evidence, &play.findings))?;
    }
    if let Some(note) = &case.note {
        section(out, "note", [printable(note.as_bytes()).into_owned()])?;
    }
    let cited = case.clauses.iter().filter_map(|id| spec.get(id));
    let texts = cited.map(|c| format!("{} [{}] {}", c.id, c.level, printable(c.short(TEXT_MAX).as_bytes())));
    section(out, "clauses", texts)?;
    if let Some(evidence) = &play.evidence {
        section(out, "reproduce, in bash in an empty folder", [one_line(&evidence.reproduce)])?;
    }
    writeln!(out)
}

/// What the list of known failures says, where the verdict depends on it.
fn listed(out: &mut impl Write, case: &CaseResult, play: &Play) -> io::Result<()> {
    let Some(known) = case.known.as_ref().filter(|_| ["changed", "xpass"].contains(&&*play.verdict)) else {
        return Ok(());
    };
    writeln!(out, "  {}:", style::meaning(&play.verdict))?;
    writeln!(out, "    reason   {}", printable(known.reason.as_bytes()))?;
    for observed in known.observed.all() {
        writeln!(out, "    listed   {}", printable(observed.as_bytes()))?;
    }
    if let Some(first) = play.findings.first() {
        writeln!(out, "    now      {}", one_line(&first.signature()))?;
    }
    writeln!(out)
}

/// A departure on the transcript's own line.
fn diagnostic(out: &mut impl Write, case: &CaseResult, finding: &Departure) -> io::Result<()> {
    let number = if finding.line == 0 { String::new() } else { finding.line.to_string() };
    let gutter = number.len().max(2);
    let place = if number.is_empty() { String::new() } else { format!(":{number}") };
    let file = if case.file.is_empty() { &case.case } else { &case.file };
    writeln!(
        out,
        "{:gutter$}{GUIDE}-->{GUIDE:#} {}{place}: {} ({})",
        "",
        printable(file.as_bytes()),
        aspect(&finding.aspect),
        finding.level
    )?;
    let bar = |out: &mut dyn Write, label: &str| write!(out, "{GUIDE}{label:>gutter$} |{GUIDE:#}");
    bar(out, "")?;
    writeln!(out)?;
    let mut indent = 0;
    if let Some(line) = finding.line.checked_sub(1).and_then(|at| case.source.lines().nth(at)) {
        let (mark, text) = line.split_at(text_of(line));
        let (mark, text) = (printable(mark.as_bytes()), shortened(&printable(text.as_bytes())));
        indent = mark.chars().count();
        bar(out, &number)?;
        writeln!(out, " {mark}{text}")?;
        bar(out, "")?;
        writeln!(out, " {:indent$}{BAD}{}{BAD:#}", "", "^".repeat(text.chars().count().max(1)))?;
    }
    let indent = indent.saturating_sub("expected ".len());
    for (label, text) in [("expected", &finding.expected), ("got", &finding.got)] {
        bar(out, "")?;
        writeln!(out, " {:indent$}{DIM}{label:>8}{DIM:#} {}", "", one_line(text))?;
    }
    writeln!(out)
}

/// Where the text of a source line begins, behind its mark.
fn text_of(line: &str) -> usize {
    [": ", "| "].iter().filter_map(|mark| line.find(mark)).min().map_or(0, |at| at + 2)
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(TEXT_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into(),
    }
}

/// Text for one line of the terminal.
fn one_line(text: &str) -> String {
    printable(text.as_bytes()).into_owned()
}

/// What a finding is about, in words.
pub fn aspect(name: &str) -> &str {
    match name {
        "S" => "answer",
        "exit" => "exit status",
        "queued" => "captured messages",
        "left" => "left behind",
        other => other,
    }
}

/// The line of the conversation that is the first wrong answer.
pub fn wrong_line(evidence: &Evidence, findings: &[Departure]) -> Option<usize> {
    let got = &findings.iter().find(|finding| finding.aspect == "S")?.got;
    evidence.conversation.iter().rposition(|line| line.strip_prefix("S: ") == Some(got))
}

/// The conversation up to where it went wrong, and what else was seen.
fn story(out: &mut impl Write, evidence: &Evidence, wrong: Option<usize>) -> io::Result<()> {
    let lines = &evidence.conversation;
    let end = wrong.map_or(lines.len(), |at| (at + 1 + BEHIND).min(lines.len()));
    let start = wrong.unwrap_or(lines.len()).saturating_sub(BEFORE);
    writeln!(out, "  {HEAD}conversation{HEAD:#}")?;
    if start > 0 {
        writeln!(out, "    {DIM}… {start} lines before{DIM:#}")?;
    }
    for (at, line) in lines.iter().enumerate().take(end).skip(start) {
        if wrong == Some(at) {
            writeln!(out, "  {BAD}> {}{BAD:#}", one_line(line))?;
        } else {
            writeln!(out, "    {}", one_line(line))?;
        }
    }
    if end < lines.len() {
        writeln!(out, "    {DIM}… {} lines behind{DIM:#}", lines.len() - end)?;
    }
    let log = &evidence.log[evidence.log.len().saturating_sub(LOG_MAX)..];
    let left_out = evidence.log.len() - log.len();
    let before = (left_out > 0).then(|| format!("… {left_out} lines before"));
    section(out, "standard error", before.into_iter().chain(log.iter().map(|line| one_line(line))))?;
    section(out, "exit status", [one_line(&evidence.exit)])?;
    section(out, "files", evidence.files.iter().map(|line| one_line(line)))
}

fn section(out: &mut impl Write, name: &str, lines: impl IntoIterator<Item = String>) -> io::Result<()> {
    let mut lines = lines.into_iter().peekable();
    if lines.peek().is_some() {
        writeln!(out, "  {HEAD}{name}{HEAD:#}")?;
    }
    lines.try_for_each(|line| writeln!(out, "    {line}"))
}
