//! `bench`: measure targets side by side.

use clap::builder::RangedU64ValueParser;

use super::{Built, Failure, select};
use crate::{
    bench::{Bench, limits, table},
    exit::Status,
    sandbox::Workshop,
};

/// The arguments of `bench`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// A target, to be given for each one; by default `reference` and, where it is installed,
    /// `mailfront-2.12`. Limits hold for the first, the second is what it is compared with.
    #[arg(long, value_name = "FILE|NAME")]
    target: Vec<String>,
    /// Exit with 1 if the first target misses a limit.
    #[arg(long)]
    check: bool,
    /// Write the numbers as JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// Sessions of each kind.
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = at_least_one())]
    sessions: usize,
    /// Large messages of each kind.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = at_least_one())]
    messages: usize,
    /// Megabytes of a large message.
    #[arg(long, value_name = "MB", default_value_t = 100, value_parser = at_least_one())]
    size: usize,
}

fn at_least_one() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=1_000_000)
}

/// The target that the reference is compared with.
const PEER: &str = "mailfront-2.12";

/// Runs the verb.
///
/// # Errors
/// A target is not there or does not serve.
pub fn bench(arguments: &Arguments, built: Option<Built>) -> Result<Status, Failure> {
    let workshop = Workshop::new()?;
    let mut targets = Vec::new();
    for name in &arguments.target {
        targets.push(select::target(name, &workshop, built)?.0);
    }
    if targets.is_empty() {
        targets.push(select::target(select::BUILT_IN, &workshop, built)?.0);
        targets.extend(select::target(PEER, &workshop, built).ok().map(|(target, _)| target));
    }
    let Arguments { sessions, messages, size, .. } = *arguments;
    let bench = Bench { sessions, messages, large: size * 1_000_000 };
    let numbers = bench.run(&workshop, &targets)?;
    if arguments.json {
        let json = serde_json::to_string_pretty(&numbers).map_err(|e| Failure::suite(e.to_string()))?;
        anstream::println!("{json}");
    } else {
        anstream::print!("{}", table::table(&bench, &numbers));
    }
    let missed = limits::of(&numbers).iter().any(|limit| !limit.is_kept());
    Ok(if arguments.check && missed { Status::Unexpected } else { Status::Expected })
}
