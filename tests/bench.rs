//! `bench`: it measures, and does not take a program for a front end that is none.

use std::fs;

use assert_cmd::Command;

fn bench() -> Command {
    let mut suite = Command::new(env!("CARGO_BIN_EXE_suite"));
    suite.args(["bench", "--sessions", "3", "--messages", "1", "--size", "2"]);
    suite
}

#[test]
fn every_number_is_measured() {
    let output = bench().args(["--target", "reference", "--json"]).assert().success();
    let json = String::from_utf8_lossy(&output.get_output().stdout).into_owned();
    for name in
        ["true_micros", "session_micros", "plugins_micros", "echo_nanos", "queuedir_nanos", "echo_kib"]
    {
        assert!(json.contains(&format!("\"{name}\"")), "{name} in {json}");
    }
    let zeroes = json.lines().filter(|line| line.contains(": 0.0"));
    assert_eq!(zeroes.count(), 0, "{json}");
}

#[test]
fn a_program_that_takes_no_message_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().join("target.toml");
    fs::write(&target, "name = 'x'\n[programs]\nmailfront = '/bin/echo'\n").expect("a target");
    let failed = bench().arg("--target").arg(&target).assert().code(6);
    let said = String::from_utf8_lossy(&failed.get_output().stderr).into_owned();
    assert!(said.contains("/bin/echo does not take the message"), "{said}");
}
