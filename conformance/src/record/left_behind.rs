//! What a session leaves behind, as expectations: exit status, log, queued messages, calls of services.

use std::io;

use bstr::ByteSlice as _;

use super::notation::Notation;
use crate::{
    judge::{Aspect, Finding, queue},
    play::Outcome,
    sandbox::World,
    transcript::{
        Expectation, Fact, Item,
        model::{Content, Told},
        text::{Pattern, Text},
    },
};

/// Whether an expectation of the old text stays: it is not of the kind that is recorded, or it holds.
pub(super) fn holds(fact: &Fact, findings: &[Finding]) -> bool {
    aspect(fact).is_none_or(|aspect| !findings.iter().any(|finding| finding.aspect == aspect))
}

fn aspect(fact: &Fact) -> Option<Aspect> {
    match fact {
        Fact::Exit(_) => Some(Aspect::Exit),
        Fact::Log(_) | Fact::Stderr(_) => Some(Aspect::Log),
        Fact::QueuedNone | Fact::Queued { .. } => Some(Aspect::Queued),
        Fact::Service { .. } => Some(Aspect::Service),
        _ => None,
    }
}

/// Adds what is left behind, unless the body tells it already.
pub(super) fn add_facts(
    world: &World,
    outcome: &Outcome,
    notation: &Notation,
    body: &mut Vec<Item>,
) -> io::Result<()> {
    let told = |body: &[Item], wanted: fn(&Fact) -> bool| {
        body.iter().any(|item| matches!(item, Item::Expect(e) if wanted(&e.fact)))
    };
    let mut new: Vec<Fact> = Vec::new();
    if !told(body, |fact| matches!(fact, Fact::Exit(_))) {
        new.extend(outcome.exit.map(Fact::Exit));
    }
    let of_log =
        |fact: &Fact| matches!(fact, Fact::Log(_) | Fact::Stderr(_) | Fact::LogHas(_) | Fact::LogLacks(_));
    if !told(body, of_log) {
        new.extend(notation.log(&outcome.log));
    }
    let of_queue = |fact: &Fact| matches!(fact, Fact::QueuedNone | Fact::Queued { .. });
    let of_service = |fact: &Fact| matches!(fact, Fact::Service { .. });
    if !told(body, of_service) {
        let counted = |(name, calls): (&String, &Vec<_>)| Fact::Service {
            name: name.clone(),
            call: None,
            what: "calls".into(),
            told: Told::Value(Pattern::plain(calls.len().to_string())),
        };
        new.extend(outcome.calls.iter().map(counted));
    }
    if queue::is_seen(world) && !told(body, of_queue) {
        let captured = queue::captured(world, outcome)?;
        if captured.is_empty() {
            new.push(Fact::QueuedNone);
        }
        for message in captured {
            let content = message.content.lines_with_terminator().map(|line| {
                let text = line.strip_suffix(b"\n").unwrap_or(line);
                Content { text: notation.pattern(text), newline: line.ends_with(b"\n") }
            });
            new.push(Fact::Queued {
                from: Text::plain(message.from),
                to: message.to.into_iter().map(Text::plain).collect(),
                content: Some(content.collect()),
            });
        }
    }
    let expectation = |fact| Item::Expect(Expectation { line: 0, only_if: None, should: false, fact });
    body.extend(new.into_iter().map(expectation));
    Ok(())
}
