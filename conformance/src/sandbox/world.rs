//! One play's folder and environment.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fs,
    io::{self, Write as _},
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use super::{
    Workshop, cdb, certificates,
    service::{Call, Calls, Servers, stub},
    shared,
};
use crate::{
    target::{Pop3, Target},
    transcript::{
        front::{Front, Setup, UCSPI_DESCRIPTORS},
        service::{Kind, variable},
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
    /// It is one of a server's that outlives the play.
    pub capture_is_shared: bool,
    /// How the POP3 server of a generic case is reached.
    pub pop3: Option<Pop3>,
    /// The folder for temporary files.
    pub temporary: PathBuf,
    /// The folder of the target's own modules, if they lie beside the probe's.
    pub own_modules: Option<PathBuf>,
    /// The servers of the case, until the play takes them.
    pub servers: RefCell<Option<Servers>>,
    /// The programs of the case: name, folder of its calls, whether it takes messages.
    programs: Vec<(String, PathBuf, bool)>,
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
            capture_is_shared: false,
            pop3: target.pop3.clone().filter(|_| front.words() == ["pop3"]),
            folder: folder.clone(),
            temporary: temporary.clone(),
            own_modules: None,
            servers: RefCell::new(None),
            programs: Vec::new(),
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
        if let Some(capture) = target.capture().filter(|_| words.len() == 1) {
            shared::empty(&capture.join("new"))?;
            world.capture_is_shared = true;
            world.queue = Some(capture.into());
        } else if words.iter().any(|word| word.split(':').any(|item| item == "queuedir"))
            || (words.len() == 1 && target.delivery.as_deref() == Some("queuedir"))
        {
            for sub in ["", "tmp", "new"] {
                fs::create_dir(queue.join(sub))?;
            }
            world.environment.insert("QUEUEDIR".into(), text(&queue));
            world.queue = Some(queue);
        }
        if !front.services.is_empty() {
            world.place_services(workshop, front)?;
        }
        if let Some(messages) = &front.maildir {
            world.place_maildir(messages)?;
        }
        if wants_certificates(front) {
            certificates::name(&workshop.certificates()?, &mut world.variables);
        }
        if world.setups.iter().any(|setup| matches!(setup, Setup::UcspiTls(_))) {
            world.environment.insert("UCSPITLS".into(), String::new());
            world
                .environment
                .extend(UCSPI_DESCRIPTORS.map(|(name, number)| (name.to_string(), number.to_string())));
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
        if let Some(pop3) = &world.pop3 {
            shared::lend_maildir(&world.folder, pop3)?;
        }
        Ok(world)
    }

    /// Waits until `count` messages have come to the folder that a server delivers to, or a while, and
    /// takes back the maildir that it was lent.
    ///
    /// # Errors
    /// A folder cannot be watched or copied.
    pub fn settle(&self, count: usize) -> io::Result<()> {
        if let Some(queue) = self.queue.as_ref().filter(|_| self.capture_is_shared) {
            shared::await_files(&queue.join("new"), count)?;
        }
        self.pop3.as_ref().map_or(Ok(()), |pop3| shared::take_maildir_back(&self.folder, pop3))
    }

    /// Has the session begin with a handshake, as `$TLS_IMMEDIATE` says (TLS-13).
    ///
    /// # Errors
    /// The certificate cannot be made.
    pub fn begin_in_tls(&mut self, workshop: &Workshop) -> io::Result<()> {
        certificates::name(&workshop.certificates()?, &mut self.variables);
        let pair = self.fill("${TLS_BOTH}");
        self.environment.insert("TLS_CERTFILE".into(), pair);
        self.environment.insert("TLS_IMMEDIATE".into(), "1".into());
        Ok(())
    }

    /// `${CASE}`, `${Q}` and `${TMP}` filled in.
    pub fn fill(&self, value: &str) -> String {
        let mut value = value.to_string();
        if !value.contains("${") {
            return value;
        }
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
            fs::write(place, repeated(&self.fill(content)))?;
        }
        Ok(())
    }

    fn place_maildir(&mut self, messages: &BTreeMap<String, String>) -> io::Result<()> {
        let maildir = self.folder.join("Maildir");
        for sub in ["", "tmp", "new", "cur"] {
            fs::create_dir(maildir.join(sub))?;
        }
        for (path, content) in messages {
            fs::write(maildir.join(path), repeated(content))?;
        }
        self.variables.insert("MAILDIR".into(), maildir.to_string_lossy().into_owned().into());
        Ok(())
    }

    fn place_services(&mut self, workshop: &Workshop, front: &Front) -> io::Result<()> {
        let ids =
            [("UID", rustix::process::geteuid().as_raw()), ("GID", rustix::process::getegid().as_raw())];
        for (name, id) in ids {
            self.variables.insert(name.into(), id.to_string().into());
        }
        let servers = Servers::open(front, &self.folder, &mut self.variables)?;
        let programs: Vec<_> = front.services.iter().filter(|(_, s)| s.kind == Kind::Command).collect();
        for (name, _) in &programs {
            let place = self.folder.join(name).to_string_lossy().into_owned();
            self.variables.insert(variable(name), place.into());
        }
        // Scripts may name each other's places.
        *self.servers.get_mut() = servers.map(|mut servers| {
            servers.know(&self.variables);
            servers
        });
        let folder = self.folder.with_file_name("services");
        if !programs.is_empty() {
            fs::create_dir(&folder)?;
        }
        for (name, service) in programs {
            let program = workshop.program()?;
            let calls = stub::place(name, service, &self.variables, &program, &folder, &self.folder)?;
            self.programs.push((name.clone(), calls, service.queues()));
        }
        Ok(())
    }

    /// Whether it has programs for the target to start.
    pub fn has_programs(&self) -> bool {
        !self.programs.is_empty()
    }

    /// The calls of its programs so far.
    ///
    /// # Errors
    /// What a program wrote down cannot be read.
    pub fn program_calls(&self) -> io::Result<Calls> {
        self.programs.iter().map(|(name, folder, _)| Ok((name.clone(), Call::read_all(folder)?))).collect()
    }

    /// The programs that take messages as qmail-queue does.
    pub fn queue_programs(&self) -> impl Iterator<Item = &str> {
        self.programs.iter().filter(|(_, _, queues)| *queues).map(|(name, _, _)| name.as_str())
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
        self.setups.iter().try_for_each(|setup| self.perform(setup))
    }

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
            | Setup::CallByPath => {}
        }
        Ok(())
    }
}

