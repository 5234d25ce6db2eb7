//! Writes down what an implementation answers: the client's steps of a transcript are played, and
//! what comes is put between and behind them.
//!
//! Expectations that hold already stay as they are written. [`mod@probing`] finds out what was said when, and
//! [`notation`] turns bytes into patterns; [`writer`] writes the conversation, behind the [`mod@head`] and
//! before what is [`left_behind`].

mod head;
mod left_behind;
mod notation;
mod probing;
mod writer;

use std::{io, time::Duration};

use self::{
    head::head,
    left_behind::{add_facts, holds},
    notation::Notation,
    probing::{answers, conditions, probing},
    writer::Writer,
};
use crate::{
    judge::{Finding, custody, judge},
    play::{self, Delivery, Outcome},
    sandbox::{Workshop, World},
    target::{Program, Target},
    transcript::{Act, Case, Item, Step, parse, printer},
};

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
        let mut writer = Writer::new(answers(&outcome), &notation);
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
        add_facts(&world, &outcome, &notation, &mut body)?;
        Ok(body)
    }
}

/// Whether it is for the program to fulfil, and so to be recorded.
fn expects(act: &Act) -> bool {
    act.pattern().is_some() || matches!(act, Act::Alternative(..))
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
