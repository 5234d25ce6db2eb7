//! `mailrulesx`: judges connections, senders and recipients by the extended rules of the file
//! `$MAILRULESX` (RULESX-FILE, RULESX-ACT, RULESX-RST).

mod check;
mod rules;
mod scene;

use std::fs::File;

use bstr::BString;

use self::{
    rules::{Rules, Verdict},
    scene::{Event, Scene},
};
use crate::{
    plugin::{Answer, Finding, Hook, Module},
    response::Response,
    session::{MAX_DATA_BYTES, Session},
};

/// The plugin.
#[derive(Default)]
pub struct Mailrulesx {
    /// Without a rules file there are none, and no hook does anything (RULESX-FILE-1).
    rules: Option<Rules>,
    /// What `[connect]` did and a reset would undo (RULESX-RST-1).
    kept: Kept,
    /// The sender of this transaction, as it was left here.
    sender: BString,
    /// What the whole message is refused with (RULESX-ACT-3).
    doom: Answer,
}

/// What the rules of `[connect]` leave for each transaction.
#[derive(Default)]
struct Kept {
    unset: Vec<BString>,
    data_bytes: Option<u64>,
}

/// The variable that names the rules file, and its value (RULESX-FILE-1).
fn source(session: &Session) -> Option<(&'static str, BString)> {
    let setting = |name| session.setting(name).map(|value| (name, value));
    setting("MAILRULESX").or_else(|| setting("MAILRULES"))
}

impl Module for Mailrulesx {
    fn has(&self, hook: Hook) -> bool {
        !matches!(hook, Hook::Helo | Hook::DataBlock)
    }

    fn check(&self, session: &Session) -> Vec<Finding> {
        check::findings(session)
    }

    fn explain(&self, session: &Session) -> Vec<Finding> {
        check::findings(session)
    }

    fn init(&mut self, session: &Session) -> Answer {
        let (variable, path) = source(session)?;
        let rules = match Rules::load(path) {
            Ok(rules) => rules,
            Err(failure) => return Some(Response::new(421, failure.text(variable))),
        };
        let mut scene = Scene::new(session, Event::Connect);
        let verdict = rules.judge(&mut scene);
        self.kept = scene.kept;
        self.rules = Some(rules);
        verdict.answer
    }

    fn reset(&mut self, session: &Session) -> Answer {
        self.rules.as_ref()?;
        self.sender.clear();
        self.doom = None;
        session.clear_overlay();
        session.delete_number(MAX_DATA_BYTES);
        self.kept.unset.iter().for_each(|name| session.unset(name));
        if let Some(limit) = self.kept.data_bytes {
            session.lower_number(MAX_DATA_BYTES, limit);
        }
        None
    }

    fn sender(&mut self, session: &Session, address: &mut BString, _: &mut BString) -> Answer {
        let rules = self.rules.as_ref()?;
        let mut scene = Scene { sender: Some(address.clone()), ..Scene::new(session, Event::Sender) };
        let verdict = rules.judge(&mut scene);
        *address = scene.sender.unwrap_or_default();
        self.sender.clone_from(address);
        verdict.answer
    }

    fn recipient(&mut self, session: &Session, address: &mut BString, _: &mut BString) -> Answer {
        let rules = self.rules.as_ref()?;
        if self.doom.is_some() {
            return self.doom.clone();
        }
        let mut scene = Scene::new(session, Event::Recipient);
        scene.sender = Some(self.sender.clone());
        scene.recipient = Some(address.clone());
        let Verdict { answer, of_message } = rules.judge(&mut scene);
        *address = scene.recipient.unwrap_or_default();
        if of_message {
            self.doom.clone_from(&answer);
        }
        answer
    }

    /// In SMTP the message is refused here.
    fn data_start(&mut self, _: &Session, _: Option<&File>) -> Answer {
        self.doom.clone()
    }

    /// In QMTP and QMQP the message came before its recipients.
    fn message_end(&mut self, _: &Session, _: Option<&File>) -> Answer {
        self.doom.clone()
    }
}
