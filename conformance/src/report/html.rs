//! One self-contained page for a person: no network, light and dark, a filter, a permalink for each
//! case with its conversation.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
};

use serde::Serialize;

use super::{
    Report, block,
    event::{CaseResult, Departure, Event, Play, Summary},
    plays::{Plays, conclusion},
    style::{self, VERDICTS},
    table::{Row, Table},
};
use crate::{spec::Spec, transcript::text::printable};

/// The page; its name makes the engine escape what is put in.
const PAGE: (&str, &str) = ("report.html", include_str!("report.html"));

/// Longest text of a clause beside a case, in characters.
const CLAUSE_MAX: usize = 400;

/// Collects the run and writes the page at its end.
pub struct Html<W> {
    out: W,
    spec: &'static Spec,
    plays: Plays,
    table: Table,
    page: Page,
}

/// What the page is made from. All texts are made printable when they are put in.
#[derive(Default, Serialize)]
struct Page {
    suite: String,
    target: String,
    title: String,
    shard: Option<String>,
    conclusion: String,
    good: bool,
    plays: usize,
    seconds: String,
    rate: String,
    columns: Vec<Column>,
    rows: Vec<Row>,
    total: Option<Row>,
    faults: Vec<String>,
    sections: Vec<Section>,
    clauses: Vec<ClauseView>,
}

#[derive(Serialize)]
struct Column {
    verdict: &'static str,
    meaning: &'static str,
    unexpected: bool,
    count: usize,
}

/// Cases of one verdict.
#[derive(Serialize)]
struct Section {
    verdict: &'static str,
    meaning: &'static str,
    unexpected: bool,
    cases: Vec<CaseView>,
}

#[derive(Serialize, Clone)]
struct CaseView {
    id: String,
    title: String,
    level: String,
    verdict: String,
    unexpected: bool,
    detail: Option<String>,
    reach: Option<&'static str>,
    note: Option<String>,
    clauses: Vec<String>,
    /// The clauses' texts, shortened, where they are needed at once.
    texts: Vec<(String, String)>,
    deliveries: Vec<(String, String)>,
    reason: Option<String>,
    observed: Vec<String>,
    file: String,
    lines: Vec<LineView>,
    groups: Vec<GroupView>,
}

/// A line of the transcript, and what was wrong with it.
#[derive(Serialize, Clone)]
struct LineView {
    text: String,
    kind: &'static str,
    findings: Vec<FindingView>,
}

#[derive(Serialize, Clone, PartialEq)]
struct FindingView {
    aspect: String,
    level: String,
    expected: String,
    got: String,
}

/// Plays that show the same.
#[derive(Serialize, Clone)]
struct GroupView {
    verdict: String,
    deliveries: String,
    detail: Option<String>,
    findings: Vec<FindingView>,
    conversation: Vec<(String, &'static str)>,
    log: Vec<String>,
    exit: String,
    files: Vec<String>,
    reproduce: String,
}

#[derive(Serialize)]
struct ClauseView {
    id: String,
    level: String,
    tags: String,
    place: String,
    text: String,
}

impl<W: Write + Send> Html<W> {
    /// A report on `out`.
    pub fn new(out: W) -> Self {
        Self {
            out,
            spec: Spec::embedded(),
            plays: Plays::default(),
            table: Table::default(),
            page: Page::default(),
        }
    }

    fn case(&mut self, case: &CaseResult) {
        self.table.count(case.area(), &case.verdict);
        let groups = self.plays.of(case);
        let view = view(case, &groups, self.spec);
        let Some(verdict) = VERDICTS.into_iter().find(|verdict| *verdict == case.verdict) else { return };
        let section = self.page.sections.iter_mut().find(|section| section.verdict == verdict);
        match section {
            Some(section) => section.cases.push(view),
            None => self.page.sections.push(Section {
                verdict,
                meaning: style::meaning(verdict),
                unexpected: style::is_unexpected(verdict),
                cases: vec![view],
            }),
        }
    }

