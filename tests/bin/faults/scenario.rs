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

/// How messages come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Smtp,
    Qmtp,
    Qmqp,
}

/// One way of delivering.
pub struct Scenario {
    pub name: String,
    pub protocol: Protocol,
    pub backend: Backend,
    /// Protocol, backend, plugins.
    pub arguments: [&'static str; 3],
    pub environment: &'static [(&'static str, &'static str)],
    /// Whether a message must be on disk before it is acknowledged.
    pub is_synced: bool,
    /// Whether the file system seems unable to keep a file without a name.
    pub is_named: bool,
}

/// Every backend in every mode behind every protocol.
pub fn scenarios() -> Vec<Scenario> {
    const NOSYNC: &[(&str, &str)] = &[("QUEUEDIR_NOSYNC", "1")];
    let ways = [
        ("queuedir", Backend::Queuedir, "accept", &[][..], false),
        ("queuedir, file mode", Backend::Queuedir, "accept:force-file", &[], false),
        ("queuedir, not synced", Backend::Queuedir, "accept", NOSYNC, false),
        ("queuedir, named files", Backend::Queuedir, "accept", &[], true),
        ("queuedir, named files, file mode", Backend::Queuedir, "accept:force-file", &[], true),
        ("qmail", Backend::Qmail, "accept", &[], false),
        ("qmail, file mode", Backend::Qmail, "accept:force-file", &[], false),
    ];
    let protocols = [
        ("smtp", "", Protocol::Smtp),
        ("qmtp", ", QMTP", Protocol::Qmtp),
        ("qmqp", ", QMQP", Protocol::Qmqp),
    ];
    let all = protocols.into_iter().flat_map(|protocol| ways.map(|way| (protocol, way)));
    all.map(|((module, title, protocol), (way, backend, plugins, environment, is_named))| {
        let name = if backend == Backend::Qmail { "qmail" } else { "queuedir" };
        Scenario {
            name: format!("{way}{title}"),
            protocol,
            backend,
            arguments: [module, name, plugins],
            environment,
            is_synced: backend == Backend::Queuedir && environment.is_empty(),
            is_named,
        }
    })
    .collect()
}

/// A message with its envelope.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    pub sender: Vec<u8>,
    pub recipients: Vec<Vec<u8>>,
    pub lines: Vec<String>,
}

impl Protocol {
    /// The messages of a session: the first fills buffers and pipes several times, the second shows whether
    /// the session is still good. QMQP has one a session.
    pub fn messages(self) -> Vec<Message> {
        let message = |recipients: &[&str], lines| Message {
            sender: b"a@example.net".to_vec(),
            recipients: recipients.iter().map(|r| r.as_bytes().to_vec()).collect(),
            lines,
        };
        let long = (0..200).map(|number| format!("{number:03} {}", "x".repeat(984))).collect();
        let mut messages = vec![message(&["b@example.com", "c@example.com"], long)];
        if self != Self::Qmqp {
            messages.push(message(&["d@example.com"], vec!["two".into()]));
        }
        messages
    }

    /// All that a client sends.
    pub fn session(self, messages: &[Message]) -> Vec<u8> {
        match self {
            Self::Smtp => {
                let said: String = messages.iter().map(Message::dialogue).collect();
                (said + "QUIT\r\n").into_bytes()
            }
            Self::Qmtp => messages.iter().flat_map(Message::package).collect(),
            Self::Qmqp => messages.iter().flat_map(Message::qmqp_package).collect(),
        }
    }
}

fn netstring(content: &[u8]) -> Vec<u8> {
    [format!("{}:", content.len()).as_bytes(), content, b","].concat()
}

impl Message {
    /// The bytes an SMTP client sends for it.
    fn dialogue(&self) -> String {
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

    /// Its package in QMTP.
    fn package(&self) -> Vec<u8> {
        let recipients =
            self.recipients.iter().flat_map(|recipient| netstring(recipient)).collect::<Vec<u8>>();
        let message = netstring(&[b"\n", &self.content()[..]].concat());
        [message, netstring(&self.sender), netstring(&recipients)].concat()
    }

    /// Its package in QMQP.
    fn qmqp_package(&self) -> Vec<u8> {
        let fields = self.fields().into_iter().flat_map(netstring).collect::<Vec<u8>>();
        netstring(&[netstring(&self.content()), fields].concat())
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
    pub copies: Vec<usize>,
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
    pub fn read(self, folder: &Path, messages: &[Message]) -> io::Result<Queue> {
        let left = names(&folder.join("tmp"))?;
        let mut queue = Queue { left, copies: vec![0; messages.len()], partial: 0 };
        let mut take = |is_whole: &dyn Fn(&Message) -> bool| match messages.iter().position(is_whole) {
            Some(number) => queue.copies[number] += 1,
            None => queue.partial += 1,
        };
        match self {
            Self::Queuedir => {
                for name in names(&folder.join("q/new"))? {
                    let file = fs::read(folder.join("q/new").join(name))?;
                    take(&|message| message.queue_file() == file);
                }
                queue.left.extend(names(&folder.join("q/tmp"))?);
            }
            Self::Qmail => {
                let below = |name: &str| folder.join("qmail/queue").join(name);
                let todo = names(&below("todo"))?;
                for name in &todo {
                    let envelope = fs::read(below("todo").join(name))?;
                    let content = fs::read(below("mess").join(name))?;
                    take(&|message| message.envelope() == envelope && message.content() == content);
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
