//! Plays a selection of cases against a target, in parallel, and sends events.

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    evidence,
    exit::Status,
    judge::{Verdict, custody, judge, verdict},
    play::{self, Delivery},
    report::{
        Event, Report,
        event::{CaseResult, Departure, Play, Summary},
    },
    sandbox::{Workshop, World, rights, signals},
    target::{Known, KnownList, Program, Target},
    transcript::{
        Act, Case, Front,
        model::{Choice, Level},
        printer, script,
        text::{Part, Piece},
    },
};

/// What is run, and how.
pub struct Run<'a> {
    /// The selected cases.
    pub cases: &'a [Case],
    /// The implementation.
    pub target: &'a Target,
    /// Its known failures.
    pub known: &'a KnownList,
    /// Findings below this level do not count.
    pub level: Level,
    /// Deliveries played, if not all.
    pub deliveries: &'a [Delivery],
    /// Plays at a time.
    pub jobs: usize,
    /// The hang guard of one play.
    pub limit: Duration,
    /// `k/n` for the report.
    pub shard: Option<String>,
    /// Faults known before the run, e.g. cases that cannot be read.
    pub faults: Vec<String>,
    /// The folder the plays happen in.
    pub workshop: &'a Workshop,
}

/// One play to be done.
struct Unit<'a> {
    case: &'a Case,
    delivery: Delivery,
}

/// Both in their order, the plays that wait at even distances among those that keep a processor busy, so
/// that there is always somebody to do something meanwhile.
fn spread<'a>(waiting: Vec<Unit<'a>>, busy: Vec<Unit<'a>>) -> Vec<Unit<'a>> {
    let share = busy.len().div_ceil(waiting.len().max(1)).max(1);
    let mut waiting = waiting.into_iter();
    let mut units = Vec::with_capacity(waiting.len() + busy.len());
    for (at, unit) in busy.into_iter().enumerate() {
        if at % share == 0 {
            units.extend(waiting.next());
        }
        units.push(unit);
    }
    units.extend(waiting);
    units
}

/// What each delivery came to.
type Deliveries = Vec<(Delivery, Verdict)>;

/// Case that the others of its folder build on.
const PREREQUISITE: &str = "alive";

