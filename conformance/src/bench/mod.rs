//! Measures targets side by side: how long a session takes, what a byte of a message costs, and how
//! much memory a message takes.
//!
//! [`session`] times whole sessions, [`message`] sends large messages, [`mod@workload`] does what single
//! modules and programs are slow at, [`table`] shows the numbers.
//! All are medians of one run in which the targets take turns, so that what disturbs the machine
//! disturbs all alike; what is compared are ratios.

pub mod limits;
mod message;
mod session;
pub mod table;
pub mod workload;

use std::{io, time::Duration};

use serde::Serialize;

use crate::{
    sandbox::{Workshop, World},
    target::{Program, Target},
    transcript::Front,
};

/// What is measured, how often.
#[derive(Debug, Clone, Copy)]
pub struct Bench {
    /// Sessions of each kind.
    pub sessions: usize,
    /// Large messages of each kind.
    pub messages: usize,
    /// Bytes of a large message.
    pub large: usize,
}

/// Bytes of the message whose memory the large one's is held against.
pub const SMALL: usize = 1_000_000;

/// The program that a session is held against.
pub const TRUE: &str = "/bin/true";

/// The shortest list that takes a message.
const ONE_PLUGIN: &str = "accept";
/// Seven plugins that every mailfront has built in and that together let the message through.
const SEVEN_PLUGINS: &str =
    "relayclient:require-auth:reject:accept-sender:accept-recipient:accept:force-file";

/// The numbers of one run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Numbers {
    /// Microseconds that `/bin/true` takes.
    pub true_micros: f64,
    /// What each target takes; the first is the one that limits hold for.
    pub targets: Vec<Measured>,
}

/// What one target takes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measured {
    /// Its name.
    pub target: String,
    /// Microseconds of a one-message session with one plugin.
    pub session_micros: f64,
    /// The same with seven plugins.
    pub plugins_micros: f64,
    /// Nanoseconds of processor time a byte of the large message: backend echo.
    pub echo_nanos: f64,
    /// The same: backend queuedir, its folder in memory where there is such a file system.
    pub queuedir_nanos: f64,
    /// Peak resident memory in KiB: small and large message, backend echo.
    pub echo_kib: [u64; 2],
    /// The same: backend queuedir.
    pub queuedir_kib: [u64; 2],
    /// What each workload takes that the target has the features for, in the order of
    /// [`workload::ALL`].
    pub workloads: Vec<workload::Taken>,
}

/// A program and the place where it is started.
struct Stand {
    program: Program,
    arguments: Vec<String>,
    world: World,
    /// Whether it speaks with the client.
    serves: bool,
}

impl Stand {
    fn new(workshop: &Workshop, target: &Target, backend: &str, plugins: &str) -> io::Result<Self> {
        let mut front = Front { run: format!("mailfront smtp {backend} {plugins}"), ..Front::default() };
        // With it `require-auth` and `relayclient` let the client pass.
        front.env.insert("RELAYCLIENT".into(), String::new());
        let program = target.program("mailfront");
        let program = program.ok_or_else(|| io::Error::other("the target has no program mailfront"))?;
        let arguments = front.words().split_off(1);
        Ok(Self { program, arguments, world: World::new(workshop, target, &front)?, serves: true })
    }

    /// `/bin/true` in the same kind of place.
    fn of_true(workshop: &Workshop, target: &Target) -> io::Result<Self> {
        let program = Program { path: TRUE.into(), ..Program::default() };
        let stand = Self::new(workshop, target, "echo", ONE_PLUGIN)?;
        Ok(Self { program, arguments: Vec::new(), serves: false, ..stand })
    }
}

impl Bench {
    /// Measures the targets.
    ///
    /// # Errors
    /// A program could not be started or did not serve as it must.
    pub fn run(&self, workshop: &Workshop, targets: &[Target]) -> io::Result<Numbers> {
        let (true_micros, sessions) = self.sessions(workshop, targets)?;
        let mut measured = Vec::new();
        for (target, session) in targets.iter().zip(sessions) {
            let [session_micros, plugins_micros] = session;
            measured.push(Measured {
                target: target.name.clone(),
                session_micros,
                plugins_micros,
                echo_nanos: 0.0,
                queuedir_nanos: 0.0,
                echo_kib: [0; 2],
                queuedir_kib: [0; 2],
                workloads: Vec::new(),
            });
        }
        for (target, costs) in measured.iter_mut().zip(self.messages(workshop, targets, "echo")?) {
            (target.echo_nanos, target.echo_kib) = costs;
        }
        for (target, costs) in measured.iter_mut().zip(self.messages(workshop, targets, "queuedir")?) {
            (target.queuedir_nanos, target.queuedir_kib) = costs;
        }
        for workload in workload::ALL {
            for (target, taken) in measured.iter_mut().zip(self.workload(workload, workshop, targets)?) {
                target.workloads.extend(taken);
            }
        }
        Ok(Numbers { true_micros, targets: measured })
    }

