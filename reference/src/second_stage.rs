//! Becoming another program on behalf of an account (POPAUTH-EXEC-1 … 8, IMAP-EXEC-1).
//!
//! Whatever fails here fails before the other program runs: nobody is served with rights that are not
//! the account's.

use std::{
    ffi::OsStr,
    io,
    os::unix::{ffi::OsStrExt, process::CommandExt},
    process::Command,
};

use bstr::BString;
use rustix::{
    io::Errno,
    process::{Gid, Uid, chdir, geteuid},
    thread::{set_thread_gid, set_thread_groups, set_thread_uid},
};

use crate::credentials::{identity::Identity, modules::LOOKUP_SECRET};

/// Takes on groups and user of an account, for good, and goes to its directory with its rights
/// (POPAUTH-EXEC-1, -3 … 5).
///
/// A front end is one thread, so that what the system does to a thread it does to the program.
///
/// # Errors
/// One of them could not be taken on.
pub fn become_account(identity: &Identity) -> Result<(), Errno> {
    let gid = Gid::from_raw(identity.gid);
    if geteuid().is_root() {
        // Root's own groups must not stay (POPAUTH-EXEC-4).
        let mut groups: Vec<Gid> = identity.groups().into_iter().map(Gid::from_raw).collect();
        if groups.is_empty() {
            groups.push(gid);
        }
        set_thread_groups(&groups)?;
    }
    set_thread_gid(gid)?;
    set_thread_uid(Uid::from_raw(identity.uid))?;
    chdir(identity.directory.as_slice())
}

/// Runs a program in this one's place: words, standard descriptors and environment stay, `variables`
/// come on top, and secrets of the front end are taken out (POPAUTH-EXEC-2, -8).
///
/// Comes back only if that failed, and says why.
pub fn execute(words: &[BString], variables: &[(&str, BString)]) -> io::Error {
    let Some((program, arguments)) = words.split_first() else { return io::ErrorKind::NotFound.into() };
    let mut command = Command::new(OsStr::from_bytes(program));
    command.args(arguments.iter().map(|word| OsStr::from_bytes(word)));
    command.env_remove(LOOKUP_SECRET);
    command.envs(variables.iter().map(|(name, value)| (name, OsStr::from_bytes(value))));
    command.exec()
}

/// Whether these can be variables: a value with NUL would end early.
pub fn is_environment(variables: &[(&str, BString)]) -> bool {
    !variables.iter().any(|(_, value)| value.contains(&0))
}
