//! A maildir of a hundred thousand messages, listed and left, and a message of fifty megabytes fetched.

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};

use super::Workload;
use crate::bench::Bench;

const RUN: &str = "pop3front-maildir Maildir";

/// What a log-in, a look and a good bye cost, the sizes being in the names.
pub(super) const NAMED: Workload = Workload {
    name: "a maildir, sizes in names",
    needs: &[],
    run: RUN,
    env: &[],
    prepare: |bench, folder| fill(messages(bench), folder, true),
    input: |_| b"STAT\r\nUIDL\r\nQUIT\r\n".to_vec(),
    is_done: |output| output.ends_with(b"\r\n.\r\n+OK \r\n"),
    most: 0.5,
    most_read: None,
    most_kib: None,
};

/// The same, the system being asked for every size.
pub(super) const UNNAMED: Workload = Workload {
    name: "a maildir, sizes of files",
    prepare: |bench, folder| fill(messages(bench), folder, false),
    most: 0.75,
    ..NAMED
};

/// The same without a good bye, so that the memory is seen: at most 200 bytes a message, and a program.
pub(super) const MEMORY: Workload = Workload {
    name: "a maildir in memory",
    input: |_| b"STAT\r\nUIDL\r\n".to_vec(),
    is_done: |output| output.ends_with(b"\r\n.\r\n"),
    most_kib: Some((MOST as u64 * 200 + (3 << 20)) >> 10),
    ..NAMED
};

/// A message of half the large message's size, fetched.
pub(super) const RETRIEVED: Workload = Workload {
    name: "a message retrieved",
    prepare: large,
    input: |_| b"RETR 1\r\n".to_vec(),
    is_done: |output| output.ends_with(b"\r\n.\r\n"),
    most: 1.0,
    most_read: None,
    most_kib: Some(4 << 10),
    ..NAMED
};

/// Messages of the maildir.
const MOST: usize = 100_000;

/// So many, or one for each kilobyte of the large message if that is less.
fn messages(bench: &Bench) -> usize {
    MOST.min(bench.large / 1000)
}

fn folders(folder: &Path) -> io::Result<()> {
    ["", "tmp", "new", "cur"].iter().try_for_each(|sub| fs::create_dir(folder.join("Maildir").join(sub)))
}

/// Messages as they were delivered over three years, every fourth of them new.
fn fill(count: usize, folder: &Path, sizes_in_names: bool) -> io::Result<()> {
    folders(folder)?;
    let message = folder.join("message");
    fs::write(&message, "Subject: bench\n\nOne line.\n")?;
    let size = if sizes_in_names { ",S=26" } else { "" };
    for n in 0..count {
        // Not in the order of their numbers, as a file system has them.
        let time = 1_600_000_000 + (n * 48_271) % 99_999_989;
        let name = format!("{time}.M{:06}P{}.mail.bench.example{size}", n * 7 % 1_000_000, n % 32_768);
        let place = if n % 4 == 0 { format!("new/{name}") } else { format!("cur/{name}:2,S") };
        fs::hard_link(&message, folder.join("Maildir").join(place))?;
    }
    Ok(())
}

fn large(bench: &Bench, folder: &Path) -> io::Result<()> {
    const LINE: &[u8] = b"The quick brown fox jumps over the lazy dog. 0123456789 abcdefghijklmnopqrst\n";
    folders(folder)?;
    let mut file = io::BufWriter::new(fs::File::create(folder.join("Maildir/cur/1.large"))?);
    file.write_all(b"Subject: bench\n\n")?;
    for _ in 0..bench.large / 2 / LINE.len() {
        file.write_all(LINE)?;
    }
    file.flush()
}
