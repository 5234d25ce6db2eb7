//! A program that the target starts: the suite's own, under another name, acting by a script.
//!
//! `CASE/NAME` is a link to a link to the suite's program. The script lies beside the second link, and
//! so does the folder in which each call writes down what it was given.

use std::{
    env, fs,
    fs::File,
    io::{self, Read as _, Write as _},
    os::{
        fd::AsFd,
        unix::ffi::{OsStrExt as _, OsStringExt as _},
        unix::fs::{PermissionsExt as _, symlink},
    },
    path::{Path, PathBuf},
    process,
    time::Instant,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Signal, getgroups, getpid, kill_process},
};

use super::{
    call::{Call, append, unescaped},
    dialogue::{Dialogue, End, Want},
};
use crate::{
    sandbox::signals::in_set,
    transcript::{
        service::{Kind, Service},
        text::{Variables, escape},
    },
};

/// The ending of the script beside the link, and of the folder of calls.
const SCRIPT: &str = "script";
const CALLS: &str = "calls";

/// Puts the program of service `name` into `case`; `folder` is that of all programs of the play, and
/// `program` the suite. Gives the folder of its calls.
///
/// # Errors
/// A file cannot be made.
pub fn place(
    name: &str,
    service: &Service,
    variables: &Variables,
    program: &Path,
    folder: &Path,
    case: &Path,
) -> io::Result<PathBuf> {
    let link = folder.join(name);
    symlink(program, &link)?;
    symlink(&link, case.join(name))?;
    let mut script: String =
        variables.iter().map(|(name, value)| format!("{name}={}\n", escape(value))).collect();
    for (number, place) in inherited() {
        script.push_str(&format!("{number}={}\n", escape(place.as_os_str().as_bytes())));
    }
    script.push('\n');
    script.push_str(&service.script);
    fs::write(beside(&link, SCRIPT), script)?;
    let calls = beside(&link, CALLS);
    fs::create_dir(&calls)?;
    // The target may have become another user before it starts the program.
    fs::set_permissions(&calls, fs::Permissions::from_mode(0o1777))?;
    Ok(calls)
}

/// Descriptors that the suite itself was started with and that every program below it has, too.
fn inherited() -> Vec<(u32, PathBuf)> {
    let survives = |number: u32| {
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{number}")).unwrap_or_default();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
        flags
            .and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok())
            .is_some_and(|flags| flags & CLOEXEC == 0)
    };
    descriptors().into_iter().filter(|(number, _)| *number > 2 && survives(*number)).collect()
}

/// The flag of a descriptor that does not survive the start of a program, as `/proc` shows it.
const CLOEXEC: u32 = 0o2_000_000;

/// The open descriptors and what they are, in order.
fn descriptors() -> Vec<(u32, PathBuf)> {
    let listing = format!("/proc/{}/fd", process::id());
    let entries = fs::read_dir(&listing).into_iter().flatten().flatten();
    let number = |entry: fs::DirEntry| {
        Some((entry.file_name().to_str()?.parse().ok()?, fs::read_link(entry.path()).ok()?))
    };
    let mut open: Vec<_> =
        entries.filter_map(number).filter(|(_, place)| place != Path::new(&listing)).collect();
    open.sort();
    open
}

