//! Every must clause of the contract is cited by a transcript, or listed as not to be seen from
//! outside.

use assert_cmd::Command;

#[test]
fn every_must_clause_has_a_transcript() {
    let mut suite = Command::new(env!("CARGO_BIN_EXE_suite"));
    suite
        .arg("--cases")
        .arg(mailfront_tests::transcripts())
        .args(["coverage", "--missing"])
        .assert()
        .success();
}

#[test]
fn the_transcripts_are_lint_free() {
    let mut suite = Command::new(env!("CARGO_BIN_EXE_suite"));
    suite.arg("--cases").arg(mailfront_tests::transcripts()).arg("lint").assert().success();
}
