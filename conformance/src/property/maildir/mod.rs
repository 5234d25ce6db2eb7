//! The property of maildirs: whatever messages there are and whatever a client asks for, answers and the
//! files left behind are those of the model.
//!
//! [`mod@inputs`] makes maildirs and sessions up, [`model`] says what comes of them, and the transcript shows
//! whether a target does it.

pub mod inputs;
pub mod model;

use std::fmt::Write as _;

use crate::transcript::{Front, text::escape};

pub use inputs::{Command, Folder, Input, Message, inputs};
use model::{Answer, Session};

impl Input {
    /// The transcript that shows whether a target does with this input what the model says.
    pub fn transcript(&self) -> String {
        let mut session = Session::new(&self.messages, self.is_exact);
        let mut wire = String::from("S: +OK\\x20\n");
        for command in &self.commands {
            let _ = writeln!(wire, "C: {}", command.line());
            match session.answer(command) {
                Answer::Line(line) => drop(writeln!(wire, "S: {}", trailing(&line))),
                Answer::Lines(bytes) => drop(writeln!(wire, "S| {}", trailing(&escape(&bytes)))),
            }
        }
        if self.quits {
            wire.push_str("C: QUIT\nS: +OK\\x20\n");
            session.quit();
        }
        for (folder, name) in [(Folder::Cur, "cur"), (Folder::New, "new")] {
            let names: Vec<String> =
                session.names(folder).iter().map(|name| escape(name.as_bytes())).collect();
            let _ = writeln!(wire, "{}", format!("dir Maildir/{name}: {}", names.join(" ")).trim_end());
        }
        let mut front = Front {
            title: format!("{} messages, {} commands", self.messages.len(), self.commands.len()),
            clauses: vec!["MAILDIR-STAT-1".into(), "MAILDIR-QUIT-2".into()],
            run: "pop3front-maildir Maildir".into(),
            recorded: "by hand".into(),
            note: Some("Made up by `prop maildir`; its model says what is right.".into()),
            maildir: Some(self.messages.iter().map(|m| (m.path(), m.content.clone())).collect()),
            ..Front::default()
        };
        if self.is_exact {
            front.env.insert("POP3_EXACT".into(), "1".into());
        }
        // A head of strings always has a form in TOML.
        format!("+++\n{}+++\n{wire}exit: 0\n", toml::to_string(&front).unwrap_or_default())
    }
}

/// A blank at the end of a line of a transcript is written as an escape.
fn trailing(text: &str) -> String {
    match text.strip_suffix(' ') {
        Some(text) => format!("{text}\\x20"),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::property::each_can_be_read;

    #[test]
    fn every_input_gives_a_transcript_that_can_be_read() {
        each_can_be_read(300, || inputs(true), Input::transcript);
    }

    #[test]
    fn a_session_is_written_as_a_dialogue() {
        let message = |folder, name: &str, content: &str| Message {
            folder,
            name: name.into(),
            content: content.into(),
        };
        let input = Input {
            messages: vec![
                message(Folder::New, "10.c", "h\n\n.b"),
                message(Folder::Cur, "9.d,S=7:2,F", "x\r\n"),
            ],
            commands: vec![
                Command::Stat,
                Command::List(Some(1)),
                Command::Retr(2),
                Command::Top(1, 0),
                Command::Dele(1),
                Command::Retr(1),
            ],
            quits: true,
            is_exact: false,
        };
        let transcript = input.transcript();
        let (_, dialogue) = transcript.split_once("\n+++\n").unwrap();
        assert_eq!(
            dialogue,
            "S: +OK\\x20\nC: STAT\nS: +OK 2 12\nC: LIST 1\nS: +OK 1 7\n\
             C: RETR 2\nS| +OK \\r\\nh\\r\\n\\r\\n..b\\r\\n.\\r\\n\nC: TOP 1 0\nS| +OK \\r\\nx\\r\\n\\r\\n.\\r\\n\n\
             C: DELE 1\nS: +OK\\x20\nC: RETR 1\nS: -ERR Message was deleted\n\
             C: QUIT\nS: +OK\\x20\ndir Maildir/cur: 10.c:2,S\ndir Maildir/new:\nexit: 0\n"
        );
    }
}
