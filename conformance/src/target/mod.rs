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
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// A short name for reports.
    pub name: String,
    /// What it is, in one sentence.
    #[serde(default)]
    pub title: String,
    /// Role → command. A first word that is itself a role stands for that role's program; `tcp:PORT` is
    /// a server at that port of the loopback interface.
    pub programs: BTreeMap<String, String>,
    /// What it can do, as `needs` of a case asks for it.
    #[serde(default)]
    pub features: Vec<String>,
    /// Where its own modules lie, to be found beside the probe's.
    #[serde(default)]
    pub modules: Option<PathBuf>,
    /// How captured messages are seen: `queuedir` in a folder of the case, `queuedir DIR` in one of the
    /// server's, or nothing.
    #[serde(default)]
    pub delivery: Option<String>,
    /// The lists of known failures, beside the target file: one file or several, one an area.
    #[serde(default, deserialize_with = "one_or_several")]
    pub known: Vec<PathBuf>,
    /// How far a client may send ahead: `any` (the default), or `rfc2920`.
    #[serde(default)]
    pub pipelining: Pipelining,
    /// What is run before the first play.
    #[serde(default)]
    pub start: Option<Start>,
    /// How its POP3 server is reached.
    #[serde(default)]
    pub pop3: Option<Pop3>,
}

/// What is run before the first play, in a folder of its own: a server, where a role is a port, or what
/// puts files in place. `${DIR}` is the folder and `${PORT}`, `${PORT2}` are free ports, in the target
/// file and in its environment.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// A shell script beside the target file.
    pub script: PathBuf,
    /// Seconds within which it must be ready.
    #[serde(default = "patience")]
    pub ready: u64,
}

/// Seconds that a server may take, usually.
fn patience() -> u64 {
    30
}

/// How a POP3 server is reached and where it looks.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pop3 {
    /// User and password, if it wants a log-in. A case that does not need `login` begins behind it: the
    /// answer to PASS is its greeting.
    pub login: Option<String>,
    /// It does not greet, being logged in already: a `+OK` takes the greeting's place.
    pub silent: bool,
    /// Where it looks for the maildir, if not in the case's folder.
    pub maildir: Option<PathBuf>,
    /// Whose the maildir must be.
    pub owner: Option<String>,
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
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Program {
    /// The port of the loopback interface at which it serves, if it is not started for a play.
    pub port: Option<u16>,
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
            Some(folder) if folder.starts_with("queuedir ") => Ok(target),
            Some(other) => {
                Err(format!("delivery `{other}` is not known; it is `queuedir`, `queuedir DIR` or left out"))
            }
        }
    }

    /// The command of a role; wrapper commands are looked for beside `mailfront`.
    pub fn program(&self, role: &str) -> Option<Program> {
        let Some(command) = self.programs.get(role) else {
            let mailfront = self.programs.get("mailfront")?;
            let beside = Path::new(mailfront.split_whitespace().next()?).with_file_name(role);
            let known = role.starts_with("smtpfront-") || role.starts_with("qm");
            return (known && beside.exists()).then(|| Program { path: beside, ..Program::default() });
        };
        if let Some(port) = command.strip_prefix("tcp:") {
            return Some(Program { port: Some(port.parse().ok()?), ..Program::default() });
        }
        let mut words = command.split_whitespace().map(str::to_string);
        let first = words.next()?;
        let rest: Vec<String> = words.collect();
        match self.programs.get(&first) {
            Some(_) if first != role => {
                let mut program = self.program(&first)?;
                program.words.extend(rest);
                Some(program)
            }
            _ => Some(Program { path: first.into(), words: rest, port: None }),
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

    /// The folder in which a server of its own leaves captured messages.
    pub fn capture(&self) -> Option<&Path> {
        self.delivery.as_deref()?.strip_prefix("queuedir ").map(Path::new)
    }

    /// Whether plays share something of a server and cannot go side by side.
    pub fn is_shared(&self) -> bool {
        self.capture().is_some() || self.pop3.as_ref().is_some_and(|pop3| pop3.maildir.is_some())
    }

    /// Puts the values of variables in place, e.g. those of a server that has been started.
    pub fn fill(&mut self, variables: &BTreeMap<String, String>) {
        let fill = |text: &mut String| {
            for (name, value) in variables {
                *text = text.replace(&format!("${{{name}}}"), value);
            }
        };
        self.programs.values_mut().for_each(fill);
        self.delivery.iter_mut().for_each(fill);
        if let Some(place) = self.pop3.as_mut().and_then(|pop3| pop3.maildir.as_mut()) {
            let mut text = place.to_string_lossy().into_owned();
            fill(&mut text);
            *place = text.into();
        }
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
        features: features
            .chain(["auth", "pipelining", "starttls", "submission"])
            .map(str::to_string)
            .collect(),
        modules: None,
        delivery: Some("queuedir".into()),
        ..Target::default()
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
