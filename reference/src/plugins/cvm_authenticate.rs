//! `cvm-authenticate`: the AUTH command of SMTP (AUTH-1 … 23, RFC 4954).

use bstr::{BString, ByteSlice};

use crate::{
    connection::End,
    credentials::{
        attempts::{Attempts, MAXAUTHFAIL},
        check,
        identity::Identity,
        sasl::{self, Dialogue, Mechanisms, Refusal},
    },
    plugin::{Answer, Command, Finding, Flow, Hook, Module},
    response::Response,
    session::Session,
    wire::cvm::Fact,
};

/// The longest response line, as long as a command line (SMTP-CMD-16, SASL-B64-3).
const LINE_MAX: usize = 65_536;

const AUTH_REQUIRES_TLS: &str = "AUTH_REQUIRES_TLS";

/// The plugin.
pub struct CvmAuthenticate {
    mechanisms: Mechanisms,
    /// `$AUTH_REQUIRES_TLS` is set, to whatever value (AUTH-6).
    requires_tls: bool,
    attempts: Attempts,
}

impl Default for CvmAuthenticate {
    fn default() -> Self {
        Self {
            mechanisms: Mechanisms::from_settings(|_| None),
            requires_tls: false,
            attempts: Attempts::from_setting(None),
        }
    }
}

impl Module for CvmAuthenticate {
    fn has(&self, hook: Hook) -> bool {
        matches!(hook, Hook::Init | Hook::Helo)
    }

    fn commands(&self) -> Vec<Command> {
        vec![Command { verb: "AUTH".into(), without_argument: false, with_argument: true }]
    }

    fn command_enabled(&mut self, _: usize, session: &Session) -> bool {
        self.offered(session).is_some()
    }

    fn command(&mut self, _: usize, argument: Option<&mut BString>, session: &Session) -> Flow {
        let (name, initial) = sasl::split_argument(argument.map_or(&b""[..], |text| text.as_bytes()));
        if session.number(b"authenticated").unwrap_or(0) != 0 {
            return reply(session, &Response::new(503, "5.5.1 You are already authenticated."));
        }
        let environment = session.exported();
        let dialogue = Dialogue {
            connection: &session.connection,
            prefix: "334 ",
            line_max: LINE_MAX,
            environment: &environment,
        };
        match self.mechanisms.authenticate(&dialogue, name, initial) {
            Ok(identity) => {
                take_on(session, &identity);
                reply(session, &Response::new(235, "2.7.0 Authentication succeeded."))
            }
            Err(refusal) => self.refuse(session, refusal),
        }
    }

    fn check(&self, session: &Session) -> Vec<Finding> {
        check::sasl(&self.mechanisms, |name| session.setting(name))
            .into_iter()
            .chain(self.unprotected())
            .collect()
    }

    fn init(&mut self, session: &Session) -> Answer {
        self.mechanisms = Mechanisms::from_settings(|name| session.setting(name));
        self.requires_tls = session.setting(AUTH_REQUIRES_TLS).is_some();
        self.attempts = Attempts::from_setting(session.setting(MAXAUTHFAIL).as_ref().map(|v| v.as_bytes()));
        None
    }

    fn helo(&mut self, session: &Session, _: &mut BString, capabilities: &mut BString) -> Answer {
        if let Some(names) = self.offered(session) {
            capabilities.extend_from_slice(format!("AUTH {names}\n").as_bytes());
        }
        None
    }
}

impl CvmAuthenticate {
    /// The mechanisms on offer at this moment (AUTH-5, -6).
    fn offered(&self, session: &Session) -> Option<String> {
        let protected = session.number(b"tls_state").unwrap_or(0) > 0;
        self.mechanisms.names().filter(|_| protected || !self.requires_tls)
    }

    /// Tells the client; with the last failure the session ends (AUTH-15, SEC-84).
    fn refuse(&mut self, session: &Session, refusal: Refusal) -> Flow {
        let flow = reply(session, &Response::new(refusal.number(), refusal.text()));
        if self.attempts.failed() { Flow::Disconnect } else { flow }
    }

    fn unprotected(&self) -> Option<Finding> {
        let exposed = !self.requires_tls && self.mechanisms.names().is_some();
        let text = "$AUTH_REQUIRES_TLS is unset: passwords are taken from connections that anybody can read";
        exposed.then(|| Finding::Warning(text.into()))
    }
}

/// Makes the session that of an account (AUTH-16, -17).
fn take_on(session: &Session, identity: &Identity) {
    session.set_number(b"authenticated", 1);
    session.set_number(b"auth_uid", identity.uid.into());
    session.set_number(b"auth_gid", identity.gid.into());
    session.set_string(b"auth_user", &identity.user);
    let optional = [
        (&b"auth_realname"[..], Fact::RealName),
        (b"auth_domain", Fact::Domain),
        (b"auth_mailbox", Fact::Mailbox),
    ];
    for (name, fact) in optional {
        if let Some(value) = identity.fact(fact) {
            session.set_string(name, value);
        }
    }
    // Who the client is says more than what it calls its host.
    session.delete_string(b"helo_domain");
    for (name, value) in identity.variables() {
        session.export(name.as_bytes(), &value);
    }
}

/// Sends the answer. A session whose time is over ends by itself; a client that takes nothing is an
/// error (CORE-EXIT-2, CORE-TIME-13).
fn reply(session: &Session, response: &Response) -> Flow {
    match session.respond(response) {
        Ok(()) | Err(End::SessionOver) => Flow::Continue,
        Err(_) => Flow::Disconnect,
    }
}
