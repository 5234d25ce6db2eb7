//! `run`: play cases against a target and report.

use std::{
    fs::File,
    io::{BufWriter, Write as _},
    path::PathBuf,
    time::Duration,
};

use super::{Built, Failure, Selection, select};
use crate::{
    cases::Cases,
    exit::Status,
    play::{Delivery, player::LIMIT},
    report::{Report, draft::Draft, html::Html, junit::Junit, ndjson::Ndjson, terminal::Terminal},
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
    /// Write the report for people as one HTML page.
    #[arg(long, value_name = "FILE")]
    report_html: Option<PathBuf>,
    /// Write the results as JUnit XML.
    #[arg(long, value_name = "FILE")]
    report_junit: Option<PathBuf>,
    /// Write every event of the run as a line of JSON.
    #[arg(long, value_name = "FILE")]
    report_ndjson: Option<PathBuf>,
    /// Draft entries of a list of known failures for all that fails unexpectedly.
    #[arg(long, value_name = "FILE")]
    draft_known: Option<PathBuf>,
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
        faults: faults(cases, &known, &arguments.selection),
        workshop: &workshop,
    };
    let mut reports = reports(arguments)?;
    // A run whose report nobody takes is not a run as expected.
    let summary = run.go(&mut reports).map_err(|e| Failure::suite(format!("a report: {e}")))?;
    if let Some(place) = arguments.report_html.as_ref().filter(|_| !arguments.quiet) {
        writeln!(anstream::stdout(), "the report: {}", place.display())?;
    }
    Ok(match summary.exit {
        0 => Status::Expected,
        1 => Status::Unexpected,
        4 => Status::NothingVerified,
        _ => Status::SuiteError,
    })
}

/// The reports asked for. Their files are made before the run, so that a wrong name costs no time.
fn reports(arguments: &Arguments) -> Result<Vec<Box<dyn Report>>, Failure> {
    let mut reports: Vec<Box<dyn Report>> = Vec::new();
    let file = |flag: &str, place: &PathBuf| {
        let file = File::create(place);
        let file = file.map_err(|e| Failure::usage(format!("{flag} {}: {e}", place.display())))?;
        Ok::<_, Failure>(BufWriter::new(file))
    };
    if let Some(place) = &arguments.report_html {
        reports.push(Box::new(Html::new(file("--report-html", place)?)));
    }
    if let Some(place) = &arguments.report_junit {
        reports.push(Box::new(Junit::new(file("--report-junit", place)?)));
    }
    if let Some(place) = &arguments.report_ndjson {
        reports.push(Box::new(Ndjson::new(file("--report-ndjson", place)?)));
    }
    if let Some(place) = &arguments.draft_known {
        reports.push(Box::new(Draft::new(file("--draft-known", place)?, arguments.level)));
    }
    // The conclusion is said when everything else is written.
    reports.push(Box::new(Terminal::new(arguments.quiet)));
    Ok(reports)
}

/// Cases that cannot be read, and entries of the list of known failures that no case has: neither
/// those of this run nor, where the run has a folder of its own, those in the program.
fn faults(cases: &Cases, known: &KnownList, selection: &Selection) -> Vec<String> {
    let unreadable = cases.unreadable.iter().map(|case| format!("{}: {}", case.file, case.why));
    let has = |cases: &Cases, id: &str| cases.cases.iter().any(|case| case.id == id);
    let mut dead: Vec<&str> = known.known.iter().map(|entry| entry.case.as_str()).collect();
    dead.retain(|id| !has(cases, id));
    if !dead.is_empty() {
        let embedded = Cases::embedded();
        dead.retain(|id| !has(&embedded, id));
    }
    let unanswered = selection.profile.iter().flat_map(|profile| profile.unanswered(cases));
    let unreadable =
        unreadable.chain(unanswered.map(|section| format!("profile: no case answers {section}")));
    unreadable.chain(dead.iter().map(|id| format!("known failure of {id}: there is no such case"))).collect()
}
