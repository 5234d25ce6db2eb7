//! Times a whole session: from the start of the program to its end, everything it reads being there
//! before it starts.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use bstr::ByteSlice as _;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    pipe::{PipeFlags, pipe_with},
    process::{Pid, PidfdFlags, pidfd_open},
};

use super::Stand;

/// What the client says. It fits into a pipe, as the answers do.
const INPUT: &[u8] = b"MAIL FROM:<sender@bench.example>\r\nRCPT TO:<recipient@bench.example>\r\nDATA\r\n\
    Subject: bench\r\n\r\nOne line.\r\n.\r\nQUIT\r\n";

/// The codes of the answers when the message was taken.
const CODES: [&[u8]; 6] = [b"220 ", b"250 ", b"250 ", b"354 ", b"250 ", b"221 "];

/// The guard against a program that does not end.
const LIMIT: Timespec = Timespec { tv_sec: 20, tv_nsec: 0 };

/// From before the start of the program to after its end.
///
/// # Errors
/// It cannot be started, does not end, or does not take the message.
pub(super) fn time(stand: &Stand) -> io::Result<Duration> {
    let (took, output) = start(stand)?;
    let codes = output.lines_with_terminator().map(|line| line.get(..4).unwrap_or_default());
    if stand.serves && !codes.eq(CODES) {
        let place = stand.program.path.display();
        return Err(io::Error::other(format!("{place} does not take the message: {}", output.as_bstr())));
    }
    Ok(took)
}

fn start(stand: &Stand) -> io::Result<(Duration, Vec<u8>)> {
    let (input, client_out) = pipe_with(PipeFlags::CLOEXEC)?;
    let (client_in, output) = pipe_with(PipeFlags::CLOEXEC)?;
    File::from(client_out).write_all(INPUT)?;
    let mut command = Command::new(&stand.program.path);
    command.args(&stand.program.words).args(&stand.arguments);
    command.env_clear().envs(&stand.world.environment).current_dir(&stand.world.folder);
    command.stdin(Stdio::from(input)).stdout(Stdio::from(output)).stderr(Stdio::null());
    let started = Instant::now();
    let mut child = command.spawn()?;
    let ended = await_end(&child);
    let took = started.elapsed();
    if ended.is_err() {
        child.kill()?;
    }
    child.wait()?;
    drop(command);
    ended?;
    let mut answers = Vec::new();
    File::from(client_in).read_to_end(&mut answers)?;
    Ok((took, answers))
}

fn await_end(child: &Child) -> io::Result<()> {
    let end = pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
    match poll(&mut [PollFd::new(&end, PollFlags::IN)], Some(&LIMIT))? {
        0 => Err(io::Error::other("a program does not end")),
        _ => Ok(()),
    }
}
