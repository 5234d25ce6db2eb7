//! `mailrules`: judges senders and recipients by the rules of the file `$MAILRULES` (RULES-EVAL,
//! RULES-AND, RULES-FINAL, RULES-RESP, RULES-DB, RULES-RC, RULES-RST).
//!
//! Stops an absent list from letting everybody in (RULES-CDB-3), rules files that are read in part
//! (RULES-FILE-5, SEC-108) and look-ups that a client can make slow (RULES-GLOB-8, SEC-70).

mod check;

use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt};

use bstr::{BStr, BString, ByteSlice};

pub(in crate::plugins) use self::check::{no_effect, rules_file};
use crate::{
    lists::{Lists, Opened},
    plugin::{Answer, Finding, Hook, Module},
    response::{FINAL_FLAG, Response},
    session::{MAX_DATA_BYTES, Session},
    wire::mailrules::{self, Code, Pattern, Test},
};

type Rule = mailrules::Rule<Opened>;

/// The plugin.
#[derive(Default)]
pub struct Mailrules {
    /// Without `$MAILRULES` there are none, and no hook does anything (RULES-FILE-1, RULES-RST-3).
    rules: Option<Rules>,
    /// The sender of this transaction as seen here, in lower case (RULES-EVAL-1, -2).
    sender: BString,
}

#[derive(Default)]
struct Rules {
    lists: Lists,
    of_senders: Vec<Rule>,
    of_recipients: Vec<Rule>,
}

impl Module for Mailrules {
    fn has(&self, hook: Hook) -> bool {
        matches!(hook, Hook::Init | Hook::Reset | Hook::Sender | Hook::Recipient)
    }

    fn check(&self, session: &Session) -> Vec<Finding> {
        check::findings(session)
    }

    fn explain(&self, session: &Session) -> Vec<Finding> {
        check::findings(session)
    }

    fn init(&mut self, session: &Session) -> Answer {
        let path = session.setting("MAILRULES")?;
        match Rules::load(&path) {
            Ok(rules) => {
                self.rules = Some(rules);
                None
            }
            Err(text) => Some(Response::new(421, text)),
        }
    }

    fn reset(&mut self, session: &Session) -> Answer {
        self.rules.as_ref()?;
        self.sender.clear();
        session.clear_overlay();
        session.delete_number(MAX_DATA_BYTES);
        None
    }

    fn sender(&mut self, session: &Session, address: &mut BString, _: &mut BString) -> Answer {
        let rules = self.rules.as_ref()?;
        self.sender = address.to_ascii_lowercase().into();
        rules.judge(session, self.sender.as_ref(), None)
    }

    fn recipient(&mut self, session: &Session, address: &mut BString, _: &mut BString) -> Answer {
        self.rules.as_ref()?.judge(session, self.sender.as_ref(), Some(address))
    }
}

impl Rules {
    /// Reads a rules file and opens its lists; the first fault in the order of the file, as the client
    /// is told (RULES-FILE-2, -3).
    fn load(path: &[u8]) -> Result<Self, &'static str> {
        let file = fs::read(OsStr::from_bytes(path)).map_err(|_| "4.3.0 Could not open $MAILRULES file")?;
        let mut rules = Self::default();
        for rule in mailrules::rules(&file) {
            let rule = rule.map_err(|_| "4.3.0 Syntax error in $MAILRULES")?;
            let opened = rule.open(|_, list| rules.lists.open(&list));
            let rule = opened.map_err(|_| "4.3.0 Error opening file referenced from $MAILRULES")?;
            let list = if rule.of_senders { &mut rules.of_senders } else { &mut rules.of_recipients };
            list.push(rule);
        }
        Ok(rules)
    }

    /// Walks over the rules of senders, or of recipients if there is one: the first match that decides
    /// gives the answer (RULES-EVAL-2 … 5).
    fn judge(&self, session: &Session, sender: &BStr, mut recipient: Option<&mut BString>) -> Answer {
        let folded = recipient.as_ref().map(|address| address.to_ascii_lowercase());
        let rules = if folded.is_some() { &self.of_recipients } else { &self.of_senders };
        // Whether all guards since the last rule matched (RULES-AND-1, -2).
        let mut guarded = true;
        for rule in rules {
            let matches = guarded
                && match self.match_both(session, rule, sender, folded.as_deref()) {
                    Ok(matches) => matches,
                    Err(failure) => return Some(failure),
                };
            guarded = matches || rule.code != Code::And;
            if !matches || rule.code == Code::And {
                continue;
            }
            apply(session, rule, recipient.as_deref_mut());
            match rule.code {
                Code::Apply | Code::And => {}
                Code::Pass => return None,
                Code::Accept => return Some(accepted(250, rule)),
                Code::FinalAccept => return Some(accepted(250 | FINAL_FLAG, rule)),
                Code::Reject => return Some(refused(553, rule, "Rejected")),
                Code::Defer => return Some(refused(451, rule, "Deferred")),
            }
        }
        None
    }

    fn match_both(
        &self,
        session: &Session,
        rule: &Rule,
        sender: &BStr,
        recipient: Option<&[u8]>,
    ) -> Result<bool, Response> {
        Ok(self.matches(session, &rule.sender, sender)?
            && match recipient {
                Some(recipient) => self.matches(session, &rule.recipient, recipient.as_bstr())?,
                None => true,
            })
    }

    fn matches(
        &self,
        session: &Session,
        pattern: &Pattern<Opened>,
        address: &BStr,
    ) -> Result<bool, Response> {
        let matches = match &pattern.test {
            Test::Glob(glob) => glob.matches(address),
            Test::List(list) => self.lists.contain(session, *list, address)?,
        };
        Ok(matches != pattern.negated)
    }
}

/// The settings of a rule that matches, whatever it says of the address (RULES-EVAL-6).
fn apply(session: &Session, rule: &Rule, recipient: Option<&mut BString>) {
    if rule.data_bytes > 0 {
        session.lower_number(MAX_DATA_BYTES, rule.data_bytes);
    }
    if let Some(address) = recipient {
        address.extend_from_slice(&rule.suffix);
    }
    for assignment in &rule.environment {
        session.put(assignment);
    }
}

/// Without a text of its own an acceptance leaves it to the backend (RULES-RESP-2).
fn accepted(number: u32, rule: &Rule) -> Response {
    Response::from_module(number, (!rule.response.is_empty()).then(|| rule.response.clone()))
}

fn refused(number: u16, rule: &Rule, default: &str) -> Response {
    let text = if rule.response.is_empty() { default.into() } else { rule.response.clone() };
    Response::new(number, text)
}
