//! `prop`: hold a target against a model with inputs made up at random.

use std::{
    fs,
    hash::{BuildHasher as _, Hasher as _},
    path::{Path, PathBuf},
    time::Instant,
};

use super::{Built, CasesValue, Failure, select};
use crate::{
    exit::Status,
    property::{Search, Stage, plugin_list::Witness},
    sandbox::Workshop,
    target::Target,
};

/// The arguments of `prop`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    property: Property,
}

#[derive(Debug, clap::Subcommand)]
enum Property {
    /// The plugins that run are those of the list, in its order (PLUG-LIST-1 … 9).
    PluginList(PluginList),
}

/// The arguments of `prop plugin-list`.
#[derive(Debug, clap::Args)]
struct PluginList {
    /// A target file, the name of one in the program, or `reference`.
    #[arg(long, default_value = select::BUILT_IN, value_name = "FILE|NAME")]
    target: String,
    /// Inputs tried.
    #[arg(long, default_value = "1000", value_name = "N", value_parser = CasesValue::count())]
    cases: CasesValue,
    /// Where the random numbers start; by default somewhere else each time.
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// How the order is seen; by default through probes if the target loads C modules.
    #[arg(long)]
    witness: Option<Witness>,
    /// Tried at a time; by default two for each processor.
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Write the transcript of a failure into this folder, too.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Tried at a time for each processor; one waits while another starts its program.
const JOBS_PER_PROCESSOR: usize = 2;

/// Runs the verb.
///
/// # Errors
/// The command line is wrong, the target cannot be started, or the transcript cannot be written.
pub fn run(arguments: &Arguments, built: Option<Built>) -> Result<Status, Failure> {
    match &arguments.property {
        Property::PluginList(arguments) => plugin_list(arguments, built),
    }
}

fn plugin_list(arguments: &PluginList, built: Option<Built>) -> Result<Status, Failure> {
    let workshop = Workshop::new()?;
    let (target, _) = select::target(&arguments.target, &workshop, built)?;
    let Some(program) = target.program("mailfront") else {
        return Err(Failure::not_started(format!("target {} has no program mailfront", target.name)));
    };
    let CasesValue::Count(cases) = arguments.cases else {
        return Err(Failure::usage("--cases is a number here"));
    };
    let witness = arguments.witness.unwrap_or_else(|| witness(&target));
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let search = Search {
        cases,
        seed: arguments.seed.unwrap_or_else(|| std::hash::RandomState::new().build_hasher().finish()),
        jobs: arguments.jobs.unwrap_or(JOBS_PER_PROCESSOR * processors),
    };
    let stage = Stage { workshop: &workshop, target: &target, program };
    let started = Instant::now();
    let found = search.run(|| witness.strategy(), |input| stage.play(&input.transcript()))?;
    let seed = search.seed;
    let Some(found) = found else {
        let seconds = started.elapsed().as_secs_f64();
        anstream::println!(
            "plugin-list: {cases} lists do as the model says on {} (seed {seed}, seen through {}, {:.0} a second)",
            target.name,
            witness.name(),
            f64::from(cases) / seconds
        );
        return Ok(if cases == 0 { Status::NothingVerified } else { Status::Expected });
    };
    let transcript = found.input.transcript();
    anstream::eprintln!("plugin-list: {} departs from the model (seed {seed}):\n{}", target.name, found.why);
    anstream::print!("{transcript}");
    if let Some(folder) = &arguments.out {
        let place = write(folder, &format!("plugin-list-{seed}"), &transcript)?;
        anstream::eprintln!("plugin-list: written to {}", place.display());
    }
    Ok(Status::Unexpected)
}

/// Probes show most, where they can be loaded.
fn witness(target: &Target) -> Witness {
    let loads = target.features.iter().any(|feature| feature == "c-modules");
    if loads { Witness::Probes } else { Witness::BuiltIns }
}

fn write(folder: &Path, name: &str, transcript: &str) -> Result<PathBuf, Failure> {
    let place = folder.join(name).with_extension("case");
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&place, transcript))
        .map_err(|e| Failure::usage(format!("--out {}: {e}", place.display())))?;
    Ok(place)
}
