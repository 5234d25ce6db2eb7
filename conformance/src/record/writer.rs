//! The conversation of a recording: what came, in the words of the old text where they hold.

use super::{expects, notation::Notation};
use crate::{
    play::stream::{Cursor, Seen},
    transcript::{Act, Item, Step, script},
};

/// Puts the body together.
pub(super) struct Writer<'a> {
    answers: std::vec::IntoIter<Vec<u8>>,
    notation: &'a Notation,
    /// What is written so far.
    pub(super) body: Vec<Item>,
}

impl<'a> Writer<'a> {
    /// Nothing is written yet; `answers` are what came before the first step and behind each.
    pub(super) fn new(answers: Vec<Vec<u8>>, notation: &'a Notation) -> Self {
        Self { answers: answers.into_iter(), notation, body: Vec::new() }
    }

    /// Writes the next answer down, as `old` did if that says the same.
    pub(super) fn answer(&mut self, old: &[Step]) {
        if let Some(answer) = self.answers.next() {
            self.body.extend(self.lines(&answer, old).into_iter().map(Item::Step));
        }
    }

    /// An answer as steps; those of `old` if they say the same.
    fn lines(&self, answer: &[u8], old: &[Step]) -> Vec<Step> {
        let mut variables = self.notation.variables.clone();
        let mut cursor = Cursor::default();
        let found = cursor.advance(old, old.len(), answer, true, &mut variables);
        let right = found.iter().all(|found| found.seen == Seen::Right);
        if right && cursor.step == old.len() && cursor.at == answer.len() {
            return old.to_vec();
        }
        let new = self.notation.answer(answer);
        let kept = new.into_iter().enumerate().map(|(at, act)| {
            let before = old.get(at).filter(|before| self.notation.says(&before.act, &act));
            before.cloned().unwrap_or(Step { line: 0, only_if: None, should: false, act })
        });
        kept.collect()
    }

    /// A repetition stays one if each turn is answered alike, but for its number.
    pub(super) fn repeat(&mut self, line: usize, count: usize, inner: &[Item]) {
        let steps: Vec<&Step> = inner
            .iter()
            .filter_map(|item| match item {
                Item::Step(step) if !expects(&step.act) => Some(step),
                _ => None,
            })
            .collect();
        let mut turns: Vec<Vec<Vec<u8>>> = Vec::new();
        for _ in 0..count {
            turns.push(steps.iter().map(|_| self.answers.next().unwrap_or_default()).collect());
        }
        let first = |turns: &[Vec<Vec<u8>>]| turns.first().cloned().unwrap_or_default();
        let folded = if turns.iter().all(|turn| *turn == turns[0]) {
            first(&turns).iter().map(|answer| self.notation.answer(answer)).collect()
        } else {
            let numbered = |(at, turn): (usize, &Vec<Vec<u8>>)| -> Vec<Vec<Act>> {
                turn.iter().map(|answer| self.notation.numbered(answer, at + 1)).collect()
            };
            let mut all = turns.iter().enumerate().map(numbered);
            let first: Vec<Vec<Act>> = all.next().unwrap_or_default();
            if all.any(|turn| turn != first) {
                return self.unrolled(&steps, &turns);
            }
            first
        };
        let mut body = Vec::new();
        for (step, answer) in steps.into_iter().zip(folded) {
            body.push(Item::Step(step.clone()));
            let steps = answer.into_iter().map(|act| Step { line: 0, only_if: None, should: false, act });
            body.extend(steps.map(Item::Step));
        }
        self.body.push(Item::Repeat { line, count, body });
    }

    fn unrolled(&mut self, steps: &[&Step], turns: &[Vec<Vec<u8>>]) {
        for (at, turn) in turns.iter().enumerate() {
            for (step, answer) in steps.iter().zip(turn) {
                self.body.push(Item::Step(script::turned(step, at + 1)));
                let lines = self.lines(answer, &[]);
                self.body.extend(lines.into_iter().map(Item::Step));
            }
        }
    }
}
