//! The backend qmail: what it costs to hand messages to a queue program, the program's own work not counted.

use std::{fs, io, os::unix::fs::PermissionsExt as _, path::Path};

use super::{Workload, write};
use crate::bench::Bench;

/// Small messages of one session, a program each.
const MESSAGES: usize = 100;

/// A line of the message: 76 columns.
const LINE: &[u8] = b"The quick brown fox jumps over the lazy dog. 0123456789 abcdefghijklmnopqrst\r\n";

/// A queue program that reads everything and keeps nothing.
const PROGRAM: &[u8] = b"#!/bin/sh\ncat >/dev/null\nexec cat <&1 >/dev/null\n";

const BEGINNING: &[u8] = b"MAIL FROM:<sender@bench.example>\r\nRCPT TO:<recipient@bench.example>\r\nDATA\r\n";

/// A large message, fed to the program as it comes.
pub(super) const LARGE: Workload = Workload {
    name: "qmail, a large message",
    needs: &["smtp", "qmail"],
    run: "mailfront smtp qmail accept",
    env: &[("QMAILHOME", "${CASE}"), ("QMAILQUEUE", "${CASE}/queue"), ("PATH", "/usr/bin:/bin")],
    prepare,
    input: |bench| {
        let lines = LINE.repeat(bench.large.div_ceil(LINE.len()));
        [BEGINNING, &lines, b".\r\n"].concat()
    },
    is_done: |output| accepted(output) == 1,
    most: 0.25,
    most_read: None,
    // The backend keeps nothing of the message.
    most_kib: Some(8 * 1024),
};

/// Many messages: what a message costs, starting its program included.
pub(super) const MANY: Workload = Workload {
    name: "qmail, 100 small messages",
    input: |_| [BEGINNING, b"Subject: bench\r\n\r\nOne line.\r\n.\r\n"].concat().repeat(MESSAGES),
    is_done: |output| accepted(output) == MESSAGES,
    most: 1.0,
    ..LARGE
};

fn prepare(_: &Bench, folder: &Path) -> io::Result<()> {
    write(folder, "queue", PROGRAM)?;
    fs::set_permissions(folder.join("queue"), fs::Permissions::from_mode(0o755))
}

/// Messages that the program took.
fn accepted(output: &[u8]) -> usize {
    let accepted = |line: &&[u8]| line.starts_with(b"250 2.6.0 Accepted message qp ");
    output.split(|byte| *byte == b'\n').filter(accepted).count()
}
