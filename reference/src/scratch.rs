//! The temporary file of a message: in no directory, gone with its descriptor (HOOK-TMP-1 … 8).

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write},
    os::unix::{ffi::OsStringExt, fs::OpenOptionsExt},
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use rustix::fs::{Mode, OFlags};

use crate::{session::Session, unnamed};

/// Bytes gathered before they are written.
const BUFFER: usize = 64 * 1024;

/// Nobody else may read a message (HOOK-TMP-3).
const MODE: Mode = Mode::RUSR.union(Mode::WUSR);

/// `$TMPDIR`; `/tmp` if it is unset or empty (HOOK-TMP-2).
pub fn directory(session: &Session) -> PathBuf {
    let value = session.setting("TMPDIR").filter(|value| !value.is_empty());
    value.map_or_else(|| "/tmp".into(), |path| std::ffi::OsString::from_vec(path.into()).into())
}

/// A new file for reading and writing that no directory lists, closed on exec.
///
/// # Errors
/// The directory is missing, full or not ours to write (HOOK-TMP-4).
pub fn create(session: &Session) -> io::Result<File> {
    create_in(&directory(session))
}

fn create_in(directory: &Path) -> io::Result<File> {
    match unnamed::create(directory, OFlags::RDWR | OFlags::EXCL, MODE)? {
        Some(file) => Ok(file),
        None => create_named(directory),
    }
}

/// One that had a name for a moment, where files cannot be without.
fn create_named(directory: &Path) -> io::Result<File> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let (pid, seconds, micros) = (std::process::id(), now.as_secs(), now.subsec_micros());
    let path = directory.join(format!("mailfront.tmp..{pid}.{seconds}.{micros:06}"));
    let mode = MODE.as_raw_mode();
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(mode).open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

/// A temporary file being written.
pub struct Scratch {
    writer: BufWriter<File>,
}

impl Scratch {
    /// A new empty one.
    ///
    /// # Errors
    /// Those of [`create`].
    pub fn create(session: &Session) -> io::Result<Self> {
        Ok(Self { writer: BufWriter::with_capacity(BUFFER, create(session)?) })
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// They cannot be written; the file is of no more use (HOOK-TMP-5).
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.writer.write_all(bytes)
    }

    /// Sees that everything appended is in the file.
    ///
    /// # Errors
    /// As [`Scratch::append`].
    pub fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }

    /// The file, for hooks.
    pub fn file(&self) -> &File {
        self.writer.get_ref()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn no_directory_lists_a_temporary_file() {
        let top = tempfile::tempdir().unwrap();
        for file in [create_in(top.path()).unwrap(), create_named(top.path()).unwrap()] {
            let metadata = file.metadata().unwrap();
            assert_eq!((metadata.nlink(), metadata.mode() & 0o7777), (0, 0o600));
            assert_eq!(fs::read_dir(top.path()).unwrap().count(), 0);
        }
    }

    #[test]
    fn a_directory_that_is_missing_is_an_error() {
        let error = create_in(Path::new("/nonexistent")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
