//! Sends one large message and sees what it cost: processor time and peak memory.

use std::{
    fs, io,
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};

use super::Stand;
use crate::play::{Delivery, process::Process};

/// The guard against a program that stops reading or does not end.
const LIMIT: Duration = Duration::from_secs(120);

/// A line of the message: 76 columns.
const LINE: &[u8] = b"The quick brown fox jumps over the lazy dog. 0123456789 abcdefghijklmnopqrst\r\n";

/// Lines handed over in one write; it is about as much as a pipe holds.
const LINES: usize = 800;

/// What a message or a workload cost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Costs {
    /// Processor time of the program, its own and the system's for it, from start to end.
    pub(super) processor: Duration,
    /// Peak resident memory in bytes, seen when the message was acknowledged.
    pub(super) peak: u64,
    /// Bytes sent.
    pub(super) bytes: u64,
}

/// Sends a message of at least `size` bytes.
///
/// # Errors
/// The program cannot be started, does not take the message or does not end.
pub(super) fn send(stand: &Stand, size: usize) -> io::Result<Costs> {
    let process = Process::start(&stand.program, &stand.arguments, &stand.world, Delivery::Lockstep)?;
    let mut client = Client { process, output: Vec::new(), deadline: Instant::now() + LIMIT };
    let costs = client.message(size);
    let reaped = client.process.reap(costs.is_err());
    let costs = costs.map_err(|e| {
        let said = String::from_utf8_lossy(&client.output).into_owned();
        io::Error::other(format!("{}: {e}; it said: {said}", stand.program.path.display()))
    })?;
    reaped?;
    Ok(costs)
}

struct Client {
    process: Process,
    output: Vec<u8>,
    deadline: Instant,
}

impl Client {
    fn message(&mut self, size: usize) -> io::Result<Costs> {
        self.answers(1)?;
        self.write(b"MAIL FROM:<sender@bench.example>\r\nRCPT TO:<recipient@bench.example>\r\nDATA\r\n")?;
        self.answers(4)?;
        let block = LINE.repeat(LINES);
        let mut bytes = 0;
        while bytes < size {
            self.write(&block)?;
            bytes += block.len();
        }
        self.write(b".\r\n")?;
        self.answers(5)?;
        if !self.output.split(|b| *b == b'\n').nth(4).is_some_and(|line| line.starts_with(b"250 ")) {
            return Err(io::Error::other("the message is not taken"));
        }
        // What a process used at most is gone with it, and it now waits for the next command.
        let peak = self.process.peak_memory().ok_or_else(|| io::Error::other("no VmHWM in /proc"))?;
        self.process.tx = None;
        if let Some(pidfd) = &self.process.pidfd {
            self.wait(pidfd, PollFlags::IN)?;
        }
        let processor = processor_time(self.process.pid())?;
        Ok(Costs { processor, peak, bytes: bytes as u64 })
    }

    /// Waits until so many lines have come in all.
    fn answers(&mut self, lines: usize) -> io::Result<()> {
        let mut buffer = [0; 4096];
        while memchr::memchr_iter(b'\n', &self.output).count() < lines {
            let Some(rx) = &self.process.rx else { break };
            self.wait(rx, PollFlags::IN)?;
            match rustix::io::read(rx, &mut buffer) {
                Ok(0) => return Err(io::Error::other("it closes too early")),
                Ok(count) => self.output.extend_from_slice(&buffer[..count]),
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        while let (Some(tx), false) = (&self.process.tx, bytes.is_empty()) {
            self.wait(tx, PollFlags::OUT)?;
            match rustix::io::write(tx, bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Waits for an event until the deadline.
    fn wait(&self, fd: &OwnedFd, what: PollFlags) -> io::Result<()> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        match poll(&mut [PollFd::new(fd, what)], Some(&left)) {
            Ok(0) => Err(io::Error::other("it neither reads nor answers nor ends")),
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// The processor time of a process of one thread that has ended and is not collected yet, its own and
/// the system's. In nanoseconds where the system counts so, else in its ticks.
pub(super) fn processor_time(pid: u32) -> io::Result<Duration> {
    let file = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}"));
    let counted = file("schedstat").ok().and_then(|line| line.split(' ').next()?.parse().ok());
    if let Some(nanos) = counted.filter(|nanos| *nanos > 0) {
        return Ok(Duration::from_nanos(nanos));
    }
    let stat = file("stat")?;
    // The fields behind the name, which is in parentheses and may hold anything; utime is field 14.
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ').skip(14 - 3).take(2);
    let ticks: u64 = fields.filter_map(|field| field.parse::<u64>().ok()).sum();
    Ok(Duration::from_secs(ticks) / u32::try_from(rustix::param::clock_ticks_per_second()).unwrap_or(100))
}
