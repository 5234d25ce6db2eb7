//! The protocol's own verbs and what each does (SMTP-CMD-7, -9, SMTP-HELO, SMTP-MAIL, SMTP-RCPT,
//! SMTP-MISC).

use bstr::{BStr, BString, ByteSlice};

use super::{
    conversation::{Conversation, Next, Transaction},
    starttls::STARTTLS,
};
use crate::{
    connection::LineEnd,
    protocol::ExitStatus,
    response::Response,
    wire::address::{self, AddressError, Cause},
};

/// A verb and the method that answers it.
pub(super) struct Verb {
    pub(super) name: &'static [u8],
    /// Whether the method refuses NUL and CR itself, at its own point (SMTP-CMD-15).
    pub(super) checks_argument: bool,
    pub(super) answer: Answer,
}

type Answer = fn(&mut Conversation<'_>, &BStr, LineEnd) -> Next;

/// All of them, the frequent ones first.
pub(super) const VERBS: &[Verb] = &[
    Verb { name: b"MAIL", checks_argument: true, answer: |c, argument, _| c.mail(argument) },
    Verb { name: b"RCPT", checks_argument: true, answer: |c, argument, _| c.rcpt(argument) },
    Verb { name: b"DATA", checks_argument: false, answer: |c, _, line_end| c.data(line_end) },
    Verb { name: b"EHLO", checks_argument: false, answer: |c, argument, _| c.ehlo(argument) },
    Verb { name: b"HELO", checks_argument: false, answer: |c, argument, _| c.helo(argument) },
    Verb { name: b"RSET", checks_argument: false, answer: |c, _, _| c.rset() },
    Verb { name: b"QUIT", checks_argument: false, answer: |c, _, _| c.quit() },
    Verb { name: b"NOOP", checks_argument: false, answer: |c, _, _| c.reply(&ok()) },
    Verb { name: b"HELP", checks_argument: false, answer: |c, _, _| c.reply(&help()) },
    Verb { name: b"VRFY", checks_argument: false, answer: |c, _, _| c.reply(&vrfy()) },
    // Known in any case, so that it neither counts as unknown nor is logged as such (SMTP-CMD-13).
    Verb { name: STARTTLS, checks_argument: false, answer: |c, _, _| c.starttls() },
];

/// The capabilities every session has, after those of the modules (SMTP-HELO-2).
const CAPABILITIES: &[u8] = b"8BITMIME\nENHANCEDSTATUSCODES\nPIPELINING";

fn ok() -> Response {
    Response::new(250, "2.3.0 OK")
}

fn help() -> Response {
    Response::new(214, "2.0.0 Help not available.")
}

fn vrfy() -> Response {
    Response::new(252, "2.5.2 Send some mail, I'll try my best.")
}

pub(super) fn sender_first() -> Response {
    Response::new(503, "5.5.1 You must send MAIL FROM: first")
}

fn refused_address(error: AddressError) -> Response {
    match error.cause {
        Cause::TooLong => Response::new(501, "5.1.3 Address too long."),
        Cause::ForbiddenByte | Cause::Syntax => {
            Response::new(501, "5.5.2 Syntax error in address parameter.")
        }
    }
}

impl Conversation<'_> {
    fn helo(&mut self, argument: &BStr) -> Next {
        let mut capabilities = BString::default();
        let answer = self.introduce(argument, &mut capabilities);
        // A backend may put its own words in place of the host name (HOOK-RESP-5).
        let answer = answer.filter(|answer| !answer.is_ok() || answer.text().is_some());
        self.reply(&answer.unwrap_or_else(|| Response::new(250, self.smtp.domain.clone())))
    }

    fn ehlo(&mut self, argument: &BStr) -> Next {
        // A refused EHLO has done this too (SMTP-HELO-6).
        self.session.set_protocol("ESMTP");
        let mut capabilities = BString::default();
        match self.introduce(argument, &mut capabilities) {
            Some(refusal) if !refusal.is_ok() => self.reply(&refusal),
            _ => {
                let modules = capabilities.lines();
                // Offered once, and never again inside (TLS-9, TLS-16).
                let in_tls = self.session.is_in_tls();
                let modules: Vec<&[u8]> = modules.filter(|line| !(in_tls && *line == STARTTLS)).collect();
                let by_module = modules.contains(&STARTTLS);
                let starttls = self.offers_tls() && !by_module;
                let lines = std::iter::once(self.smtp.domain.as_slice())
                    .chain(modules)
                    .chain([CAPABILITIES])
                    .chain(starttls.then_some(STARTTLS));
                self.reply(&Response::new(250, bstr::join("\n", lines)))
            }
        }
    }

    /// What HELO and EHLO have in common. Both end the transaction (SMTP-HELO-9).
    fn introduce(&mut self, argument: &BStr, capabilities: &mut BString) -> Option<Response> {
        self.transaction = Transaction::None;
        self.chain.helo(self.session, &mut argument.to_owned(), capabilities)
    }

    fn mail(&mut self, argument: &BStr) -> Next {
        self.session.log_parts(&[b"MAIL ", argument.as_bytes()]);
        self.reset()?;
        let mut parsed = match address::parse(argument) {
            Ok(parsed) => parsed,
            Err(error) => return self.reply(&refused_address(error)),
        };
        let response = self.chain.sender(self.session, &mut parsed.address, &mut parsed.parameters);
        if response.is_ok() {
            self.transaction = Transaction::Sender;
        }
        self.reply(&response)
    }

    fn rcpt(&mut self, argument: &BStr) -> Next {
        self.session.log_parts(&[b"RCPT ", argument.as_bytes()]);
        if self.transaction == Transaction::None {
            return self.reply(&sender_first());
        }
        let mut parsed = match address::parse(argument) {
            Ok(parsed) => parsed,
            Err(error) => return self.reply(&refused_address(error)),
        };
        let response = self.chain.recipient(self.session, &mut parsed.address, &mut parsed.parameters);
        if response.is_ok() {
            self.transaction = Transaction::Recipients;
        }
        self.reply(&response)
    }

    fn rset(&mut self) -> Next {
        self.reset()?;
        self.reply(&ok())
    }

    /// Forgets the transaction. A module that refuses to ends the session (SMTP-MAIL-3).
    pub(super) fn reset(&mut self) -> Next {
        self.transaction = Transaction::None;
        if let Some(refusal) = self.chain.reset(self.session) {
            self.reply(&refusal)?;
            return Next::Break(ExitStatus::DONE);
        }
        Next::Continue(())
    }

    fn quit(&mut self) -> Next {
        self.reply(&Response::new(221, "2.0.0 Good bye."))?;
        Next::Break(ExitStatus::DONE)
    }
}
