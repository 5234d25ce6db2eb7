//! No session of the corpora takes more than 16 MB or a second.
//!
//! The only test of its program, so that what the process takes is what a session takes.
#![allow(clippy::expect_used, reason = "a test that cannot be set up fails with the reason")]

use std::{fs, time::Duration, time::Instant};

use mailfront_conformance::cases::Cases;
use mailfront_fuzz::{Body, netstrings, seeds};
use mailfront_tests::{repository, transcripts};

/// The most memory that one session may add, in KiB.
const MEMORY_MOST: u64 = 16 * 1024;
/// The longest that one may take.
const TIME_MOST: Duration = Duration::from_secs(1);

/// A line of `/proc/self/status`, in KiB.
fn memory(line: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("the status of this process");
    let value = status.lines().find_map(|text| text.strip_prefix(line)).expect("the line");
    value.trim().trim_end_matches(" kB").parse().expect("a number")
}

#[test]
fn sessions_of_the_corpora_are_small_and_short() {
    let cases = Cases::below(&transcripts()).expect("the transcripts");
    let bodies: [(&str, Body); 3] = [
        ("qmqp_package", netstrings::qmqp_package),
        ("qmtp_package", netstrings::qmtp_package),
        ("session", netstrings::session),
    ];
    for (target, body) in bodies {
        let mut inputs = seeds::of(target, &cases);
        for kept in ["finds", "corpus"] {
            if let Ok(folder) = fs::read_dir(repository().join("fuzz").join(kept).join(target)) {
                let files = folder.map(|entry| fs::read(entry.expect("an entry").path()).expect("a file"));
                inputs.extend(files);
            }
        }
        assert!(!inputs.is_empty(), "{target} has no inputs");
        for input in inputs {
            // Peak memory begins anew from what is used now.
            fs::write("/proc/self/clear_refs", "5").expect("a reset of the peak");
            let (before, started) = (memory("VmRSS:"), Instant::now());
            body(&input);
            let (taken, time) = (memory("VmHWM:").saturating_sub(before), started.elapsed());
            assert!(taken <= MEMORY_MOST, "{target}: {taken} KiB for {}", input.escape_ascii());
            assert!(time <= TIME_MOST, "{target}: {time:?} for {}", input.escape_ascii());
        }
    }
}
