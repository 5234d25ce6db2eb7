//! The world of one play: a folder, an environment, files, modules and services put in place.

pub mod cdb;
pub mod certificates;
pub mod rights;
mod server;
pub mod service;
mod shared;
pub mod signals;
mod world;

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use rustix::fs::StatVfsMountFlags;
pub use shared::user_ids;
pub use world::{World, repeated};

use crate::target::Target;
use server::Server;

/// The probe module, to be copied under the names a case asks for (see `conformance/probe`).
pub static PROBE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/probe.so"));

/// What all plays of one run share: a folder that disappears with it, and a pool of probe modules.
pub struct Workshop {
    root: tempfile::TempDir,
    plays: tempfile::TempDir,
    next: AtomicUsize,
    pool: Mutex<Vec<String>>,
    program: OnceLock<PathBuf>,
    certificates_made: Mutex<bool>,
    server: OnceLock<Server>,
    turn: Mutex<()>,
    /// Signals that the suite, and so each program that it starts, ignores.
    pub ignored: Vec<u32>,
}

impl Workshop {
    /// A new folder below the system's folder for temporary files.
    ///
    /// # Errors
    /// The folder cannot be made, or `/proc` is not there.
    pub fn new() -> std::io::Result<Self> {
        let root = tempfile::Builder::new().prefix("mailfront-conformance-").tempdir()?;
        let_others_pass(root.path())?;
        for folder in ["bin", "pool"] {
            fs::create_dir(root.path().join(folder))?;
        }
        let plays = folder_for_plays()?;
        Ok(Self {
            root,
            plays,
            next: AtomicUsize::new(0),
            pool: Mutex::default(),
            program: OnceLock::new(),
            certificates_made: Mutex::default(),
            server: OnceLock::new(),
            turn: Mutex::default(),
            ignored: signals::ignored()?,
        })
    }

    /// Whether programs in the folders of plays run with their set-uid and set-gid bits.
    pub fn honours_set_id(&self) -> bool {
        let mount = rustix::fs::statvfs(self.plays.path());
        mount.is_ok_and(|mount| !mount.f_flag.contains(StatVfsMountFlags::NOSUID))
            && rustix::thread::no_new_privs().is_ok_and(|is_set| !is_set)
    }

    /// Links `names` to the program `exe`, which acts by the name it is started under; gives the
    /// folder they are in.
    ///
    /// # Errors
    /// A link cannot be made.
    pub fn link_programs(&self, exe: &Path, names: &[&str]) -> std::io::Result<PathBuf> {
        self.use_program(exe);
        let bin = self.root.path().join("bin");
        for name in names {
            symlink(exe, bin.join(name))?;
        }
        Ok(bin)
    }

    /// Names the suite's program, which the programs of services are links to, if it is not this one.
    pub fn use_program(&self, exe: &Path) {
        // The first that is named stays.
        let _ = self.program.set(exe.to_path_buf());
    }

    /// Runs what the target has to be started with, and fills in its variables. `script` is the text of
    /// its script. It is stopped with the workshop.
    ///
    /// # Errors
    /// It does not start: why, with what it said.
    pub fn start(&self, target: &mut Target, script: &str) -> Result<(), String> {
        let Some(start) = target.start.clone() else { return Ok(()) };
        let server = Server::start(target, &start, script, &self.root.path().join("server"))?;
        let _ = self.server.set(server);
        Ok(())
    }

    /// The right to play against a server that plays share; nobody else has it meanwhile.
    pub fn turn(&self, target: &Target) -> Option<MutexGuard<'_, ()>> {
        target.is_shared().then(|| self.turn.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// The suite's program.
    fn program(&self) -> std::io::Result<PathBuf> {
        self.program.get().map_or_else(std::env::current_exe, |program| Ok(program.clone()))
    }

    /// The folder of certificates, made when it is first asked for.
    fn certificates(&self) -> std::io::Result<PathBuf> {
        let folder = self.root.path().join("tls");
        let mut made = self.certificates_made.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !*made {
            certificates::make(&folder)?;
            *made = true;
        }
        Ok(folder)
    }

    /// The folder for the next play; not made yet.
    fn next_folder(&self) -> PathBuf {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.plays.path().join(number.to_string())
    }

    /// A copy of the probe under `name`, made once a run. Every name has a file of its own: the
    /// loader takes two names of one file for one module.
    fn module(&self, name: &str) -> std::io::Result<PathBuf> {
        let path = self.root.path().join("pool").join(format!("{name}.so"));
        let mut pool = self.pool.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !pool.iter().any(|known| known == name) {
            fs::write(&path, PROBE)?;
            pool.push(name.into());
        }
        Ok(path)
    }
}

/// Files in memory are made and removed faster; a play makes and removes some dozens.
const IN_MEMORY: &str = "/dev/shm";

fn folder_for_plays() -> std::io::Result<tempfile::TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("mailfront-conformance-plays-");
    let chosen = std::env::var_os("TMPDIR").is_some();
    let in_memory = if chosen { None } else { builder.tempdir_in(IN_MEMORY).ok() };
    let folder = in_memory.map_or_else(|| builder.tempdir(), Ok)?;
    let_others_pass(folder.path())?;
    Ok(folder)
}

/// A case may start its program under another user.
fn let_others_pass(folder: &Path) -> std::io::Result<()> {
    fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o755))
}
