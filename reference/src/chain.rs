//! Runs an event over the plugins and the backend: the first refusal stops it, the first acceptance
//! gives the answer, a final one skips the remaining plugins (HOOK-ORDER, HOOK-RESP). Here are start-up and
//! the envelope; [`message`] is what comes behind them, and [`commands`] are those that modules have of
//! their own.
//!
//! Every response is a copy, so that no later hook of a module can change it (HOOK-RESP-8).

mod commands;
mod message;
#[cfg(test)]
mod tests;
mod walk;

use bstr::BString;

pub use self::commands::ModuleCommand;
use self::walk::{called, envelope_answer, refusal, trace_walk, walk};
use crate::{
    plugin::{Answer, Finding, Hook, Named},
    response::Response,
    scratch::Scratch,
    session::Session,
};

/// Recipients of one message; after that many every further one is refused (SMTP-RCPT-8, CORE-LIM-1).
pub const RECIPIENTS_MAX: usize = 10_000;

/// Bytes of the recipients of one message, together: as many as [`RECIPIENTS_MAX`] of the longest path of
/// RFC 5321 (256 octets) have. Who needs more of them at once is told as for too many (CORE-LIM-1).
pub const RECIPIENT_BYTES_MAX: usize = RECIPIENTS_MAX * 256;

/// The modules of a session and the message they are working on.
pub struct Chain {
    plugins: Vec<Named>,
    backend: Named,
    needs_file: bool,
    scratch: Option<Scratch>,
    /// Why the message being read will be refused at its end (HOOK-DATA-2).
    failure: Option<Response>,
    recipients: usize,
    /// Bytes that the client sent for them.
    recipient_bytes: usize,
}

impl Chain {
    /// A chain over loaded modules. `needs_file`: each message must be in a temporary file
    /// (PLUG-LIST-7).
    pub fn new(plugins: Vec<Named>, backend: Named, needs_file: bool) -> Self {
        Self { plugins, backend, needs_file, scratch: None, failure: None, recipients: 0, recipient_bytes: 0 }
    }

    /// The plugins in their order.
    pub fn plugins(&self) -> &[Named] {
        &self.plugins
    }

    /// The backend.
    pub fn backend(&self) -> &Named {
        &self.backend
    }

    /// Whether each message gets a temporary file.
    pub fn needs_file(&self) -> bool {
        self.needs_file
    }

    /// Start-up for `--check`: of every module, whatever one before it refused, and what each has to say
    /// about it once every variable that they will look up is known.
    pub fn examine(&mut self, session: &Session) -> Vec<Finding> {
        let modules = self.plugins.iter_mut().chain([&mut self.backend]).map(|named| &mut named.module);
        let mut started = Vec::new();
        for module in modules {
            for name in module.variables() {
                let _shown_later = session.variable(name.as_bytes());
            }
            started.push((refusal(module.has(Hook::Init).then(|| module.init(session)).flatten()), module));
        }
        let said = started.into_iter().flat_map(|(refusal, module)| match refusal {
            None => module.check(session),
            Some(refusal) => {
                let number = format!("{} ", refusal.number());
                let lines = refusal.lines().map(|line| [number.as_bytes(), line].concat().into());
                lines.map(Finding::Problem).chain(module.explain(session)).collect()
            }
        });
        said.collect()
    }

    /// Start-up: the refusal of a plugin, else of the backend (CORE-START-3 … 6).
    pub fn init(&mut self, session: &Session) -> Option<Response> {
        let answer = walk(&mut self.plugins, Hook::Init, session, |module| module.init(session));
        refusal(answer).or_else(|| {
            let backend = &mut self.backend.module;
            backend.has(Hook::Init).then(|| refusal(backend.init(session))).flatten()
        })
    }