impl Run<'_> {
    /// Runs everything; each event goes to all `reports`.
    ///
    /// # Errors
    /// A report cannot be written.
    pub fn go(&self, reports: &mut [Box<dyn Report>]) -> io::Result<Summary> {
        let started = Instant::now();
        let units: Vec<Unit<'_>> = self.cases.iter().flat_map(|case| self.units(case)).collect();
        send(
            reports,
            &Event::RunStart {
                suite: env!("CARGO_PKG_VERSION").into(),
                target: self.target.name.clone(),
                title: self.target.title.clone(),
                cases: self.cases.len(),
                plays: units.len(),
                shard: self.shard.clone(),
            },
        )?;
        let (first, rest): (Vec<_>, Vec<_>) = units.into_iter().partition(|unit| is_prerequisite(unit.case));
        let mut results =
            Results { run: self, reports, verdicts: BTreeMap::new(), dead: Vec::new(), error: None };
        let mut plays = 0;
        for units in [first, rest] {
            let (waiting, busy) = units.into_iter().partition(|unit| self.waits(unit));
            let units = spread(waiting, busy);
            plays += units.len();
            results = self.phase(&units, results);
        }
        for case in self.cases.iter().filter(|case| self.units(case).is_empty()) {
            let skip = Verdict::Skip("no delivery of this run".into());
            results.conclude(case, vec![(Delivery::Lockstep, skip)]);
        }
        if let Some(error) = results.error {
            return Err(error);
        }
        let mut summary = Summary { verdicts: results.verdicts, plays, ..Summary::default() };
        summary.faults.clone_from(&self.faults);
        summary.seconds = started.elapsed().as_secs_f64();
        summary.exit = Self::status(&summary).code();
        send(results.reports, &Event::RunEnd(summary.clone()))?;
        Ok(summary)
    }

    fn units<'c>(&self, case: &'c Case) -> Vec<Unit<'c>> {
        let chosen =
            Delivery::ALL.into_iter().filter(|d| self.deliveries.is_empty() || self.deliveries.contains(d));
        let words = case.front.words();
        let program = words.first().and_then(|role| self.target.program(role));
        let by_address = program.is_some_and(|program| program.port.is_some());
        let chosen = chosen.filter(|d| d.over_tcp() || !by_address);
        let has_tls = self.target.features.iter().any(|feature| feature == "tls");
        let chosen = chosen.filter(|d| *d != Delivery::Tls || (has_tls && greets(case)));
        chosen.filter(|d| plays_in(&case.front, *d)).map(|delivery| Unit { case, delivery }).collect()
    }

    /// Whether a play is spent in waiting: for a time limit, the client's own pauses, or a known hang.
    fn waits(&self, unit: &Unit<'_>) -> bool {
        let front = &unit.case.front;
        front.env.keys().any(|name| name.contains("TIMEOUT"))
            || script::steps(unit.case).iter().any(|step| matches!(step.act, Act::Wait(_)))
            || self.known_for(unit.case, unit.delivery).is_some_and(Known::is_waited_for)
    }

    /// What is known of a case in this delivery.
    fn known_for(&self, case: &Case, delivery: Delivery) -> Option<&Known> {
        self.known.get(&case.id).filter(|known| known.speaks_of(delivery.name()))
    }

    fn phase<'r>(&self, units: &[Unit<'_>], results: Results<'r>) -> Results<'r>
    where
        Self: 'r,
    {
        let next = AtomicUsize::new(0);
        let mut open: BTreeMap<&str, (usize, Deliveries)> = BTreeMap::new();
        for unit in units {
            open.entry(&unit.case.id).or_default().0 += 1;
        }
        let shared = Mutex::new((results, open));
        std::thread::scope(|scope| {
            for _ in 0..self.jobs.clamp(1, units.len().max(1)) {
                scope.spawn(|| {
                    while let Some(unit) = units.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let blocked =
                            shared.lock().unwrap_or_else(PoisonError::into_inner).0.blocks(unit.case);
                        let (verdict, play) = match blocked {
                            Some(by) => (Verdict::Blocked(by), None),
                            None => self.unit(unit),
                        };
                        let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
                        let (results, open) = &mut *shared;
                        if let Some(play) = play {
                            results.send(&Event::Play(Box::new(play)));
                        }
                        if let Some((left, done)) = open.get_mut(unit.case.id.as_str()) {
                            done.push((unit.delivery, verdict));
                            *left -= 1;
                            if *left == 0 {
                                let done = std::mem::take(done);
                                results.conclude(unit.case, done);
                            }
                        }
                    }
                });
            }
        });
        shared.into_inner().unwrap_or_else(PoisonError::into_inner).0
    }

    /// One play; one that is unexpectedly bad is played again to tell the flaky from the wrong.
    fn unit(&self, unit: &Unit<'_>) -> (Verdict, Option<Play>) {
        let mut lacking = self.target.lacks(&unit.case.front.needs);
        // The probe is a compiled module.
        if !unit.case.front.modules.is_empty() && !self.target.features.iter().any(|f| f == "c-modules") {
            lacking.push("c-modules");
        }
        if !lacking.is_empty() {
            return (Verdict::Skip(format!("no {}", lacking.join(", no "))), None);
        }
        let words = unit.case.front.words();
        let role = words.first().map_or("", String::as_str);
        let Some(program) = self.target.program(role) else {
            return (Verdict::Skip(format!("no program {role}")), None);
        };
        let (verdict, play) = self.once(unit, &program);
        if verdict.is_unexpected() && verdict != Verdict::Xpass {
            let (again, _) = self.once(unit, &program);
            if !again.is_unexpected() {
                let play = Play { verdict: Verdict::Flaky.name().into(), ..play };
                return (Verdict::Flaky, Some(play));
            }
        }
        (verdict, Some(play))
    }

    fn once(&self, unit: &Unit<'_>, program: &Program) -> (Verdict, Play) {
        let Unit { case, delivery } = unit;
        let mut play = Play {
            case: case.id.clone(),
            delivery: delivery.name().into(),
            verdict: String::new(),
            detail: None,
            findings: Vec::new(),
            micros: 0,
            evidence: None,
        };
        let verdict = match self.observe(case, *delivery, program, &mut play) {
            Ok(verdict) => verdict,
            Err(error) => Verdict::SuiteError(error.to_string()),
        };
        play.verdict = verdict.name().into();
        play.detail = verdict.detail().map(str::to_string);
        (verdict, play)
    }

    fn observe(
        &self,
        case: &Case,
        delivery: Delivery,
        program: &Program,
        play: &mut Play,
    ) -> io::Result<Verdict> {
        if let Some(reason) = rights::spoil(&case.front, self.workshop) {
            return Ok(Verdict::Skip(reason.into()));
        }
        if let Some(reason) = signals::spoil(case, &self.workshop.ignored) {
            return Ok(Verdict::Skip(reason));
        }
        let _turn = self.workshop.turn(self.target);
        let mut world = World::new(self.workshop, self.target, &case.front)?;
        if delivery == Delivery::Tls {
            world.begin_in_tls(self.workshop)?;
        }
        let known = self.known_for(case, delivery);
        let limit = known.and_then(Known::hang_limit).map_or(self.limit, |known| known.min(self.limit));
        let mut outcome = play::play(case, program, self.target.pipelining, &world, delivery, limit)?;
        world.settle(custody::count(case, &outcome))?;
        let judgement = judge(case, &world, &mut outcome);
        let plain = verdict::plain(&judgement, self.level);
        let verdict = match self.known.get(&case.id) {
            Some(known) => verdict::with_known(plain, &judgement, self.level, known, delivery.name()),
            None => plain,
        };
        play.micros = u64::try_from(outcome.duration.as_micros()).unwrap_or(u64::MAX);
        play.findings = judgement.findings.iter().map(Departure::from).collect();
        if verdict.is_unexpected() || verdict == Verdict::Xfail {
            play.evidence = Some(evidence::collect(case, program, &world, &outcome));
        }
        Ok(verdict)
    }

    /// The exit status of a run with these verdicts.
    fn status(summary: &Summary) -> Status {
        let any = |test: &dyn Fn(&str) -> bool| summary.verdicts.keys().any(|name| test(name));
        if any(&|name| name == "suite-error") || !summary.faults.is_empty() {
            return Status::SuiteError;
        }
        let unexpected = ["fail", "crash", "hang", "leak", "xpass", "changed", "flaky", "blocked"];
        if any(&|name| unexpected.contains(&name)) {
            return Status::Unexpected;
        }
        if any(&|name| ["pass", "variant", "xfail"].contains(&name)) {
            Status::Expected
        } else {
            Status::NothingVerified
        }
    }
}

