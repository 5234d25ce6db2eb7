//! QMTP and QMQP: many small packages in one connection, and large ones.

use super::Workload;
use crate::bench::Bench;

/// Packages of one connection.
const PACKAGES: usize = 1000;

/// A line of a large message: 76 columns.
const LINE: &[u8] = b"The quick brown fox jumps over the lazy dog. 0123456789 abcdefghijklmnopqrst\n";

/// A thousand small packages: as many a processor-second as the other, or more.
pub(super) const THOUSAND: Workload = Workload {
    name: "QMTP, 1,000 small messages in one connection",
    needs: &["qmtp"],
    run: "mailfront qmtp echo accept",
    env: &[],
    prepare: |_, _| Ok(()),
    input: |_| package(b"Subject: bench\n\nOne line.\n").repeat(PACKAGES),
    is_done: |output| output == b"19:KReceived 26 bytes.,".repeat(PACKAGES),
    most: 1.0,
    most_read: None,
    most_kib: Some(16 * 1024),
};

/// A large message in QMTP: as good as at the speed of reading it, which the other is at, too, but for smaller
/// reads.
pub(super) const LARGE_QMTP: Workload = Workload {
    name: "QMTP, a large message",
    run: "mailfront qmtp echo accept",
    input: |bench| package(&large(bench)),
    is_done: is_accepted,
    most: 0.8,
    most_read: Some(1.3),
    ..THOUSAND
};

/// A large message in QMQP.
pub(super) const LARGE_QMQP: Workload = Workload {
    name: "QMQP, a large message",
    needs: &["qmqp"],
    run: "mailfront qmqp echo accept",
    input: |bench| {
        let parts =
            [netstring(&large(bench)), netstring(b"sender@bench.example"), netstring(b"to@bench.example")];
        netstring(&parts.concat())
    },
    is_done: is_accepted,
    most: 0.8,
    most_read: Some(1.3),
    // It ends with its answer, and what it used at most is gone with it.
    most_kib: None,
    ..THOUSAND
};

fn large(bench: &Bench) -> Vec<u8> {
    LINE.repeat(bench.large.div_ceil(LINE.len()))
}

fn package(message: &[u8]) -> Vec<u8> {
    let recipients = netstring(b"recipient@bench.example");
    let message = netstring(&[b"\n", message].concat());
    [message, netstring(b"sender@bench.example"), netstring(&recipients)].concat()
}

fn netstring(content: &[u8]) -> Vec<u8> {
    [format!("{}:", content.len()).as_bytes(), content, b","].concat()
}

fn is_accepted(output: &[u8]) -> bool {
    output.split(|byte| *byte == b':').nth(1).is_some_and(|answer| answer.starts_with(b"KReceived "))
}
