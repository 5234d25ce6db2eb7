//! `doctor`: look at a target before a run. It starts the target, speaks to it, and says what is
//! there, what is missing and why that matters. What is spoken is in [`sessions`].

mod sessions;

use std::{
    collections::BTreeMap,
    io::Write as _,
    process::{Command, Stdio},
    time::Duration,
};

use bstr::ByteSlice as _;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, pidfd_open},
};

use super::{Built, Failure, select};
use crate::{
    cases::Cases,
    exit::Status,
    play::player::LIMIT,
    report::style::{BAD, GOOD, HEAD, ODD},
    sandbox::Workshop,
    target::{KnownList, Program, Target},
    transcript::text::{escape_short, printable},
};

/// The arguments of `doctor`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// A target file, the name of one in the program, or `reference`.
    #[arg(long, default_value = select::BUILT_IN, value_name = "FILE|NAME")]
    target: String,
    /// Seconds after which a session counts as hanging.
    #[arg(long, value_name = "SECONDS", default_value_t = LIMIT.as_secs())]
    hang_limit: u64,
}

/// Longest piece of output shown, in bytes.
const SHOWN_MAX: usize = 120;

/// Runs the verb.
///
/// # Errors
/// The target's file is wrong, or its program is not there.
pub fn doctor(arguments: &Arguments, cases: &Cases, built: Option<Built>) -> Result<Status, Failure> {
    let workshop = Workshop::new()?;
    let (target, known) = select::target(&arguments.target, &workshop, built)?;
    let limit = Duration::from_secs(arguments.hang_limit);
    let mut visit =
        Visit { target: &target, workshop: &workshop, limit, worst: Status::Expected, lines: Vec::new() };
    let title = if target.title.is_empty() { String::new() } else { format!(" ({})", target.title) };
    visit.programs();
    visit.session();
    visit.features(cases, &known);
    let (style, conclusion) = match visit.worst {
        Status::Expected => (GOOD, "ready for a run"),
        Status::NotStarted => (BAD, "it cannot be started"),
        _ => (BAD, "something is wrong or missing"),
    };
    let out = &mut anstream::stdout().lock();
    writeln!(out, "{HEAD}{}{HEAD:#}{}", shown(&target.name), shown(&title))?;
    for line in &visit.lines {
        writeln!(out, "{line}")?;
    }
    writeln!(out, "{style}{conclusion}{style:#}")?;
    Ok(visit.worst)
}

fn number(cases: usize) -> String {
    if cases == 1 { "1 case".into() } else { format!("{cases} cases") }
}

fn shown(text: &str) -> String {
    printable(text.as_bytes()).into_owned()
}

struct Visit<'a> {
    target: &'a Target,
    workshop: &'a Workshop,
    limit: Duration,
    worst: Status,
    lines: Vec<String>,
}

impl Visit<'_> {
    fn good(&mut self, what: &str, says: &str) {
        self.line(GOOD, "yes", what, says);
    }

    fn note(&mut self, what: &str, says: &str) {
        self.line(ODD, " -", what, says);
    }

    fn bad(&mut self, status: Status, what: &str, says: &str) {
        self.worst = self.worst.max(status);
        self.line(BAD, "no", what, says);
    }

    fn line(&mut self, style: anstyle::Style, mark: &str, what: &str, says: &str) {
        let what = shown(what);
        self.lines.push(format!("  {style}{mark:<3}{style:#}  {what:<12}  {}", shown(says)));
    }

    fn programs(&mut self) {
        let target = self.target;
        for (role, command) in &target.programs {
            let program = target.program(role).unwrap_or_default();
            if let Some(port) = program.port {
                self.good(role, &format!("a server at port {port}"));
                continue;
            }
            let path = program.path;
            let real = std::fs::canonicalize(&path).unwrap_or(path);
            let words = command.split_once(' ').map_or("", |(_, words)| words);
            self.good(role, format!("{} {words}", real.display()).trim_end());
        }
        if let Some(program) = self.target.program("mailfront") {
            match version(&program, self.limit) {
                Some(version) => self.good("version", &version),
                None => self.note("version", "it does not tell its version when asked with --version"),
            }
        }
    }

    /// What the cases ask for and the target does not have.
    fn features(&mut self, cases: &Cases, known: &KnownList) {
        let target = self.target;
        let features = if target.features.is_empty() { "none".into() } else { target.features.join(", ") };
        self.note("features", &features);
        let mut lacking: BTreeMap<&str, usize> = BTreeMap::new();
        let mut roles: BTreeMap<String, usize> = BTreeMap::new();
        for case in &cases.cases {
            for feature in target.lacks(&case.front.needs) {
                *lacking.entry(feature).or_default() += 1;
            }
            let role = case.front.words().first().cloned().unwrap_or_default();
            if target.program(&role).is_none() {
                *roles.entry(role).or_default() += 1;
            }
        }
        for (feature, count) in lacking {
            self.note("skips", &format!("{}, for want of `{feature}`", number(count)));
        }
        for (role, count) in roles {
            self.note("skips", &format!("{}, for want of a program for `{role}`", number(count)));
        }
        if !known.known.is_empty() {
            self.note("known", &format!("{} known failures are listed", known.known.len()));
        }
        let dead = known.known.iter().filter(|entry| !cases.cases.iter().any(|case| case.id == entry.case));
        for entry in dead {
            self.bad(Status::SuiteError, "known", &format!("there is no case {}", entry.case));
        }
    }
}

/// The first line that `program --version` writes, if it ends well and soon.
fn version(program: &Program, limit: Duration) -> Option<String> {
    let mut command = Command::new(&program.path);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).env_clear();
    let mut child = command.spawn().ok()?;
    let ended = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).is_ok_and(|pidfd| {
        let limit = Timespec::try_from(limit).ok();
        poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], limit.as_ref()).is_ok_and(|events| events > 0)
    });
    if !ended {
        let _ = child.kill();
    }
    let output = child.wait_with_output().ok()?;
    let line = output.stdout.lines().next().filter(|line| !line.is_empty())?;
    output.status.success().then(|| escape_short(line, SHOWN_MAX))
}