/// Whether a case is played in this delivery.
pub fn plays_in(front: &Front, delivery: Delivery) -> bool {
    let name = delivery.name();
    (front.only.is_empty() || front.only.contains_key(name))
        && !front.skip.contains_key(name)
        && (delivery != Delivery::Tls || can_begin_in_tls(front))
}

/// Whether a case is an SMTP session that knows nothing of TLS, and so must be the same inside it.
fn can_begin_in_tls(front: &Front) -> bool {
    let words = front.words();
    let is_smtp = match words.first().map(String::as_str) {
        Some("mailfront") => words.get(1).is_some_and(|word| word == "smtp") && words.len() > 2,
        Some(role) => role == "smtp" || role.starts_with("smtpfront-"),
        None => false,
    };
    // What cannot be seen over TCP cannot be seen inside TLS either, which is played over it.
    let wants_a_pipe = front.skip.contains_key(Delivery::Tcp.name())
        || front.setup.iter().any(|setup| setup.starts_with("close "));
    let knows_tls = front.env.keys().any(|name| name.starts_with("TLS_") || name == "UCSPITLS")
        || front.setup.iter().any(|setup| setup.starts_with("ucspi-tls"));
    is_smtp && !knows_tls && !wants_a_pipe
}

/// Whether the session comes to its greeting: before that there is no TLS to be inside of.
fn greets(case: &Case) -> bool {
    let expected = script::steps(case).into_iter().find_map(|step| match step.act {
        Act::Line(pattern)
        | Act::Raw(pattern)
        | Act::Reply(pattern)
        | Act::Alternative(_, Choice::Line(pattern)) => Some(pattern),
        _ => None,
    });
    let start = expected.as_ref().and_then(|pattern| pattern.parts.first());
    matches!(start, Some(Part::Text(Piece::Bytes(bytes))) if bytes.starts_with(b"220"))
}

fn is_prerequisite(case: &Case) -> bool {
    case.id.rsplit('/').next() == Some(PREREQUISITE)
}

fn send(reports: &mut [Box<dyn Report>], event: &Event) -> io::Result<()> {
    reports.iter_mut().try_for_each(|report| report.take(event))
}

/// What has come together so far.
struct Results<'r> {
    run: &'r Run<'r>,
    reports: &'r mut [Box<dyn Report>],
    verdicts: BTreeMap<String, usize>,
    dead: Vec<String>,
    error: Option<io::Error>,
}

impl Results<'_> {
    fn send(&mut self, event: &Event) {
        if let Err(error) = send(self.reports, event) {
            self.error.get_or_insert(error);
        }
    }

    /// The failed prerequisite above `case`, if there is one.
    fn blocks(&self, case: &Case) -> Option<String> {
        let above = |dead: &&String| {
            dead.strip_suffix(PREREQUISITE).is_some_and(|folder| case.id.starts_with(folder))
        };
        self.dead.iter().find(above).filter(|dead| **dead != case.id).cloned()
    }

    fn conclude(&mut self, case: &Case, mut done: Deliveries) {
        done.sort_by_key(|(delivery, _)| *delivery);
        let gravest = done.iter().map(|(_, verdict)| verdict).max_by_key(|verdict| verdict.weight());
        let gravest = gravest.cloned().unwrap_or_else(|| Verdict::Skip("not played".into()));
        *self.verdicts.entry(gravest.name().into()).or_default() += 1;
        if is_prerequisite(case) && gravest.is_unexpected() {
            self.dead.push(case.id.clone());
        }
        let result = CaseResult {
            case: case.id.clone(),
            title: case.front.title.clone(),
            level: case.front.level,
            clauses: case.front.clauses.clone(),
            verdict: gravest.name().into(),
            detail: gravest.detail().map(str::to_string),
            deliveries: done.iter().map(|(d, v)| (d.name().into(), v.name().into())).collect(),
            known: self.run.known.get(&case.id).cloned(),
            reach: case.front.reach,
            note: case.front.note.clone(),
            file: case.file.clone(),
            source: if case.source.is_empty() { printer::print(case) } else { case.source.clone() },
        };
        self.send(&Event::Case(Box::new(result)));
    }
}
