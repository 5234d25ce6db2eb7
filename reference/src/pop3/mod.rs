//! POP3: what both programs have in common (POP3-LINE-1 … 11, POP3-RESP-1 … 4, POP3-LOG-1 … 5,
//! POP3-TIME-1 … 6, POP3-CAPA-1). Stops SEC-87 and SEC-93.
//!
//! `pop3front-auth` ([`auth`]) asks who the client is and becomes another program, as a rule
//! `pop3front-maildir` ([`maildir`]), which serves the messages of a [`store`].

pub mod auth;
pub mod maildir;
pub mod store;

use std::ops::ControlFlow;

use bstr::ByteSlice;

use crate::{
    connection::{Connection, End},
    protocol::ExitStatus,
    wire::{command::has_nul_or_cr, pop3::Command},
};

/// The longest command line in bytes, its line end not counted (POP3-LINE-11, CORE-LIM-1).
const LINE_MAX: usize = 65_536;

/// What stands in the log for what must not be in it (POP3-LOG-2, -4).
const HIDDEN: &[u8] = b"XXXXXXXX";

/// Whether the conversation goes on, or with which status it ends.
type Next = ControlFlow<ExitStatus>;

/// Whether a command has an argument (POP3-LINE-5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Argument {
    Never,
    Always,
    Perhaps,
}

/// A command and what answers it.
struct Verb<P> {
    word: &'static [u8],
    argument: Argument,
    answer: fn(&mut P, &[u8]) -> Next,
}

/// A program that speaks POP3.
trait Program: Sized + 'static {
    /// Its commands.
    const VERBS: &'static [Verb<Self>];

    /// Whether the arguments of commands it does not know may be logged (POP3-LOG-4).
    const LOGS_UNKNOWN: bool;

    /// The client.
    fn client(&self) -> &Client;

    /// Greets the client and answers its commands to the end.
    fn serve(&mut self) -> ExitStatus {
        let greeting = self.client().ok();
        match greeting {
            ControlFlow::Continue(()) => self.converse(),
            ControlFlow::Break(status) => status,
        }
    }

    /// Answers commands to the end of the input or of the session (POP3-LINE-6 … 9).
    fn converse(&mut self) -> ExitStatus {
        let mut line = Vec::new();
        loop {
            let next = match self.client().connection.read_line_into(LINE_MAX, &mut line) {
                Ok(Some(_)) => self.answer(&line),
                Ok(None) => {
                    self.client().log(&loggable::<Self>(&line));
                    self.client().error("Line too long")
                }
                // A timeout is told, everything else goes without a word (POP3-TIME-3, -4).
                Err(End::TimedOut) => {
                    let _gone_anyway = self.client().error("Connection timed out");
                    return ExitStatus::DONE;
                }
                Err(_) => return ExitStatus::DONE,
            };
            if let ControlFlow::Break(status) = next {
                return status;
            }
        }
    }

    /// Answers one command.
    fn answer(&mut self, line: &[u8]) -> Next {
        self.client().log(&loggable::<Self>(line));
        let command = Command::parse(line);
        let Some(verb) = Self::VERBS.iter().find(|verb| command.is(verb.word)) else {
            return self.client().error("Unimplemented");
        };
        let fits = match verb.argument {
            Argument::Never => command.argument.is_empty(),
            Argument::Always => !command.argument.is_empty(),
            Argument::Perhaps => true,
        };
        // No module is to be asked about a name that ends early (POP3-LINE-10).
        if !fits || has_nul_or_cr(command.argument) {
            return self.client().syntax_error();
        }
        (verb.answer)(self, command.argument)
    }
}

