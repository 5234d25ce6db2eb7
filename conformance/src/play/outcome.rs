//! What was seen in one play.

use std::time::Duration;

use super::tls::Ending;
use crate::{
    sandbox::service::Calls,
    transcript::{model::Exit, text::Variables},
};

/// A piece of the conversation, in the order it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exchange {
    /// The client wrote these bytes.
    Sent(Vec<u8>),
    /// The server wrote these bytes.
    Received(Vec<u8>),
    /// The client closed its sending side.
    HalfClosed,
    /// A handshake, and what came of it.
    Handshake(String),
    /// The client said nothing for so long.
    Waited(Duration),
}

/// Everything observed in one play.
#[derive(Debug, Default)]
pub struct Outcome {
    /// All the server wrote to the client.
    pub output: Vec<u8>,
    /// All it wrote to standard error.
    pub log: Vec<u8>,
    /// The conversation, for a person.
    pub exchange: Vec<Exchange>,
    /// All the client sent that the connection took.
    pub sent: Vec<u8>,
    /// How the process ended; `None` if it was killed by the hang guard.
    pub exit: Option<Exit>,
    /// It is a server that was not started for the play: only the connection was seen.
    pub remote: bool,
    /// Its process id.
    pub pid: u32,
    /// Lines of `silence` steps at which something was said, with those bytes.
    pub noise: Vec<(usize, Vec<u8>)>,
    /// Lines of `eof` steps at which the server had not closed.
    pub still_open: Vec<usize>,
    /// How many of the bytes sent came before a handshake, if there was one.
    pub clear_bytes: Option<usize>,
    /// Where among the bytes sent the client waited by the clock, and how long.
    pub waits: Vec<(usize, Duration)>,
    /// What came of the handshakes, in their order.
    pub handshakes: Vec<Ending>,
    /// The server said inside TLS that it would send nothing more.
    pub close_notify: bool,
    /// Signals were sent by the case.
    pub signalled: bool,
    /// Processes were left behind, or something held the connection open after the exit.
    pub leak: Option<String>,
    /// The guard had to end the play: what was waited for.
    pub hang: Option<String>,
    /// Peak resident memory in bytes, as far as seen before the last byte was sent.
    pub peak_memory: Option<u64>,
    /// From start to exit.
    pub duration: Duration,
    /// Variables after the play: those of the world, `PID`, captures, `SENT` and `RECEIVED`.
    pub variables: Variables,
    /// What the services were asked for, by name.
    pub calls: Calls,
    /// The alternatives seen.
    pub branches: Vec<String>,
}
