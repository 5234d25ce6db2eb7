//! What `doctor` says to a target, and what it makes of the answers.

use std::{io, time::Duration};

use bstr::ByteSlice as _;

use super::{SHOWN_MAX, Visit};
use crate::{
    exit::Status,
    judge::{custody, queue},
    play::{self, Delivery, Outcome, tls::Ending},
    sandbox::World,
    transcript::{Case, parse, text::escape_short},
};

/// A session with one message; no answer is expected, each is awaited.
const SESSION: &str = "\
silence
C: EHLO doctor.example
silence
C: MAIL FROM:<doctor@example.net>
silence
C: RCPT TO:<patient@example.com>
silence
C: DATA
silence
C: Subject: doctor
C:
C: ..one period
C: .
silence
C: QUIT
";

/// What is said to servers of other protocols.
const OTHERS: [(&str, &str); 3] = [
    (
        "qmqp",
        "C| ${[}${[}Subject: doctor\\n${]}${[}doctor@example.net${]}${[}patient@example.com${]}${]}\nsilence\n",
    ),
    (
        "qmtp",
        "C| ${[}\\nSubject: doctor\\n${]}${[}doctor@example.net${]}${[}${[}patient@example.com${]}${]}\nsilence\n",
    ),
    ("pop3", "silence\nC: STAT\nsilence\nC: QUIT\n"),
];

/// A session that enters TLS.
const TLS_SESSION: &str = "\
silence
C: EHLO doctor.example
silence
C: STARTTLS
silence
tls
C: EHLO doctor.example
silence
C: QUIT
";

/// The message of [`SESSION`] as it must arrive, behind anything put in front of it.
const MESSAGE: &[u8] = b"Subject: doctor\n\n.one period\n";

/// Sessions timed.
const TIMED: usize = 11;

