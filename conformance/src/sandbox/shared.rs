//! What plays share with a server that outlives them: the folder it delivers to, the maildir it serves.

use std::{
    fs, io,
    os::unix::fs::{PermissionsExt as _, chown, symlink},
    path::Path,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::inotify,
};

use crate::target::Pop3;

/// How long a delivery that was acknowledged may take.
const DELIVERY_MOST: Duration = Duration::from_secs(5);

/// Removes the files in `folder`, which is made if it is not there.
pub fn empty(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for entry in fs::read_dir(folder)? {
        fs::remove_file(entry?.path())?;
    }
    Ok(())
}

/// Waits until `folder` has `count` files; an event of the folder ends each wait.
pub fn await_files(folder: &Path, count: usize) -> io::Result<()> {
    let watch = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
    inotify::add_watch(&watch, folder, inotify::WatchFlags::CREATE | inotify::WatchFlags::MOVED_TO)?;
    let deadline = Instant::now() + DELIVERY_MOST;
    while fs::read_dir(folder)?.count() < count {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        poll(&mut [PollFd::new(&watch, PollFlags::IN)], Some(&left))?;
        let mut seen = [0; 4096];
        while rustix::io::read(&watch, &mut seen).is_ok_and(|length| length > 0) {}
    }
    Ok(())
}

/// The folder of the case's maildir.
const MAILDIR: &str = "Maildir";

/// Puts the case's maildir where the server looks, and gives it to whom it must belong.
pub fn lend_maildir(case: &Path, pop3: &Pop3) -> io::Result<()> {
    let own = case.join(MAILDIR);
    if !own.exists() {
        for sub in ["", "tmp", "new", "cur"] {
            fs::create_dir(own.join(sub))?;
        }
    }
    if let Some(place) = &pop3.maildir {
        if place.exists() {
            fs::remove_dir_all(place)?;
        }
        copy(&own, place)?;
    }
    match &pop3.owner {
        Some(owner) => {
            let ids = user_ids(owner)?;
            give(case, ids, false)?;
            give(pop3.maildir.as_ref().unwrap_or(&own), ids, true)
        }
        None => Ok(()),
    }
}

/// Copies the messages back, so that what the server did to them is seen in the case's folder.
pub fn take_maildir_back(case: &Path, pop3: &Pop3) -> io::Result<()> {
    let Some(place) = &pop3.maildir else { return Ok(()) };
    let own = case.join(MAILDIR);
    fs::remove_dir_all(&own)?;
    fs::create_dir(&own)?;
    for sub in ["tmp", "new", "cur"] {
        copy(&place.join(sub), &own.join(sub))?;
    }
    Ok(())
}

/// Copies a folder with times, modes and symbolic links; what else is in it is left out.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, place) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            copy(&entry.path(), &place)?;
        } else if kind.is_symlink() {
            symlink(fs::read_link(entry.path())?, place)?;
        } else if kind.is_file() {
            fs::copy(entry.path(), &place)?;
            let time = entry.metadata()?.modified()?;
            fs::OpenOptions::new().append(true).open(&place)?.set_modified(time)?;
        }
    }
    fs::set_permissions(to, fs::Permissions::from_mode(fs::metadata(from)?.permissions().mode()))
}

fn give(place: &Path, ids: (u32, u32), below: bool) -> io::Result<()> {
    chown(place, Some(ids.0), Some(ids.1))?;
    if below {
        for entry in fs::read_dir(place)? {
            let entry = entry?;
            match entry.file_type()? {
                kind if kind.is_dir() => give(&entry.path(), ids, true)?,
                kind if kind.is_file() => chown(entry.path(), Some(ids.0), Some(ids.1))?,
                _ => {}
            }
        }
    }
    Ok(())
}

/// The ids of a user of this machine.
///
/// # Errors
/// There is none of this name.
pub fn user_ids(name: &str) -> io::Result<(u32, u32)> {
    let passwd = fs::read_to_string("/etc/passwd")?;
    let line = passwd.lines().find(|line| line.split(':').next() == Some(name));
    let mut fields = line.into_iter().flat_map(|line| line.split(':').skip(2));
    let mut number = || fields.next().and_then(|field| field.parse().ok());
    match (number(), number()) {
        (Some(uid), Some(gid)) => Ok((uid, gid)),
        _ => Err(io::Error::other(format!("there is no user {name}"))),
    }
}
