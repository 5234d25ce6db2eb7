//! What an implementation is: its programs, features, and known failures.

pub mod known;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::sandbox::Workshop;

pub use known::{Known, KnownList};

/// An implementation under test, as its target file describes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// A short name for reports.
    pub name: String,
    /// What it is, in one sentence.
    #[serde(default)]
    pub title: String,
    /// Role → command. A first word that is itself a role stands for that role's program.
    pub programs: BTreeMap<String, String>,
    /// What it can do, as `needs` of a case asks for it.
    #[serde(default)]
    pub features: Vec<String>,
    /// Where its own modules lie, to be found beside the probe's.
    #[serde(default)]
    pub modules: Option<PathBuf>,
    /// How captured messages are seen: `queuedir`, or nothing.
    #[serde(default)]
    pub delivery: Option<String>,
    /// The lists of known failures, beside the target file: one file or several, one an area.
    #[serde(default, deserialize_with = "one_or_several")]
    pub known: Vec<PathBuf>,
    /// How far a client may send ahead: `any` (the default), or `rfc2920`.
    #[serde(default)]
    pub pipelining: Pipelining,
}

/// A file, or an array of files.
fn one_or_several<'de, D: serde::Deserializer<'de>>(source: D) -> Result<Vec<PathBuf>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Files {
        One(PathBuf),
        Several(Vec<PathBuf>),
    }
    Ok(match Files::deserialize(source)? {
        Files::One(one) => vec![one],
        Files::Several(several) => several,
    })
}

/// How far a client may send ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pipelining {
    /// Everything at once.
    #[default]
    Any,
    /// Nothing behind EHLO, HELO, STARTTLS, AUTH, DATA and QUIT before its answer.
    Rfc2920,
}

/// A command ready to be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The file to start.
    pub path: PathBuf,
    /// Words before those of the case.
    pub words: Vec<String>,
}

impl Target {
    /// Reads a target file.
    ///
    /// # Errors
    /// The file cannot be read or is no target, with file and place.
    pub fn load(path: &Path) -> Result<Self, String> {
        let source = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        let target = Self::parse(&source).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(target)
    }

    /// Parses the text of a target file.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn parse(source: &str) -> Result<Self, String> {
        let target: Self = toml::from_str(source).map_err(|e| e.to_string().trim_end().to_string())?;
        for (role, command) in &target.programs {
            if command.split_whitespace().next().is_none() {
                return Err(format!("programs.{role} is empty"));
            }
        }
        match target.delivery.as_deref() {
            None | Some("queuedir") => Ok(target),
            Some(other) => Err(format!("delivery `{other}` is not known; it is `queuedir` or left out")),
        }
    }

    /// The command of a role; wrapper commands are looked for beside `mailfront`.
    pub fn program(&self, role: &str) -> Option<Program> {
        let Some(command) = self.programs.get(role) else {
            let mailfront = self.programs.get("mailfront")?;
            let beside = Path::new(mailfront.split_whitespace().next()?).with_file_name(role);
            let known = role.starts_with("smtpfront-") || role.starts_with("qm");
            return (known && beside.exists()).then(|| Program { path: beside, words: Vec::new() });
        };
        let mut words = command.split_whitespace().map(str::to_string);
        let first = words.next()?;
        let rest: Vec<String> = words.collect();
        match self.programs.get(&first) {
            Some(_) if first != role => {
                let mut program = self.program(&first)?;
                program.words.extend(rest);
                Some(program)
            }
            _ => Some(Program { path: first.into(), words: rest }),
        }
    }

    /// Makes relative paths of programs absolute: a play has a folder of its own.
    ///
    /// # Errors
    /// The current folder is not known.
    pub fn anchor(&mut self) -> io::Result<()> {
        for command in self.programs.values_mut() {
            let (program, rest) = command.split_once(' ').unwrap_or((command, ""));
            if program.contains('/') {
                let absolute = std::path::absolute(program)?;
                *command = format!("{} {rest}", absolute.display()).trim_end().to_string();
            }
        }
        Ok(())
    }

    /// The features of `needed` that this target lacks.
    pub fn lacks<'a>(&self, needed: &'a [String]) -> Vec<&'a str> {
        needed.iter().filter(|n| !self.features.contains(n)).map(String::as_str).collect()
    }
}

/// The target `reference`: links to `exe`, which acts by the name it is started under.
///
/// # Errors
/// A link cannot be made.
pub fn built_in<'a>(
    workshop: &Workshop,
    exe: &Path,
    names: impl Iterator<Item = &'a str>,
    features: impl Iterator<Item = &'a str>,
) -> io::Result<Target> {
    let names: Vec<&str> = names.collect();
    let bin = workshop.link_programs(exe, &names)?;
    let path = |name: &str| bin.join(name).to_string_lossy().into_owned();
    let mut programs: BTreeMap<String, String> =
        names.iter().map(|name| ((*name).into(), path(name))).collect();
    for role in ["smtp", "qmtp", "qmqp"] {
        programs.insert(role.into(), format!("mailfront {role} queuedir accept"));
    }
    programs.insert("pop3".into(), "pop3front-maildir Maildir".into());
    Ok(Target {
        name: "reference".into(),
        title: "the mailfront in this program".into(),
        programs,
        features: features.chain(["pipelining", "starttls"]).map(str::to_string).collect(),
        modules: None,
        delivery: Some("queuedir".into()),
        known: Vec::new(),
        pipelining: Pipelining::Any,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_may_stand_for_another_program() {
        let target = Target::parse(
            "name = 'x'\n[programs]\nmailfront = '/usr/sbin/mailfront'\nsmtp = 'mailfront smtp queuedir accept'\n",
        )
        .unwrap();
        let program = target.program("smtp").unwrap();
        assert_eq!(program.path, Path::new("/usr/sbin/mailfront"));
        assert_eq!(program.words, ["smtp", "queuedir", "accept"]);
    }

    #[test]
    fn an_unknown_key_is_an_error_with_its_place() {
        let error = Target::parse("name = 'x'\nprogrammes = {}\n").unwrap_err();
        assert!(error.contains("line 2") && error.contains("programmes"), "{error}");
    }
}
