//! `imapfront-auth`: finds out who an IMAP client is and becomes the server for it (IMAP-ARG-1 …
//! IMAP-LOG-1). Stops SEC-84, SEC-87 and SEC-91.
//!
//! Commands are read by [`crate::wire::imap`]; [`environment`] is what the administrator's variables make
//! of capabilities, and what the server finds in its own.

mod environment;

use std::ops::ControlFlow;

use bstr::{BStr, BString, ByteSlice};

use crate::{
    connection::{Connection, End},
    credentials::{
        attempts::{Attempts, MAXAUTHFAIL},
        identity::Identity,
        modules::{Modules, Verdict},
        password,
        sasl::{Dialogue, Mechanisms, Refusal},
    },
    log::Log,
    protocol::ExitStatus,
    second_stage::{become_account, execute, is_environment},
    session::process_variable,
    time_limits::TimeLimits,
    wire::imap::{Command, Parser, Step},
};

/// The program's name.
pub const NAME: &str = "imapfront-auth";

/// What `--help` shows.
pub const HELP: &str = "\
usage: imapfront-auth PROGRAM [ARGUMENT ...]

Authenticates an IMAP client on standard input and output, then becomes PROGRAM with the client's user
id, group ids, directory and environment. PROGRAM is looked for in $PATH and completes the command whose
tag is in $IMAPLOGINTAG.

$CVM_SASL_PLAIN  the credential modules that LOGIN asks, separated by commas; must be set
$CVM_SASL_LOGIN, $CVM_SASL_CRAM_MD5  more modules that AUTHENTICATE asks
$MAXAUTHFAIL     failures after which the session ends (20)
$CAPABILITY, $IMAP_CAPABILITY  what is announced besides IMAP4rev1
$SETUP_ENV=dovecot  an environment for Dovecot's imap
$AUTH_TIMEOUT, $AUTH_SESSION_TIMEOUT  seconds of silence, and in all; else $TIMEOUT, $SESSION_TIMEOUT
";

/// The longest line in bytes, its line end not counted (IMAP-ARGS-9, CORE-LIM-1).
const LINE_MAX: usize = 65_536;

/// Whether the conversation goes on, or with which status it ends.
type Next = ControlFlow<ExitStatus>;

/// Serves the client as the arguments say.
pub fn run(arguments: &[BString]) -> ExitStatus {
    let connection = Connection::new(Log::new(NAME));
    // The next program gets every byte that is not for this one (IMAP-EXEC-4).
    connection.read_nothing_ahead();
    TimeLimits::of_authentication().apply_to(&connection);
    serve(connection, arguments, |name| process_variable(name.as_bytes()))
}

/// Serves a client until it goes, or until this is the program that `arguments` name. `setting` is what a
/// variable is set to.
pub fn serve(
    connection: Connection,
    arguments: &[BString],
    setting: impl Fn(&str) -> Option<BString>,
) -> ExitStatus {
    let client = Client { connection };
    let refused = |text: &str| client.untagged(&format!("BYE {text}")).break_value();
    if arguments.is_empty() {
        return refused("Usage: imapfront-auth imapd [args ...]").unwrap_or(ExitStatus::DONE);
    }
    let Some(modules) = setting("CVM_SASL_PLAIN").filter(|list| !list.is_empty()) else {
        return refused("$CVM_SASL_PLAIN is not set").unwrap_or(ExitStatus::DONE);
    };
    let mut session = Auth {
        client,
        modules: Modules::from_list(&modules),
        mechanisms: Mechanisms::from_settings(&setting),
        program: arguments.to_vec(),
        attempts: Attempts::from_setting(setting(MAXAUTHFAIL).as_ref().map(|value| value.as_bytes())),
    };
    match session.client.untagged("OK imapfront ready.") {
        ControlFlow::Continue(()) => session.converse(),
        ControlFlow::Break(status) => status,
    }
}

