use std::{fs, io::Write, os::unix::fs::PermissionsExt, path::PathBuf};

use bstr::ByteSlice;

use super::*;
use crate::{connection::Connection, log::Log};

/// The backend with a session and a queue of its own.
struct Play {
    top: tempfile::TempDir,
    session: Session,
    backend: Queuedir,
}

impl Play {
    fn new() -> Self {
        let top = tempfile::tempdir().unwrap();
        for name in ["tmp", "new"] {
            fs::create_dir(top.path().join(name)).unwrap();
        }
        let session = Session::new(Connection::new(Log::new("test")));
        session.set(b"QUEUEDIR", top.path().to_str().unwrap().as_bytes(), true);
        Self { top, session, backend: Queuedir::default() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.top.path().join(name)
    }

    fn set(&self, entry: &str) {
        self.session.put(entry.as_bytes());
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

    fn block(&mut self, block: &[u8]) -> String {
        told(self.backend.data_block(&self.session, block))
    }

    fn end(&mut self, file: Option<&File>) -> String {
        told(self.backend.message_end(&self.session, file))
    }

    fn reset(&mut self) {
        assert_eq!(self.backend.reset(&self.session), None);
    }

    fn count(&self, directory: &str) -> usize {
        fs::read_dir(self.path(directory)).unwrap().count()
    }

    /// The only file of `directory`.
    fn only(&self, directory: &str) -> Vec<u8> {
        let mut entries = fs::read_dir(self.path(directory)).unwrap();
        let content = fs::read(entries.next().unwrap().unwrap().path()).unwrap();
        assert!(entries.next().is_none());
        content
    }
}

/// `NUMBER TEXT`, nothing for a pass.
fn told(answer: Answer) -> String {
    answer.map_or_else(String::new, |answer| {
        format!("{} {}", answer.number(), answer.text().unwrap_or_default().as_bstr())
    })
}

const WRITING: &str = "451 4.3.0 Error writing queue file";

#[test]
fn the_envelope_comes_first_in_smtp() {
    let mut play = Play::new();
    assert_eq!(play.sender("a@b.c"), "");
    assert_eq!((play.count("tmp"), play.count("new")), (0, 0), "QDIR-19");
    assert_eq!((play.recipient("d@e.f"), play.recipient("g")), Default::default());
    assert_eq!(play.start(None), "");
    assert_eq!((play.block(b"Subject: x\n\n"), play.block(b"\0\xff\n")), Default::default());
    assert_eq!(play.count("new"), 0);
    assert_eq!(play.end(None), "");
    assert_eq!(play.only("new"), b"a@b.c\0d@e.f\0g\0\0Subject: x\n\n\0\xff\n");
    assert_eq!(play.count("tmp"), 0);
}

#[test]
fn a_queue_file_has_the_mode_that_the_umask_leaves() {
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode();
    let mut play = Play::new();
    let ordinary = play.path("ordinary");
    fs::write(&ordinary, "").unwrap();
    let _ = (play.sender("a@b.c"), play.recipient("b"), play.start(None), play.end(None));
    let queued = fs::read_dir(play.path("new")).unwrap().next().unwrap().unwrap().path();
    assert_eq!(mode(queued), mode(ordinary), "QDIR-7");
}

#[test]
fn the_message_comes_first_in_qmtp() {
    let mut play = Play::new();
    assert_eq!((play.start(None), play.block(b"Subject: q\n"), play.block(b"\nbody\n")), Default::default());
    assert_eq!(play.count("tmp"), 0);
    assert_eq!((play.sender("s@x"), play.recipient("r1@y"), play.recipient("r2@z")), Default::default());
    assert_eq!(play.end(None), "");
    assert_eq!(play.only("new"), b"s@x\0r1@y\0r2@z\0\0Subject: q\n\nbody\n");
    assert_eq!(play.count("tmp"), 0);
}

#[test]
fn in_file_mode_the_final_content_of_the_file_is_the_message() {
    for is_envelope_first in [true, false] {
        let mut play = Play::new();
        let mut file = tempfile::tempfile().unwrap();
        if is_envelope_first {
            assert_eq!((play.sender("a"), play.recipient("b")), Default::default());
        }
        assert_eq!((play.start(Some(&file)), play.block(b"streamed\n")), Default::default());
        if !is_envelope_first {
            assert_eq!((play.sender("a"), play.recipient("b")), Default::default());
        }
        // The position stays at the end, as a plugin may leave it.
        file.write_all(b"Received: x\nrewritten\n").unwrap();
        assert_eq!(play.end(Some(&file)), "");
        assert_eq!(play.only("new"), b"a\0b\0\0Received: x\nrewritten\n");
    }
}

#[test]
fn empty_sender_and_empty_message_are_written_down() {
    let mut play = Play::new();
    let _ = (play.sender(""), play.recipient("b"), play.start(None));
    assert_eq!(play.end(None), "");
    assert_eq!(play.only("new"), b"\0b\0\0");
}

#[test]
fn a_reset_or_the_end_of_the_program_leaves_nothing() {
    for steps in 1..=4 {
        let mut play = Play::new();
        let _ = play.sender("a");
        let _ = (steps > 1).then(|| play.recipient("b"));
        let _ = (steps > 2).then(|| play.start(None));
        let _ = (steps > 3).then(|| play.block(&[b'x'; 200_000]));
        assert_eq!(play.count("tmp"), 0, "nor does a signal (QDIR-19)");
        if steps % 2 == 0 {
            play.reset();
        } else {
            play.backend = Queuedir::default();
        }
        assert_eq!((play.count("tmp"), play.count("new")), (0, 0));
    }
}

#[test]
fn a_reset_forgets_a_spooled_message() {
    let mut play = Play::new();
    let _ = (play.start(None), play.block(b"old\n"));
    play.reset();
    let _ = (play.sender("a"), play.recipient("b"), play.start(None), play.block(b"new\n"));
    assert_eq!(play.end(None), "");
    assert_eq!(play.only("new"), b"a\0b\0\0new\n");
}

#[test]
fn several_messages_make_several_files() {
    let mut play = Play::new();
    for _ in 0..3 {
        let _ = (play.sender("a"), play.recipient("b"), play.start(None));
        assert_eq!(play.end(None), "");
    }
    assert_eq!((play.count("tmp"), play.count("new")), (0, 3));
}

#[test]
fn the_directories_are_those_of_the_sender_and_nosync_that_of_the_end() {
    let mut play = Play::new();
    for name in ["a", "b"] {
        fs::create_dir(play.path(name)).unwrap();
    }
    play.set("QUEUEDIR_TMP=a");
    play.set("QUEUEDIR_DEST=b");
    let _ = play.sender("a");
    play.set("QUEUEDIR_TMP=missing");
    play.set("QUEUEDIR_DEST=new");
    play.set("QUEUEDIR_NOSYNC=");
    let _ = (play.recipient("b"), play.start(None));
    assert_eq!(play.end(None), "");
    assert_eq!((play.count("a"), play.count("b"), play.count("new")), (0, 1, 0));
}

#[test]
fn an_empty_destination_is_the_top() {
    let mut play = Play::new();
    play.set("QUEUEDIR_DEST=");
    let _ = (play.sender("a"), play.recipient("b"), play.start(None));
    assert_eq!(play.end(None), "");
    assert_eq!(play.count("."), 3);
}

#[test]
fn the_sender_is_refused_without_usable_directories() {
    let mut play = Play::new();
    play.set("QUEUEDIR=");
    assert_eq!(play.sender("a"), "451 4.3.0 Missing backend configuration parameter");
    let mut play = Play::new();
    play.set("QUEUEDIR_TMP=missing");
    assert_eq!(play.sender("a"), "451 4.3.0 Error creating queue file");
    for variable in ["QUEUEDIR_TMP=file", "QUEUEDIR_DEST=file"] {
        let mut play = Play::new();
        fs::write(play.path("file"), "").unwrap();
        play.set(variable);
        assert_eq!(play.sender("a"), "451 4.3.0 Internal error.");
        assert_eq!(play.count("tmp"), 0);
    }
}

#[test]
fn the_end_is_refused_if_the_file_cannot_be_linked() {
    for destination in ["missing", "tmp"] {
        let mut play = Play::new();
        play.set(&format!("QUEUEDIR_DEST={destination}"));
        assert_eq!((play.sender("a"), play.recipient("b"), play.start(None)), Default::default());
        assert_eq!(play.end(None), WRITING);
        assert_eq!((play.count("tmp"), play.count("new")), (0, 0));
    }
}

#[test]
fn a_removed_destination_is_an_error() {
    let mut play = Play::new();
    let _ = (play.sender("a"), play.recipient("b"), play.start(None));
    fs::remove_dir_all(play.path("new")).unwrap();
    assert_eq!(play.end(None), WRITING);
    assert_eq!(play.count("tmp"), 0);
}

#[test]
fn after_a_failure_no_step_succeeds_until_a_new_sender() {
    let mut play = Play::new();
    let _ = play.sender("a");
    assert_eq!(play.recipient("b\0c"), "554 5.1.3 Address contains a forbidden byte");
    assert_eq!(play.count("tmp"), 0);
    assert_eq!((play.recipient("d"), play.start(None)), (WRITING.into(), WRITING.into()));
    assert_eq!((play.block(b"x"), play.end(None)), (WRITING.into(), WRITING.into()));
    assert_eq!((play.sender("a"), play.recipient("b"), play.start(None), play.end(None)), Default::default());
    assert_eq!(play.only("new"), b"a\0b\0\0");
}

#[test]
fn steps_out_of_order_are_refused() {
    let mut play = Play::new();
    assert_eq!((play.recipient("b"), play.end(None)), (WRITING.into(), WRITING.into()));
    let mut play = Play::new();
    let _ = (play.sender("a"), play.recipient("b"), play.start(None));
    assert_eq!(play.recipient("c"), WRITING);
    let mut play = Play::new();
    let _ = (play.start(None), play.block(b"x\n"));
    assert_eq!(play.end(None), WRITING);
    assert_eq!((play.count("tmp"), play.count("new")), (0, 0));
}
