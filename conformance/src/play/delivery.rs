//! The ways in which the same dialogue is carried to the program.

use crate::{
    target::Pipelining,
    transcript::{Act, Step, text::Variables},
};

/// How the client's bytes reach the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Delivery {
    /// Every answer is awaited, over a pipe.
    Lockstep,
    /// As much as can be sent is sent in one piece, over a pipe.
    Burst,
    /// As lockstep, byte by byte.
    Drip,
    /// As burst, cut inside CRLF, around the dot of a dot line, and inside the length of a netstring.
    Split,
    /// Lockstep over a TCP connection.
    Tcp,
    /// Burst over a TCP connection.
    TcpBurst,
    /// Lockstep over a TCP connection, inside TLS from the first byte on.
    Tls,
}

/// Longest piece of a packet pipe: a reader with a smaller buffer would lose the rest of it.
const PACKET_MAX: usize = 512;

/// Bytes at the beginning and end of one step that `drip` sends one by one; between them it sends
/// packets, so that a message of megabytes stays playable.
const DRIP_EDGE: usize = 768;

impl Delivery {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 7] =
        [Self::Lockstep, Self::Burst, Self::Drip, Self::Split, Self::Tcp, Self::TcpBurst, Self::Tls];

    /// The name in cases, reports and known failures.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lockstep => "lockstep",
            Self::Burst => "burst",
            Self::Drip => "drip",
            Self::Split => "split",
            Self::Tcp => "tcp",
            Self::TcpBurst => "tcp-burst",
            Self::Tls => "tls",
        }
    }

    /// The delivery of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|delivery| delivery.name() == name)
    }

    /// Whether the program's input and output is a TCP connection.
    pub fn over_tcp(self) -> bool {
        matches!(self, Self::Tcp | Self::TcpBurst | Self::Tls)
    }

    /// Whether each write must reach the reader as a piece of its own.
    pub fn in_packets(self) -> bool {
        matches!(self, Self::Drip | Self::Split)
    }

    /// Whether each answer is awaited before the next step.
    pub fn awaits_answers(self) -> bool {
        matches!(self, Self::Lockstep | Self::Drip | Self::Tcp | Self::Tls)
    }

    /// `bytes` cut into the pieces they are written in; into single bytes for a program that may want no
    /// byte more at once, because what it does not read is for another one ([`hands_over`]).
    pub fn cut(self, bytes: &[u8], finest: bool) -> Vec<&[u8]> {
        match self {
            Self::Drip | Self::Split if finest => bytes.chunks(1).collect(),
            Self::Drip => {
                let edge = DRIP_EDGE.min(bytes.len());
                let (head, rest) = bytes.split_at(edge);
                let (middle, tail) = rest.split_at(rest.len().saturating_sub(edge));
                head.chunks(1).chain(middle.chunks(PACKET_MAX)).chain(tail.chunks(1)).collect()
            }
            Self::Split => {
                let mut pieces = Vec::new();
                let mut start = 0;
                for end in memchr::memchr3_iter(b'\r', b'.', b':', bytes).chain([bytes.len()]) {
                    for cut in cuts_at(bytes, end) {
                        if cut > start {
                            pieces.extend(bytes[start..cut].chunks(PACKET_MAX));
                            start = cut;
                        }
                    }
                }
                pieces
            }
            _ => vec![bytes],
        }
    }
}

/// Where `split` cuts because of the byte at `at`, in order: behind a CR, around the dot of a dot line,
/// inside a netstring's length and before its colon, at the end.
fn cuts_at(bytes: &[u8], at: usize) -> Vec<usize> {
    match bytes.get(at) {
        None => vec![at],
        Some(b':') => {
            let digits = bytes[..at].iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
            match digits {
                0 => Vec::new(),
                1 => vec![at],
                _ => vec![at - digits + 1, at],
            }
        }
        Some(b'.') if at >= 1 && bytes[at - 1] != b'\n' => Vec::new(),
        Some(_) => vec![at + 1],
    }
}

/// Whether the program of a role becomes another one, which goes on with the connection. A pipe in packet
/// mode drops what is left of a packet, so these get their packets byte by byte.
pub fn hands_over(role: &str) -> bool {
    matches!(role, "pop3front-auth" | "imapfront-auth")
}

impl std::fmt::Display for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether the client must see the answer to `step` before it may send on.
pub fn is_synchronisation_point(step: &Step, pipelining: Pipelining, variables: &Variables) -> bool {
    let (Act::Send(text) | Act::SendRaw(text)) = &step.act else { return false };
    if pipelining == Pipelining::Any {
        return false;
    }
    let bytes = text.expand(variables);
    let verb: Vec<u8> =
        bytes.iter().take_while(|b| b.is_ascii_alphabetic()).map(u8::to_ascii_uppercase).collect();
    matches!(&verb[..], b"EHLO" | b"HELO" | b"STARTTLS" | b"AUTH" | b"DATA" | b"QUIT") || bytes == b"."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cutting_keeps_every_byte() {
        let bytes: Vec<u8> = b"DATA\r\n.\r\n..x\r\na.b\r\r\n".repeat(200);
        for delivery in Delivery::ALL {
            assert_eq!(delivery.cut(&bytes, false).concat(), bytes, "{delivery}");
            assert_eq!(delivery.cut(&bytes, true).concat(), bytes, "{delivery}");
            assert!(delivery.cut(b"", false).iter().all(|piece| piece.is_empty()), "{delivery}");
        }
        assert_eq!(Delivery::Split.cut(b"a.b\r\n.\r\n", false), [&b"a.b\r"[..], b"\n.", b"\r", b"\n"]);
        assert_eq!(Delivery::Split.cut(b"100:3:a@b,a:", false), [&b"1"[..], b"00", b":3", b":a@b,a:"]);
    }
}
