//! The parts that the transcripts of both witnesses have in common.

use std::fmt::Write as _;

use super::{Lists, model::Unloadable};
use crate::transcript::{Front, text::escape};

/// A head for these lists: command and `$PLUGINS`.
pub(super) fn front(lists: &Lists, title: String, clauses: &[&str]) -> Front {
    let mut front = Front {
        title,
        clauses: clauses.iter().map(|id| (*id).into()).collect(),
        run: lists.command(),
        recorded: "by hand".into(),
        note: Some("Made up by `prop plugin-list`; the model of PLUG-LIST-3 says what is right.".into()),
        ..Front::default()
    };
    if let Some(items) = &lists.plugins {
        front.env.insert("PLUGINS".into(), items.join(":"));
    }
    front
}

/// The lines below the head, in the making: the conversation, then what the log must be.
#[derive(Debug, Default)]
pub(super) struct Dialogue {
    wire: String,
    log: String,
}

impl Dialogue {
    /// A session that begins with the greeting.
    pub(super) fn greeted() -> Self {
        let mut dialogue = Self::default();
        dialogue.answered("220 ${LOCALHOST} mailfront ESMTP");
        dialogue
    }

    /// A start that ends because a plugin is not there (CORE-MOD-6). That the program closes by itself
    /// is left to other cases: one that goes on would be waited for.
    pub(super) fn not_loaded(name: &Unloadable) -> Self {
        let mut dialogue = Self::default();
        let line = format!("451 4.3.0 Error loading plugin {}: ~~", escape(name.0.as_bytes()));
        dialogue.answered(&line);
        dialogue.logged(&line);
        dialogue
    }

    /// The client sends this line.
    pub(super) fn sent(&mut self, line: &str) {
        let _ = writeln!(self.wire, "C: {line}");
    }

    /// The client sends this command, which is logged.
    pub(super) fn commanded(&mut self, line: &str) {
        self.sent(line);
        self.logged(line);
    }

    /// The server answers with this line.
    pub(super) fn answered(&mut self, pattern: &str) {
        let _ = writeln!(self.wire, "S: {pattern}");
    }

    /// The server answers with this line, a refusal, which is logged.
    pub(super) fn refused(&mut self, pattern: &str) {
        self.answered(pattern);
        self.logged(pattern);
    }

    /// The log has this line.
    pub(super) fn logged(&mut self, pattern: &str) {
        let _ = writeln!(self.log, "log: {pattern}");
    }

    /// The session ended with the end of the client's input.
    pub(super) fn ended(&mut self) {
        self.logged("bytes in: ${SENT} bytes out: ${RECEIVED}");
    }

    /// The whole transcript.
    pub(super) fn under(self, front: &Front, status: u8) -> String {
        // A head of strings always has a form in TOML.
        let head = toml::to_string(front).unwrap_or_default();
        format!("+++\n{head}+++\n{}exit: {status}\n{}", self.wire, self.log)
    }
}

/// `a, b and c`, each as the transcript's reader sees it.
pub(super) fn enumerated(names: &[&str]) -> String {
    match names {
        [] => "none".into(),
        [one] => (*one).into(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
