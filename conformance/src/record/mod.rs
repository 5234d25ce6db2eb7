//! Writes down what an implementation answers: the client's steps of a transcript are played, and
//! what comes is put between and behind them.
//!
//! Expectations that hold already stay as they are written. [`notation`] turns bytes into patterns.

mod notation;

use std::{io, time::Duration};

use bstr::ByteSlice as _;

use crate::{
    judge::{Aspect, Finding, custody, judge, queue},
    play::{
        self, Delivery, Outcome,
        stream::{Cursor, Seen},
    },
    sandbox::{Workshop, World},
    target::{Program, Target},
    transcript::{
        Act, Case, Expectation, Fact, Item, Step,
        model::{Content, Told},
        parse, printer, script,
        text::{Pattern, Text},
    },
};
use notation::Notation;

/// Who is recorded, and how long to wait for it.
pub struct Recorder<'a> {
    /// The implementation.
    pub target: &'a Target,
    /// Its program for the case's role.
    pub program: Program,
    /// Where the play happens.
    pub workshop: &'a Workshop,
    /// The hang guard.
    pub limit: Duration,
}

/// A recorded transcript.
#[derive(Debug)]
pub struct Recording {
    /// Its text.
    pub text: String,
    /// What did not come again when the recording was played.
    pub differences: Vec<Finding>,
}

impl Recorder<'_> {
    /// Records `case`, in lockstep.
    ///
    /// # Errors
    /// The program cannot be started, or the case cannot be recorded; the error says why.
    pub fn record(&self, case: &Case) -> io::Result<Recording> {
        conditions(case)?;
        let body = self.answered(case)?;
        let text = format!("{}{}", head(&case.source, &self.target.name), printer::body(&body));
        let again = parse(&case.id, &text)
            .map_err(|e| io::Error::other(format!("the recording cannot be read back: {e}")))?;
        let world = World::new(self.workshop, self.target, &again.front)?;
        let mut outcome = self.play(&again, &world)?;
        Ok(Recording { differences: judge(&again, &world, &mut outcome).findings, text })
    }

    fn play(&self, case: &Case, world: &World) -> io::Result<Outcome> {
        let delivery = if self.program.port.is_some() { Delivery::Tcp } else { Delivery::Lockstep };
        let outcome = play::play(case, &self.program, self.target.pipelining, world, delivery, self.limit)?;
        world.settle(custody::count(case, &outcome))?;
        Ok(outcome)
    }

    /// The body with the answers that came.
    fn answered(&self, case: &Case) -> io::Result<Vec<Item>> {
        let world = World::new(self.workshop, self.target, &case.front)?;
        let mut outcome = self.play(&probing(case), &world)?;
        if let Some(hang) = &outcome.hang {
            return Err(io::Error::other(format!("the session hangs: {hang}")));
        }
        let findings = judge(case, &world, &mut outcome).findings;
        let notation = Notation::new(&outcome, &case.front);
        let mut writer =
            Writer { answers: answers(&outcome).into_iter(), notation: &notation, body: Vec::new() };
        writer.answer(&olds(&case.body));
        for (at, item) in case.body.iter().enumerate() {
            match item {
                Item::Step(step) if expects(&step.act) => {}
                Item::Step(step) => {
                    writer.body.push(Item::Step(step.clone()));
                    writer.answer(&olds(&case.body[at + 1..]));
                }
                Item::Repeat { line, count, body } => writer.repeat(*line, *count, body),
                Item::Remark(_) => writer.body.push(item.clone()),
                Item::Expect(expectation) => {
                    if holds(&expectation.fact, &findings) {
                        writer.body.push(item.clone());
                    }
                }
            }
        }
        let mut body = writer.body;
        facts(&world, &outcome, &notation, &mut body)?;
        Ok(body)
    }
}

