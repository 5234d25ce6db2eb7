//! `coverage`: the clauses of the contract and the cases that cite them.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use super::Failure;
use crate::{
    cases::Cases,
    coverage::{Coverage, Row, UNOBSERVABLE, Unobservable},
    exit::Status,
    report::style::{BAD, DIM, GOOD, HEAD},
    spec::Spec,
    transcript::{model::Level, text::printable},
};

/// The arguments of `coverage`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Only these sheets, such as `10-core`.
    #[arg(long, value_name = "NAME", num_args = 1..)]
    sheet: Vec<String>,
    /// Only what is missing: must clauses that no case cites and that could be seen from outside.
    #[arg(long)]
    missing: bool,
    /// Read the clauses that cannot be seen from outside from this file instead of the program.
    #[arg(long, value_name = "FILE")]
    unobservable: Option<PathBuf>,
}

/// Longest list of cases shown for a clause.
const CASES_SHOWN: usize = 3;

/// Runs the verb.
///
/// # Errors
/// There is no such sheet, or the list of unobservable clauses cannot be read.
pub fn coverage(arguments: &Arguments, cases: &Cases) -> Result<Status, Failure> {
    let out = &mut anstream::stdout().lock();
    let source = match &arguments.unobservable {
        None => UNOBSERVABLE.to_string(),
        Some(file) => std::fs::read_to_string(file)
            .map_err(|e| Failure::usage(format!("--unobservable {}: {e}", file.display())))?,
    };
    let list = Unobservable::parse(&source).map_err(|e| Failure::usage(format!("--unobservable {e}")))?;
    let spec = Spec::embedded();
    let coverage = Coverage::new(spec, &cases.cases, &list);
    for sheet in &arguments.sheet {
        if !coverage.rows.iter().any(|row| row.clause.sheet() == sheet) {
            let mut sheets: Vec<&str> = coverage.rows.iter().map(|row| row.clause.sheet()).collect();
            sheets.dedup();
            return Err(Failure::usage(format!("--sheet {sheet}: none of {}", sheets.join(", "))));
        }
    }
    let chosen = |row: &&Row<'_>| {
        arguments.sheet.is_empty() || arguments.sheet.iter().any(|sheet| sheet == row.clause.sheet())
    };
    let rows: Vec<&Row<'_>> = coverage.rows.iter().filter(chosen).collect();
    let mut sheet = "";
    for row in rows.iter().filter(|row| !arguments.missing || row.is_missing()) {
        if sheet != row.clause.sheet() {
            sheet = row.clause.sheet();
            writeln!(out, "{HEAD}{sheet}{HEAD:#}")?;
        }
        writeln!(out, "  {}", line(row, arguments.missing))?;
    }
    conclusion(out, &rows)?;
    for fault in &coverage.faults {
        writeln!(out, "{BAD}{}{BAD:#}", printable(fault.as_bytes()))?;
    }
    Ok(if !coverage.faults.is_empty() || !spec.faults.is_empty() {
        Status::SuiteError
    } else if rows.iter().any(|row| row.is_missing()) {
        Status::Unexpected
    } else {
        Status::Expected
    })
}

fn line(row: &Row<'_>, tells_text: bool) -> String {
    let clause = row.clause;
    let what = match (&row.cases[..], row.unobservable) {
        ([], Some(reason)) => {
            format!("{DIM}not to be seen from outside: {}{DIM:#}", printable(reason.as_bytes()))
        }
        ([], None) if row.is_missing() => {
            let text = if tells_text { clause.short(90) } else { String::new() };
            format!("{BAD}no case{BAD:#} {}", printable(text.as_bytes()))
        }
        ([], None) => format!("{DIM}no case{DIM:#}"),
        (cases, _) => {
            let more = cases.len().saturating_sub(CASES_SHOWN);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!("{}{more}", cases[..cases.len().min(CASES_SHOWN)].join(", "))
        }
    };
    format!("{:<16} {:<6} {:>3}  {what}", clause.id, clause.level.to_string(), row.cases.len())
}

fn conclusion(out: &mut impl Write, rows: &[&Row<'_>]) -> io::Result<()> {
    for level in [Level::Must, Level::Should, Level::May] {
        let of_level: Vec<&&Row<'_>> = rows.iter().filter(|row| row.clause.level == level).collect();
        if of_level.is_empty() {
            continue;
        }
        let count = |test: &dyn Fn(&Row<'_>) -> bool| of_level.iter().filter(|row| test(row)).count();
        let cited = count(&|row| !row.cases.is_empty());
        let hidden = count(&|row| row.cases.is_empty() && row.unobservable.is_some());
        let missing = of_level.iter().filter(|row| row.is_missing()).count();
        let hidden =
            if hidden > 0 { format!(", {hidden} not to be seen from outside") } else { String::new() };
        let missing = match missing {
            0 if level == Level::Must => format!(", {GOOD}none missing{GOOD:#}"),
            0 => String::new(),
            n => format!(", {BAD}{n} missing{BAD:#}"),
        };
        writeln!(out, "{HEAD}{level}{HEAD:#}: {cited} of {} clauses cited{hidden}{missing}", of_level.len())?;
    }
    Ok(())
}
