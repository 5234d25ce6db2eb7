//! The queue program: started, fed, waited for, and never left behind (QMAIL-1 … 6, 9, 26 … 30).
//!
//! A program that stops reading, dies or stands still costs us no more than its message (SEC-72): the
//! pipes are written without blocking, nobody else holds their ends, no wait outlasts the session's
//! limit, and every way out of here reaps the process.

use std::{
    env,
    ffi::{OsStr, OsString},
    io::{self, PipeReader, PipeWriter},
    os::{fd::AsFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use bstr::{BString, ByteSlice};
use rustix::{
    event::PollFlags,
    fs::{Access, AtFlags, CWD},
    io::Errno,
    process::{
        Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitIdStatus, kill_process, pidfd_open, waitid,
    },
};

use super::{
    DEFAULT_PROGRAM, Failure, PROGRAM,
    verdict::{Ending, NOT_EXECUTED},
};
use crate::{qmail_home, session::Session, wait::ready};

/// How long a program that lost its message may take to clean up before it is killed.
const FAREWELL: Duration = Duration::from_secs(10);

/// How long a killed one may take to be gone. One that runs under another user cannot be killed.
const AFTER_KILL: Duration = Duration::from_secs(1);

/// How often a wait looks whether the program was stopped, which no descriptor shows (QMAIL-18).
const LOOK: Duration = Duration::from_secs(1);

/// A pipe, both ends closed on exec. The end for writing does not block.
pub(super) struct Pipe {
    pub(super) reader: PipeReader,
    pub(super) writer: PipeWriter,
}

impl Pipe {
    pub(super) fn open() -> Result<Self, Failure> {
        let (reader, writer) = io::pipe().map_err(|_| Failure::Pipe)?;
        rustix::io::ioctl_fionbio(&writer, true).map_err(|_| Failure::Pipe)?;
        Ok(Self { reader, writer })
    }
}

/// A queue program and its message.
pub(super) struct Program {
    process: Process,
    message: Option<PipeWriter>,
    envelope: Option<PipeWriter>,
    /// Bytes written to the message.
    taken: u64,
    /// Whether everything so far could be written.
    is_whole: bool,
    /// The end of the session, after which nothing is waited for (CORE-TIME-7).
    until: Instant,
}

/// What became of a program and of what it was given.
pub(super) struct Outcome {
    /// How it ended.
    pub(super) ending: Ending,
    /// Whether it was given all of message and envelope.
    pub(super) is_whole: bool,
}

enum Process {
    /// It has to be reaped.
    Running(Pid),
    /// It could not be executed, which counts as its exit status (QMAIL-20).
    NotExecuted,
    /// It was reaped.
    Gone,
}

impl Program {
    /// Starts it with `input` as descriptor 0 and the envelope as descriptor 1; the current directory is
    /// qmail's. `message`: the other end of `input`, if that is a pipe.
    ///
    /// One that cannot be executed is no failure yet: the client's message is heard first (QMAIL-20).
    pub(super) fn start(
        session: &Session,
        input: Stdio,
        message: Option<PipeWriter>,
        envelope: Pipe,
    ) -> Result<Self, Failure> {
        // The standard library gives the child an empty signal mask and SIGPIPE as it was born (QMAIL-12).
        let mut command = Command::new(path(&name(session)));
        command.stdin(input).stdout(Stdio::from(envelope.reader));
        for (name, value) in session.overlay() {
            let name = OsStr::from_bytes(&name);
            match value {
                Some(value) => command.env(name, OsStr::from_bytes(&value)),
                None => command.env_remove(name),
            };
        }
        let process = match command.spawn() {
            Ok(child) => Process::Running(Pid::from_child(&child)),
            Err(error) => match Errno::from_io_error(&error) {
                Some(Errno::AGAIN | Errno::NOMEM) => return Err(Failure::Start),
                Some(Errno::MFILE | Errno::NFILE) => return Err(Failure::Pipe),
                _ => Process::NotExecuted,
            },
        };
        Ok(Self {
            process,
            message,
            envelope: Some(envelope.writer),
            taken: 0,
            is_whole: true,
            until: session.connection.session_end(),
        })
    }

    /// The number of its process, 0 if there is none.
    pub(super) fn id(&self) -> u32 {
        match self.process {
            Process::Running(pid) => pid.as_raw_nonzero().get().unsigned_abs(),
            Process::NotExecuted | Process::Gone => 0,
        }
    }

    /// Bytes of the message written so far.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// Writes a part of the message. After a failure the rest is ignored (QMAIL-26).
    pub(super) fn feed(&mut self, block: &[u8]) {
        let Some(pipe) = &self.message else { return };
        match write_all(pipe, block, self.until) {
            Ok(()) => self.taken += block.len() as u64,
            Err(_) => {
                self.is_whole = false;
                self.message = None;
            }
        }
    }

    /// Ends the message, writes the envelope unless some of the message is missing, and waits for the
    /// program to end.
    pub(super) fn finish(mut self, envelope: &[u8]) -> Outcome {
        self.message = None;
        if let Some(pipe) = self.envelope.take() {
            self.is_whole = self.is_whole && write_all(&pipe, envelope, self.until).is_ok();
        }
        let ending = match std::mem::replace(&mut self.process, Process::Gone) {
            Process::Running(pid) => reap(pid, self.until),
            Process::NotExecuted | Process::Gone => Ending::Exited(NOT_EXECUTED),
        };
        Outcome { ending, is_whole: self.is_whole }
    }
}

/// A program that is given up sees the end of both its inputs, the envelope empty: it has nothing to
/// queue (QMAIL-9). It is reaped here, so that none is left as a zombie (QMAIL-28).
impl Drop for Program {
    fn drop(&mut self) {
        self.message = None;
        self.envelope = None;
        if let Process::Running(pid) = self.process {
            let _ignored = reap(pid, Instant::now() + FAREWELL);
        }
    }
}

/// Writes all bytes, as far as there is somebody who reads them by then.
fn write_all(pipe: &PipeWriter, bytes: &[u8], until: Instant) -> io::Result<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        match rustix::io::write(pipe, rest) {
            Ok(count) => rest = &rest[count..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) if ready(pipe.as_fd(), PollFlags::OUT, until)? => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Waits for a process to end; kills it at the given moment.
fn reap(pid: Pid, until: Instant) -> Ending {
    let ending = wait(pid, until).or_else(|| {
        kill_process(pid, Signal::KILL).ok()?;
        wait(pid, Instant::now() + AFTER_KILL)
    });
    ending.unwrap_or(Ending::Crashed)
}

/// Waits for a process to end; nothing if it has not by the given moment. One that is stopped is killed
/// (QMAIL-18).
fn wait(pid: Pid, until: Instant) -> Option<Ending> {
    // Without a descriptor, of which there are none left or which the kernel does not know, there is no
    // limit either.
    let descriptor = pidfd_open(pid, PidfdFlags::empty()).ok();
    let polled = if descriptor.is_some() { WaitIdOptions::NOHANG } else { WaitIdOptions::empty() };
    loop {
        match waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::STOPPED | polled) {
            Ok(Some(status)) if status.stopped() => kill_process(pid, Signal::KILL).ok()?,
            Ok(Some(status)) => return Some(ending(&status)),
            Ok(None) => {
                let now = Instant::now();
                if now >= until {
                    return None;
                }
                if let Some(descriptor) = &descriptor {
                    // Whatever ended this wait, the process itself is asked next.
                    let _ignored = ready(descriptor.as_fd(), PollFlags::IN, until.min(now + LOOK));
                }
            }
            Err(Errno::INTR) => {}
            Err(_) => return Some(Ending::Crashed),
        }
    }
}

fn ending(status: &WaitIdStatus) -> Ending {
    status.exit_status().map_or(Ending::Crashed, Ending::Exited)
}

/// The program's name as it will be told it (QMAIL-1).
fn name(session: &Session) -> BString {
    session.variable(PROGRAM.as_bytes()).unwrap_or_else(|| DEFAULT_PROGRAM.into())
}

fn path(name: &BString) -> &Path {
    Path::new(OsStr::from_bytes(name))
}

/// What keeps the program from being started, for `--check`.
pub(super) fn problem(session: &Session) -> Option<BString> {
    let home = session.variable(qmail_home::VARIABLE.as_bytes());
    if let Err(response) = qmail_home::enter(home) {
        return Some(response.text().unwrap_or_default().into());
    }
    let name = name(session);
    let places: Vec<PathBuf> = if name.contains(&b'/') {
        vec![path(&name).into()]
    } else {
        let folders = session.variable(b"PATH").map(|value| OsString::from(OsStr::from_bytes(&value)));
        folders.iter().flat_map(env::split_paths).map(|folder| folder.join(path(&name))).collect()
    };
    let is_program = |place: &PathBuf| {
        place.is_file() && rustix::fs::accessat(CWD, place, Access::EXEC_OK, AtFlags::EACCESS).is_ok()
    };
    let found = places.iter().any(is_program);
    (!found).then(|| format!("queue program {}: there is none to execute", name.as_bstr()).into())
}
