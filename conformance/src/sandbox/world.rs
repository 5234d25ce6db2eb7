//! One play's folder and environment.
//!
//! What the head of a case asks for is put in place by [`files`], [`modules`] and [`services`]; then
//! [`setup`] does to it what is to be done.

mod files;
mod modules;
mod services;
mod setup;

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

pub use self::files::repeated;
use super::{Workshop, certificates, service::Servers, shared};
use crate::{
    target::{Pop3, Target},
    transcript::{
        front::{Front, Setup, UCSPI_DESCRIPTORS},
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
        let mut world = Self {
            environment: STANDARD.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
            variables: Variables::new(),
            setups: front
                .setups()
                .map_err(|entry| io::Error::other(format!("setup `{entry}` is not understood")))?,
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
        world.environment.insert("PATH".into(), std::env::var("PATH").unwrap_or_default());
        world.environment.insert("TMPDIR".into(), text(&temporary));
        for (name, value) in
            [("CASE", text(&folder)), ("Q", text(&folder.join("q"))), ("TMP", text(&temporary))]
        {
            world.variables.insert(name.into(), value.into_bytes());
        }
        world.place_queue(target, front)?;
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
        world.name_hosts();
        world.setups.iter().try_for_each(|setup| world.perform(setup))?;
        if let Some(pop3) = &world.pop3 {
            shared::lend_maildir(&world.folder, pop3)?;
        }
        Ok(world)
    }

    /// A queue folder, if the case or the target delivers to one.
    fn place_queue(&mut self, target: &Target, front: &Front) -> io::Result<()> {
        let queue = self.folder.join("q");
        let words = front.words();
        if let Some(capture) = target.capture().filter(|_| words.len() == 1) {
            shared::empty(&capture.join("new"))?;
            self.capture_is_shared = true;
            self.queue = Some(capture.into());
        } else if words.iter().any(|word| word.split(':').any(|item| item == "queuedir"))
            || (words.len() == 1 && target.delivery.as_deref() == Some("queuedir"))
        {
            for sub in ["", "tmp", "new"] {
                fs::create_dir(queue.join(sub))?;
            }
            self.environment.insert("QUEUEDIR".into(), text(&queue));
            self.queue = Some(queue);
        }
        Ok(())
    }

    /// The variables for what the connection says of both ends.
    fn name_hosts(&mut self) {
        let prefix = self.environment.get("PROTO").map_or("TCP", |proto| proto);
        for name in ["LOCALHOST", "REMOTEHOST", "LOCALIP", "REMOTEIP"] {
            let value = self.environment.get(&format!("{prefix}{name}"));
            let value = value.filter(|v| !v.is_empty()).map_or("unknown", |v| v);
            self.variables.insert(name.into(), value.as_bytes().to_vec());
        }
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
}

/// Whether the head names a certificate or key of the suite.
fn wants_certificates(front: &Front) -> bool {
    let mut texts = front.env.values().chain(front.files.values()).chain(&front.setup).chain([&front.run]);
    texts.any(|text| text.contains("${TLS_"))
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
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
