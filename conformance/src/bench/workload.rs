//! What single modules and programs are slow at: one session each, of which the processor time and the
//! peak memory count. A new one is an entry of [`ALL`] and a file of its own.

mod maildirs;
mod mailrules;
mod packages;
mod patterns;
mod qmail;

use std::{fs, io, path::Path, time::Duration};

use bstr::ByteSlice as _;
use rustix::pipe::fcntl_setpipe_size;
use serde::Serialize;

use super::{
    Bench, Measured,
    message::{Costs, processor_time},
};
use crate::{
    play::{
        Delivery,
        process::Process,
        wire::{Stop, Until, Wire},
    },
    sandbox::{Workshop, World},
    target::{Program, Target},
    transcript::Front,
};

/// All of them.
pub const ALL: &[Workload] = &[
    maildirs::MEMORY,
    maildirs::NAMED,
    maildirs::RETRIEVED,
    maildirs::UNNAMED,
    mailrules::TEN_THOUSAND_RULES,
    mailrules::MILLION_ENTRIES,
    packages::LARGE_QMQP,
    packages::LARGE_QMTP,
    packages::THOUSAND,
    patterns::PATTERNS,
    qmail::LARGE,
    qmail::MANY,
];

/// A program that reads its input, counts the bytes and does nothing else.
pub const COUNTER: &str = "/usr/bin/wc";

/// Bytes that the client is ahead; anybody may have so large a pipe.
const PIPE: usize = 1 << 20;

/// The guard against a program that does not end.
const LIMIT: Duration = Duration::from_secs(300);

/// One of them.
pub struct Workload {
    /// Its name in tables and JSON.
    pub name: &'static str,
    /// The features a target must have.
    pub needs: &'static [&'static str],
    /// The role and its arguments, as a case's `run`.
    pub run: &'static str,
    /// Variables, as a case's `env`: `${CASE}` is the folder.
    pub env: &'static [(&'static str, &'static str)],
    /// Puts files into the case's folder.
    pub prepare: fn(&Bench, &Path) -> io::Result<()>,
    /// What the client says, up to where memory is looked at; then it closes its side.
    pub input: fn(&Bench) -> Vec<u8>,
    /// Whether the output is that of a program that did the work.
    pub is_done: fn(&[u8]) -> bool,
    /// The most processor time, as a multiple of the second target's.
    pub most: f64,
    /// Where bytes are all the work: the most processor time, as a multiple of what [`COUNTER`] takes to read
    /// the same.
    pub most_read: Option<f64>,
    /// The most peak memory in KiB, if there is a limit.
    pub most_kib: Option<u64>,
}

/// What one target takes for a workload.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Taken {
    /// The workload.
    pub workload: &'static str,
    /// Milliseconds of processor time from start to end.
    pub millis: f64,
    /// Those of [`COUNTER`] for the same input, where there is a limit to that.
    pub read_millis: Option<f64>,
    /// Peak resident memory in KiB.
    pub kib: u64,
}

impl Measured {
    /// What it takes for a workload.
    pub fn taken(&self, workload: &str) -> Option<&Taken> {
        self.workloads.iter().find(|taken| taken.workload == workload)
    }
}

impl Workload {
    /// Does it once; nothing if the target has not what it needs.
    ///
    /// # Errors
    /// The program cannot be started, does not do the work or does not end.
    pub(super) fn run(
        &self,
        bench: &Bench,
        workshop: &Workshop,
        target: &Target,
    ) -> io::Result<Option<Costs>> {
        let env = self.env.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let front = Front { run: self.run.into(), env, ..Front::default() };
        let words = front.words();
        let needs: Vec<String> = self.needs.iter().map(|need| (*need).into()).collect();
        let program = words.first().and_then(|role| target.program(role));
        let Some(program) = program.filter(|_| target.lacks(&needs).is_empty()) else { return Ok(None) };
        let world = World::new(workshop, target, &front)?;
        (self.prepare)(bench, &world.folder)?;
        let arguments: Vec<String> = words.iter().skip(1).map(|word| world.fill(word)).collect();
        self.play(&program, &arguments, &world, (self.input)(bench), self.is_done).map(Some)
    }

    /// Lets [`COUNTER`] read the input.
    ///
    /// # Errors
    /// As [`Workload::run`].
    pub(super) fn read(&self, bench: &Bench, workshop: &Workshop, target: &Target) -> io::Result<Costs> {
        let world = World::new(workshop, target, &Front { run: self.run.into(), ..Front::default() })?;
        let program = Program { path: COUNTER.into(), words: vec!["-c".into()], port: None };
        self.play(&program, &[], &world, (self.input)(bench), |output| !output.is_empty())
    }

    fn play(
        &self,
        program: &Program,
        arguments: &[String],
        world: &World,
        input: Vec<u8>,
        is_done: fn(&[u8]) -> bool,
    ) -> io::Result<Costs> {
        let process = Process::start(program, arguments, world, Delivery::Lockstep)?;
        if let Some(tx) = &process.tx {
            // The client is ahead: what is measured is the work, not to be woken for each page. Where the
            // system allows no larger pipe, both are measured with the usual one.
            let _ignored = fcntl_setpipe_size(tx, PIPE);
        }
        let mut wire = Wire::new(process, world.servers.take(), Delivery::Lockstep, LIMIT);
        wire.is_measured = true;
        let costs = serve(&mut wire, input, is_done);
        let reaped = wire.process.reap(costs.is_err());
        let costs = costs.map_err(|e| {
            let said = wire.output[..wire.output.len().min(400)].as_bstr();
            let log = wire.log[..wire.log.len().min(400)].as_bstr();
            io::Error::other(format!(
                "{}: {}: {e}; it said: {said}; {log}",
                self.name,
                program.path.display()
            ))
        })?;
        reaped?;
        Ok(costs)
    }
}

fn serve(wire: &mut Wire, input: Vec<u8>, is_done: fn(&[u8]) -> bool) -> io::Result<Costs> {
    let bytes = input.len() as u64;
    wire.send(&input);
    drop(input);
    wire.pump(Until::Silence)?;
    let peak = wire.process.peak_memory().unwrap_or(0);
    wire.half_close();
    match wire.pump(Until::End)? {
        Stop::Ended if is_done(&wire.output) => {}
        Stop::Ended => return Err(io::Error::other("it does not do the work")),
        _ => return Err(io::Error::other("it does not end")),
    }
    Ok(Costs { processor: processor_time(wire.process.pid())?, peak, bytes })
}

/// Writes a file of the case's folder.
fn write(folder: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    fs::write(folder.join(name), content)
}
