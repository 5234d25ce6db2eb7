//! Reads command lines and hands each to the module or the verb that answers it (SMTP-CMD-1 … 19).

use std::ops::ControlFlow;

use bstr::{BString, ByteSlice};

use super::{Smtp, commands, starttls::STARTTLS};
use crate::{
    chain::{Chain, ModuleCommand},
    connection::{End, Line, LineEnd},
    plugin::Flow,
    protocol::ExitStatus,
    response::Response,
    session::Session,
    wire::command::{Command, has_nul_or_cr},
};

/// The longest command line in bytes, its line end not counted (SMTP-CMD-16, CORE-LIM-1).
const LINE_MAX: usize = 65_536;

/// What is known of the envelope (RFC 5321 §4.1.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transaction {
    /// MAIL must come first.
    None,
    /// The sender was accepted.
    Sender,
    /// So was at least one recipient.
    Recipients,
}

/// Whether the conversation goes on, or with which status it ends.
pub(super) type Next = ControlFlow<ExitStatus>;

/// A conversation with one client, from greeting to end.
pub(super) struct Conversation<'a> {
    pub(super) smtp: &'a Smtp,
    pub(super) session: &'a Session,
    pub(super) chain: &'a mut Chain,
    pub(super) transaction: Transaction,
    /// The modules' commands; they come before the protocol's own (SMTP-CMD-8).
    module_commands: Vec<ModuleCommand>,
    /// Unknown commands since the last known one (SMTP-CMD-11).
    unknown: u64,
}

impl<'a> Conversation<'a> {
    pub(super) fn new(smtp: &'a Smtp, session: &'a Session, chain: &'a mut Chain) -> Self {
        let module_commands = chain.commands();
        Self { smtp, session, chain, transaction: Transaction::None, module_commands, unknown: 0 }
    }

    /// Answers commands to the end. Input that ends between commands, however it does, is no failure
    /// (SMTP-MISC-6, -7, -9).
    pub(super) fn run(mut self) -> ExitStatus {
        while let Ok(line) = self.session.connection.read_line(LINE_MAX) {
            let next = match line {
                Line::Complete(line, line_end) => self.answer(&line, line_end),
                Line::TooLong => self.unknown(&Response::new(500, "5.5.2 Line too long.")),
            };
            if let ControlFlow::Break(status) = next {
                return status;
            }
        }
        ExitStatus::DONE
    }

    fn answer(&mut self, line: &[u8], line_end: LineEnd) -> Next {
        let command = Command::parse(line);
        // Whoever offered it, there is no second one (TLS-9, TLS-14, TLS-24).
        if command.is(STARTTLS) && self.session.is_in_tls() {
            self.unknown = 0;
            return self.reply(&not_implemented());
        }
        if let Some(found) = self.find_module_command(&command) {
            self.unknown = 0;
            return self.run_module_command(found, &command);
        }
        let Some(verb) = commands::VERBS.iter().find(|verb| command.is(verb.name)) else {
            self.session.log(&loggable(&command));
            return self.unknown(&not_implemented());
        };
        self.unknown = 0;
        if !verb.checks_argument && has_nul_or_cr(command.argument) {
            return self.reply(&bad_parameter());
        }
        (verb.answer)(self, command.argument, line_end)
    }

    /// The first entry of that name that is enabled now (PLUG-CMD-2).
    fn find_module_command(&mut self, command: &Command<'_>) -> Option<usize> {
        let mut entries = self.module_commands.iter();
        entries
            .position(|entry| command.is(&entry.command.verb) && self.chain.is_enabled(entry, self.session))
    }

    fn run_module_command(&mut self, found: usize, command: &Command<'_>) -> Next {
        let entry = &self.module_commands[found];
        let argument = command.argument;
        if has_nul_or_cr(argument) {
            return self.reply(&bad_parameter());
        }
        // The C program has these two texts the wrong way round (PLUG-CMD-4).
        if argument.is_empty() && !entry.command.without_argument {
            let text = "5.5.2 Syntax error, command requires a parameter.";
            return self.reply(&Response::new(501, text));
        }
        if !argument.is_empty() && !entry.command.with_argument {
            return self.reply(&Response::new(501, "5.5.2 Syntax error, no parameters allowed."));
        }
        let mut argument = (!argument.is_empty()).then(|| BString::from(argument));
        let was_in_tls = self.session.is_in_tls();
        match self.chain.run(entry, argument.as_mut(), self.session) {
            // A plugin entered TLS (TLS-24).
            Flow::Continue if self.session.is_in_tls() && !was_in_tls => self.forget_clear_text(),
            Flow::Continue => Next::Continue(()),
            Flow::Disconnect => Next::Break(ExitStatus::FAILED),
        }
    }

    /// Answers a command nobody knows; after too many in a row the session ends (SMTP-CMD-11).
    fn unknown(&mut self, response: &Response) -> Next {
        self.unknown += 1;
        if self.smtp.unknown_max.is_some_and(|max| self.unknown > max) {
            let text = "5.5.0 Too many unimplemented commands.\n5.5.0 Closing connection.";
            self.reply(&Response::new(503, text))?;
            return Next::Break(ExitStatus::FAILED);
        }
        self.reply(response)
    }

    /// Sends a response. A client that takes none ends the session (CORE-EXIT-2, CORE-TIME-13).
    pub(super) fn reply(&self, response: &Response) -> Next {
        match self.session.respond(response) {
            Ok(()) => Next::Continue(()),
            Err(End::SessionOver) => Next::Break(ExitStatus::DONE),
            Err(_) => Next::Break(ExitStatus::FAILED),
        }
    }
}

/// `500 5.5.1 Not implemented.` (SMTP-CMD-6)
pub(super) fn not_implemented() -> Response {
    Response::new(500, "5.5.1 Not implemented.")
}

fn bad_parameter() -> Response {
    Response::new(501, "5.5.2 Syntax error in parameter.")
}

/// An unknown command as the log may have it: no credentials of a disabled or misspelt AUTH
/// (SMTP-CMD-17).
fn loggable(command: &Command<'_>) -> Vec<u8> {
    let secret = command.verb.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"AUTH"));
    let argument = match command.argument.find_byteset(b" \t") {
        Some(end) if secret => &command.argument[..end],
        _ => command.argument,
    };
    [command.verb.as_bytes(), b" ", argument].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_not_logged() {
        let logged = |line| loggable(&Command::parse(line));
        assert_eq!(logged(b"AUTH PLAIN AHRlc3R1c2Vy"), b"AUTH PLAIN");
        assert_eq!(logged(b"authx plain\tsecret"), b"authx plain");
        assert_eq!(logged(b"NOPE a b"), b"NOPE a b");
        assert_eq!(logged(b""), b" ");
    }
}
