//! A file without a name (`O_TMPFILE`): no directory lists it, and it is gone with its last descriptor,
//! whatever ends the process (QDIR-19, HOOK-TMP-3). It may get a name once it is complete.

use std::{fs::File, os::fd::AsRawFd, path::Path};

use rustix::{
    fs::{Access, AtFlags, CWD, Mode, OFlags},
    io::{Errno, Result},
};

/// Where the kernel shows the open files of a process: by way of it one without a name is given one.
const OPEN_FILES: &str = "/proc/self/fd";

/// A new one in the file system of `directory`, closed on exec; `None` if files have names there, always.
///
/// # Errors
/// `directory` is full or not ours to write. One that is missing is not told from a kernel older than
/// such files: `None`.
pub fn create(directory: &Path, access: OFlags, mode: Mode) -> Result<Option<File>> {
    match rustix::fs::open(directory, OFlags::TMPFILE | OFlags::CLOEXEC | access, mode) {
        Ok(file) => Ok(Some(file.into())),
        // The file system's answer, and those of kernels that take the flag for another one.
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether [`link`] can work here.
pub fn can_be_linked() -> bool {
    rustix::fs::access(OPEN_FILES, Access::EXISTS).is_ok()
}

/// Gives `file` its name, never that of another file.
///
/// # Errors
/// `path` exists, cannot be made, or is on another file system.
pub fn link(file: &File, path: &Path) -> Result<()> {
    let source = format!("{OPEN_FILES}/{}", file.as_raw_fd());
    rustix::fs::linkat(CWD, source, CWD, path, AtFlags::SYMLINK_FOLLOW)
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write};

    use super::*;

    const MODE: Mode = Mode::RUSR.union(Mode::WUSR);

    #[test]
    fn nobody_sees_a_file_until_it_has_a_name() {
        let top = tempfile::tempdir().unwrap();
        let mut file = create(top.path(), OFlags::WRONLY, MODE).unwrap().unwrap();
        file.write_all(b"whole").unwrap();
        assert_eq!(fs::read_dir(top.path()).unwrap().count(), 0);
        assert!(can_be_linked());
        let path = top.path().join("name");
        link(&file, &path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(link(&file, &path), Err(Errno::EXIST));
    }

    #[test]
    fn a_file_of_ours_alone_never_has_a_name() {
        let top = tempfile::tempdir().unwrap();
        let file = create(top.path(), OFlags::RDWR | OFlags::EXCL, MODE).unwrap().unwrap();
        assert_eq!(link(&file, &top.path().join("name")), Err(Errno::NOENT));
    }

    #[test]
    fn a_folder_that_keeps_no_unnamed_files_is_told_from_one_that_is_closed() {
        let top = tempfile::tempdir().unwrap();
        assert!(create(&top.path().join("missing"), OFlags::WRONLY, MODE).unwrap().is_none());
        fs::write(top.path().join("file"), "").unwrap();
        let error = create(&top.path().join("file"), OFlags::WRONLY, MODE).unwrap_err();
        assert_eq!(error, Errno::NOTDIR);
        // Nobody makes files there; who is not root is told that it is closed before that.
        let of_processes = create(Path::new("/proc"), OFlags::WRONLY, MODE);
        assert!(matches!(of_processes, Ok(None) | Err(Errno::ACCESS)), "{of_processes:?}");
    }
}
