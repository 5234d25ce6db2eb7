//! Where queue files are written and where they go (QDIR-1 … 3).

use std::{
    ffi::OsStr,
    fs, io,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
};

use bstr::BString;
use rustix::fs::{Access, AtFlags, CWD};

use crate::session::Session;

/// Names the top directory.
pub(super) const TOP: &str = "QUEUEDIR";

/// Names the directory of files being written, below the top; `tmp` without it.
pub(super) const TEMPORARY: &str = "QUEUEDIR_TMP";

/// Names the directory of complete files, below the top; `new` without it.
pub(super) const DESTINATION: &str = "QUEUEDIR_DEST";

/// The two directories of a queue. They must differ and be on one file system (QDIR-15).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Directories {
    /// Of files being written.
    pub(super) temporary: PathBuf,
    /// Of complete files.
    pub(super) destination: PathBuf,
}

impl Directories {
    /// What the variables, `prefix` in front of their names, say at this moment; `None` if `$QUEUEDIR` is unset or empty (QDIR-1, -2).
    ///
    /// An empty `$QUEUEDIR_TMP` or `$QUEUEDIR_DEST` means `$QUEUEDIR` itself (QDIR-3).
    pub(super) fn find(session: &Session, prefix: &str) -> Option<Self> {
        let variable = |name: &str| session.variable([prefix, name].concat().as_bytes());
        let top = variable(TOP).filter(|path| !path.is_empty())?;
        let below = |name: &str, default: &str| {
            let name = variable(name).unwrap_or_else(|| default.into());
            PathBuf::from(OsStr::from_bytes(&[&top[..], b"/", &name].concat()))
        };
        Some(Self { temporary: below(TEMPORARY, "tmp"), destination: below(DESTINATION, "new") })
    }

    /// What keeps messages from being queued here, for `--check`, in the order of QDIR-13 … 16.
    pub(super) fn problems(&self, is_synced: bool) -> Vec<BString> {
        let writable = Access::WRITE_OK | Access::EXEC_OK;
        let readable = if is_synced { Access::READ_OK } else { Access::EXISTS };
        let examined = [
            examine(&self.temporary, writable).map_err(|error| (&self.temporary, error)),
            examine(&self.destination, writable | readable).map_err(|error| (&self.destination, error)),
        ];
        match examined {
            [Ok(temporary), Ok(destination)] => {
                let difference =
                    match (temporary.dev() == destination.dev(), temporary.ino() == destination.ino()) {
                        (true, false) => return Vec::new(),
                        (true, true) => "are the same directory",
                        (false, _) => "are on different file systems",
                    };
                let (temporary, destination) = (self.temporary.display(), self.destination.display());
                vec![format!("queue directories {temporary} and {destination} {difference}").into()]
            }
            examined => {
                let errors = examined.into_iter().filter_map(Result::err);
                errors
                    .map(|(path, error)| format!("queue directory {}: {error}", path.display()).into())
                    .collect()
            }
        }
    }
}

fn examine(directory: &Path, access: Access) -> io::Result<fs::Metadata> {
    let metadata = fs::metadata(directory)?;
    if !metadata.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    rustix::fs::accessat(CWD, directory, access, AtFlags::EACCESS)?;
    Ok(metadata)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{connection::Connection, log::Log};

    fn find(variables: &[&str]) -> Option<Directories> {
        let session = Session::new(Connection::new(Log::new("test")));
        variables.iter().for_each(|variable| session.put(variable.as_bytes()));
        Directories::find(&session, "")
    }

    fn directories(temporary: &str, destination: &str) -> Option<Directories> {
        Some(Directories { temporary: temporary.into(), destination: destination.into() })
    }

    #[test]
    fn the_variables_name_the_directories() {
        assert_eq!(find(&[]), None);
        assert_eq!(find(&["QUEUEDIR="]), None);
        assert_eq!(find(&["QUEUEDIR=q"]), directories("q/tmp", "q/new"));
        let both = ["QUEUEDIR=/q", "QUEUEDIR_TMP=a/b", "QUEUEDIR_DEST=c"];
        assert_eq!(find(&both), directories("/q/a/b", "/q/c"));
        assert_eq!(find(&["QUEUEDIR=/q", "QUEUEDIR_DEST="]), directories("/q/tmp", "/q/"));
    }

    #[test]
    fn a_check_names_the_directory_that_cannot_serve() {
        let top = tempfile::tempdir().unwrap();
        let path = |name: &str| top.path().join(name);
        fs::create_dir(path("tmp")).unwrap();
        fs::write(path("file"), "").unwrap();
        let problems = |temporary: &str, destination: &str| {
            let directories = Directories { temporary: path(temporary), destination: path(destination) };
            let problems = directories.problems(true).into_iter();
            problems
                .map(|problem| problem.to_string().replace(top.path().to_str().unwrap(), "Q"))
                .collect::<Vec<_>>()
        };
        assert_eq!(problems("tmp", ""), [""; 0]);
        assert_eq!(problems("tmp", "tmp"), ["queue directories Q/tmp and Q/tmp are the same directory"]);
        let missing = problems("a", "file");
        assert!(missing[0].starts_with("queue directory Q/a: No such file or directory"), "{missing:?}");
        assert!(missing[1].starts_with("queue directory Q/file: not a directory"), "{missing:?}");
    }
}
