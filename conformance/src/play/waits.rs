//! What a process waits for, as Linux tells: its state, its system call, and what that call was given.

use std::{fs, fs::File, os::unix::fs::FileExt as _};

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waits {
    /// It waits for something to read on descriptor 0.
    ForInput,
    /// It waits until it can write to descriptor 1.
    ForOutput,
    /// It runs, or waits for something else: a service, a child, a lock.
    No,
}

/// Longest chain of programs that wait for each other.
const DEPTH_MAX: usize = 8;
/// Most descriptors looked at in one call.
const DESCRIPTORS_MAX: usize = 64;

/// What the process `pid` waits for. One that waits for its children waits for what they wait for, as
/// far as they have its input.
pub fn of(pid: u32) -> Waits {
    let mut processes = vec![pid];
    for _ in 0..DEPTH_MAX {
        let mut children = Vec::new();
        for process in &processes {
            match one(*process) {
                State::Waits(waits) => return waits,
                State::ForChildren => children.extend(with_same_input(*process)),
            }
        }
        if children.is_empty() {
            break;
        }
        processes = children;
    }
    Waits::No
}

enum State {
    Waits(Waits),
    ForChildren,
}

fn one(pid: u32) -> State {
    match thread(pid, pid) {
        // Of a program with several threads another one may do the reading.
        Call::Lock => {
            let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
            let others = tasks.filter_map(|task| task.file_name().to_str()?.parse::<u32>().ok());
            let calls: Vec<Call> = others.filter(|task| *task != pid).map(|task| thread(pid, task)).collect();
            let any = |wanted: Call| calls.contains(&wanted);
            if any(Call::Running) {
                State::Waits(Waits::No)
            } else if any(Call::Input) {
                State::Waits(Waits::ForInput)
            } else if any(Call::Output) {
                State::Waits(Waits::ForOutput)
            } else {
                State::Waits(Waits::No)
            }
        }
        Call::Input => State::Waits(Waits::ForInput),
        Call::Output => State::Waits(Waits::ForOutput),
        Call::Child => State::ForChildren,
        Call::Running | Call::Other => State::Waits(Waits::No),
    }
}

/// What a thread does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Running,
    Input,
    Output,
    Child,
    Lock,
    Other,
}

fn thread(pid: u32, task: u32) -> Call {
    let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/task/{task}/{file}"));
    let sleeping =
        read("stat").is_ok_and(|stat| stat.rsplit(") ").next().is_some_and(|s| s.starts_with('S')));
    if !sleeping {
        return Call::Running;
    }
    match read("syscall") {
        Ok(call) => classify(&call, pid),
        // Not allowed to look: sleeping with nothing to read has to do.
        Err(_) => Call::Input,
    }
}

/// Whether descriptor 0 is waited for to read from, and 1 to write to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Watched {
    input: bool,
    output: bool,
}

impl Watched {
    fn call(self) -> Call {
        match (self.input, self.output) {
            (true, _) => Call::Input,
            (false, true) => Call::Output,
            (false, false) => Call::Other,
        }
    }
}

/// A line of `/proc/PID/syscall`. Only x86-64 and the generic table of newer machines are known.
fn classify(line: &str, pid: u32) -> Call {
    let mut words = line.split_whitespace();
    let number: u32 = words.next().and_then(|word| word.parse().ok()).unwrap_or(u32::MAX);
    let arguments: Vec<u64> =
        words.filter_map(|word| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok()).collect();
    let argument = |at: usize| arguments.get(at).copied().unwrap_or_default();
    let on = |descriptor: u64, call: Call| if argument(0) == descriptor { call } else { Call::Other };
    let kind = if cfg!(target_arch = "x86_64") {
        match number {
            0 | 19 | 45 | 47 => Kind::Read,
            1 | 20 | 44 | 46 => Kind::Write,
            7 | 271 => Kind::Poll,
            23 | 270 => Kind::Select,
            232 | 281 | 441 => Kind::Epoll,
            61 | 247 => Kind::Wait,
            202 => Kind::Futex,
            _ => Kind::Other,
        }
    } else {
        match number {
            63 | 65 | 207 | 212 => Kind::Read,
            64 | 66 | 206 | 211 => Kind::Write,
            73 => Kind::Poll,
            72 => Kind::Select,
            22 | 441 => Kind::Epoll,
            260 | 95 => Kind::Wait,
            98 => Kind::Futex,
            _ => Kind::Other,
        }
    };
    // What cannot be looked at is taken for a wait for the client.
    let unknown = Watched { input: true, output: false };
    match kind {
        Kind::Read => on(0, Call::Input),
        Kind::Write => on(1, Call::Output),
        Kind::Poll => polled(pid, argument(0), argument(1)).unwrap_or(unknown).call(),
        Kind::Select => selected(pid, argument(1), argument(2)).unwrap_or(unknown).call(),
        Kind::Epoll => registered(pid, argument(0)).unwrap_or(unknown).call(),
        Kind::Wait => Call::Child,
        Kind::Futex => Call::Lock,
        Kind::Other => Call::Other,
    }
}

