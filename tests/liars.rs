//! The suite is tested with liars: each wrong front end gets its verdict.
#![allow(clippy::expect_used, reason = "a test that cannot be set up fails with the reason")]

use std::{collections::BTreeMap, path::Path, time::Duration};

use mailfront_conformance::{
    play::Delivery,
    sandbox::Workshop,
    target::Target,
    transcript::{Case, model::Level, parse},
};
use mailfront_tests::{play, story, verdict};
use rstest::rstest;

/// A session with one message whose lines begin with dots, and one with a bare LF dot line.
const SESSION: &str = include_str!("liars/session.case");
const STARTTLS: &str = include_str!("liars/starttls.case");
const BARE_LF: &str = include_str!("liars/bare-lf.case");

fn case(source: &str) -> Case {
    parse("liar", source).expect("the case is right")
}

fn liar(fault: &str, folder: &Path) -> Target {
    let mark = folder.join("mark");
    let command = format!("{} {fault} {}", env!("CARGO_BIN_EXE_liar"), mark.display());
    Target {
        name: fault.into(),
        title: String::new(),
        programs: BTreeMap::from([("smtp".into(), command)]),
        features: Vec::new(),
        modules: None,
        delivery: Some("queuedir".into()),
        known: Vec::new(),
        ..Target::default()
    }
}

fn judged(source: &str, fault: &str, deliveries: &[Delivery], level: Level) -> (String, String, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let workshop = Workshop::new().expect("a workshop");
    let limit = Duration::from_secs(2);
    let events =
        play(&case(source), &liar(fault, folder.path()), &workshop, deliveries, level, limit).expect("a run");
    let (verdict, detail) = verdict(&events);
    (verdict, detail, story(&events))
}

#[rstest]
#[case::honest("honest", "pass", "")]
#[case::always_250("always-250", "fail", "S line")]
#[case::answers_nothing("answers-nothing", "fail", "(nothing)")]
#[case::never_reads("never-reads", "hang", "no end within 2 s")]
#[case::acknowledges_and_loses("acknowledges-and-loses", "fail", "custody")]
#[case::keeps_twice("keeps-twice", "fail", "nothing is captured but acknowledged messages")]
#[case::drops_the_last_byte("drops-the-last-byte", "fail", "custody")]
#[case::keeps_dots("keeps-dots", "fail", "custody")]
#[case::leaves_a_child("leaves-a-child", "leak", "left behind")]
#[case::forgets_a_child("forgets-a-child", "leak", "left behind")]
#[case::has_a_grandchild("has-a-grandchild", "pass", "")]
#[case::leaves_a_file("leaves-a-file", "fail", "a file in tmp")]
#[case::crashes_at_the_end("crashes-at-the-end", "crash", "signal 6")]
#[case::wrong_status("wrong-status", "fail", "got      3")]
#[case::logs_nothing("logs-nothing", "fail", "log line")]
#[case::says_it_twice("says-it-twice", "fail", "nothing more")]
#[case::other_words("other-words", "fail", "should S")]
#[case::fails_the_first_time("fails-the-first-time", "flaky", "")]
fn each_liar_gets_its_verdict(#[case] fault: &str, #[case] expected: &str, #[case] evidence: &str) {
    let (verdict, detail, story) = judged(SESSION, fault, &[Delivery::Lockstep], Level::Should);
    assert_eq!(verdict, expected, "{fault}: {detail}\n{story}");
    assert!(story.contains(evidence) || detail.contains(evidence), "{fault}: {detail}\n{story}");
}

#[rstest]
fn other_words_never_fail_a_must() {
    assert_eq!(judged(SESSION, "other-words", &[], Level::Must).0, "pass");
}

#[rstest]
#[case::takes_a_read_for_a_line_lockstep("takes-a-read-for-a-line", Delivery::Lockstep, "pass")]
#[case::takes_a_read_for_a_line_drip("takes-a-read-for-a-line", Delivery::Drip, "fail")]
#[case::takes_a_read_for_a_line_split("takes-a-read-for-a-line", Delivery::Split, "fail")]
#[case::loses_pipelined_input_lockstep("loses-pipelined-input", Delivery::Lockstep, "pass")]
#[case::loses_pipelined_input_burst("loses-pipelined-input", Delivery::Burst, "fail")]
#[case::loses_pipelined_input_tcp_burst("loses-pipelined-input", Delivery::TcpBurst, "fail")]
fn deliveries_show_what_lockstep_hides(
    #[case] fault: &str,
    #[case] delivery: Delivery,
    #[case] expected: &str,
) {
    let (verdict, detail, story) = judged(SESSION, fault, &[delivery], Level::Should);
    assert_eq!(verdict, expected, "{fault} in {delivery}: {detail}\n{story}");
}

#[rstest]
#[case::honest("honest", "pass")]
#[case::ends_at_a_bare_lf("ends-at-a-bare-lf", "fail")]
fn a_smuggled_end_of_message_is_seen(#[case] fault: &str, #[case] expected: &str) {
    let (verdict, detail, story) = judged(BARE_LF, fault, &[], Level::Should);
    assert_eq!(verdict, expected, "{fault}: {detail}\n{story}");
}

#[rstest]
#[case::goes_on_in_the_clear("goes-on-in-the-clear", "InvalidContentType")]
#[case::refuses_every_handshake("refuses-every-handshake", "handshake_failure")]
fn who_only_says_that_there_is_tls_is_found_out(#[case] fault: &str, #[case] evidence: &str) {
    let (verdict, detail, story) =
        judged(STARTTLS, fault, &[Delivery::Lockstep, Delivery::Tcp], Level::Should);
    assert_eq!(verdict, "fail", "{fault}: {detail}\n{story}");
    assert!(story.contains(evidence) && story.contains("tls line"), "{fault}: {detail}\n{story}");
}
