//! One message of the queue, from its creation to its place in the destination (QDIR-4 … 10).

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Seek, SeekFrom, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
};

use super::{QueueError, directories::Directories};
use crate::unnamed;

/// Bytes gathered before they are written.
const BUFFER: usize = 64 * 1024;

/// Permissions before the umask: readers of the queue may run under another user (QDIR-7).
const MODE: u32 = 0o666;

/// Names tried before giving up. Each takes a new time, so that only a clock that stands still can
/// use them up (QDIR-6).
const NAMES_MAX: usize = 10_000;

/// A queue file being written. Dropped before [`QueueFile::deliver`], it leaves nothing behind.
pub(super) struct QueueFile {
    /// Closed before its temporary name is removed, as fields are dropped in their order.
    file: File,
    /// Its name while it is written; a file without one goes with its process (QDIR-19).
    temporary: Option<Temporary>,
    /// Its name in the destination.
    name: String,
    destination: PathBuf,
    buffer: Vec<u8>,
}

/// A name that is removed when it is dropped, on every way out but death by a signal (QDIR-18, -19).
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // Nobody is left to tell, and consumers clean up stale files (QDIR-19).
        let _ignored = fs::remove_file(&self.0);
    }
}

impl QueueFile {
    /// An empty one, closed on exec: without a name if the file system can keep such a file.
    pub(super) fn create(directories: &Directories) -> Result<Self, QueueError> {
        let (temporary, destination) =
            (identity(&directories.temporary)?, identity(&directories.destination)?);
        // In one directory for both it is the second name of the same file that fails (QDIR-15).
        if temporary != destination && unnamed::can_be_linked() {
            let mode = Mode::from_raw_mode(MODE);
            match unnamed::create(&directories.temporary, OFlags::WRONLY, mode) {
                Ok(Some(file)) => return Ok(Self::new(file, None, name_now(), directories)),
                Ok(None) => {}
                Err(_) => return Err(QueueError::Creating),
            }
        }
        Self::create_named(directories)
    }

    /// One under a name that neither directory has.
    fn create_named(directories: &Directories) -> Result<Self, QueueError> {
        for _ in 0..NAMES_MAX {
            let name = name_now();
            let path = directories.temporary.join(&name);
            if is_taken(&path)? || is_taken(&directories.destination.join(&name))? {
                continue;
            }
            match OpenOptions::new().write(true).create_new(true).mode(MODE).open(&path) {
                Ok(file) => return Ok(Self::new(file, Some(Temporary(path)), name, directories)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(_) => break,
            }
        }
        Err(QueueError::Creating)
    }

    fn new(file: File, temporary: Option<Temporary>, name: String, directories: &Directories) -> Self {
        Self { file, temporary, name, destination: directories.destination.clone(), buffer: Vec::new() }
    }

    /// Appends an address of the envelope. One with a NUL, which only a plugin can have made, would be
    /// read as two (QDIR-25).
    pub(super) fn append_item(&mut self, address: &[u8]) -> Result<(), QueueError> {
        if memchr::memchr(b'\0', address).is_some() {
            return Err(QueueError::Address);
        }
        self.append(address)?;
        self.append(b"\0")
    }

    /// Ends the list of recipients; what is appended from now on is the message (QDIR-4, -21).
    pub(super) fn end_envelope(&mut self) -> Result<(), QueueError> {
        self.append(b"\0")
    }

    /// Appends bytes. After an error the file is of no more use.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), QueueError> {
        if self.buffer.len() + bytes.len() > BUFFER {
            self.flush()?;
        }
        if bytes.len() > BUFFER {
            return self.file.write_all(bytes).map_err(|_| QueueError::Writing);
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// Appends all of another file, whatever its position.
    pub(super) fn append_file(&mut self, mut source: &File) -> Result<(), QueueError> {
        self.flush()?;
        let copied = source.seek(SeekFrom::Start(0)).and_then(|_| io::copy(&mut source, &mut self.file));
        copied.map(drop).map_err(|_| QueueError::Writing)
    }

    /// Puts the complete file in its place. `is_synced`: file and place are on disk before this
    /// returns (QDIR-9, -10). After an error the destination has no new file.
    pub(super) fn deliver(mut self, is_synced: bool) -> Result<(), QueueError> {
        self.flush()?;
        if is_synced {
            self.file.sync_all().map_err(|_| QueueError::Writing)?;
        }
        let Self { file, temporary, name, destination, .. } = self;
        let mut place = destination.join(name);
        match &temporary {
            None => link(&file, &mut place)?,
            Some(temporary) => {
                // Network file systems keep the name of an open file in another form when it is removed.
                drop(file);
                fs::hard_link(&temporary.0, &place).map_err(|_| QueueError::Writing)?;
            }
        }
        if is_synced { secure(&place, &destination) } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), QueueError> {
        self.file.write_all(&self.buffer).map_err(|_| QueueError::Writing)?;
        self.buffer.clear();
        Ok(())
    }
}

/// `SECONDS.MICROSECONDS.PID` (QDIR-6)
fn name_now() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{}.{:06}.{}", now.as_secs(), now.subsec_micros(), std::process::id())
}

/// Gives a file without a name that of `place`, or another one beside it if some file has it (QDIR-6).
fn link(file: &File, place: &mut PathBuf) -> Result<(), QueueError> {
    for _ in 0..NAMES_MAX {
        match unnamed::link(file, place) {
            Ok(()) => return Ok(()),
            Err(Errno::EXIST) => place.set_file_name(name_now()),
            Err(_) => break,
        }
    }
    Err(QueueError::Writing)
}

/// What tells a directory from every other one; an error if its files cannot be examined (QDIR-14). One
/// that is missing has none: that shows when the file is created or linked (QDIR-13, -15).
fn identity(directory: &Path) -> Result<Option<(u64, u64)>, QueueError> {
    match fs::metadata(directory.join(".")) {
        Ok(metadata) => Ok(Some((metadata.dev(), metadata.ino()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(_) => Err(QueueError::Internal),
    }
}

/// Whether a name is in use; an error if that cannot be said (QDIR-14).
fn is_taken(path: &Path) -> Result<bool, QueueError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(_) => Err(QueueError::Internal),
    }
}

/// Sees that `place` in `directory` is on disk, or that it is not there: a client that is told to try
/// again must not have sent its message already (QDIR-16).
fn secure(place: &Path, directory: &Path) -> Result<(), QueueError> {
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(|_| {
        let _ignored = fs::remove_file(place);
        QueueError::Internal
    })
}

#[cfg(test)]
mod tests;
