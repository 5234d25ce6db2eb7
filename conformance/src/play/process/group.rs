//! The program and its children, which have its process group.
//!
//! Who of them outlives its parent comes to the suite, which alone takes its end. So whether somebody was
//! left behind is the same on every machine, however soon or late the system's first process takes the
//! ends of orphans.

use std::{
    io,
    process::Child,
    sync::Once,
    time::{Duration, Instant},
};

use rustix::{
    event::{Timespec, poll},
    io::Errno,
    process::{
        Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process_group, set_child_subreaper,
        test_kill_process_group, waitpgid, waitpid,
    },
};

use crate::transcript::model::Exit;

/// How long the children of a program that was killed may take to end, too, and how often that is looked at.
const ENDING_MOST: Duration = Duration::from_millis(300);
const ENDING_LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 500_000 };

/// A started program and its children.
pub(super) struct Group {
    program: Pid,
    /// How the program ended, once its end is taken.
    exit: Option<Exit>,
    /// Children for which the program had not waited when it ended.
    unreaped: usize,
    /// The suite has killed it.
    was_ended: bool,
}

impl Group {
    /// The group that `program` leads.
    pub(super) fn of(program: &Child) -> Self {
        Self { program: Pid::from_child(program), exit: None, unreaped: 0, was_ended: false }
    }

    /// The program's process id.
    pub(super) fn program(&self) -> Pid {
        self.program
    }

    /// Whether the program's end is taken.
    pub(super) fn has_ended(&self) -> bool {
        self.exit.is_some()
    }

    /// Takes the ends of orphans. While the program runs these are children of its children, for whom it
    /// need not wait.
    pub(super) fn take_orphans(&mut self) {
        let taken = self.take_ends();
        if self.has_ended() {
            // It ended just now, and they were its own.
            self.unreaped += taken;
        }
    }

    /// Waits for the program's end and takes it.
    ///
    /// # Errors
    /// Somebody else has taken it.
    pub(super) fn reap(&mut self, kill: bool) -> io::Result<Option<Exit>> {
        if kill {
            self.was_ended = true;
            self.end();
        }
        while self.exit.is_none() {
            match waitpid(Some(self.program), WaitOptions::empty()) {
                Ok(ended) => self.exit = ended.map(|(_, status)| exit(status)),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(self.exit)
    }

    /// Whether the program, whose end is taken, has left somebody behind: a child that runs, or one that
    /// has ended and for which it did not wait.
    ///
    /// If it was killed it could wait for nobody; then only who does not end, too, is left behind.
    pub(super) fn is_left(&mut self, was_killed: bool) -> bool {
        if was_killed || self.was_ended {
            return !self.dissolves();
        }
        self.unreaped += self.take_ends();
        self.unreaped > 0 || self.has_members()
    }

    /// Kills who is left.
    pub(super) fn end(&mut self) {
        let _ = kill_process_group(self.program, Signal::KILL);
        self.dissolves();
    }

    /// Whether everybody ends within a while.
    fn dissolves(&mut self) -> bool {
        let started = Instant::now();
        loop {
            self.take_ends();
            if !self.has_members() {
                return true;
            }
            if started.elapsed() > ENDING_MOST {
                return false;
            }
            let _ = poll(&mut [], Some(&ENDING_LOOK));
        }
    }

    fn has_members(&self) -> bool {
        test_kill_process_group(self.program).is_ok()
    }

    /// Takes the ends that there are. The program's is kept, those of others are counted.
    fn take_ends(&mut self) -> usize {
        let mut others = 0;
        loop {
            match waitpgid(self.program, WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if pid == self.program => self.exit = Some(exit(status)),
                Ok(Some(_)) => others += 1,
                Err(Errno::INTR) => {}
                Ok(None) | Err(_) => return others,
            }
        }
    }
}

fn exit(status: WaitStatus) -> Exit {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Exit::Status(code),
        (None, signal) => Exit::Signal(signal.unwrap_or(0)),
    }
}

/// From now on orphans among the descendants of this process come to it.
pub(super) fn adopt_orphans() {
    static ADOPTS: Once = Once::new();
    // Where it is not possible it is only the ends of some that nobody sees.
    ADOPTS.call_once(|| _ = set_child_subreaper(Some(getpid())));
}
