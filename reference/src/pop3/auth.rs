//! `pop3front-auth`: finds out who a client is and becomes the program that serves it (POPAUTH-ARG-1 …
//! POPAUTH-EXEC-8). Stops SEC-84, SEC-87 and SEC-90.

use std::ops::ControlFlow;

use bstr::{BString, ByteSlice};

use super::{Argument, Client, LINE_MAX, Next, Program, Verb};
use crate::{
    connection::Connection,
    credentials::{
        attempts::{Attempts, MAXAUTHFAIL},
        identity::Identity,
        modules::{Modules, Verdict},
        password,
        sasl::{self, Dialogue, Mechanisms, Refusal},
    },
    log::{self, Log},
    protocol::ExitStatus,
    second_stage::{become_account, execute, is_environment},
    session::process_variable,
    time_limits::{TimeLimits, positive},
};

/// The program's name.
pub const NAME: &str = "pop3front-auth";

/// What `--help` shows.
pub const HELP: &str = "\
usage: pop3front-auth CVM PROGRAM [ARGUMENT ...]

Authenticates a POP3 client on standard input and output, then becomes PROGRAM with the client's user
id, group ids, directory and environment. PROGRAM is looked for in $PATH and begins with its own +OK.

CVM is a list of credential modules, separated by commas: cvm-local:PATH, cvm-udp:HOST:PORT, or a command.
It is asked for USER and PASS.

$CVM_SASL_PLAIN, $CVM_SASL_LOGIN, $CVM_SASL_CRAM_MD5  modules that AUTH asks
$MAXAUTHFAIL  failures after which the session ends (20)
$MAXUSERCMD   how many USER commands there may be
$AUTH_TIMEOUT, $AUTH_SESSION_TIMEOUT  seconds of silence, and in all; else $TIMEOUT, $SESSION_TIMEOUT
";

/// Serves the client as the arguments say.
pub fn run(arguments: &[BString]) -> ExitStatus {
    let [modules, program @ ..] = arguments else { return usage() };
    if program.is_empty() {
        return usage();
    }
    let connection = Connection::new(Log::new(NAME));
    // The next program gets every byte that is not for this one (POPAUTH-EXEC-7).
    connection.read_nothing_ahead();
    TimeLimits::of_authentication().apply_to(&connection);
    serve(connection, modules, program, |name| process_variable(name.as_bytes()))
}

/// Serves a client until it goes, or until this is `program`. `modules` is the list for PASS, `setting` what
/// a variable is set to.
pub fn serve(
    connection: Connection,
    modules: &[u8],
    program: &[BString],
    setting: impl Fn(&str) -> Option<BString>,
) -> ExitStatus {
    let mut session = Auth {
        client: Client { connection },
        modules: Modules::from_list(modules),
        mechanisms: Mechanisms::from_settings(&setting),
        program: program.to_vec(),
        user: None,
        users_left: positive(&[b"MAXUSERCMD"]),
        attempts: Attempts::from_setting(setting(MAXAUTHFAIL).as_ref().map(|value| value.as_bytes())),
    };
    session.serve()
}

fn usage() -> ExitStatus {
    log::usage("usage: pop3front-auth cvm program [args...]");
    ExitStatus::DONE
}

/// A session with a client nobody knows yet.
struct Auth {
    client: Client,
    /// For PASS; AUTH asks those of its mechanisms (POPAUTH-ARG-2).
    modules: Modules,
    mechanisms: Mechanisms,
    program: Vec<BString>,
    /// From USER, for the next PASS.
    user: Option<BString>,
    /// USER commands that are left, if they are limited (POPAUTH-USER-2).
    users_left: Option<u64>,
    attempts: Attempts,
}

impl Program for Auth {
    const VERBS: &'static [Verb<Self>] = &[
        Verb { word: b"AUTH", argument: Argument::Perhaps, answer: Self::auth },
        Verb { word: b"CAPA", argument: Argument::Never, answer: |a, _| a.capa() },
        Verb { word: b"PASS", argument: Argument::Always, answer: Self::pass },
        Verb { word: b"QUIT", argument: Argument::Never, answer: |a, _| a.quit() },
        Verb { word: b"USER", argument: Argument::Always, answer: Self::user },
    ];

    const LOGS_UNKNOWN: bool = false;

    fn client(&self) -> &Client {
        &self.client
    }
}

impl Auth {
    fn capa(&self) -> Next {
        self.client.capabilities(self.mechanisms.names())
    }

    fn quit(&self) -> Next {
        self.client.ok()?;
        Next::Break(ExitStatus::DONE)
    }

    /// The whole argument is the name, and nothing is looked up (POPAUTH-USER-1, SEC-86).
    fn user(&mut self, name: &[u8]) -> Next {
        if let Some(left) = &mut self.users_left {
            let Some(fewer) = left.checked_sub(1) else {
                self.client.error("Too many USER commands issued")?;
                return Next::Break(ExitStatus::DONE);
            };
            *left = fewer;
        }
        self.user = Some(name.into());
        self.client.ok()
    }

    fn pass(&mut self, password: &[u8]) -> Next {
        // Whatever becomes of it, the name is used up (POPAUTH-PASS-3).
        let Some(user) = self.user.take() else { return self.client.error("Send USER first") };
        let until = self.client.connection.patience();
        match password::check(&self.modules, user.as_bstr(), password.as_bstr(), until) {
            Verdict::Accepted(identity) => self.hand_over(&identity),
            Verdict::Rejected(_) => self.refuse(|client| client.error("Authentication failed")),
            Verdict::Failed(_) => self.refuse(|client| client.error("Internal error")),
        }
    }

    fn auth(&mut self, argument: &[u8]) -> Next {
        if argument.is_empty() {
            let names = self.mechanisms.iter().map(|(mechanism, _)| mechanism.name());
            return self.client.list(names, |name, out| out.extend_from_slice(name.as_bytes()));
        }
        let (mechanism, initial) = sasl::split_argument(argument);
        let connection = &self.client.connection;
        let dialogue = Dialogue { connection, prefix: "+ ", line_max: LINE_MAX, environment: &[] };
        match self.mechanisms.authenticate(&dialogue, mechanism, initial) {
            Ok(identity) => self.hand_over(&identity),
            Err(refusal) => self.refuse(|client| {
                let text = match refusal {
                    Refusal::TooLong => "Line too long",
                    _ => refusal.text(),
                };
                // Logged without the first word (POP3-LOG-3).
                client.log(text.as_bytes());
                client.send(format!("-ERR {text}\r\n").as_bytes())
            }),
        }
    }

    /// Tells the client; with the last failure the session ends (POPAUTH-AUTH-3, SEC-84).
    fn refuse(&mut self, tell: impl Fn(&Client) -> Next) -> Next {
        tell(&self.client)?;
        if self.attempts.failed() { Next::Break(ExitStatus::DONE) } else { Next::Continue(()) }
    }

    /// Becomes the program that serves the account. It answers the client; this program only has
    /// something to say if it is still there (POPAUTH-PASS-4, POPAUTH-EXEC-5, -6).
    fn hand_over(&self, identity: &Identity) -> Next {
        let variables = identity.variables();
        let failure = if become_account(identity).is_ok() && is_environment(&variables) {
            let _why = execute(&self.program, &variables);
            "Could not execute second stage"
        } else {
            "Internal error"
        };
        match self.client.error(failure) {
            ControlFlow::Continue(()) => Next::Break(ExitStatus::FAILED),
            ended => ended,
        }
    }
}
