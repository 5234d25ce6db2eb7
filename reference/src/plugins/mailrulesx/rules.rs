//! The rules of a file, and the walk over them.

use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt};

use bstr::{BString, ByteSlice};

use super::scene::{Event, Failure, Scene};
use crate::{
    lists::{Lists, Opened},
    plugin::Answer,
    response::Response,
    wire::mailrulesx::{self, Action, Condition, Test, Variable},
};

type Rule = mailrulesx::Rule<Opened>;

/// A rules file with its lists open.
pub(super) struct Rules {
    path: BString,
    lists: Lists,
    rules: Vec<Rule>,
}

/// Why there are no rules.
pub(super) enum LoadFailure {
    File,
    Syntax,
    List,
}

impl LoadFailure {
    /// What the client is told (RULESX-FILE-2).
    pub(super) fn text(&self, variable: &str) -> String {
        match self {
            Self::File => format!("4.3.0 Could not open ${variable} file"),
            Self::Syntax => format!("4.3.0 Syntax error in ${variable}"),
            Self::List => format!("4.3.0 Error opening file referenced from ${variable}"),
        }
    }
}

/// What rules say of a connection, a sender or a recipient.
#[derive(Default)]
pub(super) struct Verdict {
    pub(super) answer: Answer,
    /// Whether a refusal is one of the whole message.
    pub(super) of_message: bool,
}

impl Rules {
    pub(super) fn load(path: BString) -> Result<Self, LoadFailure> {
        let file = fs::read(OsStr::from_bytes(&path)).map_err(|_| LoadFailure::File)?;
        let rules: Result<Vec<_>, _> = mailrulesx::rules(&file).into_iter().collect();
        let mut lists = Lists::default();
        let opened = rules.map_err(|_| LoadFailure::Syntax)?.into_iter();
        let opened = opened.map(|rule| rule.open(|_, list| lists.open(&list)));
        let rules = opened.collect::<Result<_, _>>().map_err(|_| LoadFailure::List)?;
        Ok(Self { path, lists, rules })
    }

    /// Walks over the rules of an event: the first match that decides gives the answer (RULESX-ACT-2).
    pub(super) fn judge(&self, scene: &mut Scene<'_>) -> Verdict {
        match self.walk(scene) {
            Ok(decision) => {
                decision.map_or_else(Verdict::default, |(action, text)| verdict(scene.event, action, text))
            }
            Err(Failure::Answer(answer)) => Verdict { answer: Some(answer), of_message: false },
            Err(Failure::Internal(place, why)) => {
                let place = format!(":{place}: {why}");
                scene.session.log(&[self.path.as_bytes(), place.as_bytes()].concat());
                Verdict { answer: Some(Response::internal()), of_message: false }
            }
        }
    }

    fn walk(&self, scene: &mut Scene<'_>) -> Result<Option<(Action, BString)>, Failure> {
        let event = scene.event;
        for rule in self.rules.iter().filter(|rule| event.tries(rule.section)) {
            if !self.matches(scene, rule)? {
                continue;
            }
            let message = scene.expand(&rule.message, rule.place)?;
            for (place, assignment) in &rule.assignments {
                scene.assign(assignment, *place)?;
            }
            if rule.action != Action::NoOp {
                return Ok(Some((rule.action, message)));
            }
        }
        Ok(None)
    }

    fn matches(&self, scene: &Scene<'_>, rule: &Rule) -> Result<bool, Failure> {
        for condition in &rule.conditions {
            if self.holds(scene, condition)? == condition.negated {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether a condition without its `!` is true (RULESX-COND-1 … 4).
    fn holds(&self, scene: &Scene<'_>, condition: &Condition<Opened>) -> Result<bool, Failure> {
        let Some(value) = scene.value(&condition.variable) else { return Ok(false) };
        Ok(match &condition.test {
            Test::Defined => true,
            Test::Equals(expected) => match condition.variable {
                Variable::Sender | Variable::Recipient => value.eq_ignore_ascii_case(expected),
                _ => value == *expected,
            },
            Test::Looks(pattern) => pattern.matches(&value.to_ascii_lowercase()),
            Test::Listed(list) => {
                let folded = value.to_ascii_lowercase();
                self.lists.contain(scene.session, *list, folded.as_bstr()).map_err(Failure::Answer)?
            }
        })
    }
}

/// What an action comes to (RULESX-ACT-2 … 4).
fn verdict(event: Event, action: Action, text: BString) -> Verdict {
    let connects = event == Event::Connect;
    let answer = match action {
        Action::NoOp | Action::Pass => None,
        Action::Accept if connects => None,
        Action::Accept => Some(Response::from_module(250, Some(text).filter(|text| !text.is_empty()))),
        Action::Defer | Action::DeferAll => Some(refusal(if connects { 421 } else { 451 }, text, "Deferred")),
        Action::Reject | Action::RejectAll => {
            Some(refusal(if connects { 554 } else { 553 }, text, "Rejected"))
        }
    };
    Verdict { answer, of_message: matches!(action, Action::DeferAll | Action::RejectAll) }
}

fn refusal(number: u16, text: BString, default: &str) -> Response {
    Response::new(number, if text.is_empty() { default.into() } else { text })
}