    fn end(&mut self, summary: &Summary) -> io::Result<()> {
        let page = &mut self.page;
        // What is unexpected first, then known failures and what was left out, then the rest.
        page.sections.sort_by_key(|section| {
            std::cmp::Reverse(VERDICTS.iter().position(|verdict| *verdict == section.verdict))
        });
        for section in &mut page.sections {
            section.cases.sort_by(|a, b| a.id.cmp(&b.id));
        }
        let (rows, total) = self.table.rows();
        page.columns = self
            .table
            .columns()
            .into_iter()
            .zip(&total.counts)
            .map(|(verdict, count)| Column {
                verdict,
                meaning: style::meaning(verdict),
                unexpected: style::is_unexpected(verdict),
                count: *count,
            })
            .collect();
        page.rows = rows.into_iter().map(|row| Row { name: shown(&row.name), ..row }).collect();
        page.total = Some(total);
        page.conclusion = conclusion(summary).1;
        page.good = summary.exit == 0;
        page.plays = summary.plays;
        page.seconds = format!("{:.2}", summary.seconds);
        let plays = f64::from(u32::try_from(summary.plays).unwrap_or(u32::MAX));
        page.rate = format!("{:.0}", plays / summary.seconds.max(0.001));
        page.faults = summary.faults.iter().map(|fault| shown(fault)).collect();
        let cited: BTreeSet<&String> =
            page.sections.iter().flat_map(|section| &section.cases).flat_map(|case| &case.clauses).collect();
        let clauses = self.spec.clauses().into_iter().filter(|clause| cited.contains(&clause.id));
        page.clauses = clauses
            .map(|clause| ClauseView {
                id: clause.id.clone(),
                level: clause.level.to_string(),
                tags: shown(&clause.tags.join(" · ")),
                place: format!("{}:{}", clause.file, clause.line),
                text: clause.text.lines().map(shown).collect::<Vec<_>>().join("\n"),
            })
            .collect();
        let mut engine = minijinja::Environment::new();
        engine.add_template(PAGE.0, PAGE.1).map_err(io::Error::other)?;
        let page =
            engine.get_template(PAGE.0).and_then(|page| page.render(minijinja::value::Serde(&self.page)));
        self.out.write_all(page.map_err(io::Error::other)?.as_bytes())?;
        self.out.flush()
    }
}

impl<W: Write + Send> Report for Html<W> {
    fn take(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::RunStart { suite, target, title, shard, .. } => {
                self.page.suite = shown(suite);
                self.page.target = shown(target);
                self.page.title = shown(title);
                self.page.shard.clone_from(shard);
            }
            Event::Play(play) => self.plays.keep(play),
            Event::Case(case) => self.case(case),
            Event::RunEnd(summary) => self.end(summary)?,
        }
        Ok(())
    }
}

fn shown(text: &str) -> String {
    printable(text.as_bytes()).into_owned()
}