    /// HELO and EHLO, after a reset. The answer is a refusal, or what the backend says instead of the
    /// host name (HOOK-RESP-5).
    pub fn helo(&mut self, session: &Session, name: &mut BString, capabilities: &mut BString) -> Answer {
        if let Some(refusal) = self.reset(session) {
            return Some(refusal);
        }
        let answer =
            walk(&mut self.plugins, Hook::Helo, session, |module| module.helo(session, name, capabilities));
        if let Some(refusal) = refusal(answer) {
            return Some(refusal);
        }
        session.store_helo(name);
        let backend = &mut self.backend.module;
        if backend.has(Hook::Helo) { backend.helo(session, name, capabilities) } else { None }
    }

    /// Forgets the message: every module is reset, then a plugin's first refusal told. That of the
    /// backend is ignored (HOOK-RESET-3, -5).
    pub fn reset(&mut self, session: &Session) -> Option<Response> {
        self.scratch = None;
        self.failure = None;
        self.recipients = 0;
        self.recipient_bytes = 0;
        let _ = session.take_injected();
        if self.backend.module.has(Hook::Reset) {
            let _ignored = self.backend.module.reset(session);
        }
        trace_walk(session, Hook::Reset);
        let mut first = None;
        for named in self.plugins.iter_mut().filter(|named| named.module.has(Hook::Reset)) {
            let answer = called(named, session, |module| module.reset(session));
            first = first.or_else(|| refusal(answer));
        }
        first
    }

    /// The envelope sender: what the client is told (HOOK-RESP-1).
    pub fn sender(&mut self, session: &Session, address: &mut BString, parameters: &mut BString) -> Response {
        let answer = walk(&mut self.plugins, Hook::Sender, session, |module| {
            module.sender(session, address, parameters)
        });
        let Some(accepted) = answer else {
            return Response::new(550, "5.1.0 Mail system is not configured to accept that sender");
        };
        if !accepted.is_ok() {
            return accepted;
        }
        if let Some(refusal) = unusable(address) {
            return refusal;
        }
        let backend = &mut self.backend.module;
        let answer =
            if backend.has(Hook::Sender) { backend.sender(session, address, parameters) } else { None };
        envelope_answer(accepted, answer, "2.1.0 Sender accepted.")
    }

    /// One envelope recipient: what the client is told (HOOK-RESP-1).
    pub fn recipient(
        &mut self,
        session: &Session,
        address: &mut BString,
        parameters: &mut BString,
    ) -> Response {
        let bytes = self.recipient_bytes + address.len();
        if self.recipients >= RECIPIENTS_MAX || bytes > RECIPIENT_BYTES_MAX {
            return Response::new(452, "4.5.3 Too many recipients.");
        }
        let answer = walk(&mut self.plugins, Hook::Recipient, session, |module| {
            module.recipient(session, address, parameters)
        });
        let Some(accepted) = answer else {
            return Response::new(550, "5.1.0 Mail system is not configured to accept that recipient");
        };
        if !accepted.is_ok() {
            return accepted;
        }
        // Queue formats end their list of recipients with an empty one (SMTP-RCPT-5, QDIR-25).
        if address.is_empty() {
            return Response::new(554, "5.1.2 Recipient address may not be empty");
        }
        if let Some(refusal) = unusable(address) {
            return refusal;
        }
        let backend = &mut self.backend.module;
        let answer =
            if backend.has(Hook::Recipient) { backend.recipient(session, address, parameters) } else { None };
        let response = envelope_answer(accepted, answer, "2.1.5 Recipient accepted.");
        if response.is_ok() {
            self.recipients += 1;
            self.recipient_bytes = bytes;
        }
        response
    }
}

/// The refusal of an address that a plugin has spoilt: its byte would end a field of every envelope
/// format (QDIR-25, HOOK-ADDR-4).
fn unusable(address: &BString) -> Option<Response> {
    let spoilt = memchr::memchr3(0, b'\r', b'\n', address).is_some();
    spoilt.then(|| Response::new(554, "5.1.3 Address contains a forbidden byte"))
}
