//! Other implementations, where they are installed. One that is missing is listed as ignored; with
//! `CI` set in the environment it is a failure.

#[path = "peers/clients.rs"]
mod clients;
#[path = "peers/scanners.rs"]
mod scanners;

use std::{env, fs, path::Path, process::ExitCode};

use assert_cmd::Command;
use libtest_mimic::{Arguments, Failed, Trial};
use mailfront_tests::repository;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let there = Path::new("/usr/sbin/mailfront").exists();
    let required = env::var_os("CI").is_some();
    let trial = |name: &str, test: fn() -> Result<(), Failed>| {
        let missing = || Err("Debian's package mailfront is not installed".into());
        let trial = if there { Trial::test(name, test) } else { Trial::test(name, missing) };
        trial.with_kind("mailfront 2.12").with_ignored_flag(!there && !required)
    };
    let mut trials = vec![
        trial("departs_exactly_as_listed", departs_exactly_as_listed),
        trial("a_removed_entry_is_noticed", a_removed_entry_is_noticed),
        trial("an_added_entry_is_noticed", an_added_entry_is_noticed),
        trial("plugin_lists_do_as_the_model_says", plugin_lists_do_as_the_model_says),
    ];
    let unpacked = env::var("PEERS").unwrap_or_else(|_| "/var/tmp/mailfront-peers".into());
    let program = format!("{unpacked}/postfix/usr/lib/postfix/sbin/qmqpd");
    // Its daemons become other users.
    let there = Path::new(&program).exists() && rustix::process::geteuid().is_root();
    let test = move || {
        if !there {
            return Err(format!("{program} is not there, or this is not root").into());
        }
        let target = repository().join("fixtures/targets/postfix-qmqpd.toml");
        Ok(run(&target, "qmqp/**").assert().try_success().map(|_| ())?)
    };
    let trial = Trial::test("departs_exactly_as_listed", test).with_kind("postfix-qmqpd");
    trials.push(trial.with_ignored_flag(!there && !required));
    trials.extend(clients::trials(required));
    trials.extend(scanners::trials(required));
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// The suite with a target file.
fn run(target: &Path, filter: &str) -> Command {
    let mut suite = Command::new(env!("CARGO_BIN_EXE_suite"));
    suite.arg("--cases").arg(mailfront_tests::transcripts()).arg("run").arg("--target").arg(target);
    suite.args(["--filter", filter]);
    suite
}

fn target_file() -> std::path::PathBuf {
    repository().join("fixtures/targets/mailfront-2.12.toml")
}

fn departs_exactly_as_listed() -> Result<(), Failed> {
    Ok(run(&target_file(), "**").assert().try_success().map(|_| ())?)
}

/// The list of known failures as its entries, each a text.
fn entries() -> Result<Vec<String>, Failed> {
    let mut entries = Vec::new();
    for file in fs::read_dir(repository().join("fixtures/targets"))? {
        let path = file?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("mailfront-2.12.") && name.ends_with(".known.toml") {
            let list = fs::read_to_string(&path)?;
            entries.extend(list.split("[[known]]").skip(1).map(|entry| format!("[[known]]{entry}")));
        }
    }
    Ok(entries)
}

/// A copy of the target with another list of known failures.
fn copy(folder: &Path, list: &str) -> Result<std::path::PathBuf, Failed> {
    let place = folder.join("target.toml");
    let target = fs::read_to_string(target_file())?;
    let (before, rest) = target.split_once("known = [").ok_or("no lists in the target file")?;
    let (_, after) = rest.split_once(']').ok_or("the array of lists is not closed")?;
    fs::write(&place, format!("{before}known = \"one.known.toml\"{after}"))?;
    fs::write(folder.join("one.known.toml"), list)?;
    Ok(place)
}

fn case_of(entry: &str) -> Option<&str> {
    entry
        .lines()
        .find_map(|line| line.strip_prefix("case = ")?.trim_matches(|c| c == '"' || c == '\'').into())
}

fn a_removed_entry_is_noticed() -> Result<(), Failed> {
    let entries = entries()?;
    let removed = case_of(&entries[entries.len() / 2]).ok_or("an entry without a case")?;
    let folder = tempfile::tempdir()?;
    let rest: String = entries.iter().filter(|entry| case_of(entry) != Some(removed)).cloned().collect();
    run(&copy(folder.path(), &rest)?, removed).assert().try_code(1)?;
    Ok(())
}

fn an_added_entry_is_noticed() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let added = "[[known]]\ncase = \"mailfront/smtp/alive\"\nreason = \"none\"\nobserved = \"S: x\"\n";
    let list = entries()?.concat() + added;
    run(&copy(folder.path(), &list)?, "mailfront/smtp/alive").assert().try_code(1)?;
    Ok(())
}

fn plugin_lists_do_as_the_model_says() -> Result<(), Failed> {
    let mut suite = Command::new(env!("CARGO_BIN_EXE_suite"));
    suite.args(["prop", "plugin-list", "--cases", "60", "--seed", "1", "--target"]).arg(target_file());
    Ok(suite.assert().try_success().map(|_| ())?)
}