/// A session with a client nobody knows yet.
struct Auth {
    client: Client,
    /// For LOGIN; AUTHENTICATE asks those of its mechanisms (IMAP-ARG-2).
    modules: Modules,
    mechanisms: Mechanisms,
    program: Vec<BString>,
    attempts: Attempts,
}

/// What the next lines of a client come to.
enum Received {
    Command(Command),
    /// None; the client has been told.
    Refused,
}

/// A command and what answers it.
struct Verb {
    name: &'static [u8],
    has_arguments: bool,
    answer: fn(&mut Auth, &BStr, &[BString]) -> Next,
}

/// The commands (IMAP-START-2).
const VERBS: &[Verb] = &[
    Verb { name: b"AUTHENTICATE", has_arguments: true, answer: Auth::authenticate },
    Verb { name: b"CAPABILITY", has_arguments: false, answer: |a, tag, _| a.capability(tag) },
    Verb { name: b"LOGIN", has_arguments: true, answer: Auth::login },
    Verb { name: b"LOGOUT", has_arguments: false, answer: |a, tag, _| a.logout(tag) },
    Verb {
        name: b"NOOP",
        has_arguments: false,
        answer: |a, tag, _| a.client.tagged(tag, "OK NOOP completed"),
    },
];

impl Auth {
    /// Answers commands to the end of the input or of the session (IMAP-START-3, -4).
    fn converse(&mut self) -> ExitStatus {
        loop {
            let next = match self.receive() {
                Ok(ControlFlow::Continue(Received::Command(command))) => self.answer(&command),
                Ok(ControlFlow::Continue(Received::Refused)) => Next::Continue(()),
                Ok(ControlFlow::Break(status)) => Next::Break(status),
                Err(End::TimedOut) => {
                    let _gone_anyway = self.client.untagged("BYE Connection timed out");
                    return ExitStatus::DONE;
                }
                Err(_) => return ExitStatus::DONE,
            };
            if let ControlFlow::Break(status) = next {
                return status;
            }
        }
    }

    /// Reads a command with its literals. One that does not come to its end is none (IMAP-ARGS-6).
    fn receive(&self) -> Result<ControlFlow<ExitStatus, Received>, End> {
        let refused = |told: Next| Ok(told.map_continue(|()| Received::Refused));
        let mut parser = Parser::default();
        let mut line = Vec::new();
        loop {
            if self.client.connection.read_line_into(LINE_MAX, &mut line)?.is_none() {
                return refused(self.client.untagged("BAD Line too long"));
            }
            let step;
            (parser, step) = parser.line(&line);
            match step {
                Step::Complete(command) => return Ok(ControlFlow::Continue(Received::Command(command))),
                Step::Wrong(tag, mistake) => {
                    let tag = if tag.is_empty() { b"*".as_bstr() } else { tag.as_bstr() };
                    return refused(self.client.tagged(tag, &format!("BAD {}", mistake.text())));
                }
                Step::Literal(length) => {
                    if let ControlFlow::Break(status) = self.client.respond(b"+ OK") {
                        return Ok(ControlFlow::Break(status));
                    }
                    parser.literal(self.client.connection.read_exact(length)?);
                }
            }
        }
    }

    fn answer(&mut self, command: &Command) -> Next {
        let tag = command.tag.as_bstr();
        let Some(verb) = VERBS.iter().find(|verb| command.name.eq_ignore_ascii_case(verb.name)) else {
            return self.client.tagged(tag, "BAD Unimplemented command");
        };
        match (verb.has_arguments, command.arguments.is_empty()) {
            (true, true) => self.client.tagged(tag, "BAD Syntax error: command requires arguments"),
            (false, false) => self.client.tagged(tag, "BAD Syntax error: command requires no arguments"),
            _ => (verb.answer)(self, tag, &command.arguments),
        }
    }

