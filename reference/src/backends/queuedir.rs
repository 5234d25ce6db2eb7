//! `queuedir`: each message becomes one file of a directory (QDIR-1 … 29).
//!
//! The file is the sender, the recipients, an empty item, each ended by NUL, then the message
//! (QDIR-4). It is written under another directory and linked into place when it is complete and on
//! disk, so that a reader of the destination never sees a part of one (QDIR-9, SEC-106).
//!
//! SMTP tells the envelope first: the message is appended to the queue file as it comes. QMTP and QMQP
//! tell the message first: it waits in a file of its own (QDIR-20). If plugins work on a temporary
//! file, its content at the end is the message, in either order (QDIR-23).

mod directories;
mod queue_file;

use std::fs::File;

use bstr::BString;

use self::{directories::Directories, queue_file::QueueFile};
use crate::{
    plugin::{Answer, Finding, Hook, Module},
    response::Response,
    scratch::Scratch,
    session::Session,
};

/// If set, even empty, nothing waits for the disk (QDIR-10).
const NOSYNC: &str = "QUEUEDIR_NOSYNC";

/// The session variables that make a queue (QDIR-1, -10).
const VARIABLES: [&str; 4] = [directories::TOP, directories::TEMPORARY, directories::DESTINATION, NOSYNC];

/// The backend.
#[derive(Default)]
pub struct Queuedir {
    /// In front of the names of its variables (RBL-18).
    prefix: &'static str,
    envelope: Envelope,
    body: Body,
}

/// What is known of the envelope.
#[derive(Default)]
enum Envelope {
    /// No sender yet.
    #[default]
    Absent,
    /// The sender, and as many recipients as were accepted, are in the queue file.
    Open(QueueFile),
    /// The queue file failed and is gone. Only a new sender or a reset mends that.
    Broken,
}

/// Where the message is.
#[derive(Default)]
enum Body {
    /// It has not begun.
    #[default]
    Awaited,
    /// In the queue file, behind the envelope.
    Streamed,
    /// In a file of our own until the envelope is complete (QDIR-20).
    Spooled(Scratch),
    /// In the temporary file that plugins see (QDIR-23).
    Temporary,
}

/// Why a message cannot be queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum QueueError {
    /// `$QUEUEDIR` is not set (QDIR-2).
    Unconfigured,
    /// The temporary file cannot be created (QDIR-13).
    Creating,
    /// Bytes cannot be written, or the file cannot be put in its place (QDIR-15, -17).
    Writing,
    /// A directory is not what it should be (QDIR-14, -16).
    Internal,
    /// An address would be read as two (QDIR-25).
    Address,
}

impl From<QueueError> for Response {
    fn from(error: QueueError) -> Self {
        match error {
            QueueError::Unconfigured => Self::new(451, "4.3.0 Missing backend configuration parameter"),
            QueueError::Creating => Self::new(451, "4.3.0 Error creating queue file"),
            QueueError::Writing => Self::new(451, "4.3.0 Error writing queue file"),
            QueueError::Internal => Self::internal(),
            QueueError::Address => Self::new(554, "5.1.3 Address contains a forbidden byte"),
        }
    }
}

impl Queuedir {
    /// The queue of blocked clients' messages: its variables begin with `RBL_` (RBL-18).
    pub fn for_blocked() -> Self {
        Self { prefix: "RBL_", ..Self::default() }
    }

    fn forget(&mut self) {
        self.envelope = Envelope::Absent;
        self.body = Body::Awaited;
    }

    fn is_synced(&self, session: &Session) -> bool {
        session.variable([self.prefix, NOSYNC].concat().as_bytes()).is_none()
    }

    fn open(&mut self, session: &Session, sender: &[u8]) -> Result<(), QueueError> {
        if matches!(self.body, Body::Streamed) {
            self.body = Body::Awaited;
        }
        let directories = Directories::find(session, self.prefix);
        let mut file = QueueFile::create(&directories.ok_or(QueueError::Unconfigured)?)?;
        file.append_item(sender)?;
        self.envelope = Envelope::Open(file);
        Ok(())
    }

