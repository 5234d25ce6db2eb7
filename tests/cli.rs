//! The suite's program as a person uses it: exit statuses and what is said.
#![allow(clippy::expect_used, reason = "a test that cannot be set up fails with the reason")]

use std::{fs, path::Path};

use assert_cmd::Command;
use mailfront_tests::transcripts;

fn suite() -> Command {
    Command::new(env!("CARGO_BIN_EXE_suite"))
}

/// What the program said on standard output and standard error.
fn said(command: &mut Command, status: i32) -> (String, String) {
    let output = command.assert().code(status).get_output().clone();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("what people read is UTF-8");
    (text(output.stdout), text(output.stderr))
}

/// A folder with one case of this text.
fn folder_with(source: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("one.case"), source).expect("a file");
    folder
}

fn run_in(folder: &Path) -> Command {
    let mut suite = suite();
    suite.arg("--cases").arg(folder).arg("run");
    suite
}

const RIGHT: &str = "+++\ntitle = \"A greeting\"\nclauses = [\"SMTP-GREET-1\"]\nrun = \"mailfront smtp echo\"\n\
    recorded = \"by hand\"\n+++\nS: 220 ${LOCALHOST} mailfront ESMTP\nexit: 0\n";

#[test]
fn a_run_as_expected_says_so() {
    let folder = folder_with(RIGHT);
    let (out, _) = said(&mut run_in(folder.path()), 0);
    assert!(out.contains("all as expected: 1 pass"), "{out}");
}

#[test]
fn a_failure_shows_line_bytes_and_a_way_to_see_it_again() {
    let folder = folder_with(&RIGHT.replace("220 ${LOCALHOST}", "220 \\x1b[31mred"));
    let (out, _) = said(&mut run_in(folder.path()), 1);
    assert!(out.contains("one.case") && out.contains("220 local.host mailfront ESMTP\\r\\n"), "{out}");
    assert!(out.contains("env -i") && out.contains("exec -a mailfront"), "{out}");
    assert!(!out.contains('\x1b'), "an escape got through: {out:?}");
}

#[test]
fn nothing_verified_is_not_green() {
    said(suite().args(["run", "--filter", "no/such/case"]), 4);
    let folder = folder_with(&RIGHT.replace("recorded", "needs = [\"no-such-feature\"]\nrecorded"));
    let (out, _) = said(&mut run_in(folder.path()), 4);
    assert!(out.contains("no-such-feature"), "{out}");
}

#[test]
fn a_case_that_cannot_be_read_is_named_with_its_place() {
    let folder = folder_with(&RIGHT.replace("exit: 0", "exit: nought"));
    let (out, err) = said(&mut run_in(folder.path()), 6);
    let all = out + &err;
    assert!(all.contains("one.case") && all.contains("line 8") && all.contains("exit status"), "{all}");
}

#[test]
fn wrong_usage_is_two() {
    for words in [
        &["run", "--no-such-flag"][..],
        &["run", "--target", "no-such-target"],
        &["run", "--shard", "3/2"],
        &[],
    ] {
        let (out, err) = said(suite().args(words), 2);
        assert!(out.is_empty() && !err.is_empty(), "{words:?}: {out}{err}");
    }
    let (_, err) = said(suite().args(["--cases", "no/such/folder", "run"]), 2);
    assert!(err.contains("no/such/folder"), "{err}");
}

#[test]
fn a_target_whose_program_is_not_there_is_three() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("gone.toml");
    fs::write(&place, "name = 'gone'\n[programs]\nmailfront = '/no/such/program'\n").expect("a file");
    let (_, err) = said(suite().arg("run").arg("--target").arg(&place), 3);
    assert!(err.contains("/no/such/program"), "{err}");
}

#[test]
fn a_server_that_is_not_installed_is_named_with_what_to_do() {
    for verb in ["doctor", "run"] {
        let mut suite = suite();
        suite.args([verb, "--target", "notqmail"]).env("NOTQMAIL", "/no/such/folder");
        let (_, err) = said(&mut suite, 3);
        assert!(
            err.contains("no program /no/such/folder/bin/qmail-qmtpd") && err.contains("$NOTQMAIL"),
            "{err}"
        );
    }
}

#[test]
fn a_wrong_target_file_is_named_with_its_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("wrong.toml");
    fs::write(&place, "name = 'x'\nprogrammes = {}\n").expect("a file");
    let (_, err) = said(suite().arg("run").arg("--target").arg(&place), 2);
    assert!(err.contains("wrong.toml") && err.contains("line 2"), "{err}");
}

#[test]
fn shards_share_the_cases_without_loss() {
    let listed = |words: &[&str]| {
        let mut suite = suite();
        suite.arg("--cases").arg(transcripts()).arg("list").args(words);
        let mut ids: Vec<String> = said(&mut suite, 0).0.lines().map(str::to_string).collect();
        ids.sort();
        ids
    };
    let mut parts =
        [listed(&["--shard", "1/3"]), listed(&["--shard", "2/3"]), listed(&["--shard", "3/3"])].concat();
    parts.sort();
    assert_eq!(parts, listed(&[]));
}

#[test]
fn the_reference_answers_a_person() {
    let folder = tempfile::tempdir().expect("a folder");
    let mailfront = folder.path().join("mailfront");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_suite"), &mailfront).expect("a link");
    let mailfront = |words: &[&str], status| said(Command::new(&mailfront).args(words), status);
    assert!(mailfront(&["--help"], 0).0.contains("PROTOCOL BACKEND"));
    assert!(mailfront(&["--version"], 0).0.contains(env!("CARGO_PKG_VERSION")));
    assert!(mailfront(&["--list-modules"], 0).0.contains("backend queuedir"));
    let (out, err) = mailfront(&["--check", "smtp", "echo", "accept:no-such-plugin"], 1);
    assert!(err.contains("no-such-plugin"), "{out}{err}");
    assert!(mailfront(&["smtp"], 111).1.contains("Fatal: "));
}

#[test]
fn a_profile_selects_its_cases_and_names_the_sections() {
    let (out, _) = said(suite().args(["list", "--profile", "smuggling"]), 0);
    assert!(out.lines().any(|line| line.starts_with("RFC 5321 4.1.1.4  smtp/smuggling/")), "{out}");
    assert!(!out.contains("mailfront/"), "{out}");
    let (_, error) = said(suite().args(["run", "--profile", "nothing"]), 2);
    assert!(error.contains("smuggling"), "{error}");
}

#[test]
fn a_target_file_to_begin_with_is_written_once_and_can_be_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("mine.toml");
    let init = |program: &str| {
        let mut init = suite();
        init.arg("init").arg(&file).args(["--program", program]);
        init
    };
    said(&mut init("smtp"), 2);
    said(&mut init("smtp=/bin/cat -u"), 0);
    said(&mut init("smtp=/bin/true"), 2);
    let text = fs::read_to_string(&file).expect("the file");
    assert!(text.starts_with("name = \"mine\"") && text.contains("smtp = \"/bin/cat -u\""), "{text}");
    let (out, _) = said(suite().args(["doctor", "--target"]).arg(&file), 3);
    assert!(out.contains("greeting"), "{out}");
}
