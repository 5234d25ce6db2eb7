//! Every system call of a delivery fails once, with each of several errors, and the program is killed after
//! each one in turn. Whatever was acknowledged must be in the queue, whole and once; whatever was not is
//! absent or whole.
//!
//! ```text
//! faults --program target/release/mailfront [--queue PROGRAM] [--every N] [--kills] [--scenario NAME]
//!     [--write FILE]
//! ```
//!
//! `--every N` makes each N-th attempt only, `--kills` only those that kill. Exit status: 0 no harm, 1 harm, 2 wrong usage or a fault of the
//! tool, 77 there is no strace.

mod attempt;
mod scenario;
mod table;
mod trace;

use std::{env, fs, io, path::PathBuf, process::ExitCode, sync::Mutex, thread};

use attempt::{Fault, Harm, Programs, Told, attempt, has_strace};
use scenario::{Scenario, scenarios};
use table::Row;
use trace::{Call, delivery};

/// The errors each call fails with.
const ERRORS: [&str; 7] = ["EIO", "ENOSPC", "EINTR", "EMFILE", "ENOMEM", "EAGAIN", "EPIPE"];

/// Calls that do not fail, or whose failure the tracer cannot show: `brk` has no error numbers, and where
/// Linux reports an error of `close` the descriptor is closed all the same, but a call that the tracer makes
/// fail was never made.
const NEVER_FAIL: [&str; 5] = ["brk", "close", "exit_group", "getpid", "munmap"];

/// Attempts at a time.
const JOBS: usize = 3;

struct Options {
    programs: Programs,
    every: usize,
    kills_only: bool,
    scenario: Option<String>,
    write: Option<PathBuf>,
}

fn main() -> ExitCode {
    let Some(options) = options() else {
        eprintln!(
            "usage: faults --program PROGRAM [--queue PROGRAM] [--every N] [--kills] [--scenario NAME] \
             [--write FILE]"
        );
        return ExitCode::from(2);
    };
    if !has_strace() {
        eprintln!("skipped: strace is not installed");
        return ExitCode::from(77);
    }
    match examine(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("faults: {error}");
            ExitCode::from(2)
        }
    }
}

fn options() -> Option<Options> {
    let mut mailfront = None;
    let mut queue = env::current_exe().ok()?.with_file_name("qmail-queue");
    let (mut every, mut kills_only, mut scenario, mut write) = (1, false, None, None);
    let mut words = env::args().skip(1);
    while let Some(word) = words.next() {
        if word == "--kills" {
            kills_only = true;
            continue;
        }
        let value = words.next()?;
        match word.as_str() {
            "--program" => mailfront = Some(PathBuf::from(value)),
            "--queue" => queue = value.into(),
            "--every" => every = value.parse().ok().filter(|n| *n > 0)?,
            "--scenario" => scenario = Some(value),
            "--write" => write = Some(value.into()),
            _ => return None,
        }
    }
    let absolute = |path: PathBuf| std::path::absolute(path).ok();
    Some(Options {
        programs: Programs { mailfront: absolute(mailfront?)?, queue: absolute(queue)? },
        every,
        kills_only,
        scenario,
        write,
    })
}

/// Whether all went well.
fn examine(options: &Options) -> io::Result<bool> {
    let mut rows = Vec::new();
    let mut is_good = true;
    let scenarios = scenarios();
    for scenario in &scenarios {
        if options.scenario.as_ref().is_some_and(|wanted| *wanted != scenario.name) {
            continue;
        }
        let mut plain = attempt(&options.programs, scenario, None, None)?;
        let mut withheld = None;
        if scenario.is_named {
            let Some(call) = trace::unnamed(&plain.trace) else {
                println!("skipped {}: a file without a name cannot be withheld here", scenario.name);
                continue;
            };
            plain = attempt(&options.programs, scenario, Some(&call), None)?;
            withheld = Some(call);
        }
        let mut calls = delivery(&plain.trace);
        // The tracer does one thing to calls of one name.
        calls.retain(|call| withheld.as_ref().is_none_or(|withheld| withheld.name != call.name));
        if plain.told.iter().any(|told| *told != Told::Accepted) || calls.is_empty() {
            return Err(io::Error::other(format!("{}: it does not work without a fault", scenario.name)));
        }
        if !plain.harms.is_empty() {
            println!("HARM {}: {:?} without a fault", scenario.name, plain.harms);
            is_good = false;
            continue;
        }
        if scenario.is_synced && !trace::is_on_disk_before_acknowledged(&calls, plain.told.len()) {
            println!("HARM {}: acknowledged before it is on disk", scenario.name);
            is_good = false;
        }
        let found = faulted(options, scenario, withheld.as_ref(), &calls)?;
        is_good &= found.iter().all(|row| row.harms.is_empty());
        println!("{}: {} attempts", scenario.name, found.iter().map(|row| row.attempts).sum::<usize>());
        rows.push((scenario, found));
    }
    if let Some(path) = &options.write {
        fs::write(path, table::page(&rows, &ERRORS, &NEVER_FAIL))?;
    }
    Ok(is_good && !rows.is_empty())
}

/// Makes the attempts of a scenario, several at a time; a row for each name of a call.
fn faulted(
    options: &Options,
    scenario: &Scenario,
    withheld: Option<&Call>,
    calls: &[Call],
) -> io::Result<Vec<Row>> {
    let mut plan = Vec::new();
    for call in calls {
        let fails = !options.kills_only && !NEVER_FAIL.contains(&call.name.as_str());
        let errors = ERRORS.iter().filter(|_| fails).map(|error| Fault::Error(error));
        plan.extend(errors.chain([Fault::Kill]).map(|fault| (fault, call)));
    }
    let plan: Vec<_> = plan.into_iter().step_by(options.every).collect();
    let rows = Mutex::new(table::rows(calls));
    let next = Mutex::new(plan.into_iter());
    let take = || next.lock().ok()?.next();
    thread::scope(|scope| {
        let work = || -> io::Result<()> {
            while let Some((fault, call)) = take() {
                let outcome =
                    attempt(&options.programs, scenario, withheld, Some((fault, &call.name, call.ordinal)))?;
                for harm in &outcome.harms {
                    report(scenario, *harm, fault, call, &outcome.trace);
                }
                if let Ok(mut rows) = rows.lock() {
                    table::count(&mut rows, &call.name, fault, &outcome);
                }
            }
            Ok(())
        };
        let workers: Vec<_> = (0..JOBS).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| {
            worker.join().map_err(|_| io::Error::other("an attempt could not be judged"))?
        })
    })?;
    rows.into_inner().map_err(|_| io::Error::other("an attempt could not be counted"))
}

/// Tells of a harm, with the calls around it.
fn report(scenario: &Scenario, harm: Harm, fault: Fault, call: &Call, trace: &str) {
    println!("HARM {}: {harm:?} with {fault:?} at call {} of {}", scenario.name, call.ordinal, call.name);
    let lines: Vec<&str> = trace.lines().collect();
    let at = lines.iter().position(|line| trace::is_injected(line)).unwrap_or(lines.len());
    for line in &lines[at.saturating_sub(4)..lines.len().min(at + 8)] {
        println!("    {}", line.chars().take(150).collect::<String>());
    }
}
