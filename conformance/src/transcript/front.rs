//! The TOML head of a case.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    model::Level,
    service::{Kind, Service},
};

/// What a case is about and what is put in place for it. Keys are described in the guide.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Front {
    /// One sentence that is true when the case passes.
    pub title: String,
    /// Clause ids and RFC sections.
    pub clauses: Vec<String>,
    /// How strong the demand is.
    #[serde(skip_serializing_if = "is_must")]
    pub level: Level,
    /// The role and its arguments.
    pub run: String,
    /// What the answers were recorded from.
    pub recorded: String,
    /// Of an attack: whether a conforming relay can carry it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reach: Option<Reach>,
    /// The case in which the well-formed input is accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub twin: Option<String>,
    /// Features the target must have.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
    /// Anything a reader of the failure should know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// `off: why` where custody cannot be compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custody: Option<String>,
    /// Variables taken away.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unset: Vec<String>,
    /// Probe modules put into `$MODULE_PATH`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub modules: Vec<String>,
    /// Things done to the case's folder and process before the start.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub setup: Vec<String>,
    /// Deliveries played, each with the reason.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub only: BTreeMap<String, String>,
    /// Deliveries left out, each with the reason.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub skip: BTreeMap<String, String>,
    /// Variables added or replaced.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Files put in place; a path ending in `/` is a folder.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, String>,
    /// Messages of `${MAILDIR}`: path below it → content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maildir: Option<BTreeMap<String, String>>,
    /// Programs that the target talks to, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub services: BTreeMap<String, Service>,
}

/// Whether a conforming relay can carry the bytes of an attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reach {
    /// A sender can produce them through a conforming relay.
    Reachable,
    /// Only a client that speaks to the server itself can.
    Robustness,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_must(level: &Level) -> bool {
    *level == Level::Must
}

/// The protocols in which mail is handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Lines.
    Smtp,
    /// Netstrings, several messages a connection, an answer for each recipient.
    Qmtp,
    /// Netstrings, one message a connection, one answer.
    Qmqp,
}

/// Something done before the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setup {
    /// `mode PATH 0600`
    Mode(String, u32),
    /// `link PATH TARGET`
    Link(String, String),
    /// `fill PATH BYTES`: a file of that many bytes
    Fill(String, usize),
    /// `cdb PATH KEY…`: a constant database with these keys
    Cdb(String, Vec<String>),
    /// `cut PATH BYTES`: a file keeps its first bytes only
    Cut(String, u64),
    /// `close N`: descriptor closed at start
    Close(u8),
    /// `limit file BYTES`: resource limit, in units of 512 bytes
    LimitFile(u64),
    /// `limit memory BYTES`: address space, in units of 1024 bytes
    LimitMemory(u64),
    /// `limit descriptors N`: open at once
    LimitDescriptors(u64),
    /// `limit processes N`: of one user, who is not root
    LimitProcesses(u64),
    /// `user nobody`: needs root
    User(String),
    /// `umask 077`
    Umask(u32),
    /// `mtime PATH SECONDS`: the time of its last change, since 1970
    Mtime(String, u64),
    /// `fifo PATH`
    Fifo(String),
    /// `copy FROM TO`
    Copy(String, String),
    /// `move FROM TO`
    Move(String, String),
    /// `remove PATH`: a file
    Remove(String),
    /// `socket PATH`: a socket that nobody listens at
    Socket(String),
    /// `call link PATH`: the program is started by a link to it
    CallByLink(String),
    /// `call copy PATH USER 4755`: the program is started as a copy of it, of this owner and mode; needs root
    CallByCopy(String, String, u32),
    /// `call path`: the program is looked for in `$PATH`
    CallByPath,
    /// `ucspi-tls`: the descriptors and variables of a UCSPI server that can do TLS; without one of the
    /// descriptors, or with nobody behind the control one
    UcspiTls(UcspiFault),
}

/// What is wrong with the descriptors of a UCSPI server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UcspiFault {
    /// Nothing.
    None,
    /// `ucspi-tls without SSLREADFD`: this one is announced and not open: its place among the three.
    Missing(usize),
    /// `ucspi-tls gone`: nobody reads the control descriptor.
    Gone,
}

/// What a UCSPI server calls its descriptors: where the handshake is asked for, where the client is
/// read, where it is written to; and the numbers the suite gives them.
pub const UCSPI_DESCRIPTORS: [(&str, u8); 3] = [("SSLCTLFD", 7), ("SSLREADFD", 8), ("SSLWRITEFD", 9)];

