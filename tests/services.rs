//! The scripted services of cases: what they do, and that what goes wrong with them is seen.
#![allow(clippy::expect_used, reason = "a test that cannot be set up fails with the reason")]

use std::{collections::BTreeMap, path::Path, time::Duration};

use mailfront_conformance::{
    play::Delivery,
    sandbox::Workshop,
    target::Target,
    transcript::{model::Level, parse},
};
use mailfront_tests::{play, story, verdict};
use rstest::rstest;

const SOCKETS: &str = include_str!("services/sockets.case");
const PROGRAMS: &str = include_str!("services/programs.case");
const NAMES: &str = include_str!("services/names.case");
const QUEUE: &str = include_str!("services/queue.case");
const SLOW_READER: &str = include_str!("services/slow-reader.case");

/// Plays a case against the program that calls services: its verdict, and what is told of it.
fn judged(source: &str, deliveries: &[Delivery]) -> (String, String) {
    let target = Target {
        name: "caller".into(),
        title: String::new(),
        programs: BTreeMap::from([("smtp".into(), env!("CARGO_BIN_EXE_caller").into())]),
        features: Vec::new(),
        modules: None,
        delivery: None,
        known: Vec::new(),
        ..Target::default()
    };
    let workshop = Workshop::new().expect("a workshop");
    workshop.use_program(Path::new(env!("CARGO_BIN_EXE_suite")));
    let case = parse("services", source).expect("the case is right");
    let limit = Duration::from_secs(3);
    let events = play(&case, &target, &workshop, deliveries, Level::Should, limit).expect("a run");
    let (verdict, detail) = verdict(&events);
    (verdict, detail + "\n" + &story(&events))
}

#[rstest]
#[case::sockets(SOCKETS, "pass")]
#[case::programs(PROGRAMS, "pass")]
#[case::names(NAMES, "pass")]
#[case::queue(QUEUE, "pass")]
#[case::slow_reader(SLOW_READER, "pass")]
fn services_do_as_they_are_told(#[case] source: &str, #[case] expected: &str) {
    let (verdict, story) = judged(source, &[]);
    assert_eq!(verdict, expected, "{story}");
}

#[rstest]
#[case::a_server_asked_wrongly(SOCKETS, "C: PING ~~", "C: PONG ~~", "scanner call 1: PONG ~~")]
#[case::a_service_left_out(SOCKETS, "service nobody calls: 0\n", "", "never called")]
#[case::too_many_calls(SOCKETS, "lookup calls: 3", "lookup calls: 4", "got      3")]
#[case::another_text(SOCKETS, "local got: abc.def", "local got: abc", "got      abc.def")]
#[case::no_such_call(SOCKETS, "call 4 got: late", "call 5 got: late", "got      4 calls")]
#[case::another_argument(PROGRAMS, "two words", "two word", "got      two words")]
#[case::an_open_descriptor(PROGRAMS, "fds: 0 1 2", "fds: 0 1", "got      0 1 2")]
#[case::a_variable_that_is_there(PROGRAMS, "env NOTHING", "env GREETING", "got      hello")]
#[case::another_mask(PROGRAMS, "umask 027", "umask 022", "got      0022")]
#[case::another_question(NAMES, "query: deaf.example A", "query: deaf.example TXT", "deaf.example A")]
#[case::an_answer_of_another_kind(NAMES, "*: SERVFAIL", "*: REFUSED", "code 5")]
#[case::a_message_cut(QUEUE, "queue\nnext", "read 3\nnext", "queued")]
#[case::a_refused_message(QUEUE, "exit 31", "exit 0", "no other message")]
#[case::another_listing(SLOW_READER, "cur new tmp", "cur new", "no other entry")]
#[case::an_entry_too_few(SLOW_READER, "cur new tmp", "cur new old tmp", "an entry old")]
#[case::another_mode(SLOW_READER, "3: 0400", "3: 0600", "mode 0400")]
fn what_departs_is_seen(#[case] source: &str, #[case] from: &str, #[case] to: &str, #[case] evidence: &str) {
    assert!(source.contains(from), "{from}");
    let (verdict, story) = judged(&source.replace(from, to), &[Delivery::Lockstep]);
    assert_eq!(verdict, "fail", "{story}");
    assert!(story.contains(evidence), "{evidence}: {story}");
}

/// A server that waits for a service which never answers is not silent: it hangs, as it would.
#[rstest]
fn waiting_for_a_service_is_no_silence() {
    let source = "+++\ntitle = 'x'\nrun = 'smtp'\n[services.deaf]\nkind = 'tcp'\nscript = 'never'\n+++\n\
                  S: ready\nC: tcp ${DEAF} x\nsilence\n";
    let (verdict, story) = judged(source, &[Delivery::Lockstep]);
    assert_eq!(verdict, "hang", "{story}");
}
