//! Which cases, which target: the arguments several verbs share.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::{
    builder::{PathBufValueParser, TypedValueParser},
    value_parser,
};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::Failure;
use crate::{
    cases::{Cases, embedded_beside, embedded_target, embedded_targets},
    profile::Profile,
    sandbox::Workshop,
    target::{KnownList, Target},
    transcript::Case,
};

/// Makes the target that the program itself carries.
pub type Built = fn(&Workshop) -> std::io::Result<Target>;

/// The name of that target.
pub const BUILT_IN: &str = "reference";

/// The value of `--cases`. The option is one to the parser of the command line, whichever the verb.
#[derive(Debug, Clone)]
pub enum CasesValue {
    /// The folder of the cases.
    Folder(PathBuf),
    /// Where cases are made up: how many.
    Count(u32),
}

impl CasesValue {
    /// Reads a folder.
    pub fn folder() -> impl TypedValueParser<Value = Self> {
        PathBufValueParser::new().map(Self::Folder)
    }

    /// Reads a number.
    pub fn count() -> impl TypedValueParser<Value = Self> {
        value_parser!(u32).map(Self::Count)
    }
}

/// The selection of cases.
#[derive(Debug, clap::Args)]
pub struct Selection {
    /// Only cases whose id matches one of these globs (`**` crosses folders, `*` does not).
    #[arg(long, value_name = "GLOB", num_args = 1..)]
    pub filter: Vec<String>,
    /// Only the cases of this profile, a named selection that follows a document.
    #[arg(long, value_name = "NAME", value_parser = profile)]
    pub profile: Option<Arc<Profile>>,
    /// Only part K of N of the selected cases, for several machines.
    #[arg(long, value_name = "K/N", value_parser = shard)]
    pub shard: Option<(usize, usize)>,
}

fn profile(name: &str) -> Result<Arc<Profile>, String> {
    Profile::named(name).map(Arc::new)
}

fn shard(text: &str) -> Result<(usize, usize), String> {
    let parts = text.split_once('/').and_then(|(k, n)| Some((k.parse().ok()?, n.parse().ok()?)));
    parts.filter(|(k, n)| (1..=*n).contains(k)).ok_or_else(|| "K/N with 1 ≤ K ≤ N, such as 2/4".into())
}

impl Selection {
    /// The selected cases, in order.
    ///
    /// # Errors
    /// A glob is not understood.
    pub fn of<'a>(&self, cases: &'a Cases) -> Result<Vec<&'a Case>, Failure> {
        let globs = self.globs()?;
        let chosen = cases.cases.iter().filter(|case| self.filter.is_empty() || globs.is_match(&case.id));
        let chosen = chosen.filter(|case| self.profile.as_ref().is_none_or(|p| p.row(case).is_some()));
        Ok(match self.shard {
            None => chosen.collect(),
            Some((k, n)) => {
                chosen.enumerate().filter(|(i, _)| i % n == k - 1).map(|(_, case)| case).collect()
            }
        })
    }

    /// Whether nothing is left out.
    pub fn is_everything(&self) -> bool {
        self.filter.is_empty() && self.shard.is_none() && self.profile.is_none()
    }

    fn globs(&self) -> Result<GlobSet, Failure> {
        let mut set = GlobSetBuilder::new();
        for filter in &self.filter {
            let glob = GlobBuilder::new(filter).literal_separator(true).build();
            set.add(glob.map_err(|e| Failure::usage(format!("--filter {e}")))?);
        }
        set.build().map_err(|e| Failure::usage(format!("--filter {e}")))
    }
}

/// The target named on the command line and its known failures. `name` is a file, the name of an
/// embedded target file, or `reference`.
///
/// # Errors
/// There is no such target, its file is wrong, or its program is not there.
pub fn target(name: &str, workshop: &Workshop, built: Option<Built>) -> Result<(Target, KnownList), Failure> {
    if name == BUILT_IN {
        let Some(built) = built else {
            return Err(Failure::usage("this program was built without the reference; name a --target"));
        };
        return Ok((built(workshop)?, KnownList::default()));
    }
    let path = Path::new(name);
    let (mut target, folder) = match embedded_target(name) {
        Some(source) => (Target::parse(source).map_err(Failure::usage)?, None),
        None if path.exists() => (Target::load(path).map_err(Failure::usage)?, path.parent()),
        None => {
            let known = embedded_targets().join(", ");
            return Err(Failure::usage(format!(
                "target {name}: no such file, and none of {BUILT_IN}, {known}"
            )));
        }
    };
    if let Some(start) = &target.start {
        let script = beside(&start.script, folder)?;
        workshop.start(&mut target, &script).map_err(Failure::not_started)?;
    }
    target.anchor()?;
    let mut known = KnownList::default();
    for file in &target.known {
        let list = known_list(file, folder)?;
        known.join(list).map_err(|e| Failure::usage(format!("{}: {e}", file.display())))?;
    }
    for (role, command) in &target.programs {
        let program = target.program(role);
        let there = program
            .as_ref()
            .is_some_and(|p| p.port.is_some() || p.path.components().count() < 2 || p.path.exists());
        if !there {
            return Err(Failure::not_started(format!(
                "target {}: the program of role {role} is not there: {command}",
                target.name
            )));
        }
    }
    Ok((target, known))
}

/// The text of a file that a target file names.
fn beside(file: &Path, folder: Option<&Path>) -> Result<String, Failure> {
    let Some(folder) = folder else {
        return Ok(embedded_beside(file).map(str::to_string).unwrap_or_default());
    };
    let place = folder.join(file);
    std::fs::read_to_string(&place).map_err(|e| Failure::usage(format!("{}: {e}", place.display())))
}

fn known_list(file: &Path, folder: Option<&Path>) -> Result<KnownList, Failure> {
    let (place, source): (PathBuf, String) = match folder {
        None => (file.into(), embedded_beside(file).map(str::to_string).unwrap_or_default()),
        Some(folder) => {
            let place = folder.join(file);
            let source = std::fs::read_to_string(&place);
            let source = source.map_err(|e| Failure::usage(format!("{}: {e}", place.display())))?;
            (place, source)
        }
    };
    KnownList::parse(&source).map_err(|e| Failure::usage(format!("{}: {e}", place.display())))
}
