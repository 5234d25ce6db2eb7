use std::{fs, io::Write, os::unix::fs::PermissionsExt, path::PathBuf, time::Instant};

use bstr::ByteSlice;

use super::*;
use crate::{connection::Connection, log::Log};

/// The backend with a session and a queue program of its own.
struct Play {
    home: tempfile::TempDir,
    session: Session,
    backend: Qmail,
}

/// Takes message and envelope to their ends.
const TAKES_ALL: &str = "cat >msg; cat <&1 >env";

impl Play {
    /// `script`: what the program does, in qmail's directory, which has none of the test's own.
    fn new(script: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let program = home.path().join("queue");
        // Absolute: tests share the current directory, which the backend changes.
        let text = format!("#!/bin/sh\ncd {}\n{script}\n", home.path().display());
        fs::write(&program, text).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let session = Session::new(Connection::new(Log::new("test")));
        session.set(b"QMAILHOME", b"/", true);
        session.set(b"QMAILQUEUE", program.to_str().unwrap().as_bytes(), true);
        Self { home, session, backend: Qmail::default() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn sender(&mut self, address: &str) -> String {
        told(self.backend.sender(&self.session, &mut address.into(), &mut "".into()))
    }

    fn recipient(&mut self, address: &str) -> String {
        told(self.backend.recipient(&self.session, &mut address.into(), &mut "".into()))
    }

    fn start(&mut self, file: Option<&File>) -> String {
        told(self.backend.data_start(&self.session, file))
    }

    fn block(&mut self, block: &[u8]) {
        assert_eq!(self.backend.data_block(&self.session, block), None);
    }

    fn end(&mut self, file: Option<&File>) -> String {
        told(self.backend.message_end(&self.session, file))
    }

    /// A message of one recipient, from beginning to end.
    fn message(&mut self, content: &[u8]) -> String {
        assert_eq!((self.sender("a@b"), self.recipient("c@d"), self.start(None)), Default::default());
        self.block(content);
        self.end(None)
    }

    fn read(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.path(name)).ok()
    }
}

/// `NUMBER TEXT` with digits of a process replaced, nothing for a pass.
fn told(answer: Answer) -> String {
    answer.map_or_else(String::new, |answer| {
        let text = answer.text().unwrap_or_default().as_bstr().to_string();
        let mut words: Vec<&str> = text.split(' ').collect();
        if let Some(at) = words.iter().position(|word| *word == "qp") {
            words[at + 1] = "PID";
        }
        format!("{} {}", answer.number(), words.join(" "))
    })
}

const WRITING: &str = "451 4.3.0 Writing data to qmail-queue failed.";
const CRASHED: &str = "451 4.3.0 qmail-queue crashed.";
const INTERNAL: &str = "451 4.3.0 Internal error.";

#[test]
fn the_envelope_follows_the_message_in_smtp_and_qmtp() {
    for is_envelope_first in [true, false] {
        let mut play = Play::new(TAKES_ALL);
        if !is_envelope_first {
            assert_eq!(play.start(None), "");
            play.block(b"Subject: x\n");
        }
        assert_eq!((play.sender("a@b"), play.recipient("c@d"), play.recipient("e")), Default::default());
        if is_envelope_first {
            assert_eq!(play.start(None), "");
            play.block(b"Subject: x\n");
        }
        play.block(b"\n\0\xff\n");
        assert_eq!(play.end(None), "250 2.6.0 Accepted message qp PID bytes 15");
        assert_eq!(play.read("msg").unwrap(), b"Subject: x\n\n\0\xff\n");
        assert_eq!(play.read("env").unwrap(), b"Fa@b\0Tc@d\0Te\0\0");
    }
}

#[test]
fn in_file_mode_the_file_is_read_from_its_start_after_the_end() {
    let mut play = Play::new(TAKES_ALL);
    let mut file = tempfile::tempfile().unwrap();
    assert_eq!((play.sender(""), play.recipient("b"), play.start(Some(&file))), Default::default());
    play.block(b"streamed\n");
    assert_eq!(play.read("msg"), None);
    file.write_all(b"Received: x\nrewritten\n").unwrap();
    assert_eq!(play.end(Some(&file)), "250 2.6.0 Accepted message qp PID bytes 22");
    assert_eq!(play.read("msg").unwrap(), b"Received: x\nrewritten\n");
    assert_eq!(play.read("env").unwrap(), b"F\0Tb\0\0");
}

#[test]
fn a_program_that_does_not_read_is_asked_for_its_status() {
    let big = vec![b'x'; 1_000_000];
    for (script, answer) in [
        ("exit 31", "554 5.3.0 Message refused."),
        ("exit 53", "451 4.3.0 Write error (queue full?)."),
        ("exit 0", WRITING),
        ("kill -9 $$", CRASHED),
        ("exec 0<&-; cat <&1 >env; exit 0", WRITING),
    ] {
        let mut play = Play::new(script);
        assert_eq!(play.message(&big), answer, "{script}");
        assert_eq!(play.read("env").unwrap_or_default(), b"", "{script}");
    }
}

#[test]
fn an_envelope_nobody_reads_is_no_success() {
    let mut play = Play::new("cat >/dev/null; exit 0");
    assert_eq!(play.sender("a@b"), "");
    for number in 0..3000 {
        assert_eq!(play.recipient(&format!("recipient-{number:04}@example.net")), "");
    }
    assert_eq!((play.start(None), play.end(None)), (String::new(), WRITING.into()));
}

#[test]
fn an_aborted_message_has_no_envelope_and_leaves_no_process() {
    let mut play = Play::new(TAKES_ALL);
    for _ in 0..5 {
        let _ = (play.sender("a"), play.recipient("b"), play.start(None));
        play.block(b"half a mess");
        assert_eq!(play.backend.reset(&play.session), None);
        // It was waited for, so what it wrote is there.
        assert_eq!(play.read("env").unwrap(), b"");
        assert!(!has_children());
    }
}

/// Whether this thread has children that were not reaped. Other tests run in other threads.
fn has_children() -> bool {
    let id = rustix::thread::gettid().as_raw_nonzero();
    !fs::read(format!("/proc/self/task/{id}/children")).unwrap().is_empty()
}

#[test]
fn a_program_that_does_not_end_is_killed_when_the_session_is_over() {
    for script in ["exec sleep 60", "cat >/dev/null; exec sleep 60"] {
        let mut play = Play::new(script);
        play.session.connection.set_session_limit(1);
        let before = Instant::now();
        assert_eq!(play.message(&vec![b'x'; 1_000_000]), CRASHED, "{script}");
        assert!(before.elapsed().as_secs() < 10);
        assert!(!has_children());
    }
}

#[test]
fn a_stopped_program_counts_as_crashed() {
    let mut play = Play::new("cat >msg; kill -STOP $$; cat <&1 >env");
    assert_eq!(play.message(b"x\n"), CRASHED);
    assert!(!has_children());
}

#[test]
fn a_program_that_cannot_be_executed_shows_at_the_end() {
    for program in ["/nonexistent", "/", "", "no-such-program-anywhere"] {
        let mut play = Play::new("");
        play.session.set(b"QMAILQUEUE", program.as_bytes(), true);
        play.session.set(b"QQERRMSG_120", b"own words", true);
        assert_eq!(play.message(&vec![b'x'; 1_000_000]), "451 own words");
    }
}

#[test]
fn a_program_sees_the_overlay_and_its_own_name() {
    let mut play = Play::new("cat >/dev/null; printf %s \"$0 $ONE ${HOME-none}\" >seen");
    play.session.put(b"ONE=1");
    play.session.put(b"HOME");
    assert_eq!(play.message(b""), "250 2.6.0 Accepted message qp PID bytes 0");
    assert_eq!(play.read("seen").unwrap(), format!("{} 1 none", play.path("queue").display()).as_bytes());
}

#[test]
fn a_missing_home_refuses_data_or_the_message() {
    let missing = "451 4.3.0 Could not change to the qmail directory.";
    let mut play = Play::new(TAKES_ALL);
    let file = tempfile::tempfile().unwrap();
    for home in ["", "/nonexistent"] {
        play.session.set(b"QMAILHOME", home.as_bytes(), true);
        let _ = (play.sender("a"), play.recipient("b"));
        assert_eq!(play.start(None), missing);
        let _ = (play.sender("a"), play.recipient("b"));
        assert_eq!((play.start(Some(&file)), play.end(Some(&file))), (String::new(), missing.into()));
    }
}

#[test]
fn a_nul_in_an_address_is_refused_for_ever() {
    let mut play = Play::new(TAKES_ALL);
    let forbidden = "554 5.1.3 Address contains a forbidden byte";
    assert_eq!(play.sender("a\0Tb"), forbidden);
    assert_eq!(play.recipient("c"), INTERNAL);
    assert_eq!((play.sender("a"), play.recipient("c\0Td")), (String::new(), forbidden.into()));
    assert_eq!((play.recipient("e"), play.start(None)), Default::default());
    assert_eq!(play.end(None), "250 2.6.0 Accepted message qp PID bytes 0");
    assert_eq!(play.read("env").unwrap(), b"Fa\0Te\0\0");
}

#[test]
fn nothing_is_delivered_twice_or_without_an_envelope() {
    let mut play = Play::new(TAKES_ALL);
    assert_eq!(play.message(b"x"), "250 2.6.0 Accepted message qp PID bytes 1");
    assert_eq!(play.end(None), INTERNAL);
    fs::remove_file(play.path("env")).unwrap();
    assert_eq!(play.start(None), "");
    play.block(b"x");
    assert_eq!(play.end(None), INTERNAL);
    assert_eq!(play.read("env").unwrap(), b"");
    let _ = (play.sender("a"), play.start(None));
    assert_eq!(play.end(None), INTERNAL, "a sender alone is no envelope");
    assert_eq!(play.read("env").unwrap(), b"");
}

#[test]
fn a_check_names_what_is_missing() {
    let play = Play::new("");
    let problem = || program::problem(&play.session).map(|problem| problem.to_string());
    assert_eq!(problem(), None);
    play.session.set(b"QMAILQUEUE", b"true", true);
    assert_eq!(problem(), None);
    play.session.set(b"QMAILQUEUE", b"/", true);
    assert_eq!(problem(), Some("queue program /: there is none to execute".into()));
    play.session.set(b"QMAILHOME", b"/nonexistent", true);
    assert_eq!(problem(), Some("4.3.0 Could not change to the qmail directory.".into()));
}
