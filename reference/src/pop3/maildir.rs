//! `pop3front-maildir`: serves a maildir to a client who is known already (MAILDIR-ARG-1 … 7,
//! MAILDIR-STAT-1 … MAILDIR-RSET-4, MAILDIR-QUIT-1, MAILDIR-LOG-1). Stops SEC-92 … 96.

use std::{io::Write as _, ops::ControlFlow, os::fd::OwnedFd};

use bstr::BString;
use rustix::{buffer::spare_capacity, fs::CWD, io::Errno};

use super::{
    Argument, Client, Next, Program, Verb,
    store::{Limits, NoMessage, Store},
};
use crate::{
    connection::Connection,
    log::Log,
    protocol::ExitStatus,
    session::process_variable,
    time_limits::{TimeLimits, positive},
    wire::pop3::{Retrieval, leading_number, number},
};

/// The program's name.
pub const NAME: &str = "pop3front-maildir";

/// What `--help` shows.
pub const HELP: &str = "\
usage: pop3front-maildir [DEFAULT-MAILDIR]

Serves the maildir $MAILBOX, or DEFAULT-MAILDIR if that is not set, by POP3 on standard input and
output. The client has been authenticated, as a rule by pop3front-auth.

$MAX_MESSAGES, $MAX_CUR_MESSAGES, $MAX_NEW_MESSAGES  how many messages are served, the oldest first
$POP3_EXACT=1     no empty line behind the last line of a message
$TIMEOUT, $SESSION_TIMEOUT  seconds of silence, and in all
";

/// How much of a message is read at once.
const READ_SIZE: usize = 64 * 1024;

/// Serves the client as the arguments say.
pub fn run(arguments: &[BString]) -> ExitStatus {
    let connection = Connection::new(Log::new(NAME));
    TimeLimits::of_session().apply_to(&connection);
    let client = Client { connection };
    match store(arguments, &client) {
        ControlFlow::Continue(store) => {
            let is_exact = process_variable(b"POP3_EXACT").is_some_and(|value| value == "1");
            serve(client.connection, store, is_exact)
        }
        ControlFlow::Break(status) => status,
    }
}

/// Serves these messages to the end of the session (MAILDIR-LOG-1). `is_exact`: with no empty line behind
/// a message (MAILDIR-DATA-8).
pub fn serve(connection: Connection, store: Store, is_exact: bool) -> ExitStatus {
    let mut maildir = Maildir { client: Client { connection }, store, is_exact };
    let status = maildir.serve();
    maildir.client.connection.log_bytes();
    status
}

/// The messages of the maildir that environment and arguments name; what fails is told (MAILDIR-ARG-1 …
/// 5).
fn store(arguments: &[BString], client: &Client) -> ControlFlow<ExitStatus, Store> {
    let given = match arguments {
        [] => None,
        [one] => Some(one.clone()),
        _ => {
            client.log(b"usage: pop3front-maildir [default-maildir]");
            return ControlFlow::Break(ExitStatus::DONE);
        }
    };
    let failed = |text| {
        client.error(text)?;
        ControlFlow::Break(ExitStatus::DONE)
    };
    let Some(mailbox) = process_variable(b"MAILBOX").or(given) else {
        client.log(b"Error: Mailbox not specified");
        return failed("Mailbox not specified");
    };
    if rustix::process::chdir(mailbox.as_slice()).is_err() {
        return failed("Could not chdir to maildir");
    }
    // Not a positive number is no limit (MAILDIR-SCAN-2).
    let limit = |name: &[u8]| {
        positive(&[name]).map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX))
    };
    let (cur, new) = (limit(b"MAX_CUR_MESSAGES"), limit(b"MAX_NEW_MESSAGES"));
    match Store::open(CWD, Limits { cur, new, all: limit(b"MAX_MESSAGES") }) {
        Ok(store) => ControlFlow::Continue(store),
        Err(_) => failed("Could not access maildir"),
    }
}

/// A session over a maildir.
struct Maildir {
    client: Client,
    store: Store,
    /// No empty line behind a message (MAILDIR-DATA-8).
    is_exact: bool,
}

impl Program for Maildir {
    const VERBS: &'static [Verb<Self>] = &[
        Verb { word: b"CAPA", argument: Argument::Never, answer: |m, _| m.client.capabilities(None) },
        Verb { word: b"DELE", argument: Argument::Always, answer: Self::dele },
        Verb { word: b"LAST", argument: Argument::Never, answer: |m, _| m.last() },
        Verb { word: b"LIST", argument: Argument::Perhaps, answer: Self::list },
        Verb { word: b"NOOP", argument: Argument::Never, answer: |m, _| m.client.ok() },
        Verb { word: b"QUIT", argument: Argument::Never, answer: |m, _| m.quit() },
        // Two words for one command (MAILDIR-TOP-2).
        Verb { word: b"RETR", argument: Argument::Always, answer: Self::retrieve },
        Verb { word: b"RSET", argument: Argument::Never, answer: |m, _| m.rset() },
        Verb { word: b"STAT", argument: Argument::Never, answer: |m, _| m.stat() },
        Verb { word: b"TOP", argument: Argument::Always, answer: Self::retrieve },
        Verb { word: b"UIDL", argument: Argument::Perhaps, answer: Self::uidl },
    ];

    const LOGS_UNKNOWN: bool = true;

    fn client(&self) -> &Client {
        &self.client
    }
}

impl Maildir {
    fn stat(&self) -> Next {
        let (count, octets) = self.store.totals();
        self.client.respond(format!("+OK {count} {octets}").as_bytes())
    }

    fn last(&self) -> Next {
        self.client.respond(format!("+OK {}", self.store.last_read()).as_bytes())
    }

