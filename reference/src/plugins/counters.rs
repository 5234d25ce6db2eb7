//! `counters`: limits on the size of a message, its recipients, its hops and the messages of a session
//! (CNT-NUM-1 … CNT-STATE-1). Stops SEC-60 and mail loops.
//!
//! Limits are looked up when they are needed, never kept: a mail rule may have lowered one for this
//! message only. Whatever was counted in passing is compared once more at the end of the message,
//! for protocols in which the rules speak after the data (NS-HOOK-5).

use std::fs::File;

use bstr::BString;

use crate::{
    plugin::{Answer, Finding, Hook, Module},
    response::Response,
    session::Session,
    wire::{hops::Hops, number::whole_decimal, size::declared_size},
};

/// Hops allowed without `$MAXHOPS` (CNT-HOP-1).
const DEFAULT_HOPS: u64 = 100;

/// The variables that hold limits.
const LIMITS: [&str; 4] = ["DATABYTES", "MAXRCPTS", "MAXMSGS", "MAXHOPS"];

/// The plugin.
#[derive(Default)]
pub struct Counters {
    /// Recipients since the last reset, refused ones included (CNT-RCPT-2).
    recipients: u64,
    /// Messages whose end was seen in this session (CNT-MSG-2).
    messages: u64,
    /// The smallest `MAXMSGS` seen: it holds for the session (CNT-MSG-3).
    fewest_messages: Option<u64>,
    /// Bytes of this message.
    bytes: u64,
    /// What the header of this message says of its way.
    hops: Hops,
}

impl Module for Counters {
    fn has(&self, hook: Hook) -> bool {
        hook != Hook::Init
    }

    fn variables(&self) -> &'static [&'static str] {
        &["DATABYTES", "MAXRCPTS", "MAXMSGS", "MAXHOPS", "MAXRCPTS_REJECT"]
    }

    fn check(&self, session: &Session) -> Vec<Finding> {
        LIMITS.into_iter().filter_map(|name| doubtful(session, name)).collect()
    }

    fn helo(&mut self, session: &Session, _: &mut BString, capabilities: &mut BString) -> Answer {
        let size = size_limit(session).unwrap_or(0);
        capabilities.extend_from_slice(format!("SIZE {size}\n").as_bytes());
        None
    }

    fn reset(&mut self, _: &Session) -> Answer {
        self.recipients = 0;
        None
    }

    fn sender(&mut self, session: &Session, _: &mut BString, parameters: &mut BString) -> Answer {
        self.too_many_messages(session).or_else(|| {
            let declared = declared_size(parameters)?;
            let text = "5.2.3 The message would exceed the maximum message size.";
            (declared > size_limit(session)?).then(|| Response::new(552, text))
        })
    }

    fn recipient(&mut self, session: &Session, _: &mut BString, _: &mut BString) -> Answer {
        self.recipients += 1;
        self.too_many_recipients(session)
    }

    fn data_start(&mut self, session: &Session, _: Option<&File>) -> Answer {
        self.bytes = 0;
        self.hops = Hops::default();
        self.too_many_messages(session).or_else(|| self.message_of_too_many_recipients(session))
    }

    fn data_block(&mut self, session: &Session, block: &[u8]) -> Answer {
        self.bytes = self.bytes.saturating_add(block.len() as u64);
        self.hops.push(block);
        self.too_large(session)
    }

    fn message_end(&mut self, session: &Session, _: Option<&File>) -> Answer {
        let refusal = self.too_large(session).or_else(|| self.message_of_too_many_recipients(session));
        if refusal.is_none() {
            self.messages += 1;
        }
        refusal
    }
}

impl Counters {
    fn too_many_messages(&mut self, session: &Session) -> Answer {
        let limits = [limit(session, "MAXMSGS"), session.number(b"maxmsgs"), self.fewest_messages];
        self.fewest_messages = limits.into_iter().flatten().filter(|n| *n > 0).min();
        let full = self.fewest_messages.is_some_and(|most| self.messages >= most);
        full.then(|| Response::new(550, "5.5.0 Too many messages"))
    }

    /// A session number lowers the variable and does nothing alone (CNT-NUM-4).
    fn too_many_recipients(&self, session: &Session) -> Answer {
        let most = limit(session, "MAXRCPTS")?;
        let lowered = session.number(b"maxrcpts").filter(|n| *n > 0);
        let most = lowered.map_or(most, |lowered| most.min(lowered));
        (self.recipients > most).then(|| Response::new(550, "5.5.3 Too many recipients"))
    }

    /// One recipient too many refuses the message where the site wants that (CNT-RCPT-3).
    fn message_of_too_many_recipients(&self, session: &Session) -> Answer {
        session.variable(b"MAXRCPTS_REJECT").and_then(|_| self.too_many_recipients(session))
    }

    fn too_large(&self, session: &Session) -> Answer {
        if size_limit(session).is_some_and(|most| self.bytes > most) {
            let text = "5.2.3 Sorry, that message exceeds the maximum message length.";
            return Some(Response::new(552, text));
        }
        let most = limit(session, "MAXHOPS").unwrap_or(DEFAULT_HOPS);
        (self.hops.most() > most).then(|| Response::new(554, "5.6.0 This message is looping, too many hops."))
    }
}

/// The smallest of a variable's values; nothing that is a number greater than 0 is no limit
/// (CNT-NUM-1, RULES-ENV-4).
fn limit(session: &Session, name: &str) -> Option<u64> {
    Some(session.smallest(name.as_bytes())).filter(|n| *n > 0)
}

/// The smaller of `$DATABYTES` and what another module set for this message (CNT-NUM-4).
fn size_limit(session: &Session) -> Option<u64> {
    let set = session.number(b"maxdatabytes").filter(|n| *n > 0);
    [limit(session, "DATABYTES"), set].into_iter().flatten().min()
}

/// A variable that looks like a limit and is none (CNT-NUM-1).
fn doubtful(session: &Session, name: &str) -> Option<Finding> {
    let value = session.setting(name)?;
    let is_number = value.is_empty() || whole_decimal(&value).is_some();
    let text =
        || [b"$", name.as_bytes(), b" is `", &value, b"`, which is no number: it sets no limit"].concat();
    (!is_number).then(|| Finding::Warning(text().into()))
}
