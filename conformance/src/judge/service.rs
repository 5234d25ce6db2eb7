//! What services were asked for, against what a case says of it.

use super::{Aspect, Finding, Judgement, facts};
use crate::{
    play::Outcome,
    sandbox::service::Call,
    transcript::{
        Case, Fact,
        model::{Level, Told},
        printer, script,
        text::{Match, Pattern},
    },
};

/// Checks `service …:` of `case`, that the target kept to the scripts, and that no service was left out.
pub fn check(case: &Case, outcome: &Outcome, judgement: &mut Judgement) {
    let mut find = |line, level: Level, expected: &str, got: &[u8]| {
        let finding = Finding::new(Aspect::Service, line, expected, got).weakened(level);
        judgement.findings.push(finding.at_most(case.front.level));
    };
    for (name, calls) in &outcome.calls {
        let counted = script::expectations(case)
            .any(|e| matches!(&e.fact, Fact::Service { name: of, what, .. } if of == name && what == CALLS));
        if calls.is_empty() && !counted {
            find(0, Level::Must, &format!("{name} is called"), b"never called");
        }
        for (number, call) in calls.iter().enumerate() {
            for (expected, came) in &call.departures {
                find(0, Level::Must, &format!("{name} call {}: {expected}", number + 1), came);
            }
        }
    }
    for expectation in script::expectations(case) {
        if expectation.only_if.as_ref().is_some_and(|branch| !outcome.branches.contains(branch)) {
            continue;
        }
        let Fact::Service { name, call, what, told } = &expectation.fact else { continue };
        let calls = outcome.calls.get(name).map(Vec::as_slice).unwrap_or_default();
        let asked = Asked { calls, number: *call, what, outcome };
        if let Err(got) = asked.check(told) {
            let level = if expectation.should { Level::Should } else { Level::Must };
            let number = call.map(|call| format!(" call {call}")).unwrap_or_default();
            let expected = match told {
                Told::Absent => format!("{name}{number} {what}: absent"),
                Told::Value(pattern) => format!("{name}{number} {what}: {}", printer::pattern(pattern)),
                Told::Content(_) => format!("{name}{number} {what}: as below"),
            };
            find(expectation.line, level, &expected, &got);
        }
    }
}

/// The number of calls.
const CALLS: &str = "calls";

/// One expectation and what it is about.
struct Asked<'a> {
    calls: &'a [Call],
    number: Option<usize>,
    what: &'a str,
    outcome: &'a Outcome,
}

impl Asked<'_> {
    /// What came instead, if it is not as told.
    fn check(&self, told: &Told) -> Result<(), Vec<u8>> {
        if self.what == CALLS {
            let count = self.calls.len().to_string().into_bytes();
            return if matches!(told, Told::Value(wanted) if self.matches(wanted, &count)) {
                Ok(())
            } else {
                Err(count)
            };
        }
        let asked: Vec<&Call> = match self.number {
            Some(number) => self.calls.get(number - 1).into_iter().collect(),
            None => self.calls.iter().collect(),
        };
        if asked.is_empty() {
            return Err(format!("{} calls", self.calls.len()).into());
        }
        let values: Vec<Option<&[u8]>> = asked.iter().map(|call| call.value(self.what)).collect();
        let holds = match told {
            Told::Absent => values.iter().all(Option::is_none),
            Told::Value(wanted) => values.iter().flatten().any(|value| self.matches(wanted, value)),
            Told::Content(wanted) => values
                .iter()
                .flatten()
                .any(|value| facts::differs(wanted, value, &self.outcome.variables).is_none()),
        };
        if holds {
            return Ok(());
        }
        let came: Vec<&[u8]> = values.into_iter().flatten().collect();
        Err(if came.is_empty() { b"absent".into() } else { came.join(&b"; "[..]) })
    }

    fn matches(&self, wanted: &Pattern, value: &[u8]) -> bool {
        matches!(wanted.matches(value, &self.outcome.variables), Match::Yes(_))
    }
}