impl Front {
    /// The words of `run`.
    pub fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        let mut current: Option<String> = None;
        let mut quoted = false;
        for c in self.run.chars() {
            match c {
                '\'' => {
                    quoted = !quoted;
                    current.get_or_insert_default();
                }
                ' ' if !quoted => words.extend(current.take()),
                _ => current.get_or_insert_default().push(c),
            }
        }
        words.extend(current);
        words
    }

    /// The protocol spoken: that of a generic role, of a wrapper command, or the first argument of
    /// `mailfront`.
    pub fn protocol(&self) -> Option<Protocol> {
        let words = self.words();
        let role = words.first()?;
        let name = if role == "mailfront" { words.get(1)? } else { role };
        match name.split_once("front-").map_or(name.as_str(), |(protocol, _)| protocol) {
            "smtp" => Some(Protocol::Smtp),
            "qmtp" => Some(Protocol::Qmtp),
            "qmqp" => Some(Protocol::Qmqp),
            _ => None,
        }
    }

    /// The variables that its services and its maildir add.
    pub fn variables(&self) -> Vec<String> {
        let mut names = Vec::new();
        for (name, service) in &self.services {
            let name = super::service::variable(name);
            if matches!(service.kind, Kind::Tcp | Kind::Udp | Kind::Dns) {
                names.extend([format!("{name}_PORT"), format!("{name}_ADDRESS")]);
            }
            names.push(name);
        }
        if !names.is_empty() {
            names.extend(["UID".into(), "GID".into()]);
        }
        names.extend(self.maildir.is_some().then(|| "MAILDIR".into()));
        names
    }

    /// Whether messages that a program takes are captured as if it were qmail-queue.
    pub fn queues(&self) -> bool {
        self.services.values().any(Service::queues)
    }

    /// The entries of `setup`.
    ///
    /// # Errors
    /// The entry that is not understood.
    pub fn setups(&self) -> Result<Vec<Setup>, String> {
        let mut setups = Vec::new();
        for entry in &self.setup {
            let repeated = entry.strip_prefix("repeat ").and_then(|rest| rest.split_once(' '));
            let (count, entry) = repeated.unwrap_or(("1", entry));
            let count: usize =
                count.parse().ok().filter(|n| *n <= SETUPS_MAX).ok_or_else(|| entry.to_string())?;
            for turn in 1..=count {
                let turned = entry.replace("${#}", &turn.to_string());
                setups.push(setup(&turned).ok_or(turned)?);
            }
        }
        Ok(setups)
    }
}

/// Most turns of a `repeat`.
const SETUPS_MAX: usize = 100_000;

/// What a `do` step does; what concerns the program's start cannot be done any more.
pub fn done_later(entry: &str) -> Option<Setup> {
    setup(entry).filter(|setup| {
        !matches!(
            setup,
            Setup::Close(_)
                | Setup::LimitFile(_)
                | Setup::LimitMemory(_)
                | Setup::LimitDescriptors(_)
                | Setup::LimitProcesses(_)
                | Setup::User(_)
                | Setup::UcspiTls(_)
                | Setup::Umask(_)
                | Setup::CallByLink(_)
                | Setup::CallByCopy(..)
                | Setup::CallByPath
        )
    })
}

fn setup(entry: &str) -> Option<Setup> {
    let words: Vec<&str> = entry.split(' ').collect();
    Some(match words[..] {
        ["mode", path, mode] => Setup::Mode(path.into(), u32::from_str_radix(mode, 8).ok()?),
        ["link", path, target] => Setup::Link(path.into(), target.into()),
        ["fill", path, bytes] => Setup::Fill(path.into(), bytes.parse().ok()?),
        ["cdb", path, ref keys @ ..] => {
            Setup::Cdb(path.into(), keys.iter().map(|key| (*key).to_string()).collect())
        }
        ["cut", path, bytes] => Setup::Cut(path.into(), bytes.parse().ok()?),
        ["close", descriptor] => Setup::Close(descriptor.parse().ok().filter(|n| *n < 3)?),
        ["limit", "file", bytes] => Setup::LimitFile(bytes.parse().ok()?),
        ["limit", "memory", bytes] => Setup::LimitMemory(bytes.parse().ok()?),
        ["limit", "descriptors", number] => Setup::LimitDescriptors(number.parse().ok()?),
        ["limit", "processes", number] => Setup::LimitProcesses(number.parse().ok()?),
        ["user", name] => Setup::User(name.into()),
        ["umask", mask] => Setup::Umask(u32::from_str_radix(mask, 8).ok().filter(|mask| *mask <= 0o777)?),
        ["mtime", path, time] => Setup::Mtime(path.into(), time.parse().ok()?),
        ["fifo", path] => Setup::Fifo(path.into()),
        ["copy", from, to] => Setup::Copy(from.into(), to.into()),
        ["move", from, to] => Setup::Move(from.into(), to.into()),
        ["remove", path] => Setup::Remove(path.into()),
        ["socket", path] => Setup::Socket(path.into()),
        ["call", "link", path] => Setup::CallByLink(path.into()),
        ["call", "copy", path, user, mode] => {
            Setup::CallByCopy(path.into(), user.into(), u32::from_str_radix(mode, 8).ok()?)
        }
        ["call", "path"] => Setup::CallByPath,
        ["ucspi-tls"] => Setup::UcspiTls(UcspiFault::None),
        ["ucspi-tls", "gone"] => Setup::UcspiTls(UcspiFault::Gone),
        ["ucspi-tls", "without", missing] => {
            let at = UCSPI_DESCRIPTORS.iter().position(|(name, _)| *name == missing)?;
            Setup::UcspiTls(UcspiFault::Missing(at))
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_quoted_blanks_and_empty_words() {
        let front = Front { run: "mailfront smtp '' 'a b'  c".into(), ..Front::default() };
        assert_eq!(front.words(), ["mailfront", "smtp", "", "a b", "c"]);
    }

    #[test]
    fn a_copy_of_the_program_has_an_owner_and_a_mode() {
        let copy = Setup::CallByCopy("mailfront".into(), "nobody".into(), 0o4755);
        assert_eq!(setup("call copy mailfront nobody 4755"), Some(copy));
        assert_eq!(setup("call copy mailfront nobody 4788"), None);
        assert_eq!(setup("call copy mailfront nobody"), None);
        assert_eq!(done_later("call copy mailfront nobody 4755"), None);
    }

    #[test]
    fn the_protocol_is_in_the_command() {
        let spoken = |run: &str| Front { run: run.into(), ..Front::default() }.protocol();
        assert_eq!(spoken("mailfront smtp echo"), Some(Protocol::Smtp));
        assert_eq!(spoken("qmtpfront-echo accept"), Some(Protocol::Qmtp));
        assert_eq!(spoken("qmqp"), Some(Protocol::Qmqp));
        assert_eq!(spoken("pop3front-auth qmqp"), None);
        assert_eq!(spoken("mailfront"), None);
    }
}