/// Whether the head names a certificate or key of the suite.
fn wants_certificates(front: &Front) -> bool {
    let mut texts = front.env.values().chain(front.files.values()).chain(&front.setup).chain([&front.run]);
    texts.any(|text| text.contains("${TLS_"))
}

/// The content of a file with every `${"text" * COUNT}` written out.
pub fn repeated(content: &str) -> String {
    let mut out = String::with_capacity(content.len());
    let mut rest = content;
    while let Some((before, text, count, behind)) = next_repetition(rest) {
        out.push_str(before);
        out.push_str(&text.repeat(count));
        rest = behind;
    }
    out.push_str(rest);
    out
}

/// The next repetition: what is before it, its text, its count, what is behind it.
fn next_repetition(content: &str) -> Option<(&str, &str, usize, &str)> {
    let (before, opened) = content.split_once("${\"")?;
    let (text, counted) = opened.split_once("\" * ")?;
    let (count, behind) = counted.split_once('}')?;
    Some((before, text, count.parse().ok()?, behind))
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

#[cfg(test)]
mod tests {
    use super::repeated;

    #[test]
    fn repetitions_in_files_are_written_out() {
        assert_eq!(repeated("a${\"xy\" * 3}b\n${\".\n\" * 2}"), "axyxyxyb\n.\n.\n");
        assert_eq!(repeated("echo \"${HOME}\" ${\"x\" * y}"), "echo \"${HOME}\" ${\"x\" * y}");
    }
}
