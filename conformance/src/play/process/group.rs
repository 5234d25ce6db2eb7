//! The program's children: they have its process group.

use std::time::{Duration, Instant};

use rustix::{
    event::{Timespec, poll},
    process::{Pid, Signal, kill_process_group, test_kill_process_group},
};

use super::Process;

/// How long a child may take to end with its parent, and how often that is looked at.
const ENDING_MOST: Duration = Duration::from_millis(300);
const ENDING_LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 500_000 };

impl Process {
    /// Whether processes of its group are still there. Asked after [`Process::reap`]. A child that
    /// learns of the end just now, and ends too, is not left behind. Nor is one that has ended and was not
    /// reaped, if the program itself was killed: that is for init to do.
    pub fn left_group(&self, was_killed: bool) -> bool {
        let Some(child) = &self.child else { return false };
        let started = Instant::now();
        let group = Pid::from_child(child);
        while test_kill_process_group(group).is_ok() {
            if started.elapsed() > ENDING_MOST {
                return !was_killed || is_alive(group);
            }
            let _ = poll(&mut [], Some(&ENDING_LOOK));
        }
        false
    }

    /// Kills what is left of its group.
    pub fn end_group(&self) {
        if let Some(child) = &self.child {
            let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
        }
    }
}

/// Whether a process of a group has not ended.
fn is_alive(group: Pid) -> bool {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let stats = processes.filter_map(|process| std::fs::read_to_string(process.path().join("stat")).ok());
    // Behind the name, which is in parentheses and may hold anything: state, parent, group.
    let mut found = stats.filter_map(|stat| {
        let mut fields = stat.rsplit_once(") ")?.1.split(' ');
        let (state, group) = (fields.next()?.to_string(), fields.nth(1)?.parse::<i32>().ok()?);
        Some((state, group))
    });
    found.any(|(state, of)| of == group.as_raw_nonzero().get() && !["Z", "X"].contains(&state.as_str()))
}
