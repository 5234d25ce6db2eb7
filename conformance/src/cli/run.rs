//! `run`: play cases against a target and report.

use std::time::Duration;

use super::{Built, Failure, Selection, select};
use crate::{
    cases::Cases,
    exit::Status,
    play::{Delivery, player::LIMIT},
    report::{Report, terminal::Terminal},
    run::Run,
    sandbox::Workshop,
    target::KnownList,
    transcript::{Case, model::Level},
};

/// The arguments of `run`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// A target file, the name of one in the program, or `reference`.
    #[arg(long, default_value = select::BUILT_IN, value_name = "FILE|NAME")]
    target: String,
    #[command(flatten)]
    selection: Selection,
    /// Failures below this level do not count.
    #[arg(long, default_value = "should", value_parser = level, value_name = "must|should|may")]
    level: Level,
    /// Play only in these deliveries.
    #[arg(long, value_name = "NAME", value_parser = delivery, num_args = 1..)]
    delivery: Vec<Delivery>,
    /// Seconds after which a play counts as hanging.
    #[arg(long, value_name = "SECONDS", default_value_t = LIMIT.as_secs())]
    hang_limit: u64,
    /// Only a line for each unexpected case and the conclusion.
    #[arg(long, short)]
    quiet: bool,
    /// Plays at a time; by default four for each processor, since most of them wait.
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
}

fn level(text: &str) -> Result<Level, String> {
    match text {
        "must" => Ok(Level::Must),
        "should" => Ok(Level::Should),
        "may" => Ok(Level::May),
        _ => Err("one of must, should, may".into()),
    }
}

fn delivery(text: &str) -> Result<Delivery, String> {
    Delivery::named(text).ok_or_else(|| format!("one of {}", Delivery::ALL.map(Delivery::name).join(", ")))
}

/// Plays at a time for each processor.
const JOBS_PER_PROCESSOR: usize = 4;

/// Runs the verb.
///
/// # Errors
/// The command line is wrong or the target cannot be started.
pub fn run(arguments: &Arguments, cases: &Cases, built: Option<Built>) -> Result<Status, Failure> {
    let workshop = Workshop::new()?;
    let (target, known) = select::target(&arguments.target, &workshop, built)?;
    let selected: Vec<Case> = arguments.selection.of(cases)?.into_iter().cloned().collect();
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let run = Run {
        cases: &selected,
        target: &target,
        known: &known,
        level: arguments.level,
        deliveries: &arguments.delivery,
        jobs: arguments.jobs.unwrap_or(JOBS_PER_PROCESSOR * processors),
        limit: Duration::from_secs(arguments.hang_limit),
        shard: arguments.selection.shard.map(|(k, n)| format!("{k}/{n}")),
        faults: faults(cases, &known),
        workshop: &workshop,
    };
    let mut reports: Vec<Box<dyn Report>> = vec![Box::new(Terminal::new(arguments.quiet))];
    let summary = run.go(&mut reports)?;
    Ok(match summary.exit {
        0 => Status::Expected,
        1 => Status::Unexpected,
        4 => Status::NothingVerified,
        _ => Status::SuiteError,
    })
}

/// Cases that cannot be read, and entries of the list of known failures that no case has: neither
/// those of this run nor, where the run has a folder of its own, those in the program.
fn faults(cases: &Cases, known: &KnownList) -> Vec<String> {
    let unreadable = cases.unreadable.iter().map(|case| format!("{}: {}", case.file, case.why));
    let has = |cases: &Cases, id: &str| cases.cases.iter().any(|case| case.id == id);
    let mut dead: Vec<&str> = known.known.iter().map(|entry| entry.case.as_str()).collect();
    dead.retain(|id| !has(cases, id));
    if !dead.is_empty() {
        let embedded = Cases::embedded();
        dead.retain(|id| !has(&embedded, id));
    }
    unreadable.chain(dead.iter().map(|id| format!("known failure of {id}: there is no such case"))).collect()
}
