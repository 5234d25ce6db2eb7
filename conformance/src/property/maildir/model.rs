//! What comes of a session, said as plainly as possible: by the letter of the contract, not fast.

use std::cmp::Ordering;

use super::{Command, Folder, Message};

/// A session over a maildir.
pub struct Session {
    messages: Vec<Entry>,
    is_exact: bool,
}

struct Entry {
    folder: Folder,
    name: String,
    content: Vec<u8>,
    is_read: bool,
    is_deleted: bool,
}

/// An answer of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// One line, without its end.
    Line(String),
    /// Several, byte by byte.
    Lines(Vec<u8>),
}

impl Session {
    /// A session that has just begun.
    pub fn new(messages: &[Message], is_exact: bool) -> Self {
        let mut messages: Vec<Entry> = messages.iter().map(Entry::new).collect();
        messages.sort_by(|a, b| order(&a.name, &b.name));
        Self { messages, is_exact }
    }

    /// What a command is answered with.
    pub fn answer(&mut self, command: &Command) -> Answer {
        let ok = || Answer::Line("+OK ".into());
        match command {
            Command::Stat => {
                let kept = || self.messages.iter().filter(|m| !m.is_deleted);
                Answer::Line(format!("+OK {} {}", kept().count(), kept().map(Entry::size).sum::<u64>()))
            }
            Command::List(which) => self.told(*which, |m| m.size().to_string()),
            Command::Uidl(which) => self.told(*which, Entry::id),
            Command::Last => {
                let last = self.messages.iter().rposition(|m| m.is_read || m.is_seen());
                Answer::Line(format!("+OK {}", last.map_or(0, |index| index + 1)))
            }
            Command::Noop => ok(),
            Command::Retr(number) => match self.find(*number) {
                Ok(index) => {
                    self.messages[index].is_read = true;
                    self.sent(index, None)
                }
                Err(refusal) => refusal,
            },
            Command::Top(number, lines) => match self.find(*number) {
                Ok(index) => self.sent(index, Some(*lines)),
                Err(refusal) => refusal,
            },
            Command::Dele(number) => match self.find(*number) {
                Ok(index) => {
                    self.messages[index].is_deleted = true;
                    ok()
                }
                Err(refusal) => refusal,
            },
            Command::Rset => {
                for message in &mut self.messages {
                    (message.is_read, message.is_deleted) = (false, false);
                }
                ok()
            }
            Command::QuitWithArgument => Answer::Line("-ERR Syntax error".into()),
        }
    }

    /// What QUIT does to the files.
    pub fn quit(&mut self) {
        self.messages.retain(|message| !message.is_deleted);
        for message in &mut self.messages {
            message.folder = Folder::Cur;
            if message.is_read {
                message.name = seen(&message.name);
            }
        }
    }

    /// The names in a folder.
    pub fn names(&self, folder: Folder) -> Vec<&str> {
        let there = self.messages.iter().filter(|message| message.folder == folder);
        there.map(|message| message.name.as_str()).collect()
    }

    fn find(&self, number: u64) -> Result<usize, Answer> {
        let refused = |text: &str| Err(Answer::Line(format!("-ERR {text}")));
        let index = usize::try_from(number).unwrap_or(usize::MAX).wrapping_sub(1);
        match self.messages.get(index) {
            None => refused("Message number out of range"),
            Some(message) if message.is_deleted => refused("Message was deleted"),
            Some(_) => Ok(index),
        }
    }

    fn told(&self, which: Option<u64>, what: impl Fn(&Entry) -> String) -> Answer {
        let line = |index: usize| format!("{} {}", index + 1, what(&self.messages[index]));
        match which.map(|number| self.find(number)) {
            Some(Err(refusal)) => refusal,
            Some(Ok(index)) => Answer::Line(format!("+OK {}", line(index))),
            None => {
                let kept = (0..self.messages.len()).filter(|index| !self.messages[*index].is_deleted);
                let lines: String = kept.map(|index| line(index) + "\r\n").collect();
                Answer::Lines(format!("+OK \r\n{lines}.\r\n").into_bytes())
            }
        }
    }

    fn sent(&self, index: usize, body_lines: Option<u64>) -> Answer {
        let content = &self.messages[index].content;
        // What is behind the last LF is a line without an end, if it is anything.
        let mut lines: Vec<&[u8]> = content.split(|byte| *byte == b'\n').collect();
        let rest = lines.pop().unwrap_or_default();
        let mut lines: Vec<&[u8]> =
            lines.into_iter().map(|line| line.strip_suffix(b"\r").unwrap_or(line)).collect();
        let mut is_cut = false;
        if let Some(most) = body_lines
            && let Some(blank) = lines.iter().position(|line| line.is_empty())
        {
            let most = usize::try_from(most).unwrap_or(usize::MAX);
            let wanted = (blank + 1).saturating_add(most);
            is_cut = wanted <= lines.len();
            lines.truncate(wanted);
        }
        let unended = !is_cut && !rest.is_empty();
        if unended {
            lines.push(rest);
        }
        let mut out = b"+OK \r\n".to_vec();
        for line in &lines {
            if line.starts_with(b".") {
                out.push(b'.');
            }
            out.extend_from_slice(line);
            out.extend_from_slice(b"\r\n");
        }
        // The extra line; the end that an unended line lacked is its own (MAILDIR-DATA-3, -8).
        if !self.is_exact && !unended {
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b".\r\n");
        Answer::Lines(out)
    }
}

impl Entry {
    fn new(message: &Message) -> Self {
        Self {
            folder: message.folder,
            name: message.name.clone(),
            content: message.content.clone().into_bytes(),
            is_read: false,
            is_deleted: false,
        }
    }

    /// The name up to its flags, and the sizes in it, if there are some (MAILDIR-SIZE-1).
    fn parts(&self) -> (&str, Option<&str>) {
        let base = self.name.split(':').next().unwrap_or_default();
        match base.split_once(',') {
            Some((before, sizes)) if sizes.as_bytes().get(1) == Some(&b'=') => (before, Some(sizes)),
            _ => (base, None),
        }
    }

    fn size(&self) -> u64 {
        let mut size = 0;
        for field in self.parts().1.into_iter().flat_map(|sizes| sizes.split(',')) {
            match field.split_once('=') {
                Some(("W", value)) => size = value.parse().unwrap_or(0),
                Some(("S", value)) if size == 0 => size = value.parse().unwrap_or(0),
                _ => {}
            }
        }
        if size == 0 { self.content.len() as u64 } else { size }
    }

    fn id(&self) -> String {
        self.parts().0.into()
    }

    fn is_seen(&self) -> bool {
        self.name.split_once(':').is_some_and(|(_, flags)| flags.starts_with("2,") && flags.contains('S'))
    }
}

/// The name of a message that was read (MAILDIR-QUIT-3).
fn seen(name: &str) -> String {
    match name.split_once(':') {
        None => format!("{name}:2,S"),
        Some((_, flags)) if flags.starts_with("2,") && !flags.contains('S') => format!("{name}S"),
        Some(_) => name.into(),
    }
}

/// MAILDIR-SORT-1, -2. No two names here begin with the same number.
fn order(a: &str, b: &str) -> Ordering {
    let number = |name: &str| -> Option<u64> {
        let end = name.find(|c: char| !c.is_ascii_digit()).unwrap_or(name.len());
        name[..end].parse().ok()
    };
    match (number(a), number(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => a.as_bytes().cmp(b.as_bytes()),
    }
}