/// What stands in the way of recording: steps that depend on what was answered.
fn conditions(case: &Case) -> io::Result<()> {
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

fn expects(act: &Act) -> bool {
    act.pattern().is_some() || matches!(act, Act::Alternative(..))
}

/// The client's steps alone, with a silence behind each and before the first, so that what is said
/// can be told apart. The silences bear the lines 0, 1, 2 …
fn probing(case: &Case) -> Case {
    let silence = |line| Item::Step(Step { line, only_if: None, should: false, act: Act::Silence });
    let mut body = vec![silence(0)];
    for (at, step) in script::steps(case).into_iter().filter(|step| !expects(&step.act)).enumerate() {
        body.push(Item::Step(step));
        body.push(silence(at + 1));
    }
    Case { body, ..case.clone() }
}

/// What came before the first step and behind each.
fn answers(outcome: &Outcome) -> Vec<Vec<u8>> {
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

/// The expecting steps in front of the next step of the client.
fn olds(body: &[Item]) -> Vec<Step> {
    let mut steps = Vec::new();
    for item in body {
        match item {
            Item::Step(step) if expects(&step.act) => steps.push(step.clone()),
            Item::Step(_) | Item::Repeat { .. } => break,
            Item::Remark(_) | Item::Expect(_) => {}
        }
    }
    steps
}

/// Puts the body together.
struct Writer<'a> {
    answers: std::vec::IntoIter<Vec<u8>>,
    notation: &'a Notation,
    body: Vec<Item>,
}

impl Writer<'_> {
    fn answer(&mut self, old: &[Step]) {
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
    fn repeat(&mut self, line: usize, count: usize, inner: &[Item]) {
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

/// Whether an expectation of the old text stays: it is not of the kind that is recorded, or it holds.
fn holds(fact: &Fact, findings: &[Finding]) -> bool {
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
fn facts(world: &World, outcome: &Outcome, notation: &Notation, body: &mut Vec<Item>) -> io::Result<()> {
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

/// The head as it stands, with `recorded` naming the target.
fn head(source: &str, target: &str) -> String {
    let mut head = String::new();
    let mut set = false;
    let mut run_seen = false;
    let recorded = format!("recorded = {}\n", toml::Value::from(target));
    let has_line = source.lines().skip(1).take_while(|line| *line != "+++").any(is_recorded);
    for (at, line) in source.lines().enumerate() {
        if is_recorded(line) && !set {
            head.push_str(&recorded);
            set = true;
            continue;
        }
        if at > 0 && line == "+++" {
            break;
        }
        head.push_str(line);
        head.push('\n');
        if !has_line && !run_seen && line.starts_with("run") {
            run_seen = true;
            head.push_str(&recorded);
        }
    }
    head.push_str("+++\n");
    head
}

fn is_recorded(line: &str) -> bool {
    line.strip_prefix("recorded").is_some_and(|rest| rest.trim_start().starts_with('='))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, os::unix::fs::PermissionsExt as _};

    use super::*;
    use crate::play::player::LIMIT;

    /// Greets, says every line again, and leaves with status 3 at QUIT.
    const PARROT: &str = r#"#!/bin/sh
printf '220 %s parrot\r\n' "$TCPLOCALHOST"
while read -r line; do
  line=${line%?}
  case $line in
    QUIT) printf '221 2.0.0 bye\r\n'; echo "parrot[$$]: bye" >&2; echo "alone" >&2; exit 3 ;;
    *) printf '250-2.1.0 you said\r\n250 %s\r\n' "$line" ;;
  esac
done
"#;

    fn record(source: &str) -> Recording {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("parrot");
        std::fs::write(&path, PARROT).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let target = Target {
            name: "parrot".into(),
            title: String::new(),
            programs: BTreeMap::from([("smtp".into(), path.to_string_lossy().into_owned())]),
            features: Vec::new(),
            modules: None,
            delivery: None,
            known: Vec::new(),
            ..Target::default()
        };
        let workshop = Workshop::new().unwrap();
        let program = target.program("smtp").unwrap();
        let recorder = Recorder { target: &target, program, workshop: &workshop, limit: LIMIT };
        recorder.record(&parse("a", source).unwrap()).unwrap()
    }

    #[test]
    fn answers_are_filled_in_and_what_holds_stays() {
        let source = "+++\nrun = 'smtp'\ntitle = 'x'\n+++\n# a remark\nC: one\nS: 250-2.1.0 ~~\nS: 250 two\n\
                      repeat 3 {\nC: again ${#}\n}\nC: QUIT\nlog lacks: secret\nexit: 0\n";
        let first = record(source);
        assert_eq!(first.differences, []);
        insta::assert_snapshot!(first.text);
        let second = record(&first.text);
        assert_eq!(second.text, first.text);
    }

    #[test]
    fn a_session_without_any_answer_is_recorded_as_such() {
        let recording = record("+++\nrun = 'smtp'\nrecorded = 'y'\n+++\n");
        assert_eq!(recording.differences, []);
        insta::assert_snapshot!(recording.text);
    }
}
