//! The messages of a maildir, in their order, as one session sees them (MAILDIR-ARG-5, -7,
//! MAILDIR-SCAN-1 … 9, MAILDIR-QUIT-2 … 9, MAILDIR-RSET-1, -2). Stops SEC-94 and SEC-96.
//!
//! Maildirs may hold millions of files, so a message is 24 bytes here and its name, all names in one
//! piece of memory. The system is asked only about files whose names do not tell everything.

use std::{
    mem::MaybeUninit,
    os::fd::{BorrowedFd, OwnedFd},
};

use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, RawDir, RenameFlags},
    io::Errno,
};

use crate::wire::maildir_name::{Key, Name, order};

/// Directory entries are read in pieces of this many bytes, hundreds at a time.
const DIRECTORY_BUFFER: usize = 32 * 1024;

/// How many messages are taken; the oldest come first (MAILDIR-SCAN-2, -4).
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// From `cur`.
    pub cur: usize,
    /// From `new`.
    pub new: usize,
    /// In all, those from `cur` first (MAILDIR-SCAN-3).
    pub all: usize,
}

/// Which of a maildir's folders a file is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Folder {
    Cur,
    New,
}

/// Whether a file can be a message, as far as its directory entry tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Regular,
    Unknown,
}

/// One message; its name is `length` bytes of the list's names from `at`.
#[derive(Debug, Clone, Copy)]
struct Message {
    key: Key,
    size: u64,
    at: u32,
    length: u8,
    folder: Folder,
    kind: Kind,
    /// Retrieved in this session (MAILDIR-FLAG-2).
    is_read: bool,
    is_deleted: bool,
}

/// Why there is no such message (MAILDIR-NUM-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoMessage {
    /// There are fewer, or the number is 0.
    OutOfRange,
    /// It was deleted in this session.
    Deleted,
}

/// A message that was deleted is still there (MAILDIR-QUIT-5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAllRemoved;

/// A maildir, its messages numbered from 0 here and from 1 for clients.
pub struct Store {
    cur: OwnedFd,
    new: OwnedFd,
    names: Vec<u8>,
    messages: Vec<Message>,
}

impl Store {
    /// Reads both folders of `maildir`. What comes later is not seen (MAILDIR-ARG-7).
    ///
    /// # Errors
    /// A folder cannot be read.
    pub fn open(maildir: BorrowedFd<'_>, limits: Limits) -> Result<Self, Errno> {
        let folder = |name| {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            rustix::fs::openat(maildir, name, flags, Mode::empty())
        };
        let (cur, new) = (folder("cur")?, folder("new")?);
        let mut store = Self { cur, new, names: Vec::new(), messages: Vec::new() };
        store.scan(Folder::Cur, limits.cur.min(limits.all))?;
        let left = limits.all.saturating_sub(store.messages.len());
        store.scan(Folder::New, limits.new.min(left))?;
        store.sort_from(0);
        store.messages.shrink_to_fit();
        Ok(store)
    }

    /// Adds the messages of a folder, at most `limit`.
    fn scan(&mut self, folder: Folder, limit: usize) -> Result<(), Errno> {
        let first = self.messages.len();
        self.list(folder)?;
        if self.messages.len() - first > limit {
            self.sort_from(first);
        }
        let mut kept = first;
        for at in first..self.messages.len() {
            if kept - first == limit {
                break;
            }
            if let Some(message) = self.examined(self.messages[at]) {
                self.messages[kept] = message;
                kept += 1;
            }
        }
        self.messages.truncate(kept);
        Ok(())
    }

