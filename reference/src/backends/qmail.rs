//! `qmail`: each message goes to a program of its own, qmail-queue or one that stands in for it
//! (QMAIL-1 … 30).
//!
//! The program reads the message from descriptor 0 up to its end, then the envelope from descriptor 1,
//! and says by its exit status what became of them. It queues nothing without a complete envelope, so
//! this is the rule that keeps half messages out of the queue: **no byte of the envelope is written
//! before the message is accepted, complete, and wholly in the program's hands** (QMAIL-8, -9).
//!
//! Without a temporary file the program is started when the message begins and fed as it comes. With
//! one it is started at the end, and the file is its standard input (QMAIL-4, -5).

mod program;
mod verdict;

use std::{
    fs::File,
    io::{self, Seek},
    process::Stdio,
};

use bstr::BString;

use self::program::{Pipe, Program};
use crate::{
    plugin::{Answer, Finding, Hook, Module},
    qmail_home,
    response::Response,
    session::Session,
    wire::envelope::Envelope,
};

/// Names the program, below qmail's directory or in `$PATH` (QMAIL-1, -3).
const PROGRAM: &str = "QMAILQUEUE";

/// The program if [`PROGRAM`] is not set.
const DEFAULT_PROGRAM: &[u8] = b"bin/qmail-queue";

/// The session variables that choose it.
const VARIABLES: [&str; 2] = [PROGRAM, qmail_home::VARIABLE];

/// The backend.
#[derive(Default)]
pub struct Qmail {
    envelope: Option<Envelope>,
    message: Message,
}

/// Where the message is.
#[derive(Default)]
enum Message {
    /// It has not begun.
    #[default]
    Awaited,
    /// The program reads it.
    Fed(Program),
    /// In the temporary file; the pipe for the envelope is there already (QMAIL-21).
    InFile(Pipe),
}

/// Why a message is not queued, as far as the program has no say in it.
#[derive(Debug)]
enum Failure {
    /// qmail's directory cannot be entered (QMAIL-19).
    Home(Response),
    /// There are no descriptors for a pipe (QMAIL-21).
    Pipe,
    /// There can be no further process (QMAIL-21).
    Start,
    /// The program says that all is well, but did not take all of it (QMAIL-22, -24, -30).
    Writing,
    /// The temporary file cannot be used, or a step came out of order (QMAIL-22).
    Internal,
    /// An address would be read as two (QMAIL-25).
    Address,
}

impl From<Failure> for Response {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Home(response) => response,
            Failure::Pipe => Self::new(451, "4.3.0 Could not open pipe to qmail-queue."),
            Failure::Start => Self::new(451, "4.3.0 Could not start qmail-queue."),
            Failure::Writing => Self::new(451, "4.3.0 Writing data to qmail-queue failed."),
            Failure::Internal => Self::internal(),
            Failure::Address => Self::new(554, "5.1.3 Address contains a forbidden byte"),
        }
    }
}

impl Qmail {
    fn set_sender(&mut self, sender: &[u8]) -> Result<(), Failure> {
        self.envelope = None;
        self.envelope = Some(Envelope::from_sender(sender).map_err(|_| Failure::Address)?);
        Ok(())
    }

    fn add(&mut self, recipient: &[u8]) -> Result<(), Failure> {
        let envelope = self.envelope.as_mut().ok_or(Failure::Internal)?;
        envelope.add_recipient(recipient).map_err(|_| Failure::Address)
    }

    fn begin(&mut self, session: &Session, file: Option<&File>) -> Result<(), Failure> {
        // A program that is still there is let go first.
        self.message = Message::Awaited;
        let envelope = Pipe::open()?;
        self.message = match file {
            Some(_) => Message::InFile(envelope),
            None => {
                let message = Pipe::open()?;
                qmail_home::enter(session.variable(qmail_home::VARIABLE.as_bytes()))
                    .map_err(Failure::Home)?;
                Message::Fed(Program::start(session, message.reader.into(), Some(message.writer), envelope)?)
            }
        };
        Ok(())
    }

    fn deliver(&mut self, session: &Session, file: Option<&File>) -> Result<Response, Failure> {
        let Self { envelope, message } = std::mem::take(self);
        let envelope = envelope.and_then(Envelope::complete).ok_or(Failure::Internal)?;
        let (program, size) = match (message, file) {
            (Message::Fed(program), _) => {
                let size = program.taken();
                (program, size)
            }
            (Message::InFile(pipe), Some(file)) => {
                let (input, size) = rewound(file).map_err(|_| Failure::Internal)?;
                qmail_home::enter(session.variable(qmail_home::VARIABLE.as_bytes()))
                    .map_err(Failure::Home)?;
                (Program::start(session, input, None, pipe)?, size)
            }
            (Message::Awaited | Message::InFile(_), _) => return Err(Failure::Internal),
        };
        let id = program.id();
        let outcome = program.finish(&envelope);
        if outcome.ending.is_success() && !outcome.is_whole {
            return Err(Failure::Writing);
        }
        Ok(outcome.ending.response(session, id, size))
    }
}

/// The temporary file at its start, as a standard input, and its size.
fn rewound(mut file: &File) -> io::Result<(Stdio, u64)> {
    file.rewind()?;
    Ok((file.try_clone()?.into(), file.metadata()?.len()))
}

impl Module for Qmail {
    fn has(&self, hook: Hook) -> bool {
        !matches!(hook, Hook::Init | Hook::Helo)
    }

    fn variables(&self) -> &'static [&'static str] {
        &VARIABLES
    }

    fn check(&self, session: &Session) -> Vec<Finding> {
        program::problem(session).map(Finding::Problem).into_iter().collect()
    }

    fn reset(&mut self, _: &Session) -> Answer {
        *self = Self::default();
        None
    }

    fn sender(&mut self, _: &Session, address: &mut BString, _: &mut BString) -> Answer {
        self.set_sender(address).err().map(Response::from)
    }

    fn recipient(&mut self, _: &Session, address: &mut BString, _: &mut BString) -> Answer {
        self.add(address).err().map(Response::from)
    }

    fn data_start(&mut self, session: &Session, file: Option<&File>) -> Answer {
        self.begin(session, file).err().map(Response::from)
    }

    /// Never refuses: a program that reads no further may have its reason, which its exit status will
    /// tell once the client's message is over (QMAIL-24, -26).
    fn data_block(&mut self, _: &Session, block: &[u8]) -> Answer {
        if let Message::Fed(program) = &mut self.message {
            program.feed(block);
        }
        None
    }

    fn message_end(&mut self, session: &Session, file: Option<&File>) -> Answer {
        Some(self.deliver(session, file).unwrap_or_else(Response::from))
    }
}

#[cfg(test)]
mod tests;
