//! `prop`: the reference holds, and a wrong front end is found out with a transcript that shows it.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use assert_cmd::Command;

fn suite() -> Command {
    Command::new(env!("CARGO_BIN_EXE_suite"))
}

/// A target whose `mailfront` is the reference behind a shell line.
fn behind(line: &str, folder: &Path) -> std::io::Result<PathBuf> {
    program_behind("mailfront", line, folder)
}

/// A target with a program of the reference behind a shell line.
fn program_behind(program: &str, line: &str, folder: &Path) -> std::io::Result<PathBuf> {
    let started = folder.join(program);
    symlink(env!("CARGO_BIN_EXE_suite"), &started)?;
    let (script, target) = (folder.join("liar"), folder.join("liar.toml"));
    fs::write(&script, format!("#!/bin/sh\n{line}\nexec {} \"$@\"\n", started.display()))?;
    fs::set_permissions(&script, PermissionsExt::from_mode(0o755))?;
    let features = "features = ['cvm-authenticate']";
    let programs = format!("[programs]\n{program} = '{0}'\npop3 = '{0} Maildir'\n", script.display());
    let source = format!("name = 'liar'\n{features}\n{programs}");
    fs::write(&target, source)?;
    Ok(target)
}

#[test]
fn the_reference_does_as_the_model_says() {
    suite().args(["prop", "plugin-list", "--cases", "200"]).assert().success();
}

#[test]
fn the_reference_does_as_the_models_of_mail_rules_say() {
    suite().args(["prop", "mail-rules", "--cases", "200"]).assert().success();
    suite().args(["prop", "globs", "--cases", "200"]).assert().success();
}

#[test]
fn the_reference_answers_packages_as_the_model_says() {
    suite().args(["prop", "packages", "--cases", "200"]).assert().success();
}

#[test]
fn a_front_end_that_bends_packages_is_found_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = behind("ulimit -f 4", folder.path()).expect("a target");
    suite().args(["prop", "packages", "--target"]).arg(&target).assert().code(1);
}

#[test]
fn the_reference_does_as_the_models_of_content_say() {
    for property in ["patterns", "counters", "trace"] {
        suite().args(["prop", property, "--cases", "150"]).assert().success();
    }
}

#[test]
fn a_front_end_that_keeps_a_limit_badly_is_found_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = behind("[ -z \"$DATABYTES\" ] || export DATABYTES=$((DATABYTES + 1))", folder.path());
    suite().args(["prop", "counters", "--target"]).arg(target.expect("a target")).assert().code(1);
}

#[test]
fn a_front_end_with_other_rules_is_found_out() {
    let folder = tempfile::tempdir().expect("a folder");
    // Guards are comments to it.
    let line = "sed -i 's/^&/#/' \"$MAILRULES\"";
    let target = behind(line, folder.path()).expect("a target");
    let failed = suite().args(["prop", "mail-rules", "--target"]).arg(&target).assert().code(1);
    let shown = String::from_utf8_lossy(&failed.get_output().stdout).into_owned();
    assert!(shown.contains("&"), "{shown}");
}

#[test]
fn a_wrong_front_end_is_shown_by_a_small_transcript() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = behind("unset PLUGINS", folder.path()).expect("a target");
    let out = folder.path().join("out");
    let prop = |seed: &str| {
        let mut prop = suite();
        prop.args(["prop", "plugin-list", "--seed", seed, "--target"]).arg(&target).arg("--out").arg(&out);
        prop.assert().code(1).get_output().stdout.clone()
    };
    let shown = prop("7");
    assert_eq!(shown, prop("7"), "the same seed gives the same failure");
    let case = fs::read(out.join("plugin-list-7.case")).expect("the transcript");
    assert_eq!(case, shown);
    let text = String::from_utf8_lossy(&case);
    let head: Vec<&str> = text.lines().filter(|line| line.starts_with("run =")).collect();
    assert_eq!(head, ["run = \"mailfront smtp echo\""], "{text}");
    // The suite plays it: it holds on the reference and fails on the wrong one.
    let play = |target: &Path| {
        let mut run = suite();
        run.arg("--cases").arg(&out).arg("run").arg("--target").arg(target);
        run.assert()
    };
    play(Path::new("reference")).success();
    play(&target).code(1);
}

#[test]
fn the_reference_asks_modules_as_the_model_says() {
    suite().args(["prop", "auth", "--cases", "150"]).assert().success();
}

#[test]
fn a_front_end_that_asks_for_somebody_else_is_found_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = behind("export CVM_ACCOUNT_SPLIT_CHARS=%", folder.path()).expect("a target");
    let failed = suite().args(["prop", "auth", "--target"]).arg(&target).assert().code(1);
    let shown = String::from_utf8_lossy(&failed.get_output().stderr).into_owned();
    assert!(shown.contains("account"), "{shown}");
}

#[test]
fn messages_of_the_reference_read_as_their_files() {
    suite().args(["prop", "retrieval", "--cases", "60"]).assert().success();
}

#[test]
fn a_server_that_bends_messages_is_found_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = program_behind("pop3front-maildir", "sed -i 's/=$//' Maildir/cur/*", folder.path());
    let failed =
        suite().args(["prop", "retrieval", "--target"]).arg(target.expect("a target")).assert().code(1);
    let shown = String::from_utf8_lossy(&failed.get_output().stderr).into_owned();
    assert!(shown.contains("as retrieved"), "{shown}");
}
