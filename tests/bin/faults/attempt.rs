//! One session under a fault, and what became of its messages.

use std::{
    fs::{self, File},
    io::{self, Read},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};

use super::{
    scenario::{Message, Protocol, Queue, Scenario},
    trace::{Call, NO_UNNAMED_FILES, is_injected},
};

/// A hang guard, generous because machines are shared.
const LIMIT: Duration = Duration::from_secs(60);

/// What is done to a system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It fails with this error.
    Error(&'static str),
    /// The process is killed when it is about to make it, which is after the one before.
    Kill,
}

/// What a client knows of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    Accepted,
    Refused,
    Nothing,
}

/// What is wrong, as it must never be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Harm {
    /// Acknowledged and not in the queue.
    Lost,
    /// In the queue more than once.
    Twice,
    /// Something in the queue is not a whole message.
    Partial,
    /// Files are left behind where none may be.
    Left,
    /// No end.
    Hung,
    /// The program died by itself.
    Crashed,
}

/// The end of an attempt.
pub struct Outcome {
    /// Whether the fault happened: the order of calls may differ a little from run to run.
    pub is_hit: bool,
    /// Of each message.
    pub told: Vec<Told>,
    /// Messages in the queue that were not acknowledged; the client will send them again.
    pub unacknowledged: usize,
    /// Whether files are left behind, be it harm or not.
    pub is_left: bool,
    pub harms: Vec<Harm>,
    /// The whole trace.
    pub trace: String,
}

/// The programs of all attempts.
pub struct Programs {
    pub mailfront: PathBuf,
    pub queue: PathBuf,
}

/// Plays a session in a fresh folder, `fault` hitting call `ordinal` of that name. The file system seems to
/// keep no file without a name if the calls that ask for one are `withheld`.
///
/// # Errors
/// The session cannot be set up.
pub fn attempt(
    programs: &Programs,
    scenario: &Scenario,
    withheld: Option<&Call>,
    fault: Option<(Fault, &str, usize)>,
) -> io::Result<Outcome> {
    let folder = tempfile::tempdir()?;
    let messages = scenario.protocol.messages();
    fs::write(folder.path().join("in"), scenario.protocol.session(&messages))?;
    fs::create_dir(folder.path().join("tmp"))?;
    let settings = scenario.backend.prepare(folder.path(), &programs.queue)?;
    let mut command = Command::new("strace");
    command.arg("-o").arg(folder.path().join("trace"));
    if let Some(Call { name, ordinal, .. }) = withheld {
        command.arg("-e").arg(format!("inject={name}:error={NO_UNNAMED_FILES}:when={ordinal}+"));
    }
    if let Some((fault, name, ordinal)) = fault {
        let what = match fault {
            Fault::Error(error) => format!("error={error}"),
            Fault::Kill => "signal=KILL".into(),
        };
        command.arg("-e").arg(format!("inject={name}:{what}:when={ordinal}"));
    }
    command.arg(&programs.mailfront).args(scenario.arguments);
    command.env_clear().env("PATH", "/usr/bin:/bin").env("TMPDIR", folder.path().join("tmp"));
    command.envs(settings).envs(scenario.environment.iter().copied()).current_dir(folder.path());
    command.stdin(File::open(folder.path().join("in"))?).stdout(File::create(folder.path().join("out"))?);
    let is_in_time = run(command)?;
    let trace = fs::read_to_string(folder.path().join("trace"))?;
    let replies = fs::read_to_string(folder.path().join("out"))?;
    let queue = scenario.backend.read(folder.path(), &messages)?;
    let told = told(scenario.protocol, &replies, &messages);
    let may_leave = scenario.is_named
        && fault.is_some_and(|(fault, name, _)| fault == Fault::Kill || name.starts_with("unlink"));
    Ok(judged(may_leave, told, &queue, trace, is_in_time))
}

/// Runs until everybody is gone who holds the standard error; whether that was in time.
fn run(mut command: Command) -> io::Result<bool> {
    let mut child = command.stderr(Stdio::piped()).process_group(0).spawn()?;
    let mut errors = child.stderr.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let (gone, going) = mpsc::channel();
    thread::spawn(move || {
        let mut text = Vec::new();
        let _ = gone.send(errors.read_to_end(&mut text));
    });
    let is_in_time = going.recv_timeout(LIMIT).is_ok();
    if !is_in_time {
        let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
    }
    child.wait()?;
    Ok(is_in_time)
}

/// `may_leave`: a file with a name stays if nobody is left to remove it (QDIR-19).
fn judged(may_leave: bool, told: Vec<Told>, queue: &Queue, trace: String, is_in_time: bool) -> Outcome {
    let mut harms = Vec::new();
    let pairs = || told.iter().zip(&queue.copies);
    if pairs().any(|(told, copies)| *told == Told::Accepted && *copies == 0) {
        harms.push(Harm::Lost);
    }
    if queue.copies.iter().any(|copies| *copies > 1) {
        harms.push(Harm::Twice);
    }
    if queue.partial > 0 {
        harms.push(Harm::Partial);
    }
    if !queue.left.is_empty() && !may_leave {
        harms.push(Harm::Left);
    }
    if !is_in_time {
        harms.push(Harm::Hung);
    }
    let is_killed = trace.contains("+++ killed by SIGKILL +++");
    if trace.contains("+++ killed by") && !is_killed {
        harms.push(Harm::Crashed);
    }
    Outcome {
        is_hit: trace.lines().any(is_injected) || is_killed,
        is_left: !queue.left.is_empty(),
        unacknowledged: pairs().filter(|(told, copies)| **told != Told::Accepted && **copies > 0).count(),
        told,
        harms,
        trace,
    }
}

