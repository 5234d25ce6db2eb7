//! Walks through the steps of a case.

use std::{
    io,
    time::{Duration, Instant},
};

use bstr::ByteSlice as _;
use rustix::process::Signal;

use super::{
    Delivery, Exchange, Outcome,
    delivery::{hands_over, is_synchronisation_point},
    process::Process,
    stream::{Cursor, is_taken},
    tls::{Client, Ending},
    wire::{Stop, Until, Wire},
};
use crate::{
    sandbox::World,
    target::{Pipelining, Program},
    transcript::{
        Act, Case, Fact, Step, front::done_later, model::Exit, script, text::Pattern, tls::Handshake,
    },
};

/// The usual hang guard of one play.
pub const LIMIT: Duration = Duration::from_secs(20);

/// Plays `case` once.
///
/// # Errors
/// The suite itself could not do its part: the program could not be started or a system call failed.
pub fn play(
    case: &Case,
    program: &Program,
    pipelining: Pipelining,
    world: &World,
    delivery: Delivery,
    limit: Duration,
) -> io::Result<Outcome> {
    let arguments: Vec<String> = case.front.words().iter().skip(1).map(|word| world.fill(word)).collect();
    let started = Instant::now();
    let process = Process::start(program, &arguments, world, delivery)?;
    let mut variables = world.variables.clone();
    variables.insert("PID".into(), process.pid().to_string().into_bytes());
    let steps = script::steps(case);
    let watches_memory = script::expectations(case).any(|e| matches!(e.fact, Fact::Memory(_)));
    let mut player = Player {
        world,
        outcome: Outcome { pid: process.pid(), variables, ..Outcome::default() },
        cursor: Cursor::default(),
        wire: Wire::new(process, world.servers.take(), delivery, limit),
        limit,
        // Alternatives and captures are only known once the answers are in.
        careful: steps.iter().any(|s| s.only_if.is_some()) || steps.iter().any(captures),
        steps,
        pipelining,
        delivery,
        watches_memory,
        counted: (0, 0),
    };
    player.outcome.remote = program.port.is_some();
    if case.front.words() == ["pop3"] {
        player.log_in(world, case.front.needs.iter().any(|need| need == LOGIN))?;
    }
    player.wire.finest = case.front.words().first().is_some_and(|role| hands_over(role));
    if delivery == Delivery::Tls {
        player.shake_hands(&Handshake::default())?;
    }
    player.walk()?;
    let mut outcome = player.finish(started)?;
    if world.has_programs() {
        outcome.calls.extend(world.program_calls()?);
    }
    Ok(outcome)
}

fn captures(step: &Step) -> bool {
    step.act.pattern().is_some_and(Pattern::captures)
}

struct Player<'a> {
    world: &'a World,
    limit: Duration,
    steps: Vec<Step>,
    wire: Wire,
    cursor: Cursor,
    outcome: Outcome,
    pipelining: Pipelining,
    delivery: Delivery,
    careful: bool,
    watches_memory: bool,
    /// How much had been sent and received when the server began to count anew (SMTP-MISC-10).
    counted: (usize, usize),
}

/// What a case needs that logs in itself.
const LOGIN: &str = "login";

