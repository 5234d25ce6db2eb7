//! The limits that hold for the first of the measured targets.

use super::{
    Numbers,
    workload::{self, Taken},
};

/// A one-message session against `/bin/true`, with one plugin as with seven.
pub const SESSION_MOST: f64 = 1.4;
/// Processor time a byte against the second target's.
pub const PROCESSOR_MOST: f64 = 0.25;
/// KiB of peak memory that a large message may take more than a small one: what differs from run to run.
pub const GROWTH_MOST: u64 = 256;

/// A limit and what was seen of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Limit {
    /// What is limited.
    pub what: String,
    /// What was seen.
    pub seen: f64,
    /// The most there may be.
    pub most: f64,
    /// In what.
    pub unit: &'static str,
}

impl Limit {
    /// Whether it is kept.
    pub fn is_kept(&self) -> bool {
        self.seen <= self.most
    }
}

/// The limits of the first target. Those that need a second one are left out if there is none.
pub fn of(numbers: &Numbers) -> Vec<Limit> {
    let Some(first) = numbers.targets.first() else { return Vec::new() };
    let against_true = |what: &str, micros: f64| Limit {
        what: what.into(),
        seen: micros / numbers.true_micros,
        most: SESSION_MOST,
        unit: "× /bin/true",
    };
    let grows = |what: &str, [small, large]: [u64; 2]| Limit {
        what: what.into(),
        seen: super::float(large.saturating_sub(small)),
        most: super::float(GROWTH_MOST),
        unit: "KiB",
    };
    let mut limits = vec![
        against_true("session with one plugin", first.session_micros),
        against_true("session with seven plugins", first.plugins_micros),
    ];
    if let Some(second) = numbers.targets.get(1) {
        let against = |what: &str, first: f64, second: f64| Limit {
            what: what.into(),
            seen: first / second,
            most: PROCESSOR_MOST,
            unit: "× the second target",
        };
        limits.push(against("processor time a byte, echo", first.echo_nanos, second.echo_nanos));
        limits.push(against("processor time a byte, queuedir", first.queuedir_nanos, second.queuedir_nanos));
    }
    limits.push(grows("more memory for the large message, echo", first.echo_kib));
    limits.push(grows("more memory for the large message, queuedir", first.queuedir_kib));
    limits.extend(first.workloads.iter().flat_map(|taken| of_workload(taken, numbers)));
    limits
}

/// Processor time against the second target, if that does the same, and against that of reading; memory.
fn of_workload(taken: &Taken, numbers: &Numbers) -> Vec<Limit> {
    let Some(workload) = workload::ALL.iter().find(|one| one.name == taken.workload) else {
        return Vec::new();
    };
    let second = numbers.targets.get(1).and_then(|target| target.taken(taken.workload));
    let processor = second.map(|second| Limit {
        what: format!("processor time, {}", workload.name),
        seen: taken.millis / second.millis,
        most: workload.most,
        unit: "× the second target",
    });
    let read = workload.most_read.zip(taken.read_millis).map(|(most, millis)| Limit {
        what: format!("processor time, {}", workload.name),
        seen: taken.millis / millis,
        most,
        unit: "× reading",
    });
    let memory = workload.most_kib.map(|most| Limit {
        what: format!("memory, {}", workload.name),
        seen: super::float(taken.kib),
        most: super::float(most),
        unit: "KiB",
    });
    processor.into_iter().chain(read).chain(memory).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Measured;

    fn measured(session_micros: f64, echo_nanos: f64, large: u64) -> Measured {
        Measured {
            target: "x".into(),
            session_micros,
            plugins_micros: 500.0,
            echo_nanos,
            queuedir_nanos: 1.0,
            echo_kib: [2000, large],
            queuedir_kib: [2000, 2000],
            workloads: Vec::new(),
        }
    }

    fn missed(targets: Vec<Measured>) -> Vec<String> {
        let limits = of(&Numbers { true_micros: 400.0, targets });
        limits.into_iter().filter(|limit| !limit.is_kept()).map(|limit| limit.what).collect()
    }

    #[test]
    fn each_limit_can_be_missed() {
        let slow = measured(600.0, 6.0, 9000);
        let queuedir = "processor time a byte, queuedir";
        assert_eq!(missed(vec![measured(500.0, 1.0, 2100), slow.clone()]), [queuedir]);
        assert_eq!(
            missed(vec![slow, measured(600.0, 12.0, 0)]),
            [
                "session with one plugin",
                "processor time a byte, echo",
                queuedir,
                "more memory for the large message, echo"
            ]
        );
    }

    #[test]
    fn a_workload_is_compared_where_both_do_it() {
        let taken = |millis| Taken { workload: workload::ALL[0].name, millis, read_millis: None, kib: 1 };
        let with = |millis| Measured { workloads: vec![taken(millis)], ..measured(500.0, 1.0, 2000) };
        let without = || measured(500.0, 10.0, 2000);
        let slow = with(1000.0);
        let missed = |second| missed(vec![slow.clone(), second]).join(";");
        assert!(missed(with(1000.0)).contains(workload::ALL[0].name));
        assert!(!missed(without()).contains(workload::ALL[0].name));
    }

    #[test]
    fn a_workload_of_bytes_is_compared_with_reading_them() {
        let workload = workload::ALL.iter().find(|one| one.most_read.is_some()).expect("one has the limit");
        let with = |millis| {
            let taken = Taken { workload: workload.name, millis, read_millis: Some(10.0), kib: 1 };
            Measured { workloads: vec![taken], ..measured(500.0, 1.0, 2000) }
        };
        assert_eq!(missed(vec![with(11.0)]), [""; 0]);
        assert_eq!(missed(vec![with(20.0)]), [format!("processor time, {}", workload.name)]);
    }

    #[test]
    fn one_target_alone_is_not_compared() {
        assert_eq!(missed(vec![measured(500.0, 100.0, 2000)]), [""; 0]);
        assert_eq!(of(&Numbers { true_micros: 400.0, targets: vec![measured(1.0, 1.0, 1)] }).len(), 4);
    }
}
