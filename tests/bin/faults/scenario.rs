//! What is delivered, to whom, and how it is found again.

use std::{fs, io, os::unix::fs::symlink, path::Path};

/// Where messages go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// One file each.
    Queuedir,
    /// A queue as the stand-in of qmail-queue keeps it.
    Qmail,
}

/// One way of delivering.
pub struct Scenario {
    pub name: &'static str,
    pub backend: Backend,
    pub arguments: &'static [&'static str],
    pub environment: &'static [(&'static str, &'static str)],
    /// Whether a message must be on disk before it is acknowledged.
    pub is_synced: bool,
}

pub const SCENARIOS: [Scenario; 5] = [
    Scenario {
        name: "queuedir",
        backend: Backend::Queuedir,
        arguments: &["smtp", "queuedir", "accept"],
        environment: &[],
        is_synced: true,
    },
    Scenario {
        name: "queuedir, file mode",
        backend: Backend::Queuedir,
        arguments: &["smtp", "queuedir", "accept:force-file"],
        environment: &[],
        is_synced: true,
    },
    Scenario {
        name: "queuedir, not synced",
        backend: Backend::Queuedir,
        arguments: &["smtp", "queuedir", "accept"],
        environment: &[("QUEUEDIR_NOSYNC", "1")],
        is_synced: false,
    },
    Scenario {
        name: "qmail",
        backend: Backend::Qmail,
        arguments: &["smtp", "qmail", "accept"],
        environment: &[],
        is_synced: false,
    },
    Scenario {
        name: "qmail, file mode",
        backend: Backend::Qmail,
        arguments: &["smtp", "qmail", "accept:force-file"],
        environment: &[],
        is_synced: false,
    },
];

/// A message with its envelope.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    pub sender: Vec<u8>,
    pub recipients: Vec<Vec<u8>>,
    pub lines: Vec<String>,
}

/// The messages of a session: the first fills buffers and pipes several times, the second shows whether
/// the session is still good.
pub fn messages() -> [Message; 2] {
    let message = |recipients: &[&str], lines| Message {
        sender: b"a@example.net".to_vec(),
        recipients: recipients.iter().map(|r| r.as_bytes().to_vec()).collect(),
        lines,
    };
    let long = (0..200).map(|number| format!("{number:03} {}", "x".repeat(984))).collect();
    [message(&["b@example.com", "c@example.com"], long), message(&["d@example.com"], vec!["two".into()])]
}

impl Message {
    /// The bytes a client sends for it.
    pub fn dialogue(&self) -> String {
        let mut text = format!("MAIL FROM:<{}>\r\n", String::from_utf8_lossy(&self.sender));
        for recipient in &self.recipients {
            text.push_str(&format!("RCPT TO:<{}>\r\n", String::from_utf8_lossy(recipient)));
        }
        text.push_str("DATA\r\n");
        for line in &self.lines {
            text.push_str(&format!("{line}\r\n"));
        }
        text + ".\r\n"
    }

    fn content(&self) -> Vec<u8> {
        self.lines.iter().flat_map(|line| format!("{line}\n").into_bytes()).collect()
    }

    fn fields(&self) -> Vec<&[u8]> {
        std::iter::once(&self.sender[..]).chain(self.recipients.iter().map(|r| &r[..])).collect()
    }

    /// A file of queuedir (QDIR-4).
    fn queue_file(&self) -> Vec<u8> {
        [self.fields().join(&0), b"\0\0".to_vec(), self.content()].concat()
    }

    /// The envelope as the stand-in keeps it.
    fn envelope(&self) -> Vec<u8> {
        let kinds = std::iter::once(b'F').chain(std::iter::repeat(b'T'));
        kinds.zip(self.fields()).flat_map(|(kind, field)| [&[kind], field, &[0]].concat()).collect()
    }
}

/// What a queue holds.
#[derive(Default)]
pub struct Queue {
    /// How often each message is there, whole.
    pub copies: [usize; 2],
    /// Entries that are no whole message.
    pub partial: usize,
    /// Files that nobody needs any more.
    pub left: Vec<String>,
}

impl Backend {
    /// Makes an empty queue below `folder`, and the settings that name it.
    pub fn prepare(self, folder: &Path, queue_program: &Path) -> io::Result<Vec<(&'static str, String)>> {
        let text = |name: &str| folder.join(name).to_string_lossy().into_owned();
        match self {
            Self::Queuedir => {
                for name in ["q/tmp", "q/new"] {
                    fs::create_dir_all(folder.join(name))?;
                }
                Ok(vec![("QUEUEDIR", text("q"))])
            }
            Self::Qmail => {
                for name in ["bin", "control", "queue/pid", "queue/mess", "queue/intd", "queue/todo"] {
                    fs::create_dir_all(folder.join("qmail").join(name))?;
                }
                symlink(queue_program, folder.join("qmail/bin/qmail-queue"))?;
                Ok(vec![("QMAILHOME", text("qmail"))])
            }
        }
    }

    /// Reads the queue.
    pub fn read(self, folder: &Path, messages: &[Message; 2]) -> io::Result<Queue> {
        let mut queue = Queue { left: names(&folder.join("tmp"))?, ..Queue::default() };
        let mut take = |found: [bool; 2]| match found {
            [true, _] => queue.copies[0] += 1,
            [_, true] => queue.copies[1] += 1,
            _ => queue.partial += 1,
        };
        match self {
            Self::Queuedir => {
                for name in names(&folder.join("q/new"))? {
                    let file = fs::read(folder.join("q/new").join(name))?;
                    take(messages.each_ref().map(|message| message.queue_file() == file));
                }
                queue.left.extend(names(&folder.join("q/tmp"))?);
            }
            Self::Qmail => {
                let below = |name: &str| folder.join("qmail/queue").join(name);
                let todo = names(&below("todo"))?;
                for name in &todo {
                    let envelope = fs::read(below("todo").join(name))?;
                    let content = fs::read(below("mess").join(name))?;
                    take(messages.each_ref().map(|m| m.envelope() == envelope && m.content() == content));
                }
                let unfinished = names(&below("mess"))?.into_iter().filter(|name| !todo.contains(name));
                queue.left.extend(unfinished.chain(names(&below("pid"))?));
            }
        }
        Ok(queue)
    }
}

fn names(folder: &Path) -> io::Result<Vec<String>> {
    fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}