    fn list(&mut self, argument: &[u8]) -> Next {
        self.one_or_all(argument, |store, index, out| {
            let _infallible = write!(out, "{}", store.size(index));
        })
    }

    fn uidl(&mut self, argument: &[u8]) -> Next {
        self.one_or_all(argument, |store, index, out| out.extend(store.name(index).id()))
    }

    /// `+OK N WHAT` of one message, or a line `N WHAT` for each that is left (MAILDIR-LIST-1, -UIDL-2).
    fn one_or_all(&self, argument: &[u8], what: fn(&Store, usize, &mut Vec<u8>)) -> Next {
        let line = |index: usize, out: &mut Vec<u8>| {
            let _infallible = write!(out, "{} ", index + 1);
            what(&self.store, index, out);
        };
        if argument.is_empty() {
            return self.client.list(self.store.kept(), line);
        }
        match self.message(argument) {
            Ok(index) => {
                let mut response = b"+OK ".to_vec();
                line(index, &mut response);
                self.client.respond(&response)
            }
            Err(refusal) => self.client.error(refusal),
        }
    }

    fn dele(&mut self, argument: &[u8]) -> Next {
        match self.message(argument) {
            Ok(index) => {
                self.store.delete(index);
                self.client.ok()
            }
            Err(refusal) => self.client.error(refusal),
        }
    }

    fn rset(&mut self) -> Next {
        self.store.reset();
        self.client.ok()
    }

    fn quit(&self) -> Next {
        match self.store.update() {
            Ok(()) => self.client.ok()?,
            Err(_) => self.client.error("Some deleted messages not removed")?,
        }
        Next::Break(ExitStatus::DONE)
    }

    /// The message an argument names, or what to say if it names none (MAILDIR-NUM-1).
    fn message(&self, argument: &[u8]) -> Result<usize, &'static str> {
        let number = number(argument).map_err(|_| SYNTAX_ERROR)?;
        self.store.find(number).map_err(no_message)
    }

    /// RETR and TOP: the message, or its header and some lines of its body.
    fn retrieve(&mut self, argument: &[u8]) -> Next {
        let (index, body_lines) = match self.wanted(argument) {
            Ok(wanted) => wanted,
            Err(refusal) => return self.client.error(refusal),
        };
        if body_lines.is_none() {
            self.store.mark_read(index);
        }
        match self.store.read(index) {
            Ok(file) => self.send(&file, Retrieval::new(body_lines)),
            Err(_) => self.client.error("Could not open that message"),
        }
    }

    /// The message of RETR or TOP and the lines of its body that are wanted: number, then message, then
    /// lines (MAILDIR-TOP-3).
    fn wanted(&self, argument: &[u8]) -> Result<(usize, Option<u64>), &'static str> {
        let (message, lines) = leading_number(argument).map_err(|_| SYNTAX_ERROR)?;
        let index = self.store.find(message).map_err(no_message)?;
        if lines.is_empty() {
            return Ok((index, None));
        }
        Ok((index, Some(number(lines).map_err(|_| SYNTAX_ERROR)?)))
    }

    /// Sends a message. If it cannot be read to its end the client must not believe that it has all of
    /// it: the session ends without the last line (MAILDIR-DATA-7).
    fn send(&self, file: &OwnedFd, mut retrieval: Retrieval) -> Next {
        let mut block = Vec::with_capacity(READ_SIZE);
        let mut out = Vec::with_capacity(2 * READ_SIZE);
        self.client.begin(&mut out);
        while !retrieval.is_complete() {
            block.clear();
            match rustix::io::read(file, spare_capacity(&mut block)) {
                Ok(0) => break,
                Ok(_) => retrieval.push(&block, &mut out),
                Err(Errno::INTR) => continue,
                Err(error) => {
                    self.client.log(format!("Error: Could not read a message: {error}").as_bytes());
                    self.client.send(&out)?;
                    return Next::Break(ExitStatus::FAILED);
                }
            }
            self.client.flush_if_full(&mut out)?;
        }
        retrieval.finish(self.is_exact, &mut out);
        self.client.end(out)
    }
}

const SYNTAX_ERROR: &str = "Syntax error";

fn no_message(why: NoMessage) -> &'static str {
    match why {
        NoMessage::OutOfRange => "Message number out of range",
        NoMessage::Deleted => "Message was deleted",
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        io::Read as _,
        os::fd::{AsFd as _, BorrowedFd},
    };

    use super::*;

    /// A descriptor that lives as long as a connection may.
    fn for_ever(fd: impl Into<OwnedFd>) -> BorrowedFd<'static> {
        let kept: &'static OwnedFd = Box::leak(Box::new(fd.into()));
        kept.as_fd()
    }

    #[test]
    fn a_message_that_cannot_be_read_to_its_end_has_no_last_line() {
        let folder = tempfile::tempdir().unwrap();
        for sub in ["cur", "new"] {
            std::fs::create_dir(folder.path().join(sub)).unwrap();
        }
        let directory = File::open(folder.path()).unwrap();
        let limits = Limits { cur: 1, new: 1, all: 1 };
        let store = Store::open(directory.as_fd(), limits).unwrap();
        let (mut client_in, server_out) = std::io::pipe().unwrap();
        let null = File::open("/dev/null").unwrap();
        let connection = Connection::over(for_ever(null), for_ever(server_out), Log::new("test"));
        let maildir = Maildir { client: Client { connection }, store, is_exact: false };
        // Reading a folder fails.
        let next = maildir.send(&directory.into(), Retrieval::new(None));
        assert_eq!(next, Next::Break(ExitStatus::FAILED));
        let mut sent = [0; 64];
        let count = client_in.read(&mut sent).unwrap();
        assert_eq!(&sent[..count], b"+OK \r\n");
    }
}
