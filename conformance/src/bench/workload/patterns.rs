//! A large message held against two hundred patterns of all kinds, none of which matches.

use std::{io, path::Path};

use super::{Workload, write};
use crate::bench::Bench;

/// A line of the message.
const LINE: &[u8] = b"The quick brown fox jumps over the lazy dog. 0123456789 abcdefghijklmnopqrst\r\n";

pub(super) const PATTERNS: Workload = Workload {
    name: "200 patterns",
    needs: &["patterns"],
    run: "mailfront smtp echo patterns accept",
    env: &[("PATTERNS", "${CASE}/patterns")],
    prepare,
    input,
    is_done: |output| {
        output.split(|byte| *byte == b'\n').nth(4).is_some_and(|line| line.starts_with(b"250 "))
    },
    most: 1.0 / 3.0,
    most_read: None,
    most_kib: None,
};

fn prepare(_: &Bench, folder: &Path) -> io::Result<()> {
    let anywhere = (0..100).map(|n| format!("/*offer{n:03}*\n"));
    let beginnings = (0..50).map(|n| format!("/Buy now {n}*\n"));
    let headers = (0..30).map(|n| format!(":Subject: *pill{n}*\n"));
    let attachments = (0..20).map(|n| format!("\\TVqQ{n}*\n"));
    let all: String = anywhere.chain(beginnings).chain(headers).chain(attachments).collect();
    write(folder, "patterns", all.as_bytes())
}

fn input(bench: &Bench) -> Vec<u8> {
    let mut input = b"MAIL FROM:<sender@bench.example>\r\nRCPT TO:<recipient@bench.example>\r\nDATA\r\n\
        Subject: bench\r\n\r\n"
        .to_vec();
    input.extend(LINE.repeat(bench.large / LINE.len()));
    input.extend_from_slice(b".\r\n");
    input
}
