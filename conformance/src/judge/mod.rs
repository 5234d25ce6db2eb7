//! Compares what was seen with what a case demands. Never prints.
//!
//! [`finding`] is one departure, [`queue`] reads captured messages, [`custody`] balances messages
//! acknowledged against messages captured, [`facts`] checks what is left behind, [`service`] what
//! services were asked for, [`verdict`] turns findings and known failures into a verdict.

pub mod custody;
pub mod facts;
pub mod finding;
pub mod queue;
pub mod service;
pub mod verdict;

pub use finding::{Aspect, Finding};
pub use verdict::Verdict;

use crate::{
    play::{
        Outcome,
        stream::{Cursor, Seen, is_taken},
        tls::Ending,
    },
    sandbox::World,
    transcript::{
        Act, Case, Choice, Step,
        model::{Exit, Level},
        printer, script,
        tls::Handshake,
    },
};

/// What a play showed: its departures in the order of weight, and what could not be seen.
#[derive(Debug, Default)]
pub struct Judgement {
    /// The departures; empty is a pass.
    pub findings: Vec<Finding>,
    /// Demands that this target gives no way to check.
    pub unobservable: Vec<String>,
    /// The named alternatives seen.
    pub variants: Vec<String>,
}

/// Judges one play.
pub fn judge(case: &Case, world: &World, outcome: &mut Outcome) -> Judgement {
    let mut judgement = Judgement { variants: outcome.branches.clone(), ..Judgement::default() };
    let mut find = |finding: Finding| judgement.findings.push(finding.at_most(case.front.level));
    ending(case, outcome, &mut find);
    conversation(case, outcome, &mut find);
    facts::check(case, world, outcome, &mut judgement);
    service::check(case, outcome, &mut judgement);
    if judgement.unobservable.is_empty() || queue::is_seen(world) {
        custody::check(case, world, outcome, &mut judgement);
    }
    for finding in &mut judgement.findings {
        finding.make_comparable(world, outcome.pid);
    }
    // The first of the strongest is what known failures are compared with.
    judgement.findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
    judgement
}

/// Hang, crash and leak.
fn ending(case: &Case, outcome: &Outcome, find: &mut impl FnMut(Finding)) {
    if let Some(hang) = &outcome.hang {
        find(Finding::new(Aspect::Hang, 0, "the session ends", hang.as_bytes()));
    }
    let expects_signal =
        script::expectations(case).any(|e| matches!(e.fact, crate::transcript::Fact::Exit(Exit::Signal(_))));
    if let Some(Exit::Signal(signal)) = outcome.exit
        && !outcome.signalled
        && !expects_signal
    {
        find(Finding::new(Aspect::Crash, 0, "no death by a signal", format!("signal {signal}").as_bytes()));
    }
    if let Some(leak) = &outcome.leak {
        find(Finding::new(Aspect::Leak, 0, "nothing is left running", leak.as_bytes()));
    }
}

/// The output, part by part. After the first wrong part the rest is its consequence.
fn conversation(case: &Case, outcome: &mut Outcome, find: &mut impl FnMut(Finding)) {
    let steps = script::steps(case);
    let mut cursor = Cursor::default();
    let mut broken = outcome.hang.is_some();
    let failed = failed_handshake(&steps, outcome);
    if !broken || !outcome.output.is_empty() {
        let all = cursor.advance(&steps, steps.len(), &outcome.output, true, &mut outcome.variables);
        for found in all {
            let step = &steps[found.step];
            // What is said behind a handshake that failed is no answer to the step.
            if failed.as_ref().is_some_and(|failed| step.line > failed.line) {
                break;
            }
            let level = if step.should { Level::Should } else { Level::Must };
            match found.seen {
                Seen::Right => {}
                Seen::OtherWording(got) => {
                    find(
                        Finding::new(Aspect::Answer, step.line, &expected(step), &got)
                            .weakened(Level::Should),
                    );
                }
                Seen::Wrong(got) => {
                    find(Finding::new(Aspect::Answer, step.line, &expected(step), &got).weakened(level));
                    if !step.should {
                        broken = true;
                        break;
                    }
                }
            }
        }
    }
    outcome.branches = cursor.branches;
    if let Some(failed) = failed.filter(|_| !broken) {
        return find(failed);
    }
    if !broken && cursor.at < outcome.output.len() {
        let line = steps.last().map_or(0, |step| step.line);
        find(Finding::new(Aspect::Answer, line, "nothing more", &outcome.output[cursor.at..]));
    }
    if !broken {
        for (line, said) in &outcome.noise {
            find(Finding::new(Aspect::Answer, *line, "silence", said));
        }
        for line in &outcome.still_open {
            find(Finding::new(Aspect::Answer, *line, "eof", b"still open"));
        }
    }
}

/// The first handshake that did not end as it should. That of a delivery has no step.
fn failed_handshake(steps: &[Step], outcome: &Outcome) -> Option<Finding> {
    let wanted: Vec<(usize, Handshake)> = steps
        .iter()
        .filter(|step| is_taken(step, &outcome.branches))
        .filter_map(|step| match &step.act {
            Act::Tls(handshake) => Some((step.line, handshake.clone())),
            _ => None,
        })
        .collect();
    let of_delivery = outcome.handshakes.len() > wanted.len();
    let wanted = of_delivery.then(|| (0, Handshake::default())).into_iter().chain(wanted);
    let mut endings = outcome.handshakes.iter();
    for (line, handshake) in wanted {
        let got = match (endings.next(), &handshake.fails) {
            (Some(Ending::Agreed(_)), None) | (Some(Ending::Failed(..)), Some(None)) => continue,
            (Some(Ending::Failed(Some(alert), _)), Some(Some(wanted))) if alert == wanted => continue,
            (Some(Ending::Agreed(got) | Ending::Failed(_, got)), _) => got.as_str(),
            (None, _) => "the connection was closed before",
        };
        return Some(Finding::new(Aspect::Tls, line, &handshake.print(), got.as_bytes()));
    }
    None
}

fn expected(step: &Step) -> String {
    match &step.act {
        Act::Netstring(p) | Act::Alternative(_, Choice::Netstring(p)) => {
            format!("a netstring {}", printer::pattern(p))
        }
        act => act.pattern().map(printer::pattern).unwrap_or_default(),
    }
}
