//! A sample of the attempts of the fault tool, on the reference. Without strace it is listed as ignored; with
//! `CI` set in the environment it fails then.

use std::{
    env, fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::ExitCode,
};

use assert_cmd::Command;
use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let paths = env::var_os("PATH").unwrap_or_default();
    let there = env::split_paths(&paths).any(|folder| folder.join("strace").is_file());
    let required = env::var_os("CI").is_some();
    let trial = |name: &str, test: fn() -> Result<(), Failed>| {
        let missing = || Err("Debian's package strace is not installed".into());
        let trial = if there { Trial::test(name, test) } else { Trial::test(name, missing) };
        trial.with_kind("faults").with_ignored_flag(!there && !required)
    };
    let trials = vec![
        trial("no_message_is_lost", no_message_is_lost),
        trial("nothing_is_left_by_a_kill", nothing_is_left_by_a_kill),
        trial("a_backend_that_loses_is_found_out", a_backend_that_loses_is_found_out),
    ];
    let trials = trials.into_iter().chain([
        Trial::test(
            "the_status_of_a_program_is_known_with_sigchld_ignored",
            the_status_of_a_program_is_known_with_sigchld_ignored,
        ),
        // Nobody else can give a program away.
        Trial::test("a_set_uid_program_serves_nobody", a_set_uid_program_serves_nobody)
            .with_ignored_flag(!rustix::process::geteuid().is_root()),
    ]);
    let trials = trials.collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn faults() -> Result<(Command, tempfile::TempDir), Failed> {
    let folder = tempfile::tempdir()?;
    let program = folder.path().join("mailfront");
    symlink(env!("CARGO_BIN_EXE_suite"), &program)?;
    let mut faults = Command::new(env!("CARGO_BIN_EXE_faults"));
    faults.arg("--program").arg(program).arg("--queue").arg(env!("CARGO_BIN_EXE_qmail-queue"));
    Ok((faults, folder))
}

fn no_message_is_lost() -> Result<(), Failed> {
    let (mut faults, _folder) = faults()?;
    faults.args(["--every", "83"]).assert().try_success()?;
    Ok(())
}

/// QDIR-19: whichever call it is killed before, in each order in which envelope and message come.
fn nothing_is_left_by_a_kill() -> Result<(), Failed> {
    for scenario in ["queuedir", "queuedir, file mode", "queuedir, QMTP", "queuedir, named files"] {
        let (mut faults, _folder) = faults()?;
        faults.args(["--kills", "--every", "2", "--scenario", scenario]).assert().try_success()?;
    }
    Ok(())
}

/// A queue program that says yes and keeps nothing: the tool must not be content with an exit status.
fn a_backend_that_loses_is_found_out() -> Result<(), Failed> {
    let (mut faults, folder) = faults()?;
    let loses = script(folder.path(), "cat >/dev/null; cat <&1 >/dev/null")?;
    let assert = faults.arg("--queue").arg(loses).args(["--scenario", "qmail"]).assert().try_code(1)?;
    let told = String::from_utf8_lossy(&assert.get_output().stdout).into_owned();
    if told.contains("HARM qmail: [Lost] without a fault") { Ok(()) } else { Err(told.into()) }
}

/// A program of the shell in a folder.
fn script(folder: &Path, text: &str) -> std::io::Result<PathBuf> {
    let path = folder.join("queue");
    fs::write(&path, format!("#!/bin/sh\n{text}\n"))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(path)
}

/// QMAIL-31: whoever starts us may ignore SIGCHLD, which a program inherits.
fn the_status_of_a_program_is_known_with_sigchld_ignored() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let program = folder.path().join("mailfront");
    symlink(env!("CARGO_BIN_EXE_suite"), &program)?;
    let queue = script(folder.path(), "cat >/dev/null; cat <&1 >/dev/null; exit $STATUS")?;
    for (status, answer) in [("0", "\n250 2.6.0 Accepted message qp "), ("31", "\n554 5.3.0 ")] {
        let mut command = Command::new("env");
        command.arg("--ignore-signal=CHLD").arg(&program).args(["smtp", "qmail", "accept"]);
        command.env("QMAILHOME", folder.path()).env("QMAILQUEUE", &queue).env("STATUS", status);
        command.write_stdin("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nx\r\n.\r\n");
        let output = command.output()?;
        let replies = String::from_utf8_lossy(&output.stdout);
        if !replies.contains(answer) {
            return Err(format!("{answer:?} is not in {replies:?}").into());
        }
    }
    Ok(())
}

/// SEC-107: it would run the modules and programs that whoever starts it names.
fn a_set_uid_program_serves_nobody() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
    let program = folder.path().join("mailfront");
    fs::copy(env!("CARGO_BIN_EXE_suite"), &program)?;
    let nobody = 65_534;
    for (owner, mode, status) in [(0, 0o755, 0), (nobody, 0o4755, 111), (0, 0o2755, 0), (nobody, 0o2755, 111)]
    {
        std::os::unix::fs::chown(&program, Some(owner), Some(owner))?;
        fs::set_permissions(&program, fs::Permissions::from_mode(mode))?;
        let mut command = Command::new(&program);
        let output = command.args(["smtp", "echo"]).env("MODULE_PATH", folder.path()).output()?;
        let said = (output.status.code(), output.stdout.is_empty());
        if said != (Some(status), status != 0) {
            return Err(format!("mode {mode:o} of {owner}: {said:?}").into());
        }
    }
    Ok(())
}