impl Visit<'_> {
    /// One message, then the same session for its time.
    pub(super) fn session(&mut self) {
        let run = if self.target.programs.contains_key("smtp") {
            "smtp"
        } else if self.target.programs.contains_key("mailfront") {
            "mailfront smtp queuedir accept"
        } else {
            return self.others();
        };
        let played = session(run, SESSION).and_then(|case| self.play(&case, Delivery::Lockstep));
        let (world, outcome) = match played {
            Ok(played) => played,
            Err(error) => return self.bad(Status::NotStarted, "start", &error.to_string()),
        };
        let lines: Vec<&[u8]> = outcome.output.lines().collect();
        match lines.first() {
            Some(greeting) if greeting.starts_with(b"220") => {
                self.good("greeting", &escape_short(greeting, SHOWN_MAX));
            }
            first => {
                let got = first.map_or("nothing".into(), |line| escape_short(line, SHOWN_MAX));
                let log = logged(&outcome);
                return self.bad(
                    Status::NotStarted,
                    "greeting",
                    &format!("instead of 220 it says {got}{log}"),
                );
            }
        }
        let keywords = lines.iter().skip(2).take_while(|line| line.starts_with(b"250")).take_while({
            let mut last = !lines.get(1).is_some_and(|line| line.starts_with(b"250-"));
            move |line| {
                let before = last;
                last |= line.starts_with(b"250 ");
                !before
            }
        });
        let keywords: Vec<String> =
            keywords.map(|line| escape_short(line.get(4..).unwrap_or_default(), SHOWN_MAX)).collect();
        self.note("EHLO offers", &if keywords.is_empty() { "nothing".into() } else { keywords.join(", ") });
        match (&outcome.hang, outcome.exit) {
            (Some(hang), _) => self.bad(Status::Unexpected, "end", hang),
            (None, exit) => {
                let exit = exit.map_or("no exit status".into(), |exit| format!("exit status {exit}"));
                self.good("end", &exit);
            }
        }
        self.delivery(&world, &outcome);
        self.tls(run, keywords.iter().any(|keyword| keyword.eq_ignore_ascii_case("STARTTLS")));
        self.time(run);
    }

    /// A word with each server of another protocol.
    fn others(&mut self) {
        let spoken = OTHERS.iter().filter(|(role, _)| self.target.programs.contains_key(*role));
        let spoken: Vec<_> = spoken.copied().collect();
        if spoken.is_empty() {
            let what = "no role that could be spoken to: smtp, mailfront, qmtp, qmqp or pop3";
            return self.bad(Status::NotStarted, "programs", what);
        }
        for (role, dialogue) in spoken {
            let played = session(role, dialogue).and_then(|case| self.play(&case, Delivery::Lockstep));
            match played {
                Ok((_, outcome)) if outcome.output.is_empty() => {
                    let log = logged(&outcome);
                    self.bad(Status::NotStarted, role, &format!("it says nothing{log}"));
                }
                Ok((_, outcome)) => {
                    let says = escape_short(&outcome.output, SHOWN_MAX);
                    self.good(role, &format!("it says {says}"));
                }
                Err(error) => self.bad(Status::NotStarted, role, &error.to_string()),
            }
        }
    }

    /// Whether TLS begins where the target file says so.
    fn tls(&mut self, run: &str, offers: bool) {
        let has = |name: &str| self.target.features.iter().any(|feature| feature == name);
        if !has("starttls") && !has("tls") {
            if offers {
                self.note("TLS", "STARTTLS is offered; with the feature `starttls` its cases are played");
            }
            return;
        }
        let outcome = session(run, TLS_SESSION).and_then(|mut case| {
            // A mailfront wants a certificate first; others do not look.
            case.front.env.insert("TLS_CERTFILE".into(), "${TLS_BOTH}".into());
            Ok(self.play(&case, Delivery::Lockstep)?.1)
        });
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(error) => return self.bad(Status::NotStarted, "TLS", &error.to_string()),
        };
        match outcome.handshakes.first() {
            Some(Ending::Agreed(what)) => {
                let subject = outcome.variables.get("TLS_SUBJECT").map_or(&b""[..], |subject| subject);
                self.good(
                    "TLS",
                    &format!("{what}, the certificate is for {}", escape_short(subject, SHOWN_MAX)),
                );
            }
            Some(Ending::Failed(_, why)) => self.bad(Status::Unexpected, "TLS", &format!("STARTTLS: {why}")),
            None => self.bad(Status::Unexpected, "TLS", "the session ended before STARTTLS"),
        }
    }

    fn play(&self, case: &Case, way: Delivery) -> io::Result<(World, Outcome)> {
        let role = case.front.words().first().cloned().unwrap_or_default();
        let program =
            self.target.program(&role).ok_or_else(|| io::Error::other(format!("no program {role}")))?;
        let world = World::new(self.workshop, self.target, &case.front)?;
        let way = if program.port.is_some() && !way.over_tcp() { Delivery::Tcp } else { way };
        let outcome = play::play(case, &program, self.target.pipelining, &world, way, self.limit)?;
        world.settle(custody::count(case, &outcome))?;
        Ok((world, outcome))
    }

    fn delivery(&mut self, world: &World, outcome: &Outcome) {
        let Some(queue) = &world.queue else {
            let why = "the target file has no `delivery`: captured messages and custody are not checked";
            return self.note("delivery", why);
        };
        let accepted = outcome.output.lines().filter(|line| line.starts_with(b"250 ")).count() >= 4;
        match queue::read(queue) {
            Ok(messages) => match &messages[..] {
                [message] if message.content.ends_with(MESSAGE) => {
                    self.good("delivery", &format!("observed: {}", queue::describe(message)));
                }
                [] if accepted => self.bad(
                    Status::Unexpected,
                    "delivery",
                    "the message was accepted, and nothing is in $QUEUEDIR/new",
                ),
                [] => {
                    let last = outcome.output.lines().rev().nth(1).unwrap_or_default();
                    let last = escape_short(last, SHOWN_MAX);
                    self.bad(
                        Status::Unexpected,
                        "delivery",
                        &format!("the message was not accepted: {last}"),
                    );
                }
                others => {
                    let all: Vec<String> = others.iter().map(queue::describe).collect();
                    let what = format!("not the message that was sent: {}", all.join(" ; "));
                    self.bad(Status::Unexpected, "delivery", &what);
                }
            },
            Err(error) => self.bad(Status::Unexpected, "delivery", &error.to_string()),
        }
    }

    fn time(&mut self, run: &str) {
        // Watching for silence takes time of its own: the client sends all it has at once.
        let Ok(case) = session(run, &SESSION.replace("silence\n", "")) else { return };
        let play = |_| Some(self.play(&case, Delivery::Burst).ok()?.1.duration);
        let mut times: Vec<Duration> = (0..TIMED).filter_map(play).collect();
        times.sort_unstable();
        if let Some(median) = times.get(times.len() / 2) {
            let says = format!("{:.1} ms a session, median of {}", median.as_secs_f64() * 1e3, times.len());
            self.note("time", &says);
        }
    }
}

/// The start of what it logged, to go behind what is wrong.
fn logged(outcome: &Outcome) -> String {
    let log = escape_short(outcome.log.trim_end(), SHOWN_MAX);
    if log.is_empty() { log } else { format!("; its log: {log}") }
}

fn session(run: &str, dialogue: &str) -> io::Result<Case> {
    let source = format!("+++\ntitle = 'doctor'\nrun = '{run}'\n+++\n{dialogue}");
    parse("doctor", &source).map_err(io::Error::other)
}