fn beside(link: &Path, ending: &str) -> PathBuf {
    let mut name = link.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

/// Runs the script of the link that this process was started by, and gives its exit status; nothing
/// if there is none.
pub fn run_as_called() -> Option<i32> {
    let called = rustix::param::linux_execfn().to_bytes().to_vec();
    let link = fs::read_link(Path::new(std::ffi::OsStr::from_bytes(&called))).ok()?;
    let text = fs::read_to_string(beside(&link, SCRIPT)).ok()?;
    // The target's own SIGPIPE is not ours to change, so a failed write may end us: as it should.
    match run(&text, &beside(&link, CALLS)) {
        Ok(status) => Some(status),
        Err(error) => {
            let _ = writeln!(io::stderr(), "stub {}: {error}", link.display());
            Some(TROUBLE)
        }
    }
}

/// How the program ended: its status, or `signal NAME`; not there if it was killed.
const END: &str = "end";

/// The status of a program that could not do its part.
const TROUBLE: i32 = 111;

fn run(text: &str, calls: &Path) -> io::Result<i32> {
    let (known, script) = text.split_once("\n\n").unwrap_or((text, ""));
    let known = known.lines().filter_map(|line| line.split_once('='));
    let variables: Variables = known.map(|(name, value)| (name.to_string(), unescaped(value))).collect();
    let (number, folder) = claim(calls)?;
    // Looked at before we open anything ourselves.
    circumstances(&variables)?.write(&folder)?;
    let service = Service { kind: Kind::Command, script: script.into() };
    let mut blocks = service.blocks().map_err(|wrong| io::Error::other(wrong.what))?;
    let block = blocks.swap_remove((number - 1).min(blocks.len() - 1));
    let mut dialogue = Dialogue::new(block, variables);
    let end = follow(&mut dialogue, &folder)?;
    dialogue.call.facts.push((END.into(), end.to_string().into()));
    dialogue.call.write(&folder)?;
    Ok(end)
}

/// A folder for this call, by the first number that is free.
fn claim(calls: &Path) -> io::Result<(usize, PathBuf)> {
    let mut number = 1;
    loop {
        let folder = calls.join(number.to_string());
        match fs::create_dir(&folder) {
            Ok(()) => return Ok((number, folder)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(error),
        }
    }
}

/// What the program was started with.
fn circumstances(known: &Variables) -> io::Result<Call> {
    let mut call = Call::default();
    let mut add = |key: String, value: Vec<u8>| call.facts.push((key, value));
    let foreign = |(number, place): &(u32, PathBuf)| {
        known.get(&number.to_string()).is_some_and(|known| known == place.as_os_str().as_bytes())
    };
    let open: Vec<_> = descriptors().into_iter().filter(|one| !foreign(one)).collect();
    let numbers: Vec<String> = open.iter().map(|(number, _)| number.to_string()).collect();
    add("fds".into(), numbers.join(" ").into());
    for (number, target) in open {
        let target = target.into_os_string().into_vec();
        let kind = match target.iter().position(|b| *b == b':') {
            Some(end) if !target.starts_with(b"/") => target[..end].to_vec(),
            _ => target,
        };
        add(format!("fd {number}"), kind);
    }
    for (number, word) in env::args_os().enumerate() {
        add(format!("arg {number}"), word.into_vec());
    }
    add("args".into(), (env::args_os().count().saturating_sub(1)).to_string().into());
    for (name, value) in env::vars_os() {
        add(format!("env {}", name.to_string_lossy()), value.into_vec());
    }
    add("cwd".into(), env::current_dir().unwrap_or_default().into_os_string().into_vec());
    add("uid".into(), rustix::process::geteuid().as_raw().to_string().into());
    add("gid".into(), rustix::process::getegid().as_raw().to_string().into());
    let groups: Vec<String> = getgroups()?.iter().map(|group| group.as_raw().to_string()).collect();
    add("groups".into(), groups.join(" ").into());
    for line in fs::read_to_string("/proc/self/status")?.lines() {
        let Some((key, value)) = line.split_once(':') else { continue };
        match key {
            "Umask" => add("umask".into(), value.trim().into()),
            "SigBlk" => add("blocked".into(), signals(value).into()),
            "SigIgn" => add("ignored".into(), signals(value).into()),
            _ => {}
        }
    }
    Ok(call)
}

/// The numbers of a set of signals as `/proc` writes it.
fn signals(mask: &str) -> String {
    let numbers: Vec<String> = in_set(mask).iter().map(u32::to_string).collect();
    numbers.join(" ")
}

fn follow(dialogue: &mut Dialogue, folder: &Path) -> io::Result<i32> {
    loop {
        match dialogue.advance(Instant::now()) {
            Want::Input(descriptor) => {
                let mut buffer = vec![0; 65536];
                let length = read(descriptor, &mut buffer)?;
                append(&folder.join(descriptor.to_string()), &buffer[..length])?;
                if length == 0 {
                    dialogue.end(descriptor);
                } else {
                    dialogue.feed(descriptor, &buffer[..length]);
                }
            }
            Want::Send(bytes) => {
                let mut out = io::stdout().lock();
                out.write_all(&bytes)?;
                out.flush()?;
            }
            Want::Until(wake) => {
                let left = wake.saturating_duration_since(Instant::now());
                let left = Timespec::try_from(left).map_err(io::Error::other)?;
                let _ = poll(&mut [], Some(&left));
            }
            Want::CloseDescriptor(descriptor) => close(descriptor)?,
            Want::Never => {
                dialogue.call.write(folder)?;
                return until_unheard();
            }
            Want::HalfClose | Want::Elsewhere => {}
            Want::End(End::Done(status)) => return Ok(status.into()),
            Want::End(End::Died(name)) => {
                dialogue.call.facts.push((END.into(), format!("signal {name}").into()));
                dialogue.call.write(folder)?;
                kill_process(getpid(), signal(&name)?)?;
            }
            Want::End(End::Closed | End::Reset) => return Ok(0),
        }
    }
}

fn read(descriptor: u8, buffer: &mut [u8]) -> io::Result<usize> {
    Ok(match descriptor {
        0 => rustix::io::read(rustix::stdio::stdin(), buffer)?,
        1 => rustix::io::read(rustix::stdio::stdout(), buffer)?,
        2 => rustix::io::read(rustix::stdio::stderr(), buffer)?,
        other => File::open(format!("/proc/self/fd/{other}"))?.read(buffer)?,
    })
}

/// Closes what is behind a standard descriptor; a null device takes its number.
fn close(descriptor: u8) -> io::Result<()> {
    let null = fs::OpenOptions::new().read(true).write(true).open("/dev/null")?;
    match descriptor {
        0 => rustix::stdio::dup2_stdin(null)?,
        1 => rustix::stdio::dup2_stdout(null)?,
        _ => rustix::stdio::dup2_stderr(null)?,
    }
    Ok(())
}

/// Stays until nobody listens to standard output, or writes to it where it is a pipe to read from.
fn until_unheard() -> io::Result<i32> {
    poll(&mut [PollFd::from_borrowed_fd(rustix::stdio::stdout().as_fd(), PollFlags::empty())], None)?;
    Ok(TROUBLE)
}

fn signal(name: &str) -> io::Result<Signal> {
    Ok(match name {
        "ABRT" => Signal::ABORT,
        "ALRM" => Signal::ALARM,
        "HUP" => Signal::HUP,
        "INT" => Signal::INT,
        "KILL" => Signal::KILL,
        "PIPE" => Signal::PIPE,
        "SEGV" => Signal::SEGV,
        "STOP" => Signal::STOP,
        "TERM" => Signal::TERM,
        _ => return Err(io::Error::other(format!("signal {name} is not known"))),
    })
}
