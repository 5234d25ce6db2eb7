//! Finds out what is said at which point of a dialogue.

use std::io;

use super::{expects, notation};
use crate::{
    play::Outcome,
    transcript::{Act, Case, Item, Step, script},
};

/// What stands in the way of recording: steps that depend on what was answered.
pub(super) fn conditions(case: &Case) -> io::Result<()> {
    let by_hand = |line: usize, what: &str| {
        Err(io::Error::other(format!("line {line}: {what}; such a case is written by hand")))
    };
    for step in script::steps(case) {
        if step.only_if.is_some() {
            return by_hand(step.line, "a step that depends on an alternative");
        }
        if let Act::Send(text) | Act::SendRaw(text) = &step.act
            && let Some(name) = text.variables().find(|name| !notation::knows(&case.front, name))
        {
            return by_hand(step.line, &format!("`${{{name}}}` is taken from an answer"));
        }
    }
    match script::expectations(case).find(|e| e.only_if.is_some()) {
        Some(expectation) => by_hand(expectation.line, "an expectation that depends on an alternative"),
        None => Ok(()),
    }
}

/// The client's steps alone, with a silence behind each and before the first, so that what is said
/// can be told apart. The silences bear the lines 0, 1, 2 …
pub(super) fn probing(case: &Case) -> Case {
    let silence = |line| Item::Step(Step { line, only_if: None, should: false, act: Act::Silence });
    let mut body = vec![silence(0)];
    for (at, step) in script::steps(case).into_iter().filter(|step| !expects(&step.act)).enumerate() {
        body.push(Item::Step(step));
        body.push(silence(at + 1));
    }
    Case { body, ..case.clone() }
}

/// What came before the first step and behind each.
pub(super) fn answers(outcome: &Outcome) -> Vec<Vec<u8>> {
    let last = outcome.noise.last().map_or(0, |(line, _)| *line);
    let mut ends = vec![0; last + 1];
    // A silence at which nothing had ever been said is not listed, nor is one behind the end.
    for (line, said) in &outcome.noise {
        ends[*line] = said.len();
    }
    let mut start = 0;
    let mut answers: Vec<Vec<u8>> = Vec::with_capacity(ends.len());
    for end in ends {
        let end = end.max(start);
        answers.push(outcome.output[start..end].to_vec());
        start = end;
    }
    if let Some(answer) = answers.last_mut() {
        answer.extend_from_slice(&outcome.output[start..]);
    }
    answers
}
