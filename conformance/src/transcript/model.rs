//! A case as data.

use std::time::Duration;

use super::{
    front::Front,
    text::{Pattern, Text},
    tls::Handshake,
};

/// How strong a demand is: what its failure counts as.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, serde::Deserialize, serde::Serialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Free; reported, never counted.
    May,
    /// Observed but incidental: wording, order.
    Should,
    /// Documented, required by an RFC, or relied upon.
    #[default]
    Must,
}

impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::May => "may",
            Self::Should => "should",
            Self::Must => "must",
        })
    }
}

/// A transcript.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Case {
    /// The path below the transcripts' folder, without ending; never changes.
    pub id: String,
    /// The file it was read from, as a person finds it; empty for a case made up in a program.
    pub file: String,
    /// The text it was read from, for reports; empty for a case made up in a program.
    pub source: String,
    /// The TOML head.
    pub front: Front,
    /// The lines below it, in order.
    pub body: Vec<Item>,
}

/// A line, or a block of lines.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// A blank line or a comment, kept as it stands.
    Remark(String),
    /// A step of the dialogue.
    Step(Step),
    /// Steps played several times.
    Repeat {
        /// The line it begins at.
        line: usize,
        /// How often.
        count: usize,
        /// What.
        body: Vec<Item>,
    },
    /// Something that must hold in the end.
    Expect(Expectation),
}

/// A step of the dialogue.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Its line in the file, from 1.
    pub line: usize,
    /// Taken only if this alternative was seen.
    pub only_if: Option<String>,
    /// Marked `should`.
    pub should: bool,
    /// What is done or expected.
    pub act: Act,
}

/// What a step does or expects.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// The client sends a line and CRLF.
    Send(Text),
    /// The client sends bytes.
    SendRaw(Text),
    /// The server sends a line ended by CRLF.
    Line(Pattern),
    /// The server sends bytes.
    Raw(Pattern),
    /// A reply of one or more lines that all begin with the same code and look alike.
    Reply(Pattern),
    /// One line of a group in any order.
    Unordered(Pattern),
    /// The server sends one netstring whose content matches.
    Netstring(Pattern),
    /// One part of a named alternative.
    Alternative(String, Choice),
    /// The server closes before the client does.
    Eof,
    /// The server has read everything and says nothing.
    Silence,
    /// Everything sent is read before the next byte is written.
    Boundary,
    /// The client closes its sending side.
    HalfClose,
    /// The client closes its receiving side.
    StopReading,
    /// The client closes both sides.
    Abort,
    /// The client reads nothing from here on.
    PauseReading,
    /// The client reads again.
    ResumeReading,
    /// The server's process gets a signal, by name.
    Signal(String),
    /// The client shakes hands; what follows is inside TLS.
    Tls(Handshake),
    /// The client sends bytes beneath TLS, as they are.
    Beneath(Text),
    /// The client says inside TLS that it will send nothing more.
    TlsClose,
    /// The client closes its sending side without having said so.
    Truncate,
    /// While the server waits, this is done to the case's folder; an entry as in `setup`.
    Do(String),
    /// The server has read everything and is left alone for so long, or until it closes.
    Wait(Duration),
}

/// What one of several alternatives begins or goes on with.
#[derive(Debug, Clone, PartialEq)]
pub enum Choice {
    /// A line ended by CRLF.
    Line(Pattern),
    /// A netstring.
    Netstring(Pattern),
    /// The server closes without a word.
    Eof,
}

impl Act {
    /// What the server is expected to send, if this is such a step.
    pub fn pattern(&self) -> Option<&Pattern> {
        match self {
            Self::Line(p)
            | Self::Raw(p)
            | Self::Reply(p)
            | Self::Unordered(p)
            | Self::Netstring(p)
            | Self::Alternative(_, Choice::Line(p) | Choice::Netstring(p)) => Some(p),
            _ => None,
        }
    }

    /// The same, to be changed.
    pub fn pattern_mut(&mut self) -> Option<&mut Pattern> {
        match self {
            Self::Line(p)
            | Self::Raw(p)
            | Self::Reply(p)
            | Self::Unordered(p)
            | Self::Netstring(p)
            | Self::Alternative(_, Choice::Line(p) | Choice::Netstring(p)) => Some(p),
            _ => None,
        }
    }
}

/// Something that must hold when the session is over.
#[derive(Debug, Clone, PartialEq)]
pub struct Expectation {
    /// Its line in the file, from 1.
    pub line: usize,
    /// Checked only if this alternative was seen.
    pub only_if: Option<String>,
    /// Marked `should`.
    pub should: bool,
    /// What must hold.
    pub fact: Fact,
}

/// What must hold in the end.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// The exit status.
    Exit(Exit),
    /// One of the complete list of log lines, without `program[PID]: `.
    Log(Pattern),
    /// Some log line is this one.
    LogHas(Pattern),
    /// No log line contains this text.
    LogLacks(Text),
    /// One of the complete list of lines on standard error.
    Stderr(Pattern),
    /// Nothing was captured.
    QueuedNone,
    /// A message was captured.
    Queued {
        /// The envelope sender.
        from: Text,
        /// The envelope recipients, in order.
        to: Vec<Text>,
        /// The message; `None` leaves it open.
        content: Option<Vec<Content>>,
    },
    /// Nothing matches this path or glob.
    FileAbsent(Text),
    /// Exactly one file matches this path or glob.
    File(Text, Option<Vec<Content>>),
    /// The one file or folder that matches has this mode.
    Mode(Text, u32),
    /// The folder has entries of these names and no others.
    Folder(Text, Vec<Pattern>),
    /// What a service was asked for.
    Service {
        /// Its name.
        name: String,
        /// The call, from 1; any if it is left out.
        call: Option<usize>,
        /// `calls`, `got`, `arg 1`, `env NAME` …
        what: String,
        /// What is to be there.
        told: Told,
    },
    /// The server said inside TLS that it would send nothing more.
    CloseNotify,
    /// Peak resident memory in bytes at most.
    Memory(u64),
    /// Duration in seconds at most.
    Time(u64),
}

/// What a service is to have learnt.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// Nothing: it is not there.
    Absent,
    /// This.
    Value(Pattern),
    /// This, line by line.
    Content(Vec<Content>),
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// With this status.
    Status(i32),
    /// By this signal.
    Signal(i32),
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Status(status) => write!(f, "{status}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// A line of expected file content.
#[derive(Debug, Clone, PartialEq)]
pub struct Content {
    /// The bytes.
    pub text: Pattern,
    /// Whether LF follows.
    pub newline: bool,
}
