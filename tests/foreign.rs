//! Servers by address: started, spoken to over TCP, their deliveries awaited, and stopped.
#![allow(clippy::expect_used, reason = "a test that cannot be set up fails with the reason")]

use std::{fs, time::Duration};

use mailfront_conformance::{
    play::Delivery,
    sandbox::Workshop,
    target::Target,
    transcript::{model::Level, parse},
};
use mailfront_tests::{play, story, verdict};
use rstest::rstest;

const SESSION: &str = include_str!("liars/session.case");

/// The target file of a server that captures messages; its log-in is not used.
const TARGET: &str = "name = 'served'
delivery = 'queuedir ${DIR}/queue'
[programs]
smtp = 'tcp:${PORT}'
[start]
script = 'served.sh'
";

/// A start script for the liar with this fault.
fn script(fault: &str) -> String {
    let (caller, liar) = (env!("CARGO_BIN_EXE_caller"), env!("CARGO_BIN_EXE_liar"));
    format!(
        "mkdir -p queue/new queue/tmp\nexport QUEUEDIR=$DIR/queue TMPDIR=$DIR\n\
         exec {caller} serve $PORT {liar} {fault} $DIR/mark\n"
    )
}

/// The session as a case without what only a started program shows.
fn session() -> String {
    let seen = |line: &&str| !line.starts_with("exit:") && !line.starts_with("log:");
    SESSION.lines().filter(seen).map(|line| format!("{line}\n")).collect()
}

fn judged(source: &str, fault: &str, deliveries: &[Delivery]) -> (String, String) {
    let mut target = Target::parse(TARGET).expect("a target");
    let workshop = Workshop::new().expect("a workshop");
    workshop.start(&mut target, &script(fault)).expect("it starts");
    let case = parse("served", source).expect("the case is right");
    let events =
        play(&case, &target, &workshop, deliveries, Level::Should, Duration::from_secs(3)).expect("a run");
    let (verdict, detail) = verdict(&events);
    (verdict, detail + "\n" + &story(&events))
}

#[rstest]
#[case::honest("honest", "pass", "")]
#[case::delivers_late("delivers-late", "pass", "")]
#[case::acknowledges_and_loses("acknowledges-and-loses", "fail", "custody")]
#[case::keeps_dots("keeps-dots", "fail", "custody")]
#[case::answers_nothing("answers-nothing", "fail", "(nothing)")]
#[case::never_reads("never-reads", "hang", "no end within")]
fn each_server_gets_its_verdict(#[case] fault: &str, #[case] expected: &str, #[case] evidence: &str) {
    let (verdict, story) =
        judged(&session(), fault, if expected == "pass" { &[] } else { &[Delivery::TcpBurst] });
    assert_eq!(verdict, expected, "{fault}: {story}");
    assert!(story.contains(evidence), "{fault}: {story}");
}

#[rstest]
fn what_only_a_started_program_shows_is_never_passed() {
    let (verdict, detail) = judged(SESSION, "honest", &[]);
    assert_eq!(verdict, "unobservable", "{detail}");
    assert!(detail.starts_with("exit status"), "{detail}");
}

#[rstest]
#[case::trace("| Received: by x\n|  more\n| Subject: y\n", "fail")]
#[case::content("| Subject: x\n|\n| .\n| .leading\n| last\n", "pass")]
fn a_message_is_compared_below_what_the_server_puts_on_top(#[case] lines: &str, #[case] expected: &str) {
    let source = session() + "queued: <a@example.net> -> <b@example.com>\n" + lines;
    let (verdict, story) = judged(&source, "adds-trace", &[Delivery::Tcp]);
    assert_eq!(verdict, expected, "{story}");
}

#[rstest]
#[case::that_ends("echo gone wrong; exit 3", "gone wrong")]
#[case::that_never_answers("exec sleep 9", "nothing answers at port")]
fn a_server_that_does_not_start_is_named_with_what_it_said(#[case] script: &str, #[case] evidence: &str) {
    let mut target = Target::parse(&TARGET.replace("script =", "ready = 1\nscript =")).expect("a target");
    let workshop = Workshop::new().expect("a workshop");
    let error = workshop.start(&mut target, script).expect_err("it does not start");
    assert!(error.contains(evidence), "{error}");
}

#[rstest]
fn a_server_is_stopped_with_the_workshop() {
    let mut target = Target::parse(TARGET).expect("a target");
    let workshop = Workshop::new().expect("a workshop");
    let mark = tempfile::tempdir().expect("a folder");
    let place = mark.path().join("pid");
    let script = format!("echo $$ >{}\n{}", place.display(), script("honest"));
    workshop.start(&mut target, &script).expect("it starts");
    let pid = fs::read_to_string(&place).expect("its number");
    let there = || fs::exists(format!("/proc/{}", pid.trim())).unwrap_or_default();
    assert!(there());
    drop(workshop);
    assert!(!there());
}