/// What the replies say of each message.
fn told(protocol: Protocol, replies: &str, messages: &[Message]) -> Vec<Told> {
    if protocol == Protocol::Smtp {
        return told_in_smtp(replies, messages);
    }
    let mut rest = replies;
    let mut next = || {
        let (length, content) = rest.split_once(':')?;
        let length = length.parse().ok()?;
        let answer = content.get(..length)?;
        rest = content.get(length..)?.strip_prefix(',')?;
        Some(answer.starts_with('K'))
    };
    let of_message = |message: &Message| {
        // QMTP answers for each recipient.
        let count = if protocol == Protocol::Qmtp { message.recipients.len() } else { 1 };
        let answers: Vec<_> = (0..count).map(|_| next()).collect();
        if answers.contains(&Some(true)) {
            Told::Accepted
        } else if answers.contains(&None) {
            Told::Nothing
        } else {
            Told::Refused
        }
    };
    messages.iter().map(of_message).collect()
}

/// After a refused DATA the lines of the message are commands, with a reply each.
fn told_in_smtp(replies: &str, messages: &[Message]) -> Vec<Told> {
    let codes = replies.lines().filter(|line| line.as_bytes().get(3) != Some(&b'-'));
    let mut codes = codes.map(|line| line.get(..3).unwrap_or_default());
    let _greeting = codes.next();
    let of_message = |message: &Message| {
        for _command in 0..=message.recipients.len() {
            codes.next();
        }
        match codes.next() {
            Some("354") => match codes.next() {
                Some(code) if code.starts_with('2') => Told::Accepted,
                Some(_) => Told::Refused,
                None => Told::Nothing,
            },
            Some(_) => {
                for _line in 0..=message.lines.len() {
                    codes.next();
                }
                Told::Refused
            }
            None => Told::Nothing,
        }
    };
    messages.iter().map(of_message).collect()
}

/// Whether the tracer is there.
pub fn has_strace() -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|folder| Path::new(&folder).join("strace").is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_told_apart_also_after_a_refused_data() {
        let messages = Protocol::Smtp.messages();
        let told = |replies| told(Protocol::Smtp, replies, &messages);
        let good = "220 x\n250 a\n250 b\n250 c\n354 d\n250-e\n250 f\n250 a\n250 b\n354 c\n451 d\n221 e\n";
        assert_eq!(told(good), [Told::Accepted, Told::Refused]);
        let lines = "500 no\n".repeat(201);
        let refused = format!("220 x\n250 a\n250 b\n250 c\n451 d\n{lines}250 a\n250 b\n354 c\n250 d\n");
        assert_eq!(told(&refused), [Told::Refused, Told::Accepted]);
        assert_eq!(told("220 x\n250 a\n250 b\n250 c\n354 d\n"), [Told::Nothing; 2]);
    }

    #[test]
    fn answers_in_netstrings_are_told_apart() {
        let by_qmtp = |replies| told(Protocol::Qmtp, replies, &Protocol::Qmtp.messages());
        assert_eq!(by_qmtp("3:Kab,2:Zc,2:Dx,"), [Told::Accepted, Told::Refused]);
        assert_eq!(by_qmtp("1:Z,1:D,1:K"), [Told::Refused, Told::Nothing]);
        assert_eq!(by_qmtp("1:Z,"), [Told::Nothing; 2]);
        assert_eq!(told(Protocol::Qmqp, "2:K,,", &Protocol::Qmqp.messages()), [Told::Accepted]);
    }

    #[test]
    fn each_harm_is_found() {
        let accepted = || vec![Told::Accepted; 2];
        let judge = |queue: &Queue, trace: &str| judged(false, accepted(), queue, trace.into(), true).harms;
        let whole = || Queue { copies: vec![1, 1], ..Queue::default() };
        assert_eq!(judge(&whole(), ""), []);
        assert_eq!(judge(&Queue { copies: vec![1, 0], ..whole() }, ""), [Harm::Lost]);
        assert_eq!(judge(&Queue { copies: vec![2, 1], ..whole() }, ""), [Harm::Twice]);
        assert_eq!(judge(&Queue { partial: 1, ..whole() }, ""), [Harm::Partial]);
        assert_eq!(judge(&Queue { left: vec!["x".into()], ..whole() }, ""), [Harm::Left]);
        assert_eq!(judge(&whole(), "+++ killed by SIGSEGV +++"), [Harm::Crashed]);
        assert_eq!(judged(false, accepted(), &whole(), String::new(), false).harms, [Harm::Hung]);
        let queue = Queue { copies: vec![1, 0], left: vec!["x".into()], ..Queue::default() };
        let outcome = judged(true, vec![Told::Nothing; 2], &queue, String::new(), true);
        assert_eq!((outcome.harms, outcome.unacknowledged, outcome.is_left), (vec![], 1, true));
        let outcome = judged(false, vec![Told::Nothing; 2], &queue, String::new(), true);
        assert_eq!(outcome.harms, [Harm::Left], "a killed program may leave a file only if it has a name");
    }
}