impl Player<'_> {
    /// Brings a POP3 server into the state in which cases find it: behind the log-in, with a greeting.
    fn log_in(&mut self, world: &World, by_case: bool) -> io::Result<()> {
        let Some(pop3) = &world.pop3 else { return Ok(()) };
        if pop3.silent {
            self.wire.output.extend_from_slice(b"+OK ready\r\n");
            return Ok(());
        }
        let Some((user, password)) = pop3.login.as_deref().and_then(|login| login.split_once(' ')) else {
            return Ok(());
        };
        if by_case {
            let values = [("USER", user), ("PASSWORD", password)];
            self.outcome.variables.extend(values.map(|(name, value)| (name.to_string(), value.into())));
            return Ok(());
        }
        let mut last = 0;
        for line in ["".to_string(), format!("USER {user}\r\n"), format!("PASS {password}\r\n")] {
            last = self.wire.output.len();
            self.wire.send(line.as_bytes());
            while !self.wire.output[last..].ends_with(b"\n") {
                if self.wire.pump(Until::Output)? != Stop::Output {
                    return Err(io::Error::other("the server does not let the suite log in"));
                }
            }
        }
        self.wire.forget(self.wire.output.len() - last);
        Ok(())
    }

    fn walk(&mut self) -> io::Result<()> {
        // The greeting is the first answer to be awaited where the client may not run ahead (RFC 5321
        // section 4.3.1).
        let mut behind_a_point = self.pipelining == Pipelining::Rfc2920;
        for at in 0..self.steps.len() {
            let step = self.steps[at].clone();
            let sends = matches!(step.act, Act::Send(_) | Act::SendRaw(_));
            if sends && (self.delivery.awaits_answers() || self.careful || behind_a_point) {
                self.await_answers(at)?;
            }
            if !is_taken(&step, &self.cursor.branches) {
                continue;
            }
            behind_a_point = match &step.act {
                Act::Send(text) | Act::SendRaw(text) => {
                    let mut bytes = text.expand(&self.outcome.variables);
                    let point = is_synchronisation_point(&step, self.pipelining, &self.outcome.variables);
                    if matches!(step.act, Act::Send(_)) {
                        bytes.extend_from_slice(b"\r\n");
                    }
                    self.wire.send(&bytes);
                    point
                }
                _ => {
                    self.control(at, &step)?;
                    false
                }
            };
            if self.wire.ended && self.wire.closed {
                break;
            }
        }
        Ok(())
    }

    /// Waits until the expectations before step `end` are accounted for, or nothing more will come.
    fn await_answers(&mut self, end: usize) -> io::Result<()> {
        loop {
            let (output, variables) = (&self.wire.output, &mut self.outcome.variables);
            self.cursor.advance(&self.steps, end, output, self.wire.closed, variables);
            if self.cursor.step >= end || self.wire.paused {
                return Ok(());
            }
            match self.wire.pump(Until::Output)? {
                Stop::Output => {}
                Stop::Deadline => return Ok(()),
                Stop::Silence | Stop::Closed | Stop::Ended | Stop::Held => {
                    let (output, variables) = (&self.wire.output, &mut self.outcome.variables);
                    self.cursor.advance(&self.steps, end, output, self.wire.closed, variables);
                    return Ok(());
                }
            }
        }
    }

    fn control(&mut self, at: usize, step: &Step) -> io::Result<()> {
        match &step.act {
            Act::Silence => {
                self.await_answers(at)?;
                self.settle()?;
                if self.wire.output.len() > self.cursor.at && self.cursor.step >= at {
                    self.outcome.noise.push((step.line, self.wire.output[self.cursor.at..].to_vec()));
                }
            }
            Act::Boundary => self.settle()?,
            Act::Eof => {
                self.await_answers(at)?;
                if self.wire.pump(Until::Close)? != Stop::Closed {
                    self.outcome.still_open.push(step.line);
                } else if self.wire.paused {
                    // What it was still told it never sees.
                    self.wire.stop_reading();
                }
            }
            Act::Tls(handshake) => {
                self.await_answers(at)?;
                self.shake_hands(handshake)?;
            }
            Act::Beneath(text) => {
                self.await_answers(at)?;
                // The server is done with the handshake, too.
                self.settle()?;
                self.wire.send_beneath(text.expand(&self.outcome.variables));
            }
            Act::TlsClose => {
                self.await_answers(at)?;
                self.wire.close_tls();
            }
            Act::HalfClose | Act::Truncate => {
                if step.act == Act::HalfClose {
                    self.wire.close_tls();
                }
                self.settle()?;
                self.wire.half_close();
            }
            Act::StopReading => {
                self.await_answers(at)?;
                self.wire.stop_reading();
            }
            Act::PauseReading => {
                self.await_answers(at)?;
                self.wire.paused = true;
            }
            Act::ResumeReading => {
                self.settle()?;
                self.wire.paused = false;
            }
            Act::Abort => {
                self.await_answers(at)?;
                self.settle()?;
                self.wire.half_close();
                self.wire.stop_reading();
            }
            Act::Signal(name) => {
                self.await_answers(at)?;
                self.settle()?;
                self.wire.process.signal(name)?;
                self.outcome.signalled = true;
            }
            Act::Wait(time) => {
                self.await_answers(at)?;
                self.settle()?;
                self.wire.exchange.push(Exchange::Waited(*time));
                self.outcome.waits.push((self.wire.sent.len(), *time));
                self.wire.pump(Until::Moment(Instant::now() + *time))?;
            }
            Act::Do(entry) => {
                self.await_answers(at)?;
                self.settle()?;
                let setup = done_later(entry).ok_or_else(|| io::Error::other(format!("`do {entry}`")))?;
                self.world.perform(&setup)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Everything sent is read and the program waits, or is gone.
    fn settle(&mut self) -> io::Result<()> {
        self.wire.pump(Until::Silence)?;
        self.note_memory();
        Ok(())
    }

    /// Enters TLS, or gives both the connection and TLS up.
    fn shake_hands(&mut self, handshake: &Handshake) -> io::Result<()> {
        let ending = if self.wire.process.has_ucspi() {
            match self.wire.await_ucspi()? {
                Ok(()) => {
                    self.counted.0 = self.wire.sent.len();
                    Ending::Agreed("by the UCSPI server".into())
                }
                Err(why) => Ending::Failed(None, why),
            }
        } else {
            self.wire.begin_tls(Client::new(handshake, &self.outcome.variables)?, self.cursor.at);
            let why = match self.wire.pump(Until::Handshake)? {
                Stop::Closed | Stop::Ended | Stop::Held => "the server closed the connection",
                Stop::Deadline => "it did not end in time",
                Stop::Silence | Stop::Output => "the server waits and says nothing",
            };
            self.end_handshake(why)
        };
        self.outcome.clear_bytes = Some(self.wire.sent.len());
        let said = match &ending {
            Ending::Agreed(what) => format!("TLS: {what}"),
            Ending::Failed(_, why) => format!("no TLS: {why}"),
        };
        self.wire.exchange.push(Exchange::Handshake(said));
        if matches!(ending, Ending::Failed(..)) {
            self.wire.half_close();
        }
        self.outcome.handshakes.push(ending);
        Ok(())
    }

    fn end_handshake(&mut self, why: &str) -> Ending {
        let Some(tls) = &self.wire.tls else { return Ending::Failed(None, why.into()) };
        let ending = tls.ending(why);
        match ending {
            Ending::Agreed(_) => {
                let facts = tls.facts().into_iter().map(|(name, value)| (name.to_string(), value));
                self.outcome.variables.extend(facts);
                self.counted = (self.wire.sent.len(), self.wire.output.len());
                self.wire.end_handshake();
            }
            Ending::Failed(..) => {
                // Whoever goes on in the clear shows it here.
                let in_the_clear = tls.in_the_clear().to_vec();
                self.wire.output.extend(in_the_clear);
            }
        }
        ending
    }

    fn note_memory(&mut self) {
        if self.watches_memory {
            self.outcome.peak_memory = self.outcome.peak_memory.max(self.wire.process.peak_memory());
        }
    }

    fn finish(mut self, started: Instant) -> io::Result<Outcome> {
        if self.wire.paused {
            self.settle()?;
            self.wire.paused = false;
        }
        if self.wire.process.tx.is_some() {
            if self.delivery.awaits_answers() {
                let end = self.steps.len();
                self.await_answers(end)?;
            }
            if self.watches_memory {
                self.settle()?;
            }
            self.wire.close_tls();
            // Queued bytes go out first; a program that has stopped reading takes no more.
            while !self.wire.is_drained() {
                if self.wire.pump_once()? == Stop::Deadline {
                    break;
                }
            }
            self.wire.half_close();
        }
        let stop = self.wire.pump(Until::End)?;
        self.wire.read_in_the_clear();
        let mut outcome = self.outcome;
        outcome.close_notify = self.wire.tls.as_ref().is_some_and(|tls| tls.peer_closed);
        let ended = self.wire.ended;
        if stop == Stop::Deadline {
            let waited = self.steps.get(self.cursor.step).map(|step| step.line);
            outcome.hang = Some(match waited {
                Some(line) => format!("no end within {} s; waiting at line {line}", self.limit.as_secs()),
                None => format!("no end within {} s after the last step", self.limit.as_secs()),
            });
        }
        let exit = self.wire.process.reap(!ended)?;
        outcome.duration = started.elapsed();
        outcome.exit = exit.filter(|_| ended);
        if stop == Stop::Held {
            outcome.leak = Some("something holds its output or standard error open after its exit".into());
        }
        let was_killed = outcome.exit == Some(Exit::Signal(Signal::KILL.as_raw()));
        if self.wire.process.left_group(was_killed) {
            outcome.leak = Some("processes of its group are left behind".into());
            self.wire.process.end_group();
        }
        if let Some(servers) = self.wire.servers {
            outcome.calls = servers.finish()?;
        }
        outcome.output = self.wire.output;
        outcome.log = self.wire.log;
        outcome.sent = self.wire.sent;
        outcome.exchange = self.wire.exchange;
        outcome.branches = self.cursor.branches;
        if self.delivery == Delivery::Tls {
            outcome.log = without_handshake(&outcome.log);
        }
        let (sent, received) = self.counted;
        let counts = [("SENT", outcome.sent.len() - sent), ("RECEIVED", outcome.output.len() - received)];
        for (name, count) in counts {
            outcome.variables.insert(name.into(), count.to_string().into_bytes());
        }
        Ok(outcome)
    }
}

/// What a mailfront logs of a handshake, which the case knows nothing of: the delivery asked for it.
const OF_HANDSHAKES: [&str; 2] = ["Starting TLS handshake", "TLS handshake: TLS1."];

fn without_handshake(log: &[u8]) -> Vec<u8> {
    let lines = log.lines_with_terminator();
    let others = lines.filter(|line| !OF_HANDSHAKES.iter().any(|part| line.contains_str(part)));
    others.flatten().copied().collect()
}
