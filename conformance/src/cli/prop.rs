//! `prop`: hold a target against a model with inputs made up at random.

use std::{
    fmt::Debug,
    fs,
    hash::{BuildHasher as _, Hasher as _},
    path::{Path, PathBuf},
    time::Instant,
};

use proptest::strategy::Strategy;

use super::{Built, CasesValue, Failure, select};
use crate::{
    exit::Status,
    play::Delivery,
    property::{
        Search, Stage, auth,
        content::{counters, patterns, trace},
        mail_rules::{self, Words, globs},
        maildir, packages,
        plugin_list::{self, Witness},
        retrieval, search,
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
    /// Whoever a client says it is, in whatever mechanism, the module is asked just that and its word
    /// decides (AUTH-7 … 15).
    Auth(Auth),
    /// Answers over a maildir and the files left behind are those of the model (MAILDIR-STAT-1 …
    /// MAILDIR-QUIT-9).
    Maildir(Maildir),
    /// QMTP and QMQP packages are answered and captured as they must be, however they are cut, and no
    /// declared length takes memory (NS-LEN-1, QMTP-SES-3, QMTP-RSP-4, NS-MEM-3).
    Packages(Packages),
    /// The plugins that run are those of the list, in its order (PLUG-LIST-1 … 9).
    PluginList(PluginList),
    /// Rules answer senders and recipients as they must (RULES-EVAL, RULES-AND, RULES-LIST).
    MailRules(MailRules),
    /// Patterns of mail rules match what they must (RULES-GLOB, RULES-NEG).
    Globs(MailRules),
    /// Files of patterns refuse what they must, however the message is cut (PAT-LINE, PAT-MATCH, PAT-MODE).
    Patterns(Common),
    /// Limits are kept to the byte, the recipient, the message and the hop (CNT-BYTES, CNT-RCPT, CNT-HOP).
    Counters(Common),
    /// Retrieved messages are sent line by line and read by others as the files are, by any POP3 server (RFC
    /// 1939 5, MAILDIR-DATA-1 … 4).
    Retrieval(Maildir),
    /// The trace header is one header, whatever the client calls itself (RCVD-FMT, RCVD-HELO).
    Trace(Common),
}

/// The arguments of `prop maildir` and `prop retrieval`.
#[derive(Debug, clap::Args)]
struct Maildir {
    #[command(flatten)]
    common: Common,
    /// Leave out what others have their own idea of: CR in messages, $POP3_EXACT, a dot as the very first byte.
    #[arg(long)]
    plain: bool,
}

/// The arguments of `prop auth`.
#[derive(Debug, clap::Args)]
struct Auth {
    #[command(flatten)]
    common: Common,
    /// Leave out what mailfront 2.12 has its own idea of: digests, NUL and long credentials, $MAXAUTHFAIL.
    #[arg(long)]
    plain: bool,
}

/// The arguments of `prop packages`.
#[derive(Debug, clap::Args)]
struct Packages {
    #[command(flatten)]
    common: Common,
    /// Leave out what mailfront 2.12 does otherwise: several recipients and CR encoding in QMTP, empty
    /// messages, addresses and lists, forbidden bytes in addresses, lengths that are too large.
    #[arg(long)]
    plain: bool,
}

/// The arguments of `prop plugin-list`.
#[derive(Debug, clap::Args)]
struct PluginList {
    #[command(flatten)]
    common: Common,
    /// How the order is seen; by default through probes if the target loads C modules.
    #[arg(long)]
    witness: Option<Witness>,
}

/// The arguments of `prop mail-rules` and `prop globs`.
#[derive(Debug, clap::Args)]
struct MailRules {
    #[command(flatten)]
    common: Common,
    /// Leave out what Debian's 2.12 lacks or reads otherwise: `&`, `K`, `?` behind the last `*`, `[` without `]`.
    #[arg(long)]
    plain: bool,
}

/// The arguments of every property.
#[derive(Debug, clap::Args)]
struct Common {
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

/// Tried at a time for each processor; one waits while another starts its program.
const JOBS_PER_PROCESSOR: usize = 2;

/// Runs the verb.
///
/// # Errors
/// The command line is wrong, the target cannot be started, or the transcript cannot be written.
pub fn run(arguments: &Arguments, built: Option<Built>) -> Result<Status, Failure> {
    let workshop = Workshop::new()?;
    let common = arguments.property.common();
    let (target, _) = select::target(&common.target, &workshop, built)?;
    let words = |plain| if plain { Words::Plain } else { Words::All };
    let trial =
        |property, what, role| Trial { property, what, role, common, workshop: &workshop, target: &target };
    match &arguments.property {
        Property::Auth(Auth { plain, .. }) => {
            let strategy = || auth::inputs(!plain);
            let trial = trial("auth", "sessions do", "mailfront");
            let cut = |input: &auth::Input| (input.transcript(), input.delivery);
            trial.judge("", strategy, cut, |_, _| Ok(()))
        }
        Property::Maildir(Maildir { plain, .. }) => {
            let strategy = || maildir::inputs(!plain);
            trial("maildir", "sessions do", "pop3front-maildir").run("", strategy, maildir::Input::transcript)
        }
        Property::Packages(Packages { plain, .. }) => {
            let words = if *plain { packages::Words::Plain } else { packages::Words::All };
            let trial = trial("packages", "connections do", "mailfront");
            trial.run("", || packages::inputs(words), packages::Input::transcript)
        }
        Property::PluginList(PluginList { witness, .. }) => {
            let witness = witness.unwrap_or_else(|| default_witness(&target));
            let seen = format!(", seen through {}", witness.name());
            let trial = trial("plugin-list", "lists do", "mailfront");
            trial.run(&seen, || witness.strategy(), plugin_list::Input::transcript)
        }
        Property::MailRules(MailRules { plain, .. }) => {
            let transcript = |input: &mail_rules::Input| input.transcript(mail_rules::model::judge);
            let strategy = || mail_rules::Input::strategy(words(*plain));
            trial("mail-rules", "rules files do", "mailfront").run("", strategy, transcript)
        }
        Property::Globs(MailRules { plain, .. }) => {
            let transcript = |input: &globs::Input| input.transcript(mail_rules::model::glob_matches);
            let strategy = || globs::Input::strategy(words(*plain));
            trial("globs", "patterns do", "mailfront").run("", strategy, transcript)
        }
        Property::Patterns(_) => {
            let transcript = |input: &patterns::Input| input.transcript(patterns::refusal);
            trial("patterns", "files and messages do", "mailfront").run(
                "",
                patterns::Input::strategy,
                transcript,
            )
        }
        Property::Counters(_) => {
            let transcript = |input: &counters::Input| input.transcript(counters::over);
            trial("counters", "limits do", "mailfront").run("", counters::Input::strategy, transcript)
        }
        Property::Retrieval(Maildir { plain, .. }) => {
            let strategy = || retrieval::Input::strategy(!plain);
            let trial = trial("retrieval", "maildirs read", "pop3");
            let at_once = |input: &retrieval::Input| (input.transcript(), Delivery::Burst);
            trial.judge("", strategy, at_once, retrieval::Input::reads_alike)
        }
        Property::Trace(_) => {
            let transcript = |input: &trace::Input| input.transcript(trace::fit);
            trial("trace", "headers do", "mailfront").run("", trace::Input::strategy, transcript)
        }
    }
}

impl Property {
    fn common(&self) -> &Common {
        match self {
            Self::Auth(Auth { common, .. })
            | Self::Maildir(Maildir { common, .. })
            | Self::Retrieval(Maildir { common, .. })
            | Self::Packages(Packages { common, .. })
            | Self::PluginList(PluginList { common, .. })
            | Self::MailRules(MailRules { common, .. })
            | Self::Globs(MailRules { common, .. })
            | Self::Patterns(common)
            | Self::Counters(common)
            | Self::Trace(common) => common,
        }
    }
}

/// A property on trial.
struct Trial<'a> {
    property: &'static str,
    /// What does as the model says, and the verb.
    what: &'static str,
    role: &'static str,
    common: &'a Common,
    workshop: &'a Workshop,
    target: &'a Target,
}

impl Trial<'_> {
    fn run<S: Strategy>(
        &self,
        how: &str,
        strategy: impl Fn() -> S + Sync,
        transcript: impl Fn(&S::Value) -> String + Sync,
    ) -> Result<Status, Failure>
    where
        S::Value: Debug + Send,
    {
        self.judge(how, strategy, |input| (transcript(input), Delivery::Burst), |_, _| Ok(()))
    }

    /// The same with the delivery of each transcript, where a transcript does not say all: what the server
    /// said is also held against `more`.
    fn judge<S: Strategy>(
        &self,
        how: &str,
        strategy: impl Fn() -> S + Sync,
        transcript: impl Fn(&S::Value) -> (String, Delivery) + Sync,
        more: impl Fn(&S::Value, &[u8]) -> search::Trial + Sync,
    ) -> Result<Status, Failure>
    where
        S::Value: Debug + Send,
    {
        let Self { property, what, common, workshop, target, .. } = self;
        let Some(program) = target.program(self.role) else {
            let what = format!("target {} has no program {}", target.name, self.role);
            return Err(Failure::not_started(what));
        };
        let CasesValue::Count(cases) = common.cases else {
            return Err(Failure::usage("--cases is a number here"));
        };
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let seed = common.seed.unwrap_or_else(|| std::hash::RandomState::new().build_hasher().finish());
        let search = Search { cases, seed, jobs: common.jobs.unwrap_or(JOBS_PER_PROCESSOR * processors) };
        let stage = Stage { workshop, target, program };
        let started = Instant::now();
        let found = search.run(strategy, |input| {
            let (transcript, delivery) = transcript(input);
            stage.play_and(&transcript, delivery, |output| more(input, output))
        })?;
        let Some(found) = found else {
            let a_second = f64::from(cases) / started.elapsed().as_secs_f64();
            anstream::println!(
                "{property}: {cases} {what} as the model says on {} (seed {seed}{how}, {a_second:.0} a second)",
                target.name
            );
            return Ok(if cases == 0 { Status::NothingVerified } else { Status::Expected });
        };
        let (transcript, delivery) = transcript(&found.input);
        let (name, why) = (&target.name, found.why);
        let delivery = delivery.name();
        anstream::eprintln!("{property}: {name} departs from the model (seed {seed}, {delivery}):\n{why}");
        anstream::print!("{transcript}");
        if let Some(folder) = &common.out {
            let place = write(folder, &format!("{property}-{seed}"), &transcript)?;
            anstream::eprintln!("{property}: written to {}", place.display());
        }
        Ok(Status::Unexpected)
    }
}

/// Probes show most, where they can be loaded.
fn default_witness(target: &Target) -> Witness {
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
