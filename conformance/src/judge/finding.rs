//! One departure from what a case demands.

use crate::{
    sandbox::World,
    transcript::{model::Level, text::escape_short},
};

/// What part of the behaviour a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Aspect {
    /// It did not end.
    Hang,
    /// It died by a signal.
    Crash,
    /// It left processes or open descriptors behind.
    Leak,
    /// What it wrote to the client.
    Answer,
    /// A handshake.
    Tls,
    /// Its exit status.
    Exit,
    /// Its log.
    Log,
    /// Messages captured.
    Queued,
    /// Messages acknowledged and captured differ.
    Custody,
    /// A file.
    File,
    /// Files left behind.
    Left,
    /// What a service was asked for.
    Service,
    /// Memory used.
    Memory,
    /// Time taken.
    Time,
}

impl Aspect {
    /// The word it has in reports and known failures.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hang => "hang",
            Self::Crash => "crash",
            Self::Leak => "leak",
            Self::Answer => "S",
            Self::Tls => "tls",
            Self::Exit => "exit",
            Self::Log => "log",
            Self::Queued => "queued",
            Self::Custody => "custody",
            Self::File => "file",
            Self::Left => "left",
            Self::Service => "service",
            Self::Memory => "memory",
            Self::Time => "time",
        }
    }
}

/// A departure: where, what was expected and what came instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How much it counts.
    pub level: Level,
    /// What it is about.
    pub aspect: Aspect,
    /// The case's line; 0 if it belongs to none.
    pub line: usize,
    /// What was expected, in the notation of transcripts.
    pub expected: String,
    /// What came, in the notation of transcripts.
    pub got: String,
}

/// Longest piece of output shown for one finding, in bytes.
const SHOWN_MAX: usize = 400;

impl Finding {
    /// A finding of level `must`.
    pub fn new(aspect: Aspect, line: usize, expected: &str, got: &[u8]) -> Self {
        let got = if got.is_empty() { "(nothing)".into() } else { escape_short(got, SHOWN_MAX) };
        let expected = if expected.len() > 2 * SHOWN_MAX {
            escape_short(expected.as_bytes(), SHOWN_MAX)
        } else {
            expected.to_string()
        };
        Self { level: Level::Must, aspect, line, expected, got }
    }

    /// The same, counting as `level`.
    pub fn weakened(self, level: Level) -> Self {
        Self { level, ..self }
    }

    /// The same, counting no more than `level`.
    pub fn at_most(self, level: Level) -> Self {
        Self { level: self.level.min(level), ..self }
    }

    /// Takes out what differs from play to play: the folders and the process id.
    pub fn make_comparable(&mut self, world: &World, pid: u32) {
        if let Some(modules) = world.variables.get("MODULES") {
            self.got = self.got.replace(&*String::from_utf8_lossy(modules), "${MODULES}");
        }
        for (name, place) in [("TMP", &world.temporary), ("CASE", &world.folder)] {
            self.got = self.got.replace(&*place.to_string_lossy(), &format!("${{{name}}}"));
        }
        self.got = self.got.replace(&format!("[{pid}]"), "[PID]");
    }

    /// The form in which known failures record it: aspect and what came.
    pub fn signature(&self) -> String {
        format!("{}: {}", self.aspect.name(), self.got)
    }
}