    /// Microseconds of `/bin/true`, and of each target with one and with seven plugins.
    fn sessions(&self, workshop: &Workshop, targets: &[Target]) -> io::Result<(f64, Vec<[f64; 2]>)> {
        let mut stands = Vec::new();
        for target in targets {
            for plugins in [ONE_PLUGIN, SEVEN_PLUGINS] {
                stands.push((Stand::new(workshop, target, "echo", plugins)?, Vec::new()));
            }
        }
        let Some(target) = targets.first() else { return Ok((0.0, Vec::new())) };
        let (of_true, mut nothing) = (Stand::of_true(workshop, target)?, Vec::new());
        for round in 0..WARM_UP + self.sessions {
            let nobody = micros(session::time(&of_true)?);
            let times: Vec<f64> = stands
                .iter()
                .map(|(stand, _)| session::time(stand).map(micros))
                .collect::<io::Result<_>>()?;
            if round >= WARM_UP {
                nothing.push(nobody);
                stands.iter_mut().zip(times).for_each(|((_, kept), time)| kept.push(time));
            }
        }
        let mut medians = stands.into_iter().map(|(_, times)| median(times));
        let pairs = targets.iter().map(|_| [medians.next(), medians.next()].map(Option::unwrap_or_default));
        Ok((median(nothing), pairs.collect()))
    }

    /// What each target takes for a workload; nothing if it has not what that needs.
    fn workload(
        &self,
        workload: &workload::Workload,
        workshop: &Workshop,
        targets: &[Target],
    ) -> io::Result<Vec<Option<workload::Taken>>> {
        let mut seen: Vec<(Vec<f64>, Vec<f64>)> = vec![Default::default(); targets.len()];
        let mut read = Vec::new();
        for _ in 0..self.messages {
            if let (Some(_), Some(target)) = (workload.most_read, targets.first()) {
                read.push(workload.read(self, workshop, target)?.processor.as_secs_f64() * 1e3);
            }
            for (target, (millis, kib)) in targets.iter().zip(&mut seen) {
                if let Some(costs) = workload.run(self, workshop, target)? {
                    millis.push(costs.processor.as_secs_f64() * 1e3);
                    kib.push(float(costs.peak >> 10));
                }
            }
        }
        let read_millis = (!read.is_empty()).then(|| median(read));
        let taken = |(millis, kib): (Vec<f64>, Vec<f64>)| {
            (!millis.is_empty()).then(|| workload::Taken {
                workload: workload.name,
                millis: median(millis),
                read_millis,
                kib: whole(median(kib)),
            })
        };
        Ok(seen.into_iter().map(taken).collect())
    }

    /// Of each target: nanoseconds a byte, and the memory of a small and a large message.
    fn messages(
        &self,
        workshop: &Workshop,
        targets: &[Target],
        backend: &str,
    ) -> io::Result<Vec<(f64, [u64; 2])>> {
        let mut seen: Vec<(Vec<f64>, [Vec<f64>; 2])> = vec![Default::default(); targets.len()];
        for _ in 0..self.messages {
            for (target, (nanos, memory)) in targets.iter().zip(&mut seen) {
                for (size, memory) in [SMALL, self.large].into_iter().zip(memory) {
                    // A new place each time: what was queued goes with the old one.
                    let stand = Stand::new(workshop, target, backend, ONE_PLUGIN)?;
                    let costs = message::send(&stand, size)?;
                    memory.push(float(costs.peak >> 10));
                    if size == self.large {
                        nanos.push(costs.processor.as_secs_f64() * 1e9 / float(costs.bytes));
                    }
                }
            }
        }
        let kib = |values| whole(median(values));
        Ok(seen
            .into_iter()
            .map(|(nanos, [small, large])| (median(nanos), [kib(small), kib(large)]))
            .collect())
    }
}

/// Rounds of sessions that do not count: they find cold caches.
const WARM_UP: usize = 20;

/// The median; 0 of nothing.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.get(middle) {
        None => 0.0,
        Some(high) if values.len() % 2 == 1 => *high,
        Some(high) => f64::midpoint(values[middle - 1], *high),
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

#[expect(clippy::cast_precision_loss, reason = "sizes and times here are far below 2^52")]
fn float(number: u64) -> f64 {
    number as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a size, not negative")]
fn whole(number: f64) -> u64 {
    number as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert!((median(vec![3.0, 1.0, 100.0]) - 3.0).abs() < 1e-9);
        assert!((median(vec![4.0, 1.0, 2.0, 100.0]) - 3.0).abs() < 1e-9);
        assert!(median(Vec::new()).abs() < 1e-9);
    }
}
