//! Start-up with ten thousand rules, and with a text list of a million entries, each with look-ups.

use std::{fmt::Write as _, io, path::Path};

use super::{Workload, write};
use crate::bench::Bench;

/// Rules of the large file, none of which matches.
const RULES: usize = 10_000;
/// Entries of the large list.
const ENTRIES: usize = 1_000_000;
/// Look-ups in the list, half of them of entries. A look-up that went through the list would take a
/// thousand times the whole start-up's share.
const LOOKUPS: usize = 1000;

pub(super) const TEN_THOUSAND_RULES: Workload = Workload {
    name: "10000 mail rules",
    needs: &["mailrules"],
    run: "mailfront smtp echo mailrules accept",
    env: &[("MAILRULES", "${CASE}/rules")],
    prepare: |_: &Bench, folder: &Path| {
        let mut rules = String::from(":sender\n");
        for number in 0..RULES {
            let _ = writeln!(rules, "d*@spam{number}.example:*:Sorry, not you {number}:::SPAM=yes");
        }
        write(folder, "rules", rules.as_bytes())
    },
    input: |_| b"MAIL FROM:<sender@bench.example>\r\nMAIL FROM:<x@spam9999.example>\r\n".to_vec(),
    is_done: |output| codes(output).eq([&b"220"[..], b"250", b"553"]),
    most: 1.0,
    most_read: None,
    most_kib: None,
};

pub(super) const MILLION_ENTRIES: Workload = Workload {
    name: "text list of 1000000",
    needs: &["mailrules"],
    run: "mailfront smtp echo mailrules accept",
    env: &[("MAILRULES", "${CASE}/rules")],
    prepare: |_: &Bench, folder: &Path| -> io::Result<()> {
        let mut list = String::with_capacity(ENTRIES * 32);
        for number in 0..ENTRIES {
            // Neighbours in the file are no neighbours in the alphabet.
            let _ = writeln!(list, "user{}@host{}.example", number * 7_919 % ENTRIES, number % 1000);
        }
        write(folder, "list", list.as_bytes())?;
        write(folder, "rules", b":sender\nd[[list]]\n")
    },
    input: |_| {
        let asked = (0..LOOKUPS / 2).map(|number| {
            let (user, host) = (number * 7_919 % ENTRIES, number % 1000);
            format!(
                "MAIL FROM:<user{user}@host{host}.example>\r\nMAIL FROM:<nobody{number}@host.example>\r\n"
            )
        });
        asked.collect::<String>().into_bytes()
    },
    is_done: |output| {
        let expected = [&b"553"[..], b"250"].into_iter().cycle().take(LOOKUPS);
        codes(output).eq(std::iter::once(&b"220"[..]).chain(expected))
    },
    most: 1.0,
    most_read: None,
    most_kib: None,
};

/// The codes of the answers.
fn codes(output: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = output.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| line.get(..3).unwrap_or_default())
}