fn view(case: &CaseResult, groups: &[Vec<Play>], spec: &Spec) -> CaseView {
    let mut by_line: BTreeMap<usize, Vec<FindingView>> = BTreeMap::new();
    for finding in groups.iter().filter_map(|group| group.first()).flat_map(|play| &play.findings) {
        let of_line = by_line.entry(finding.line).or_default();
        let finding = finding_view(finding);
        if !of_line.contains(&finding) {
            of_line.push(finding);
        }
    }
    let mut in_head = 0;
    let lines = case.source.lines().enumerate().map(|(at, line)| {
        in_head += usize::from(line == "+++" && in_head < 2);
        let kind = if in_head < 2 || line == "+++" { "head" } else { kind(line) };
        LineView { text: shown(line), kind, findings: by_line.remove(&(at + 1)).unwrap_or_default() }
    });
    let lines: Vec<LineView> = lines.collect();
    let known = case.known.as_ref();
    let cited = case.clauses.iter().filter_map(|id| spec.get(id));
    CaseView {
        id: shown(&case.case),
        title: shown(&case.title),
        level: case.level.to_string(),
        verdict: case.verdict.clone(),
        unexpected: style::is_unexpected(&case.verdict),
        detail: case.detail.as_deref().map(shown),
        reach: case.reach.map(|reach| match reach {
            crate::transcript::front::Reach::Reachable => "reachable through a conforming relay",
            crate::transcript::front::Reach::Robustness => {
                "robustness: only by speaking to the server itself"
            }
        }),
        note: case.note.as_deref().map(shown),
        clauses: case.clauses.iter().map(|id| shown(id)).collect(),
        texts: cited
            .filter(|_| !groups.is_empty())
            .map(|clause| (clause.id.clone(), shown(&clause.short(CLAUSE_MAX))))
            .collect(),
        deliveries: case.deliveries.clone(),
        reason: known.map(|known| shown(&known.reason)),
        observed: known
            .map(|known| known.observed.all().iter().map(|o| shown(o)).collect())
            .unwrap_or_default(),
        file: shown(&case.file),
        lines,
        groups: groups.iter().filter_map(|group| group_view(group)).collect(),
    }
}

/// What kind of line of a transcript this is, for its colour.
fn kind(line: &str) -> &'static str {
    let line = line.strip_prefix("should ").unwrap_or(line);
    match line.as_bytes() {
        [b'C', b':' | b'|', ..] => "client",
        [b'S', b':' | b'|' | b'*' | b'(', ..] => "server",
        [b'#', ..] => "remark",
        _ => "fact",
    }
}

fn finding_view(finding: &Departure) -> FindingView {
    FindingView {
        aspect: block::aspect(&finding.aspect).into(),
        level: finding.level.to_string(),
        expected: shown(&finding.expected),
        got: shown(&finding.got),
    }
}

fn group_view(group: &[Play]) -> Option<GroupView> {
    let play = group.first()?;
    let deliveries: Vec<&str> = group.iter().map(|play| play.delivery.as_str()).collect();
    let evidence = play.evidence.clone().unwrap_or_else(super::event::Evidence::none);
    let wrong = block::wrong_line(&evidence, &play.findings);
    let side = |(at, line): (usize, &String)| {
        let side = match line.as_bytes() {
            _ if wrong == Some(at) => "wrong",
            [b'C', ..] => "client",
            [b'S', ..] => "server",
            _ => "remark",
        };
        (shown(line), side)
    };
    Some(GroupView {
        verdict: play.verdict.clone(),
        deliveries: deliveries.join(", "),
        detail: play.detail.as_deref().map(shown),
        // Those of a line of the transcript are shown there.
        findings: play.findings.iter().filter(|f| f.line == 0).map(finding_view).collect(),
        conversation: evidence.conversation.iter().enumerate().map(side).collect(),
        log: evidence.log.iter().map(|line| shown(line)).collect(),
        exit: shown(&evidence.exit),
        files: evidence.files.iter().map(|line| shown(line)).collect(),
        reproduce: shown(&evidence.reproduce),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::{events, is_tame, spec};

    #[test]
    fn a_page_with_hostile_bytes() {
        let mut out = Vec::new();
        let mut html = Html::new(&mut out);
        html.spec = spec();
        events().iter().try_for_each(|event| html.take(event)).unwrap();
        let page = String::from_utf8(out).unwrap();
        assert!(is_tame(&page));
        assert_eq!(page.matches("<script").count(), 1, "only the page's own");
        assert!(!page.contains("http://") && !page.contains("https://"), "nothing is fetched");
        // Style and script are read in the template; what is made of the run is looked at here.
        let (head, rest) = page.split_once("<style>").unwrap();
        let (_, rest) = rest.split_once("</style>").unwrap();
        let (body, _) = rest.split_once("<script>").unwrap();
        insta::assert_snapshot!(format!("{head}{body}"));
    }
}
