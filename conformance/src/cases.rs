//! Where cases come from: embedded in the program, or a folder.

use std::{
    fs,
    path::{Path, PathBuf},
};

use include_dir::{Dir, DirEntry, include_dir};

use crate::transcript::{Case, parse};

/// The transcripts the program carries.
static TRANSCRIPTS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../fixtures/transcripts");
/// The target files it carries.
static TARGETS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../fixtures/targets");

/// The profiles it carries.
static PROFILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../fixtures/profiles");

/// The ending of a transcript's file name.
const ENDING: &str = "case";

/// A case that could not be read: its id or file, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// The file, as a person finds it.
    pub file: String,
    /// The line, from 1; 0 if it concerns the whole file.
    pub line: usize,
    /// What is wrong, and where in it.
    pub why: String,
}

/// Cases in the order of their ids, and those that could not be read.
#[derive(Debug, Default)]
pub struct Cases {
    /// The readable ones.
    pub cases: Vec<Case>,
    /// The others.
    pub unreadable: Vec<Unreadable>,
}

impl Cases {
    /// The embedded cases.
    pub fn embedded() -> Self {
        let mut cases = Self::default();
        cases.add_embedded(&TRANSCRIPTS);
        cases.sorted()
    }

    /// The cases below a folder.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn below(folder: &Path) -> std::io::Result<Self> {
        let mut cases = Self::default();
        let mut folders = vec![folder.to_path_buf()];
        while let Some(current) = folders.pop() {
            let entries = fs::read_dir(&current)
                .map_err(|e| std::io::Error::new(e.kind(), format!("{}: {e}", current.display())))?;
            for entry in entries {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|ending| ending == ENDING) {
                    let id = id_of(path.strip_prefix(folder).unwrap_or(&path));
                    match fs::read_to_string(&path) {
                        Ok(source) => cases.add(&id, &path.display().to_string(), &source),
                        Err(e) => cases.refuse(path.display().to_string(), 0, e.to_string()),
                    }
                }
            }
        }
        Ok(cases.sorted())
    }

    fn add_embedded(&mut self, dir: &Dir<'_>) {
        for entry in dir.entries() {
            match entry {
                DirEntry::Dir(dir) => self.add_embedded(dir),
                DirEntry::File(file) if file.path().extension().is_some_and(|ending| ending == ENDING) => {
                    let name = format!("fixtures/transcripts/{}", file.path().display());
                    match file.contents_utf8() {
                        Some(source) => self.add(&id_of(file.path()), &name, source),
                        None => self.refuse(name, 0, "not UTF-8; other bytes are written as escapes".into()),
                    }
                }
                DirEntry::File(_) => {}
            }
        }
    }

    fn add(&mut self, id: &str, file: &str, source: &str) {
        match parse(id, source) {
            Ok(case) => self.cases.push(Case { file: file.into(), ..case }),
            Err(e) => self.refuse(file.into(), e.line, e.to_string()),
        }
    }

    fn refuse(&mut self, file: String, line: usize, why: String) {
        self.unreadable.push(Unreadable { file, line, why });
    }

    fn sorted(mut self) -> Self {
        self.cases.sort_by(|a, b| a.id.cmp(&b.id));
        self.unreadable.sort_by(|a, b| a.file.cmp(&b.file));
        self
    }
}

fn id_of(path: &Path) -> String {
    path.with_extension("").to_string_lossy().into_owned()
}

/// An embedded target file by its name without ending.
pub fn embedded_target(name: &str) -> Option<&'static str> {
    TARGETS.get_file(format!("{name}.toml"))?.contents_utf8()
}

/// The names of the embedded target files.
pub fn embedded_targets() -> Vec<String> {
    let files = TARGETS.files().filter_map(|file| file.path().to_str()?.strip_suffix(".toml"));
    files.filter(|name| !name.ends_with(".known")).map(str::to_string).collect()
}

/// The embedded lists of known failures: the file's name and its text.
pub fn embedded_lists() -> Vec<(String, &'static str)> {
    let files = TARGETS.files().filter(|file| file.path().to_string_lossy().ends_with(".known.toml"));
    let named = files.filter_map(|file| {
        Some((format!("fixtures/targets/{}", file.path().display()), file.contents_utf8()?))
    });
    named.collect()
}

/// The profiles of the program: name and text.
pub fn embedded_profiles() -> Vec<(String, &'static str)> {
    let named = PROFILES.files().filter_map(|file| {
        Some((file.path().to_str()?.strip_suffix(".toml")?.to_string(), file.contents_utf8()?))
    });
    named.collect()
}

/// An embedded file that a target file names, such as its list of known failures.
pub fn embedded_beside(file: &Path) -> Option<&'static str> {
    TARGETS.get_file(PathBuf::from(file.file_name()?))?.contents_utf8()
}
