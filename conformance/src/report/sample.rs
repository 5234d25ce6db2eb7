//! A small run with hostile bytes in all places where an implementation or a case can put them, for
//! the tests of the reports.

use std::sync::LazyLock;

use super::event::{CaseResult, Departure, Event, Evidence, Play, Summary};
use crate::{
    spec::Spec,
    target::{Known, known::Observed},
    transcript::{front::Reach, model::Level, text::escape},
};

/// ESC, NUL, CR, an override of the direction of text, 8-bit bytes and markup.
pub const HOSTILE: &str = "\u{1b}[31m\0\r\u{202e}\u{e9}<script>&\"'";

/// The same as bytes that came over the wire, with one that is no UTF-8.
fn wire() -> String {
    escape(b"\x1b[31m\0\r\xe2\x80\xae\xff<script>&\"'")
}

/// The source of the failing case.
fn source() -> String {
    format!(
        "+++\ntitle = \"x\"\nclauses = [\"SMTP-DATA-11\"]\nrun = \"mailfront smtp echo accept\"\n+++\n\
         S: 220 {HOSTILE}\nC: QUIT\n[a] should S: 221 ~Good bye.\nexit: 0\n"
    )
}

fn case(id: &str, verdict: &str) -> CaseResult {
    CaseResult {
        case: id.into(),
        title: format!("Title {HOSTILE}"),
        level: Level::Must,
        clauses: vec!["SMTP-DATA-11".into(), "RFC 5321 4.5.2".into()],
        verdict: verdict.into(),
        detail: None,
        deliveries: ["lockstep", "burst", "drip"].map(|name| (name.into(), verdict.into())).into(),
        known: None,
        reach: None,
        note: None,
        file: format!("fixtures/transcripts/{id}.case"),
        source: source(),
    }
}

fn finding(aspect: &str, line: usize, expected: &str, got: &str) -> Departure {
    Departure { level: Level::Must, aspect: aspect.into(), line, expected: expected.into(), got: got.into() }
}

fn play(id: &str, delivery: &str, verdict: &str, findings: Vec<Departure>) -> Play {
    Play {
        case: id.into(),
        delivery: delivery.into(),
        verdict: verdict.into(),
        detail: None,
        findings,
        micros: 1500,
        evidence: Some(Evidence {
            conversation: vec![
                format!("S: 220 {}\\r\\n", wire()),
                "C: QUIT\\r\\n".into(),
                format!("S: 999 {}\\r\\n", wire()),
                "-- the client closes its sending side".into(),
            ],
            log: vec![format!("mailfront[7]: {}", wire())],
            exit: "3".into(),
            files: vec![format!("q/new/1: 4 bytes | {}", wire())],
            reproduce: format!("printf 'QUIT\\r\\n' | env -i A={HOSTILE} mailfront smtp echo accept"),
        }),
    }
}

fn passing(id: &str) -> Event {
    Event::Case(Box::new(case(id, "pass")))
}

/// The events of the run.
pub fn events() -> Vec<Event> {
    let wrong = || {
        vec![
            finding("S", 8, "221 ~Good bye.", &format!("999 {}\\r\\n", wire())),
            finding("exit", 9, "0", "3"),
            finding("custody", 0, "each acknowledged message is captured", &wire()),
        ]
    };
    let failing = CaseResult {
        reach: Some(Reach::Reachable),
        note: Some(format!("Note {HOSTILE}")),
        ..case("mailfront/a/fails", "fail")
    };
    let known = Known {
        case: "mailfront/b/known".into(),
        reason: format!("Reason {HOSTILE}"),
        observed: Observed::Several(vec![wire(), "S: 250 ok".into()]),
        deliveries: Vec::new(),
        sometimes: false,
    };
    let changed = CaseResult {
        known: Some(Known { case: "mailfront/b/changed".into(), ..known.clone() }),
        deliveries: vec![("lockstep".into(), "changed".into()), ("burst".into(), "xfail".into())],
        ..case("mailfront/b/changed", "changed")
    };
    let skipped = CaseResult { detail: Some(format!("no {HOSTILE}")), ..case("mailfront/b/skipped", "skip") };
    let verdicts = [("fail", 1), ("changed", 1), ("xfail", 1), ("skip", 1), ("pass", 2)];
    vec![
        Event::RunStart {
            suite: "0.0.0".into(),
            target: format!("target {HOSTILE}"),
            title: format!("title {HOSTILE}"),
            cases: 6,
            plays: 15,
            shard: Some("1/2".into()),
        },
        passing("mailfront/a/passes"),
        Event::Play(Box::new(play("mailfront/a/fails", "lockstep", "fail", wrong()))),
        Event::Play(Box::new(play("mailfront/a/fails", "burst", "fail", wrong()))),
        Event::Play(Box::new(play("mailfront/a/fails", "drip", "fail", vec![finding("exit", 9, "0", "4")]))),
        Event::Case(Box::new(failing)),
        Event::Play(Box::new(play("mailfront/b/known", "lockstep", "xfail", wrong()))),
        Event::Case(Box::new(CaseResult { known: Some(known), ..case("mailfront/b/known", "xfail") })),
        Event::Play(Box::new(play("mailfront/b/changed", "lockstep", "changed", wrong()))),
        Event::Play(Box::new(play("mailfront/b/changed", "burst", "xfail", wrong()))),
        Event::Case(Box::new(changed)),
        Event::Case(Box::new(skipped)),
        passing("mailfront/b/passes"),
        Event::RunEnd(Summary {
            verdicts: verdicts.map(|(verdict, count)| (verdict.into(), count)).into(),
            plays: 15,
            faults: vec![format!("known failure of {HOSTILE}: there is no such case")],
            seconds: 0.5,
            exit: 6,
        }),
    ]
}

/// A contract with the one clause that the cases cite, so that no edit of the sheets changes what the
/// tests compare.
pub fn spec() -> &'static Spec {
    static SPEC: LazyLock<Spec> = LazyLock::new(|| {
        let mut spec = Spec::default();
        let text = format!("**SMTP-DATA-11** [must; docs: x] A `.` goes {HOSTILE}.\n");
        spec.add("docs/spec/20-smtp.md", &text);
        spec
    });
    &SPEC
}

/// Whether a text can be shown to a person as it is: no control character but the end of a line, and
/// none that changes the direction of what follows.
pub fn is_tame(text: &str) -> bool {
    text.lines().all(|line| crate::transcript::text::printable(line.as_bytes()) == line)
}
