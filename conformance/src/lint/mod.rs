//! Holds the transcripts against the rules of the guide.
//!
//! [`head`] checks the front matter of one case, [`body`] its dialogue and expectations, [`set`] what
//! concerns several cases: stimuli, twins, lists of known failures.

mod body;
mod head;
mod set;

use crate::{
    cases::{Cases, Unreadable},
    spec::{Fault, Spec},
    target::KnownList,
    transcript::{
        Act, Case, Item, Step,
        text::{Part, Pattern, Piece},
    },
};

/// Something that is not as the guide asks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file.
    pub file: String,
    /// The line, from 1; 0 if it concerns the whole file.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.what),
            line => write!(f, "{}:{line}: {}", self.file, self.what),
        }
    }
}

/// A list of known failures and the file it is in.
pub struct List {
    /// The file.
    pub file: String,
    /// Its text, to name lines.
    pub source: String,
    /// Its entries, or why it cannot be read.
    pub entries: Result<KnownList, String>,
}

/// Everything that is wrong with the cases, the lists and the contract, in the order of files.
pub fn all(cases: &Cases, spec: &Spec, lists: &[List]) -> Vec<Problem> {
    let mut problems: Vec<Problem> = cases.unreadable.iter().map(unreadable).collect();
    for case in &cases.cases {
        let mut found = Found { case, problems: &mut problems };
        head::check(case, spec, &mut found);
        body::check(case, &mut found);
    }
    set::check(&cases.cases, lists, &mut problems);
    problems.sort();
    problems.extend(spec.faults.iter().map(|fault| {
        let Fault { file, line, what } = fault.clone();
        Problem { file, line, what }
    }));
    problems
}

fn unreadable(case: &Unreadable) -> Problem {
    let prefix = format!("line {}, ", case.line);
    let what = case.why.strip_prefix(&prefix).unwrap_or(&case.why);
    Problem { file: case.file.clone(), line: case.line, what: what.into() }
}

/// Takes the problems of one case.
struct Found<'a> {
    case: &'a Case,
    problems: &'a mut Vec<Problem>,
}

impl Found<'_> {
    fn at(&mut self, line: usize, what: impl Into<String>) {
        self.problems.push(Problem { file: self.case.file.clone(), line, what: what.into() });
    }

    /// At the line of the head where `key` is set.
    fn key(&mut self, key: &str, what: impl Into<String>) {
        let line = line_of_key(&self.case.source, key);
        self.at(line, what);
    }
}

/// The line of the head that begins with `key`, else the first.
fn line_of_key(source: &str, key: &str) -> usize {
    let sets = |line: &str| {
        let rest = line.trim_start_matches('[').strip_prefix(key).map(str::trim_start);
        rest.is_some_and(|rest| rest.starts_with(['=', '.', ']']))
    };
    let head = source.lines().enumerate().skip(1).take_while(|(_, line)| *line != "+++");
    head.into_iter().find(|(_, line)| sets(line)).map_or(1, |(at, _)| at + 1)
}

/// The line of the head that contains `text`, else that of `key`.
fn line_of_text(source: &str, key: &str, text: &str) -> usize {
    let mut head = source.lines().enumerate().skip(1).take_while(|(_, line)| *line != "+++");
    head.find(|(_, line)| line.contains(text)).map_or_else(|| line_of_key(source, key), |(at, _)| at + 1)
}

/// The steps as they are written, repetitions not written out, and whether they are repeated.
fn written_steps(case: &Case) -> impl Iterator<Item = (&Step, bool)> {
    case.body.iter().flat_map(|item| {
        let (steps, repeated): (Vec<&Item>, bool) = match item {
            Item::Repeat { body, .. } => (body.iter().collect(), true),
            item => (vec![item], false),
        };
        steps.into_iter().filter_map(move |item| match item {
            Item::Step(step) => Some((step, repeated)),
            _ => None,
        })
    })
}

/// The pattern of a step that expects something.
fn expected(act: &Act) -> Option<&Pattern> {
    match act {
        Act::Line(p) | Act::Raw(p) | Act::Unordered(p) | Act::Alternative(_, p) => Some(p),
        _ => None,
    }
}

/// The reply code a pattern begins with.
fn reply_code(pattern: &Pattern) -> Option<u16> {
    let Some(Part::Text(Piece::Bytes(bytes))) = pattern.parts.first() else { return None };
    let code = std::str::from_utf8(bytes.get(..3)?).ok()?.parse().ok()?;
    bytes.get(3).is_none_or(|b| b" -".contains(b)).then_some(code)
}
