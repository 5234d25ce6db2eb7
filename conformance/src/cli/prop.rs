//! `prop`: hold a target against a model with inputs made up at random.

use std::{
    fmt::Debug,
    fs,
    hash::{BuildHasher as _, Hasher as _},
    path::{Path, PathBuf},
    time::Instant,
};

use proptest::strategy::BoxedStrategy;

use super::{Built, CasesValue, Failure, select};
use crate::{
    exit::Status,
    property::{
        Search, Stage,
        mail_rules::{self, Words, globs},
        plugin_list::{self, Witness},
    },
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
    /// Rules answer senders and recipients as they must (RULES-EVAL, RULES-AND, RULES-LIST).
    MailRules(MailRules),
    /// Patterns of mail rules match what they must (RULES-GLOB, RULES-NEG).
    Globs(MailRules),
}

/// What every property knows.
#[derive(Debug, clap::Args)]
struct Options {
    /// A target file, the name of one in the program, or `reference`.
    #[arg(long, default_value = select::BUILT_IN, value_name = "FILE|NAME")]
    target: String,
    /// Inputs tried.
    #[arg(long, default_value = "1000", value_name = "N", value_parser = CasesValue::count())]
    cases: CasesValue,
    /// Where the random numbers start; by default somewhere else each time.
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Tried at a time; by default two for each processor.
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Write the transcript of a failure into this folder, too.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// The arguments of `prop plugin-list`.
#[derive(Debug, clap::Args)]
struct PluginList {
    #[command(flatten)]
    options: Options,
    /// How the order is seen; by default through probes if the target loads C modules.
    #[arg(long)]
    witness: Option<Witness>,
}

/// The arguments of `prop mail-rules` and `prop globs`.
#[derive(Debug, clap::Args)]
struct MailRules {
    #[command(flatten)]
    options: Options,
    /// Leave out what Debian's 2.12 lacks or reads otherwise: `&`, `K`, `?` behind the last `*`, `[` without `]`.
    #[arg(long)]
    plain: bool,
}

/// Tried at a time for each processor; one waits while another starts its program.
const JOBS_PER_PROCESSOR: usize = 2;

/// Runs the verb.
///
/// # Errors
/// The command line is wrong, the target cannot be started, or the transcript cannot be written.
pub fn run(arguments: &Arguments, built: Option<Built>) -> Result<Status, Failure> {
    let workshop = Workshop::new()?;
    let options = match &arguments.property {
        Property::PluginList(PluginList { options, .. })
        | Property::MailRules(MailRules { options, .. })
        | Property::Globs(MailRules { options, .. }) => options,
    };
    let (target, _) = select::target(&options.target, &workshop, built)?;
    let Some(program) = target.program("mailfront") else {
        return Err(Failure::not_started(format!("target {} has no program mailfront", target.name)));
    };
    let stage = Stage { workshop: &workshop, target: &target, program };
    let words = |plain| if plain { Words::Plain } else { Words::All };
    match &arguments.property {
        Property::PluginList(PluginList { witness: chosen, .. }) => {
            let witness = chosen.unwrap_or_else(|| witness(&target));
            let seen = format!(", seen through {}", witness.name());
            let transcript = |input: &plugin_list::Input| input.transcript();
            hold(options, &stage, ("plugin-list", "lists", &seen), || witness.strategy(), transcript)
        }
        Property::MailRules(MailRules { plain, .. }) => {
            let transcript = |input: &mail_rules::Input| input.transcript(mail_rules::model::judge);
            let strategy = || mail_rules::Input::strategy(words(*plain));
            hold(options, &stage, ("mail-rules", "rules files", ""), strategy, transcript)
        }
        Property::Globs(MailRules { plain, .. }) => {
            let transcript = |input: &globs::Input| input.transcript(mail_rules::model::glob_matches);
            let strategy = || globs::Input::strategy(words(*plain));
            hold(options, &stage, ("globs", "patterns", ""), strategy, transcript)
        }
    }
}

/// Tries inputs on a stage, and tells of the first that does not hold. The three words are the name of
/// the property, what its inputs are, and how they are seen.
fn hold<T: Debug + Send>(
    options: &Options,
    stage: &Stage<'_>,
    (name, inputs, seen): (&str, &str, &str),
    strategy: impl Fn() -> BoxedStrategy<T> + Sync,
    transcript: impl Fn(&T) -> String + Sync,
) -> Result<Status, Failure> {
    let CasesValue::Count(cases) = options.cases else {
        return Err(Failure::usage("--cases is a number here"));
    };
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let seed = options.seed.unwrap_or_else(|| std::hash::RandomState::new().build_hasher().finish());
    let search = Search { cases, seed, jobs: options.jobs.unwrap_or(JOBS_PER_PROCESSOR * processors) };
    let target = &stage.target.name;
    let started = Instant::now();
    let Some(found) = search.run(strategy, |input| stage.play(&transcript(input)))? else {
        let rate = f64::from(cases) / started.elapsed().as_secs_f64();
        anstream::println!(
            "{name}: {cases} {inputs} do as the model says on {target} (seed {seed}{seen}, {rate:.0} a second)"
        );
        return Ok(if cases == 0 { Status::NothingVerified } else { Status::Expected });
    };
    let transcript = transcript(&found.input);
    anstream::eprintln!("{name}: {target} departs from the model (seed {seed}):\n{}", found.why);
    anstream::print!("{transcript}");
    if let Some(folder) = &options.out {
        let place = write(folder, &format!("{name}-{seed}"), &transcript)?;
        anstream::eprintln!("{name}: written to {}", place.display());
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