/// A received line as it is logged: no password in it, whatever was mistyped (POP3-LOG-2, -4).
fn loggable<P: Program>(line: &[u8]) -> Vec<u8> {
    let command = Command::parse(line);
    let hidden = |word: &[u8]| [word, b" ", HIDDEN].concat();
    if command.is(b"PASS") {
        return hidden(b"PASS");
    }
    if command.is(b"AUTH") {
        // A mechanism's name has no other bytes (RFC 4422 §3.1).
        let mechanism = command.argument.find_not_byteset(MECHANISM).unwrap_or(command.argument.len());
        return match mechanism < command.argument.len() {
            true => hidden(&line[..line.len() - command.argument.len() + mechanism]),
            false => line.to_vec(),
        };
    }
    if P::LOGS_UNKNOWN || P::VERBS.iter().any(|verb| command.is(verb.word)) {
        return line.to_vec();
    }
    let word = if HARMLESS.iter().any(|word| command.is(word)) { command.word } else { HIDDEN.as_bstr() };
    if command.argument.is_empty() { word.to_vec() } else { hidden(word) }
}

const MECHANISM: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Words that are no passwords (POP3-LOG-4).
const HARMLESS: &[&[u8]] = &[
    b"APOP", b"DELE", b"LANG", b"LAST", b"LIST", b"NOOP", b"RETR", b"RSET", b"STAT", b"STLS", b"TOP",
    b"UIDL", b"UTF8", b"XTND",
];

/// The client of a POP3 program: responses, each logged before it is sent.
struct Client {
    connection: Connection,
}

impl Client {
    /// `+OK ` and nothing else (POP3-RESP-1).
    fn ok(&self) -> Next {
        self.respond(b"+OK ")
    }

    /// `-ERR TEXT`
    fn error(&self, text: &str) -> Next {
        self.respond(format!("-ERR {text}").as_bytes())
    }

    fn syntax_error(&self) -> Next {
        self.error("Syntax error")
    }

    /// Logs and sends one line.
    fn respond(&self, line: &[u8]) -> Next {
        self.log(line);
        self.send(&[line, b"\r\n"].concat())
    }

    /// `+OK `, a line written for each item, and `.` (POP3-RESP-2).
    fn list<T>(&self, items: impl IntoIterator<Item = T>, write: impl Fn(T, &mut Vec<u8>)) -> Next {
        let mut out = Vec::new();
        self.begin(&mut out);
        for item in items {
            write(item, &mut out);
            out.extend_from_slice(b"\r\n");
            self.flush_if_full(&mut out)?;
        }
        self.end(out)
    }

    /// The first line of a multi-line response, to be sent with those that follow.
    fn begin(&self, out: &mut Vec<u8>) {
        self.log(b"+OK ");
        out.extend_from_slice(b"+OK \r\n");
    }

    /// Sends what there is so far if that is a lot.
    fn flush_if_full(&self, out: &mut Vec<u8>) -> Next {
        if out.len() >= OUTPUT_BUFFER {
            self.send(out)?;
            out.clear();
        }
        Next::Continue(())
    }

    /// Sends the end of a multi-line response.
    fn end(&self, mut out: Vec<u8>) -> Next {
        self.log(b".");
        out.extend_from_slice(b".\r\n");
        self.send(&out)
    }

    /// A client that takes no more ends the session (POP3-RESP-3, POP3-TIME-4).
    fn send(&self, bytes: &[u8]) -> Next {
        match self.connection.write(bytes) {
            Ok(()) => Next::Continue(()),
            Err(End::SessionOver) => Next::Break(ExitStatus::DONE),
            Err(_) => Next::Break(ExitStatus::FAILED),
        }
    }

    fn log(&self, text: &[u8]) {
        self.connection.log.line(text);
    }

    /// The capabilities, `SASL` among them only with mechanisms (POP3-CAPA-1, -2).
    fn capabilities(&self, mechanisms: Option<String>) -> Next {
        let sasl = mechanisms.map(|names| format!("SASL {names}"));
        let all = sasl.as_deref().into_iter().chain(["PIPELINING", "TOP", "UIDL", "USER"]);
        self.list(all, |name, out| out.extend_from_slice(name.as_bytes()))
    }
}

/// Responses longer than this are sent in pieces.
const OUTPUT_BUFFER: usize = 64 * 1024;
