//! `smtp`: RFC 5321 as mailfront speaks it.
//!
//! This file has the settings and the greeting; [`conversation`] reads command lines and finds who
//! answers them, [`commands`] has the protocol's own verbs, [`message`] reads what follows DATA,
//! [`starttls`] enters TLS.

mod commands;
mod conversation;
mod message;
mod starttls;

use bstr::BString;

use self::conversation::Conversation;
use super::{ExitStatus, Protocol};
use crate::{
    chain::Chain,
    connection::End,
    plugin::Finding,
    response::{Framing, Response},
    session::Session,
    tls::settings::Settings,
    wire::{
        number::{decimal_prefix, whole_decimal},
        text,
    },
};

/// The settings of the protocol, all read before the greeting.
#[derive(Default)]
pub struct Smtp {
    /// The name in greeting and HELO, `unknown` if there is none (SMTP-GREET-2, CORE-ENV-5).
    domain: BString,
    /// `$SMTPGREETING`, if set (SMTP-GREET-1).
    greeting: Option<BString>,
    /// `$MAXNOTIMPL`: unknown commands in a row that are borne; `None` is no limit (SMTP-CMD-12).
    unknown_max: Option<u64>,
    /// `$SMTP_DANGEROUS_LINE_ENDINGS` is exactly `1` (SMTP-DATA-15).
    dangerous_line_endings: bool,
    /// The `$TLS_*` variables, with certificate and key read (TLS-2).
    tls: Settings,
}

const DANGEROUS_LINE_ENDINGS: &str = "SMTP_DANGEROUS_LINE_ENDINGS";
const MAXNOTIMPL: &str = "MAXNOTIMPL";

impl Protocol for Smtp {
    fn name(&self) -> BString {
        "SMTP".into()
    }

    fn framing(&self) -> Framing {
        Framing::Smtp
    }

    fn init(&mut self, session: &Session) -> Result<(), ExitStatus> {
        self.domain = session.fact("LOCALHOST").unwrap_or_else(|| "unknown".into());
        self.greeting = session.setting("SMTPGREETING");
        let limit = session.setting(MAXNOTIMPL).as_deref().and_then(|value| decimal_prefix(value));
        self.unknown_max = limit.filter(|limit| *limit > 0);
        self.dangerous_line_endings = session.setting(DANGEROUS_LINE_ENDINGS).is_some_and(|v| v == "1");
        self.tls = Settings::read(session);
        Ok(())
    }

    fn check(&self, session: &Session) -> Vec<Finding> {
        let mut findings = Vec::new();
        if self.dangerous_line_endings {
            let text = format!(
                "${DANGEROUS_LINE_ENDINGS} is 1: bare line ends can end a message, so that one message can \
                 carry another past a relay"
            );
            findings.push(Finding::Warning(text.into()));
        }
        if let Some(value) = session.setting(MAXNOTIMPL).filter(|value| whole_decimal(value).is_none()) {
            let read = self.unknown_max.map_or_else(|| "no limit".into(), |limit| limit.to_string());
            findings.push(Finding::Warning(format!("${MAXNOTIMPL} is {value:?}: taken as {read}").into()));
        }
        findings.extend(self.tls.findings());
        findings
    }

    fn run(&mut self, session: &Session, chain: &mut Chain) -> ExitStatus {
        for fault in &self.tls.faults {
            session.log(fault.line.as_bytes());
        }
        if self.tls.immediate {
            // What is meant to be encrypted is never served in the clear (TLS-15).
            let Some(server) = &self.tls.server else { return ExitStatus::FAILED };
            if let Err(status) = starttls::shake_hands(server, session) {
                return status;
            }
        }
        match session.respond(&self.greeting()) {
            Ok(()) => Conversation::new(self, session, chain).run(),
            Err(End::SessionOver) => ExitStatus::DONE,
            Err(_) => ExitStatus::FAILED,
        }
    }
}

impl Smtp {
    fn greeting(&self) -> Response {
        let mut text = match &self.greeting {
            Some(greeting) => text::for_greeting(greeting),
            None => [self.domain.as_slice(), b" mailfront"].concat().into(),
        };
        text.extend_from_slice(b" ESMTP");
        Response::new(220, text)
    }
}
