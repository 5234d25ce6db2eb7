//! The temporary file of a message: unlinked at once, gone with its descriptor (HOOK-TMP-1 … 8).

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    os::unix::ffi::OsStringExt,
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

use rustix::fs::{Mode, OFlags};

use crate::session::Session;

/// Bytes gathered before they are written.
const BUFFER: usize = 64 * 1024;

/// `$TMPDIR`; `/tmp` if it is unset or empty (HOOK-TMP-2).
pub fn directory(session: &Session) -> PathBuf {
    let value = session.setting("TMPDIR").filter(|value| !value.is_empty());
    value.map_or_else(|| "/tmp".into(), |path| std::ffi::OsString::from_vec(path.into()).into())
}

/// A new file for reading and writing that no directory lists any more, closed on exec.
///
/// # Errors
/// The directory is missing, full or not ours to write (HOOK-TMP-4).
pub fn create(session: &Session) -> io::Result<File> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let (pid, seconds, micros) = (std::process::id(), now.as_secs(), now.subsec_micros());
    let path = directory(session).join(format!("mailfront.tmp..{pid}.{seconds}.{micros:06}"));
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file = rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR)?;
    fs::remove_file(&path)?;
    Ok(file.into())
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
