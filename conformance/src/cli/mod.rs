//! The program: one verb, one file.

mod bench;
mod coverage;
mod doctor;
mod explain;
mod init;
mod lint;
mod list;
mod prop;
mod record;
mod run;
mod select;

use std::ffi::OsString;

use clap::{Parser, Subcommand};

use crate::{cases::Cases, exit::Status};

pub use select::{Built, CasesValue, Selection};

/// Says of any SMTP, QMTP, QMQP or POP3 front end what it does that its contract does not allow.
#[derive(Debug, Parser)]
#[command(name = "mailfront-conformance", version, max_term_width = 100, after_help = EXIT_HELP)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
    /// Read the cases below this folder instead of those in the program.
    #[arg(long, global = true, value_name = "DIR", value_parser = CasesValue::folder())]
    cases: Option<CasesValue>,
}

/// The exit statuses, as `--help` shows them.
const EXIT_HELP: &str = "Exit status: 0 as expected · 1 an unexpected result · 2 wrong usage · \
    3 the target could not be started · 4 nothing was verified · 6 an error in the suite or in a case";

#[derive(Debug, Subcommand)]
enum Verb {
    /// Play cases against a target and report.
    Run(run::Arguments),
    /// List cases.
    List(list::Arguments),
    /// Show one case or one clause with all that belongs to it.
    Explain(explain::Arguments),
    /// Look at a target before a run: is it there, does it answer, is delivery seen?
    Doctor(doctor::Arguments),
    /// Write a target file to begin with.
    Init(init::Arguments),
    /// Hold a target against a model with inputs made up at random.
    Prop(prop::Arguments),
    /// Hold cases and lists of known failures against the rules of the guide.
    Lint(lint::Arguments),
    /// Play the client's lines of a transcript and fill in what comes.
    Record(record::Arguments),
    /// Show which clauses of the contract the cases cite.
    Coverage(coverage::Arguments),
    /// Measure targets side by side.
    Bench(bench::Arguments),
}

/// Runs the program; gives the exit status. `built` makes the target that the program carries, if
/// it carries one.
pub fn main(arguments: impl IntoIterator<Item = OsString>, built: Option<Built>) -> u8 {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { Status::Usage.code() } else { Status::Expected.code() };
        }
    };
    let cases = match &arguments.cases {
        None | Some(CasesValue::Count(_)) => Cases::embedded(),
        Some(CasesValue::Folder(folder)) => match Cases::below(folder) {
            Ok(cases) => cases,
            Err(error) => return fail(&Failure::usage(format!("--cases {error}"))),
        },
    };
    let result = match arguments.verb {
        Verb::Run(arguments) => run::run(&arguments, &cases, built),
        Verb::List(arguments) => list::list(&arguments, &cases),
        Verb::Explain(arguments) => explain::explain(&arguments, &cases, built),
        Verb::Doctor(arguments) => doctor::doctor(&arguments, &cases, built),
        Verb::Init(arguments) => init::init(&arguments),
        Verb::Bench(arguments) => bench::bench(&arguments, built),
        Verb::Prop(arguments) => prop::run(&arguments, built),
        Verb::Record(arguments) => record::record(&arguments, built),
        Verb::Lint(arguments) => lint::lint(&arguments, &cases),
        Verb::Coverage(arguments) => coverage::coverage(&arguments, &cases),
    };
    match result {
        Ok(status) => status.code(),
        Err(failure) => fail(&failure),
    }
}

/// Why a verb could not do its work.
#[derive(Debug)]
pub struct Failure {
    status: Status,
    what: String,
}

impl Failure {
    /// The command line or an input file is wrong.
    pub fn usage(what: impl Into<String>) -> Self {
        Self { status: Status::Usage, what: what.into() }
    }

    /// The target could not be started.
    pub fn not_started(what: impl Into<String>) -> Self {
        Self { status: Status::NotStarted, what: what.into() }
    }

    /// The suite could not do its part.
    pub fn suite(what: impl Into<String>) -> Self {
        Self { status: Status::SuiteError, what: what.into() }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            // Who reads, `head` for instance, has seen enough.
            std::io::ErrorKind::BrokenPipe => Self { status: Status::Expected, what: String::new() },
            _ => Self::suite(error.to_string()),
        }
    }
}

fn fail(failure: &Failure) -> u8 {
    for (i, line) in failure.what.lines().enumerate() {
        let name = if i == 0 { "mailfront-conformance: " } else { "  " };
        anstream::eprintln!("{name}{}", crate::transcript::text::printable(line.as_bytes()));
    }
    failure.status.code()
}
