//! JUnit XML, as build servers read it: a suite for each area, a test for each case.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    time::Duration,
};

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use super::{
    Report, block,
    event::{CaseResult, Event, Play, Summary},
    plays::{Plays, in_short},
    style,
};
use crate::{spec::Spec, transcript::text::printable};

/// Collects the cases and writes the file at the end of the run.
pub struct Junit<W> {
    out: W,
    spec: &'static Spec,
    target: String,
    plays: Plays,
    time: BTreeMap<String, Duration>,
    suites: BTreeMap<String, Vec<TestCase>>,
}

impl<W: Write + Send> Junit<W> {
    /// A report on `out`.
    pub fn new(out: W) -> Self {
        Self {
            out,
            spec: Spec::embedded(),
            target: String::new(),
            plays: Plays::default(),
            time: BTreeMap::new(),
            suites: BTreeMap::new(),
        }
    }

    fn case(&mut self, case: &CaseResult) -> io::Result<()> {
        let groups = self.plays.of(case);
        let name = case.case.rsplit('/').next().unwrap_or(&case.case);
        let mut test = TestCase::new(shown(name), status(case, &groups, self.spec)?);
        test.set_classname(shown(case.area()));
        test.set_time(self.time.remove(&case.case).unwrap_or_default());
        test.add_property(("title", shown(&case.title).as_str()));
        test.add_property(("level", case.level.to_string().as_str()));
        test.add_property(("clauses", shown(&case.clauses.join(" ")).as_str()));
        test.add_property(("verdict", case.verdict.as_str()));
        self.suites.entry(case.area().into()).or_default().push(test);
        Ok(())
    }

    fn end(&mut self, summary: &Summary) -> io::Result<()> {
        let mut report = quick_junit::Report::new(shown(&format!("mailfront-conformance {}", self.target)));
        report.set_time(Duration::from_secs_f64(summary.seconds.max(0.0)));
        for (area, mut tests) in std::mem::take(&mut self.suites) {
            tests.sort_by(|a, b| a.name.cmp(&b.name));
            let mut suite = TestSuite::new(shown(&area));
            suite.set_time(tests.iter().filter_map(|test| test.time).sum());
            suite.add_test_cases(tests);
            report.add_test_suite(suite);
        }
        if !summary.faults.is_empty() {
            let mut suite = TestSuite::new("faults of the suite");
            for fault in &summary.faults {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
                status.set_message(shown(fault));
                suite.add_test_case(TestCase::new(shown(fault), status));
            }
            report.add_test_suite(suite);
        }
        report.serialize(&mut self.out).map_err(io::Error::other)?;
        self.out.flush()
    }
}

impl<W: Write + Send> Report for Junit<W> {
    fn take(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::RunStart { target, .. } => self.target.clone_from(target),
            Event::Play(play) => {
                *self.time.entry(play.case.clone()).or_default() += Duration::from_micros(play.micros);
                self.plays.keep(play);
            }
            Event::Case(case) => self.case(case)?,
            Event::RunEnd(summary) => self.end(summary)?,
        }
        Ok(())
    }
}

fn shown(text: &str) -> String {
    printable(text.as_bytes()).into_owned()
}

/// Success, skipped (which known failures are, too: they ask for no action), failure, or error.
fn status(case: &CaseResult, groups: &[Vec<Play>], spec: &Spec) -> io::Result<TestCaseStatus> {
    let detail = case.detail.clone().unwrap_or_else(|| style::meaning(&case.verdict).into());
    let mut status = match case.verdict.as_str() {
        "pass" | "variant" => return Ok(TestCaseStatus::success()),
        "skip" | "unobservable" | "xfail" => {
            let mut skipped = TestCaseStatus::skipped();
            let reason = case.known.as_ref().filter(|_| case.verdict == "xfail");
            let reason = reason.map_or(detail, |known| format!("known failure: {}", known.reason));
            skipped.set_type(case.verdict.as_str()).set_message(shown(&reason));
            return Ok(skipped);
        }
        "suite-error" | "blocked" => TestCaseStatus::non_success(NonSuccessKind::Error),
        _ => TestCaseStatus::non_success(NonSuccessKind::Failure),
    };
    let mut text = Vec::new();
    for group in groups.iter().filter(|group| style::is_unexpected(&group[0].verdict)) {
        let also: Vec<&str> = group[1..].iter().map(|play| play.delivery.as_str()).collect();
        block::write(&mut text, case, &group[0], &also, spec)?;
    }
    let text = anstream::adapter::strip_bytes(&text).into_vec();
    status.set_type(case.verdict.as_str()).set_message(shown(&in_short(case, groups)));
    status.set_description(String::from_utf8_lossy(&text));
    Ok(status)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::{events, is_tame, spec};

    #[test]
    fn a_file_with_hostile_bytes() {
        let mut out = Vec::new();
        let mut junit = Junit::new(&mut out);
        junit.spec = spec();
        events().iter().try_for_each(|event| junit.take(event)).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(is_tame(&text));
        quick_junit::Report::deserialize_from_str(&text).unwrap();
        insta::assert_snapshot!(text);
    }
}
