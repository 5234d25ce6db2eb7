//! What a running program is doing: whether it has read what it was sent, and what it waits for.

use std::time::Duration;

use super::Process;
use crate::play::waits::{self, Waits};

/// How long a server must have said nothing, with everything read, to count as silent.
const REMOTE_QUIET: Duration = Duration::from_millis(200);

impl Process {
    /// How many bytes it has been sent and not read yet.
    pub fn unread_bytes(&self) -> u64 {
        if let Some((client, server)) = self.ports {
            return unread_at(server, client);
        }
        let end = self.unread.as_ref().or(self.tx.as_ref());
        end.map_or(0, |fd| rustix::io::ioctl_fionread(fd).unwrap_or(0))
    }

    /// Whether it has read everything and waits for the client.
    /// A server whose process is not known has read everything and said nothing for a while: `quiet`.
    pub fn is_silent(&self, quiet: Duration) -> bool {
        if self.is_remote() {
            return quiet >= REMOTE_QUIET && self.unread_bytes() == 0;
        }
        self.unread_bytes() == 0 && waits::of(self.pid()) == Waits::ForInput
    }

    /// Whether it waits for the client to read.
    pub fn is_stuck(&self, quiet: Duration) -> bool {
        if self.is_remote() {
            return quiet >= REMOTE_QUIET;
        }
        waits::of(self.pid()) == Waits::ForOutput
    }

    /// Its peak resident memory so far, in bytes.
    pub fn peak_memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib << 10)
    }
}

/// What the system still holds for the reader at `local` of a connection with `remote`, both ports of
/// the loopback interface.
fn unread_at(local: u16, remote: u16) -> u64 {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let ends = |port: u16| format!("0100007F:{port:04X}");
    let line = table.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        (words.get(1) == Some(&ends(local).as_str()) && words.get(2) == Some(&ends(remote).as_str()))
            .then(|| words.get(4).copied().unwrap_or_default().to_string())
    });
    let waiting = line.as_deref().and_then(|queues| queues.split_once(':')).map(|(_, received)| received);
    waiting.and_then(|waiting| u64::from_str_radix(waiting, 16).ok()).unwrap_or(0)
}