    /// Adds every entry of a folder that may be a message: no dot file, nothing but a regular file
    /// (MAILDIR-SCAN-1, -6).
    fn list(&mut self, folder: Folder) -> Result<(), Errno> {
        let directory = match folder {
            Folder::Cur => &self.cur,
            Folder::New => &self.new,
        };
        let mut buffer = [MaybeUninit::uninit(); DIRECTORY_BUFFER];
        let mut entries = RawDir::new(directory, &mut buffer);
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            let kind = match entry.file_type() {
                FileType::RegularFile => Kind::Regular,
                FileType::Unknown => Kind::Unknown,
                _ => continue,
            };
            if name.starts_with(b".") {
                continue;
            }
            // No file system has longer names; four gigabytes of them are more than can be served.
            let length = u8::try_from(name.len()).map_err(|_| Errno::NAMETOOLONG)?;
            let at = u32::try_from(self.names.len()).map_err(|_| Errno::NOMEM)?;
            self.names.extend_from_slice(name);
            self.messages.push(Message {
                key: Key::of(name),
                size: 0,
                at,
                length,
                folder,
                kind,
                is_read: false,
                is_deleted: false,
            });
        }
        Ok(())
    }

    /// The message with its size, from its name or from the system. Nothing if the system shows
    /// something else than a regular file, or does not show it at all (MAILDIR-SCAN-6, -8, -SIZE-1, -3).
    fn examined(&self, message: Message) -> Option<Message> {
        let name = self.name_of(&message);
        let told = Name::parse(name).size();
        if let (Some(size), Kind::Regular) = (told, message.kind) {
            return Some(Message { size, ..message });
        }
        let stat = rustix::fs::statat(self.folder(message.folder), name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return None;
        }
        let size = told.or_else(|| u64::try_from(stat.st_size).ok()).unwrap_or(0);
        Some(Message { size, ..message })
    }

    fn sort_from(&mut self, first: usize) {
        let names = &self.names;
        let name = |message: &Message| &names[message.at as usize..][..usize::from(message.length)];
        self.messages[first..].sort_unstable_by(|a, b| {
            let by_key = a.key.cmp(&b.key);
            by_key.then_with(|| order(name(a), name(b))).then_with(|| a.folder.cmp(&b.folder))
        });
    }

    fn folder(&self, folder: Folder) -> &OwnedFd {
        match folder {
            Folder::Cur => &self.cur,
            Folder::New => &self.new,
        }
    }

    fn name_of(&self, message: &Message) -> &[u8] {
        &self.names[message.at as usize..][..usize::from(message.length)]
    }

    /// How many messages are left, and their octets (MAILDIR-STAT-1).
    pub fn totals(&self) -> (usize, u128) {
        let kept = self.messages.iter().filter(|message| !message.is_deleted);
        kept.fold((0, 0), |(count, octets), message| (count + 1, octets + u128::from(message.size)))
    }

    /// The messages that are left, by index.
    pub fn kept(&self) -> impl Iterator<Item = usize> {
        self.messages.iter().enumerate().filter(|(_, message)| !message.is_deleted).map(|(index, _)| index)
    }

    /// The index of the message a client calls `number`.
    ///
    /// # Errors
    /// There is none.
    pub fn find(&self, number: u64) -> Result<usize, NoMessage> {
        let index = number.checked_sub(1).and_then(|index| usize::try_from(index).ok());
        let index = index.filter(|index| *index < self.messages.len()).ok_or(NoMessage::OutOfRange)?;
        if self.messages[index].is_deleted { Err(NoMessage::Deleted) } else { Ok(index) }
    }

    /// The size of a message (MAILDIR-SIZE-5).
    pub fn size(&self, index: usize) -> u64 {
        self.messages[index].size
    }

    /// The name of a message's file.
    pub fn name(&self, index: usize) -> Name<'_> {
        Name::parse(self.name_of(&self.messages[index]))
    }

    /// Opens a message's file, if it is still a regular one; never waits for it (MAILDIR-SCAN-6, -7).
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn read(&self, index: usize) -> Result<OwnedFd, Errno> {
        let message = &self.messages[index];
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let folder = self.folder(message.folder);
        let file = rustix::fs::openat(folder, self.name_of(message), flags, Mode::empty())?;
        let stat = rustix::fs::fstat(&file)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Ok(file),
            _ => Err(Errno::INVAL),
        }
    }

    /// The message was retrieved (MAILDIR-FLAG-2).
    pub fn mark_read(&mut self, index: usize) {
        self.messages[index].is_read = true;
    }

    /// The message is to be removed at [`Store::update`].
    pub fn delete(&mut self, index: usize) {
        self.messages[index].is_deleted = true;
    }

    /// Takes back what was marked in this session; numbers stay (MAILDIR-RSET-1, -2).
    pub fn reset(&mut self) {
        for message in &mut self.messages {
            (message.is_read, message.is_deleted) = (false, false);
        }
    }

    /// The highest number of a message that was read, now or before; 0 if there is none
    /// (MAILDIR-LAST-1).
    pub fn last_read(&self) -> usize {
        self.messages.iter().rposition(|message| self.is_seen(message)).map_or(0, |index| index + 1)
    }

    fn is_seen(&self, message: &Message) -> bool {
        message.is_read || Name::parse(self.name_of(message)).is_seen()
    }

    /// Removes what was deleted, and moves everything else to `cur`, marked as read if it was
    /// (MAILDIR-QUIT-2, -3).
    ///
    /// # Errors
    /// A deleted message is still there. Everything else was done.
    pub fn update(&self) -> Result<(), NotAllRemoved> {
        let mut result = Ok(());
        for message in &self.messages {
            let (folder, name) = (self.folder(message.folder), self.name_of(message));
            if message.is_deleted {
                match rustix::fs::unlinkat(folder, name, AtFlags::empty()) {
                    Ok(()) | Err(Errno::NOENT) => {}
                    Err(_) => result = Err(NotAllRemoved),
                }
                continue;
            }
            let seen = message.is_read.then(|| Name::parse(name).seen());
            let then = seen.as_deref().unwrap_or(name);
            if message.folder == Folder::New || then != name {
                // A message that cannot be moved stays where it is (MAILDIR-QUIT-5).
                let _stays = self.rename(folder, name, then);
            }
        }
        result
    }

    /// Moves a file to `cur`, never onto another one (MAILDIR-QUIT-6).
    fn rename(&self, folder: &OwnedFd, name: &[u8], then: &[u8]) -> Result<(), Errno> {
        match rustix::fs::renameat_with(folder, name, &self.cur, then, RenameFlags::NOREPLACE) {
            // File systems that cannot do this in one step; a link never replaces anything either.
            Err(Errno::INVAL | Errno::NOSYS) => {
                rustix::fs::linkat(folder, name, &self.cur, then, AtFlags::empty())?;
                rustix::fs::unlinkat(folder, name, AtFlags::empty())
            }
            done => done,
        }
    }
}
