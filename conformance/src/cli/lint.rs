//! `lint`: hold the cases against the rules of the guide.

use std::{collections::BTreeSet, fs, io::Write as _, path::PathBuf};

use super::{Failure, Selection};
use crate::{
    cases::{Cases, embedded_lists},
    exit::Status,
    lint::{self, List},
    spec::Spec,
    target::KnownList,
};

/// The arguments of `lint`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// Check the lists of known failures in this folder instead of those in the program.
    #[arg(long, value_name = "DIR")]
    targets: Option<PathBuf>,
}

/// Runs the verb: one line for each problem.
///
/// # Errors
/// A glob is not understood or the folder of the targets cannot be read.
pub fn lint(arguments: &Arguments, cases: &Cases) -> Result<Status, Failure> {
    let out = &mut anstream::stdout().lock();
    let selected = arguments.selection.of(cases)?;
    let everything = arguments.selection.is_everything();
    let files: BTreeSet<&str> = selected.iter().map(|case| case.file.as_str()).collect();
    let lists = match &arguments.targets {
        _ if !everything => Vec::new(),
        None => embedded_lists().into_iter().map(|(file, source)| list(file, source.into())).collect(),
        Some(folder) => lists_in(folder)?,
    };
    let mut problems = lint::all(cases, Spec::embedded(), &lists);
    problems.retain(|problem| everything || files.contains(problem.file.as_str()));
    write!(out, "{}", lint::render(&problems))?;
    if !problems.is_empty() {
        let problems =
            if problems.len() == 1 { "1 problem".into() } else { format!("{} problems", problems.len()) };
        writeln!(out, "{problems} in {} cases", selected.len())?;
        return Ok(Status::SuiteError);
    }
    writeln!(out, "{} cases are as the guide asks", selected.len())?;
    Ok(if selected.is_empty() { Status::NothingVerified } else { Status::Expected })
}

fn list(file: String, source: String) -> List {
    List { entries: KnownList::parse(&source), file, source }
}

fn lists_in(folder: &PathBuf) -> Result<Vec<List>, Failure> {
    let wrong = |e: std::io::Error| Failure::usage(format!("--targets {}: {e}", folder.display()));
    let mut lists = Vec::new();
    for entry in fs::read_dir(folder).map_err(wrong)? {
        let path = entry.map_err(wrong)?.path();
        if path.to_string_lossy().ends_with(".known.toml") {
            let source = fs::read_to_string(&path).map_err(wrong)?;
            lists.push(list(path.display().to_string(), source));
        }
    }
    Ok(lists)
}
