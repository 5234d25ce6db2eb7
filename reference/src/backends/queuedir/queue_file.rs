//! One message of the queue, from its creation to its place in the destination (QDIR-4 … 10).

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use super::{QueueError, directories::Directories};

/// Bytes gathered before they are written.
const BUFFER: usize = 64 * 1024;

/// Permissions before the umask: readers of the queue may run under another user (QDIR-7).
const MODE: u32 = 0o666;

/// Names tried before giving up. Each takes a new time, so that only a clock that stands still can
/// use them up (QDIR-6).
const NAMES_MAX: usize = 10_000;

/// A queue file being written. Dropped before [`QueueFile::deliver`], it leaves nothing behind.
pub(super) struct QueueFile {
    temporary: Temporary,
    destination: PathBuf,
    destination_directory: PathBuf,
    file: File,
    buffer: Vec<u8>,
}

/// A name that is removed when it is dropped, on every way out (QDIR-18).
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // Nobody is left to tell, and consumers clean up stale files (QDIR-19).
        let _ignored = fs::remove_file(&self.0);
    }
}

impl QueueFile {
    /// An empty one, closed on exec, under a name that neither directory has.
    pub(super) fn create(directories: &Directories) -> Result<Self, QueueError> {
        for _ in 0..NAMES_MAX {
            let name = name_now();
            let temporary = directories.temporary.join(&name);
            let destination = directories.destination.join(&name);
            if is_taken(&temporary)? || is_taken(&destination)? {
                continue;
            }
            match OpenOptions::new().write(true).create_new(true).mode(MODE).open(&temporary) {
                Ok(file) => {
                    return Ok(Self {
                        temporary: Temporary(temporary),
                        destination,
                        destination_directory: directories.destination.clone(),
                        file,
                        buffer: Vec::new(),
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(_) => break,
            }
        }
        Err(QueueError::Creating)
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
        let Self { temporary, destination, destination_directory, file, .. } = self;
        if is_synced {
            file.sync_all().map_err(|_| QueueError::Writing)?;
        }
        drop(file);
        fs::hard_link(&temporary.0, &destination).map_err(|_| QueueError::Writing)?;
        if is_synced && sync_directory(&destination_directory).is_err() {
            // A client that is told to try again must not have sent its message already (QDIR-16).
            let _ignored = fs::remove_file(&destination);
            return Err(QueueError::Internal);
        }
        Ok(())
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

/// Whether a name is in use; an error if that cannot be said (QDIR-14). A directory that is missing
/// does not use it: that shows when the file is created or linked (QDIR-13, -15).
fn is_taken(path: &Path) -> Result<bool, QueueError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(_) => Err(QueueError::Internal),
    }
}

fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests;