enum Kind {
    Read,
    Write,
    Poll,
    Select,
    Epoll,
    Wait,
    Futex,
    Other,
}

/// `POLLIN` and `POLLOUT`, the same as those of epoll.
const IN: u64 = 1;
const OUT: u64 = 4;

/// The array given to `poll`.
fn polled(pid: u32, at: u64, count: u64) -> Option<Watched> {
    let count = usize::try_from(count).ok()?.min(DESCRIPTORS_MAX);
    let bytes = memory(pid, at, count * 8)?;
    let mut watched = Watched::default();
    for entry in bytes.chunks_exact(8) {
        let descriptor = i32::from_ne_bytes(entry[..4].try_into().ok()?);
        let events = u64::from(u16::from_ne_bytes(entry[4..6].try_into().ok()?));
        watched.input |= descriptor == 0 && events & IN != 0;
        watched.output |= descriptor == 1 && events & OUT != 0;
    }
    Some(watched)
}

/// The sets given to `select`.
fn selected(pid: u32, read: u64, write: u64) -> Option<Watched> {
    let has =
        |set: u64, bit: u8| if set == 0 { Some(false) } else { Some(memory(pid, set, 1)?[0] & bit != 0) };
    Some(Watched { input: has(read, 1)?, output: has(write, 2)? })
}

/// What is registered with an epoll descriptor.
fn registered(pid: u32, epoll: u64) -> Option<Watched> {
    let info = fs::read_to_string(format!("/proc/{pid}/fdinfo/{epoll}")).ok()?;
    let mut watched = Watched::default();
    for line in info.lines().filter(|line| line.starts_with("tfd:")) {
        let mut words = line.split_whitespace();
        let descriptor = words.nth(1)?;
        let events = u64::from_str_radix(words.nth(1)?, 16).ok()?;
        watched.input |= descriptor == "0" && events & IN != 0;
        watched.output |= descriptor == "1" && events & OUT != 0;
    }
    Some(watched)
}

fn memory(pid: u32, at: u64, length: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; length];
    File::open(format!("/proc/{pid}/mem")).ok()?.read_exact_at(&mut bytes, at).ok()?;
    Some(bytes)
}

/// The children of `pid` whose descriptor 0 is its own.
fn with_same_input(pid: u32) -> Vec<u32> {
    let input = |pid: u32| fs::read_link(format!("/proc/{pid}/fd/0")).ok();
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let own = input(pid);
    let children = list.split_whitespace().filter_map(|child| child.parse().ok());
    children.filter(|child| own.is_some() && input(*child) == own).collect()
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};

    use super::*;

    /// What a shell line waits for in the end; its input is a pipe that nobody writes to.
    fn waits(line: &str) -> Waits {
        let start = |line: &str| -> Child {
            let mut command = Command::new("/bin/sh");
            command.args(["-c", line]).stdin(Stdio::piped()).stdout(Stdio::piped());
            command.spawn().unwrap()
        };
        let mut child = start(line);
        let mut found = Waits::No;
        // A shell needs its time; what waits for something else never gets there.
        for _ in 0..300 {
            found = of(child.id());
            if found != Waits::No {
                break;
            }
            let _ = rustix::event::poll(
                &mut [],
                Some(&rustix::event::Timespec { tv_sec: 0, tv_nsec: 1_000_000 }),
            );
        }
        drop(child.stdin.take());
        child.kill().unwrap();
        child.wait().unwrap();
        found
    }

    #[test]
    fn a_reader_waits_for_input_itself_or_by_a_child() {
        assert_eq!(waits("exec cat"), Waits::ForInput);
        assert_eq!(waits("cat; true"), Waits::ForInput);
    }

    #[test]
    fn a_writer_waits_for_its_reader() {
        assert_eq!(waits("exec yes"), Waits::ForOutput);
    }

    #[test]
    fn what_waits_for_something_else_does_not_wait_for_the_client() {
        assert_eq!(waits("sleep 5 </dev/null; true"), Waits::No);
        assert_eq!(waits("exec sleep 5"), Waits::No);
    }
}
