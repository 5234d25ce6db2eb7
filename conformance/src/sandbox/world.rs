//! One play's folder and environment.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write as _},
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use super::{Workshop, cdb};
use crate::{
    target::Target,
    transcript::{
        front::{Front, Setup},
        text::Variables,
    },
};

/// The standard environment of every case.
const STANDARD: [(&str, &str); 5] = [
    ("PROTO", "TCP"),
    ("TCPLOCALIP", "1.2.3.4"),
    ("TCPREMOTEIP", "5.6.7.8"),
    ("TCPLOCALHOST", "local.host"),
    ("TCPREMOTEHOST", "remote.host"),
];

/// A play's folder, environment and variables. The folder goes when this does.
pub struct World {
    /// The working directory of the program.
    pub folder: PathBuf,
    /// Its environment.
    pub environment: BTreeMap<String, String>,
    /// What `${NAME}` stands for.
    pub variables: Variables,
    /// What is done to the process itself.
    pub setups: Vec<Setup>,
    /// The queue folder, if the case has one that the suite made.
    pub queue: Option<PathBuf>,
    /// The folder for temporary files.
    pub temporary: PathBuf,
    /// The folder of the target's own modules, if they lie beside the probe's.
    pub own_modules: Option<PathBuf>,
}

impl World {
    /// Puts everything in place for a case.
    ///
    /// # Errors
    /// A file cannot be written, or the head asks for something that is not understood.
    pub fn new(workshop: &Workshop, target: &Target, front: &Front) -> io::Result<Self> {
        let outer = workshop.next_folder();
        let folder = outer.join("case");
        let temporary = outer.join("tmp");
        fs::create_dir(&outer)?;
        let queue = folder.join("q");
        let mut world = Self {
            environment: STANDARD.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
            variables: Variables::new(),
            setups: front.setups().map_err(|entry| other(format!("setup `{entry}` is not understood")))?,
            queue: None,
            folder: folder.clone(),
            temporary: temporary.clone(),
            own_modules: None,
        };
        fs::create_dir(&folder)?;
        fs::create_dir(&temporary)?;
        let text = |path: &Path| path.to_string_lossy().into_owned();
        world.environment.insert("PATH".into(), std::env::var("PATH").unwrap_or_default());
        world.environment.insert("TMPDIR".into(), text(&temporary));
        for (name, value) in [("CASE", text(&folder)), ("Q", text(&queue)), ("TMP", text(&temporary))] {
            world.variables.insert(name.into(), value.into_bytes());
        }
        let words = front.words();
        if words.iter().any(|word| word.split(':').any(|item| item == "queuedir"))
            || (words.len() == 1 && target.delivery.as_deref() == Some("queuedir"))
        {
            for sub in ["", "tmp", "new"] {
                fs::create_dir(queue.join(sub))?;
            }
            world.environment.insert("QUEUEDIR".into(), text(&queue));
            world.queue = Some(queue);
        }
        world.place_files(front)?;
        world.place_modules(workshop, target, front)?;
        for name in &front.unset {
            world.environment.remove(name);
        }
        for (name, value) in &front.env {
            let value = world.fill(value);
            world.environment.insert(name.clone(), value);
        }
        for (variable, name) in [
            ("LOCALHOST", "LOCALHOST"),
            ("REMOTEHOST", "REMOTEHOST"),
            ("LOCALIP", "LOCALIP"),
            ("REMOTEIP", "REMOTEIP"),
        ] {
            let prefix = world.environment.get("PROTO").map_or("TCP", |proto| proto);
            let value = world.environment.get(&format!("{prefix}{name}"));
            let value = value.filter(|v| !v.is_empty()).map_or("unknown", |v| v);
            world.variables.insert(variable.into(), value.as_bytes().to_vec());
        }
        world.prepare()?;
        Ok(world)
    }

    /// `${CASE}`, `${Q}` and `${TMP}` filled in.
    pub fn fill(&self, value: &str) -> String {
        let mut value = value.to_string();
        for (name, with) in &self.variables {
            value = value.replace(&format!("${{{name}}}"), &String::from_utf8_lossy(with));
        }
        value
    }

    fn place_files(&self, front: &Front) -> io::Result<()> {
        for (path, content) in &front.files {
            let place = self.folder.join(path);
            if path.ends_with('/') {
                fs::create_dir_all(place)?;
                continue;
            }
            if let Some(parent) = place.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(place, self.fill(content))?;
        }
        Ok(())
    }

    fn place_modules(&mut self, workshop: &Workshop, target: &Target, front: &Front) -> io::Result<()> {
        if front.modules.is_empty() {
            return Ok(());
        }
        let modules = self.folder.with_file_name("modules");
        fs::create_dir(&modules)?;
        self.own_modules.clone_from(&target.modules);
        if let Some(own) = &target.modules {
            for entry in fs::read_dir(own)? {
                let entry = entry?;
                symlink(entry.path(), modules.join(entry.file_name()))?;
            }
        }
        for name in &front.modules {
            let place = modules.join(format!("{name}.so"));
            let _ = fs::remove_file(&place);
            symlink(workshop.module(name)?, place)?;
        }
        let path = modules.to_string_lossy().into_owned();
        self.variables.insert("MODULES".into(), path.clone().into_bytes());
        self.environment.insert("MODULE_PATH".into(), path);
        let script = self.folder.join("probe").to_string_lossy().into_owned();
        self.variables.insert("PROBE".into(), script.clone().into_bytes());
        self.environment.insert("PROBE".into(), script);
        Ok(())
    }

    fn prepare(&self) -> io::Result<()> {
        for setup in &self.setups {
            match setup {
                Setup::Mode(path, mode) => {
                    fs::set_permissions(
                        self.folder.join(self.fill(path)),
                        fs::Permissions::from_mode(*mode),
                    )?;
                }
                Setup::Link(path, to) => symlink(self.fill(to), self.folder.join(self.fill(path)))?,
                Setup::Fill(path, bytes) => {
                    let mut file = fs::File::create(self.folder.join(path))?;
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
                Setup::Close(_) | Setup::LimitFile(_) => {}
            }
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

fn other(what: String) -> io::Error {
    io::Error::other(what)
}

impl Drop for World {
    fn drop(&mut self) {
        let Some(outer) = self.folder.parent() else { return };
        if fs::remove_dir_all(outer).is_err() {
            // A case may have taken away the permission to enter a folder.
            let _ = make_enterable(outer);
            let _ = fs::remove_dir_all(outer);
        }
    }
}

fn make_enterable(folder: &Path) -> io::Result<()> {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            make_enterable(&entry.path())?;
        }
    }
    Ok(())
}
