//! `list`: the cases, one a line.

use std::io::Write as _;

use super::{Failure, Selection};
use crate::{cases::Cases, exit::Status, transcript::text::printable};

/// The arguments of `list`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// Show level, clauses and title, too.
    #[arg(long, short)]
    long: bool,
}

/// Runs the verb.
///
/// # Errors
/// A glob is not understood.
pub fn list(arguments: &Arguments, cases: &Cases) -> Result<Status, Failure> {
    let out = &mut anstream::stdout().lock();
    let selected = arguments.selection.of(cases)?;
    let profile = arguments.selection.profile.as_deref();
    for section in profile.iter().flat_map(|profile| profile.unanswered(cases)) {
        writeln!(out, "# {section}: no case")?;
    }
    for case in &selected {
        if let Some(row) = profile.and_then(|profile| profile.row(case)) {
            write!(out, "{}  ", printable(row.section.as_bytes()))?;
        }
        if arguments.long {
            let front = &case.front;
            let clauses = front.clauses.join(" ");
            let title = printable(front.title.as_bytes());
            writeln!(out, "{}  {}  {clauses}  {title}", case.id, front.level)?;
        } else {
            writeln!(out, "{}", case.id)?;
        }
    }
    Ok(if selected.is_empty() { Status::NothingVerified } else { Status::Expected })
}
