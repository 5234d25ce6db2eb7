//! What is done to the folder of a case before its program is started, or in between.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

use super::World;
use crate::{sandbox::cdb, transcript::front::Setup};

impl World {
    /// Does to the folder what an entry of `setup` says. What concerns the program is done at its start.
    ///
    /// # Errors
    /// It cannot be done.
    pub fn perform(&self, setup: &Setup) -> io::Result<()> {
        match setup {
            Setup::Mode(path, mode) => {
                fs::set_permissions(self.folder.join(self.fill(path)), fs::Permissions::from_mode(*mode))?;
            }
            Setup::Link(path, to) => symlink(self.fill(to), self.folder.join(self.fill(path)))?,
            Setup::Fill(path, bytes) => {
                let mut file = fs::File::create(self.folder.join(self.fill(path)))?;
                io::copy(&mut io::Read::take(io::repeat(b'x'), *bytes as u64), &mut file)?;
                file.flush()?;
            }
            Setup::Cdb(path, keys) => {
                let keys: Vec<&[u8]> = keys.iter().map(String::as_bytes).collect();
                fs::write(self.folder.join(self.fill(path)), cdb::with_keys(&keys))?;
            }
            Setup::Cut(path, bytes) => {
                let file = fs::File::options().write(true).open(self.folder.join(self.fill(path)))?;
                file.set_len(*bytes)?;
            }
            Setup::User(_) => {
                for folder in [&self.folder, &self.temporary] {
                    make_open(folder)?;
                }
            }
            Setup::Mtime(path, seconds) => {
                let time = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(*seconds);
                fs::File::open(self.folder.join(self.fill(path)))?.set_modified(time)?;
            }
            Setup::Fifo(path) => {
                let place = self.folder.join(self.fill(path));
                let mode = rustix::fs::Mode::from_raw_mode(0o644);
                rustix::fs::mknodat(rustix::fs::CWD, place, rustix::fs::FileType::Fifo, mode, 0)?;
            }
            Setup::Copy(from, to) => {
                let place = |path: &str| self.folder.join(self.fill(path));
                fs::copy(place(from), place(to))?;
            }
            Setup::Move(from, to) => {
                let place = |path: &str| self.folder.join(self.fill(path));
                fs::rename(place(from), place(to))?;
            }
            Setup::Remove(path) => fs::remove_file(self.folder.join(self.fill(path)))?,
            Setup::Socket(path) => {
                std::os::unix::net::UnixListener::bind(self.folder.join(self.fill(path)))?;
            }
            Setup::Close(_)
            | Setup::LimitFile(_)
            | Setup::UcspiTls(_)
            | Setup::LimitMemory(_)
            | Setup::LimitDescriptors(_)
            | Setup::LimitProcesses(_)
            | Setup::Umask(_)
            | Setup::CallByLink(_)
            | Setup::CallByCopy(..)
            | Setup::CallByPath => {}
        }
        Ok(())
    }
}

/// Another user must be able to write below the folder, unless a mode was asked for.
fn make_open(folder: &Path) -> io::Result<()> {
    if fs::metadata(folder)?.permissions().mode() & 0o777 == 0o755 {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o777))?;
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                make_open(&entry.path())?;
            }
        }
    }
    Ok(())
}