    fn capability(&self, tag: &BStr) -> Next {
        let capabilities = environment::capabilities(|name| process_variable(name.as_bytes()));
        self.client.respond(&[b"* CAPABILITY ", &capabilities[..]].concat())?;
        self.client.tagged(tag, "OK CAPABILITY completed")
    }

    fn logout(&self, tag: &BStr) -> Next {
        self.client.untagged("BYE Logging out")?;
        self.client.tagged(tag, "OK LOGOUT completed")?;
        Next::Break(ExitStatus::DONE)
    }

    fn login(&mut self, tag: &BStr, arguments: &[BString]) -> Next {
        let [user, password] = arguments else {
            return self.client.tagged(tag, "BAD LOGIN command requires exactly two arguments");
        };
        let until = self.client.connection.patience();
        match password::check(&self.modules, user.as_bstr(), password.as_bstr(), until) {
            Verdict::Accepted(identity) => self.hand_over(tag, &identity),
            // One text for every reason (IMAP-LOGIN-2).
            Verdict::Rejected(_) | Verdict::Failed(_) => self.refuse(tag, "NO LOGIN failed"),
        }
    }

    fn authenticate(&mut self, tag: &BStr, arguments: &[BString]) -> Next {
        let [mechanism, initial @ ..] = arguments else { return Next::Continue(()) };
        if initial.len() > 1 {
            let text = "BAD AUTHENTICATE command requires only one or two arguments";
            return self.client.tagged(tag, text);
        }
        let initial = initial.first().map(|response| response.as_bytes());
        let connection = &self.client.connection;
        let dialogue = Dialogue { connection, prefix: "+ ", line_max: LINE_MAX, environment: &[] };
        match self.mechanisms.authenticate(&dialogue, mechanism, initial) {
            Ok(identity) => self.hand_over(tag, &identity),
            Err(refusal) => {
                let text = match refusal {
                    Refusal::TooLong => "Line too long",
                    _ => refusal.text(),
                };
                self.refuse(tag, &format!("NO AUTHENTICATE failed: {text}"))
            }
        }
    }

    /// Tells the client; with the last failure the session ends (IMAP-AUTH-3, SEC-84).
    fn refuse(&mut self, tag: &BStr, text: &str) -> Next {
        self.client.tagged(tag, text)?;
        if self.attempts.failed() { Next::Break(ExitStatus::DONE) } else { Next::Continue(()) }
    }

    /// Becomes the server for the account, which completes the command; this program only has something
    /// to say if it is still there (IMAP-AUTH-4, IMAP-EXEC-1).
    fn hand_over(&self, tag: &BStr, identity: &Identity) -> Next {
        let failure = if become_account(identity).is_err() {
            "Internal error: could not set UID/GID"
        } else {
            let variables = environment::of_server(tag, identity, process_variable(b"SETUP_ENV"));
            if is_environment(&variables) {
                let _why = execute(&self.program, &variables);
                "Could not execute second stage"
            } else {
                "Internal error: could not set environment"
            }
        };
        self.client.tagged(tag, &format!("NO {failure}"))?;
        Next::Break(ExitStatus::FAILED)
    }
}

/// The client: response lines, each logged before it is sent (IMAP-LOG-1).
struct Client {
    connection: Connection,
}

impl Client {
    fn untagged(&self, text: &str) -> Next {
        self.tagged(b"*".as_bstr(), text)
    }

    fn tagged(&self, tag: &BStr, text: &str) -> Next {
        self.respond(&[tag.as_bytes(), b" ", text.as_bytes()].concat())
    }

    /// A client that takes no more ends the session (IMAP-START-4).
    fn respond(&self, line: &[u8]) -> Next {
        self.connection.log.line(line);
        match self.connection.write(&[line, b"\r\n"].concat()) {
            Ok(()) => Next::Continue(()),
            Err(End::SessionOver) => Next::Break(ExitStatus::DONE),
            Err(_) => Next::Break(ExitStatus::FAILED),
        }
    }
}