    fn add(&mut self, recipient: &[u8]) -> Result<(), QueueError> {
        match (&mut self.envelope, &self.body) {
            (Envelope::Open(file), Body::Awaited | Body::Spooled(_) | Body::Temporary) => {
                file.append_item(recipient)
            }
            // Also once the list of recipients is closed (QDIR-24).
            (Envelope::Absent | Envelope::Broken, _) | (_, Body::Streamed) => Err(QueueError::Writing),
        }
    }

    fn begin(&mut self, session: &Session, file: Option<&File>) -> Result<(), QueueError> {
        self.body = match (&mut self.envelope, file) {
            (Envelope::Broken, _) => return Err(QueueError::Writing),
            (Envelope::Absent | Envelope::Open(_), Some(_)) => Body::Temporary,
            (Envelope::Absent, None) => {
                Body::Spooled(Scratch::create(session).map_err(|_| QueueError::Writing)?)
            }
            (Envelope::Open(queue), None) => {
                queue.end_envelope()?;
                Body::Streamed
            }
        };
        Ok(())
    }

    fn append(&mut self, block: &[u8]) -> Result<(), QueueError> {
        match (&mut self.body, &mut self.envelope) {
            (Body::Streamed, Envelope::Open(queue)) => queue.append(block),
            (Body::Spooled(spool), _) => spool.append(block).map_err(|_| QueueError::Writing),
            (Body::Temporary, _) => Ok(()),
            (Body::Awaited | Body::Streamed, _) => Err(QueueError::Writing),
        }
    }

    fn deliver(&mut self, session: &Session, file: Option<&File>) -> Result<(), QueueError> {
        let envelope = std::mem::take(&mut self.envelope);
        let body = std::mem::take(&mut self.body);
        let Envelope::Open(mut queue) = envelope else {
            return Err(QueueError::Writing);
        };
        match (body, file) {
            (Body::Streamed, _) => {}
            (Body::Spooled(mut spool), _) => {
                spool.flush().map_err(|_| QueueError::Writing)?;
                queue.end_envelope()?;
                queue.append_file(spool.file())?;
            }
            (Body::Temporary, Some(file)) => {
                queue.end_envelope()?;
                queue.append_file(file)?;
            }
            (Body::Awaited | Body::Temporary, _) => return Err(QueueError::Writing),
        }
        queue.deliver(self.is_synced(session))
    }

    /// Nothing to say to a success (QDIR-11). After a failure no later step may succeed: there would
    /// be a hole in the file.
    fn answer(&mut self, result: Result<(), QueueError>) -> Answer {
        let error = result.err()?;
        self.envelope = Envelope::Broken;
        self.body = Body::Awaited;
        Some(error.into())
    }
}

impl Module for Queuedir {
    fn has(&self, hook: Hook) -> bool {
        !matches!(hook, Hook::Init | Hook::Helo)
    }

    fn variables(&self) -> &'static [&'static str] {
        &VARIABLES
    }

    fn check(&self, session: &Session) -> Vec<Finding> {
        let is_synced = self.is_synced(session);
        let mut findings = match Directories::find(session, self.prefix) {
            Some(directories) => directories.problems(is_synced).into_iter().map(Finding::Problem).collect(),
            None => vec![Finding::Problem(format!("${}{} is not set", self.prefix, directories::TOP).into())],
        };
        if !is_synced {
            let name = [self.prefix, NOSYNC].concat();
            let text = format!("${name} is set: a crash can lose messages that were accepted");
            findings.push(Finding::Warning(text.into()));
        }
        findings
    }

    fn reset(&mut self, _: &Session) -> Answer {
        self.forget();
        None
    }

    fn sender(&mut self, session: &Session, address: &mut BString, _: &mut BString) -> Answer {
        let result = self.open(session, address);
        self.answer(result)
    }

    fn recipient(&mut self, _: &Session, address: &mut BString, _: &mut BString) -> Answer {
        let result = self.add(address);
        self.answer(result)
    }

    fn data_start(&mut self, session: &Session, file: Option<&File>) -> Answer {
        let result = self.begin(session, file);
        self.answer(result)
    }

    fn data_block(&mut self, _: &Session, block: &[u8]) -> Answer {
        let result = self.append(block);
        self.answer(result)
    }

    fn message_end(&mut self, session: &Session, file: Option<&File>) -> Answer {
        let result = self.deliver(session, file);
        self.answer(result)
    }
}

#[cfg(test)]
mod tests;
