//! A name becomes a protocol, a backend or a plugin: one built in, else a file of `$MODULE_PATH`
//! (CORE-MOD-1 … 11).

use std::{
    ffi::OsString,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::PathBuf,
};

use bstr::{BStr, BString, ByteSlice};

use crate::{
    abi, backends, plugin::LoadError, plugin::Module, plugins, protocol, protocol::Protocol, session::Session,
};

/// Where module files are looked for without `$MODULE_PATH` (CORE-MOD-1).
pub const DEFAULT_DIRECTORY: &str = "/usr/lib/mailfront";

/// Modules built in, each with what makes one.
type Table<T> = &'static [(&'static str, fn() -> Box<T>)];

const PROTOCOLS: Table<dyn Protocol> = &[
    ("qmqp", || Box::<protocol::qmqp::Qmqp>::default()),
    ("qmtp", || Box::<protocol::qmtp::Qmtp>::default()),
    ("smtp", || Box::<protocol::smtp::Smtp>::default()),
];

const BACKENDS: Table<dyn Module> = &[
    ("echo", || Box::<backends::echo::Echo>::default()),
    ("qmail", || Box::<backends::qmail::Qmail>::default()),
    ("queuedir", || Box::<backends::queuedir::Queuedir>::default()),
];

const PLUGINS: Table<dyn Module> = &[
    ("accept", || Box::new(plugins::accept::Accept)),
    ("accept-recipient", || Box::new(plugins::accept_recipient::AcceptRecipient)),
    ("accept-sender", || Box::new(plugins::accept_sender::AcceptSender)),
    ("add-received", || Box::<plugins::add_received::AddReceived>::default()),
    ("check-fqdn", || Box::new(plugins::check_fqdn::CheckFqdn)),
    ("counters", || Box::<plugins::counters::Counters>::default()),
    ("cvm-authenticate", || Box::<plugins::cvm_authenticate::CvmAuthenticate>::default()),
    ("cvm-validate", || Box::<plugins::cvm_validate::CvmValidate>::default()),
    ("force-file", || Box::new(plugins::force_file::ForceFile)),
    ("mailrules", || Box::<plugins::mailrules::Mailrules>::default()),
    ("mailrulesx", || Box::<plugins::mailrulesx::Mailrulesx>::default()),
    ("patterns", || Box::<plugins::patterns::Patterns>::default()),
    ("lua", || Box::<plugins::lua::Lua>::default()),
    ("qmail-validate", || Box::<plugins::qmail_validate::QmailValidate>::default()),
    ("reject", || Box::new(plugins::reject::Reject)),
    ("relayclient", || Box::new(plugins::relayclient::Relayclient)),
    ("require-auth", || Box::new(plugins::require_auth::RequireAuth)),
    ("starttls-ucspi", || Box::new(plugins::starttls_ucspi::StarttlsUcspi)),
];

/// The names of all modules built in.
pub fn built_in_names() -> impl Iterator<Item = &'static str> {
    let protocols = PROTOCOLS.iter().map(|(name, _)| *name);
    protocols.chain(BACKENDS.iter().map(|(name, _)| *name)).chain(PLUGINS.iter().map(|(name, _)| *name))
}

/// The three name spaces of modules (CORE-MOD-3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Speaks with the client.
    Protocol,
    /// Takes the messages.
    Backend,
    /// Has a say in what is taken.
    Plugin,
}

impl Kind {
    /// The word of file names and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Protocol => "protocol",
            Self::Backend => "backend",
            Self::Plugin => "plugin",
        }
    }
}

/// The protocol called `name`.
///
/// # Errors
/// There is none, or it cannot be loaded.
pub fn protocol(session: &Session, name: &BStr) -> Result<Box<dyn Protocol>, LoadError> {
    built_in(PROTOCOLS, name)
        .map_or_else(|| abi::load_protocol(&file(session, Kind::Protocol, name), session), Ok)
}

/// The backend called `name`.
///
/// # Errors
/// There is none, or it cannot be loaded.
pub fn backend(session: &Session, name: &BStr) -> Result<Box<dyn Module>, LoadError> {
    built_in(BACKENDS, name).map_or_else(|| abi::load_backend(&file(session, Kind::Backend, name)), Ok)
}

/// The plugin called `name`.
///
/// # Errors
/// There is none, or it cannot be loaded.
pub fn plugin(session: &Session, name: &BStr) -> Result<Box<dyn Module>, LoadError> {
    built_in(PLUGINS, name).map_or_else(|| abi::load_plugin(&file(session, Kind::Plugin, name), name), Ok)
}

/// A built-in module is found before the module directory is looked at (CORE-MOD-10).
fn built_in<T: ?Sized>(table: Table<T>, name: &BStr) -> Option<Box<T>> {
    table.iter().find(|(known, _)| *known == name).map(|(_, make)| make())
}

/// `$MODULE_PATH`; set but empty is the root (CORE-MOD-2).
fn directory(session: &Session) -> BString {
    session.setting("MODULE_PATH").unwrap_or_else(|| DEFAULT_DIRECTORY.into())
}

fn file(session: &Session, kind: Kind, name: &BStr) -> PathBuf {
    let directory = directory(session);
    let kind = format!("/{}-", kind.name());
    // Pasted, not joined: a name may hold `/` and a directory may end in one (CORE-MOD-2).
    OsString::from_vec([directory.as_bytes(), kind.as_bytes(), name.as_bytes(), b".so"].concat()).into()
}

/// Every module that could be named: those built in and those whose files are there, by kind and name.
pub fn list(session: &Session) -> Vec<(Kind, BString)> {
    let built_in = [
        (Kind::Protocol, PROTOCOLS.iter().map(|(name, _)| *name).collect::<Vec<_>>()),
        (Kind::Backend, BACKENDS.iter().map(|(name, _)| *name).collect()),
        (Kind::Plugin, PLUGINS.iter().map(|(name, _)| *name).collect()),
    ];
    let mut all: Vec<(Kind, BString)> = Vec::new();
    for (kind, names) in built_in {
        all.extend(names.into_iter().map(|name| (kind, name.into())));
    }
    let path = PathBuf::from(OsString::from_vec(directory(session).into()));
    for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
        all.extend(module_file(entry.file_name().as_bytes()));
    }
    all.sort();
    all.dedup();
    all
}

fn module_file(name: &[u8]) -> Option<(Kind, BString)> {
    let stem = name.strip_suffix(b".so")?;
    [Kind::Protocol, Kind::Backend, Kind::Plugin].into_iter().find_map(|kind| {
        let name = stem.strip_prefix(kind.name().as_bytes())?.strip_prefix(b"-")?;
        Some((kind, name.into()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_tell_kind_and_name() {
        assert_eq!(module_file(b"plugin-check-fqdn.so"), Some((Kind::Plugin, "check-fqdn".into())));
        assert_eq!(module_file(b"backend-qmail.so"), Some((Kind::Backend, "qmail".into())));
        assert_eq!(module_file(b"plugin-x.so.1"), None);
        assert_eq!(module_file(b"pluginx.so"), None);
    }
}
