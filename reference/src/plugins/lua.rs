//! `lua`: asks the operator's script at every event (LUA-1 … 26).
//!
//! [`script`] is the script while it lives: loaded, run within its limits, its errors told.
//! [`library`] has the functions it may call, [`returned`] reads what it answers.

mod library;
pub mod returned;
mod script;

use std::{fs::File, os::fd::AsRawFd};

use bstr::{BString, ByteSlice};
use mlua::Value;

use self::script::Script;
use crate::{
    plugin::{Answer, Finding, Hook, Module},
    response::Response,
    session::Session,
    wire::address::ADDRESS_MAX,
};

/// Names the script (LUA-1).
const SCRIPT: &str = "LUA_SCRIPT";

/// What a hook gets for "no temporary file" (LUA-6).
const NO_FILE: i32 = -1;

/// The plugin. Without `$LUA_SCRIPT` it does nothing, and no interpreter is made.
#[derive(Default)]
pub struct Lua {
    script: Option<Script>,
}

/// What the hook of an event returns, with the address it may have changed.
struct Outcome {
    answer: Answer,
    address: Option<BString>,
}

impl Lua {
    /// Asks the script about an event; a fault of the script is a temporary refusal (LUA-15).
    fn ask(&mut self, session: &Session, hook: Hook, arguments: &[Argument<'_>]) -> Outcome {
        let Some(script) = &self.script else { return Outcome { answer: None, address: None } };
        match script.call(session, hook.name(), arguments) {
            Ok(values) => Self::understand(session, script, hook, &values),
            Err(fault) => {
                session.log(&fault.line());
                Outcome { answer: Some(Response::internal()), address: None }
            }
        }
    }

    fn understand(session: &Session, script: &Script, hook: Hook, values: &[Value]) -> Outcome {
        let answer = script.reply(values).unwrap_or_else(|number| {
            let text = format!("Lua error: 2 ({} returned {number}, which is no reply number)", hook.name());
            session.log(text.as_bytes());
            Some(Response::internal())
        });
        let address = match values {
            [_, _, Value::String(address), ..] => Some(BString::from(address.as_bytes().to_vec())),
            _ => None,
        };
        Outcome { answer, address }
    }

    /// Asks about an address, which the script may change (LUA-26).
    fn ask_about(
        &mut self,
        session: &Session,
        hook: Hook,
        address: &mut BString,
        parameters: &BString,
    ) -> Answer {
        let outcome = self.ask(session, hook, &[Argument::Bytes(address), Argument::Bytes(parameters)]);
        if let Some(changed) = outcome.address {
            if changed.len() > ADDRESS_MAX || changed.find_byteset(b"\0\r\n").is_some() {
                let text = format!("Lua error: 2 ({} returned an impossible address)", hook.name());
                session.log(text.as_bytes());
                return Some(Response::internal());
            }
            *address = changed;
        }
        outcome.answer
    }
}

/// What a hook of a script is given.
enum Argument<'a> {
    Bytes(&'a [u8]),
    Number(i32),
}

fn descriptor(file: Option<&File>) -> Argument<'static> {
    Argument::Number(file.map_or(NO_FILE, AsRawFd::as_raw_fd))
}

impl Module for Lua {
    fn has(&self, hook: Hook) -> bool {
        hook == Hook::Init || self.script.is_some()
    }

    fn check(&self, session: &Session) -> Vec<Finding> {
        let is_unset = session.setting(SCRIPT).is_none();
        is_unset
            .then(|| Finding::Warning("$LUA_SCRIPT is not set: lua does nothing".into()))
            .into_iter()
            .collect()
    }

    fn init(&mut self, session: &Session) -> Answer {
        let name = session.setting(SCRIPT)?;
        match Script::load(session, name.as_bstr()) {
            Ok((script, values)) => {
                let outcome = Self::understand(session, &script, Hook::Init, &values);
                self.script = Some(script);
                outcome.answer
            }
            Err(failure) => {
                failure.lines().iter().for_each(|line| session.log(line));
                Some(Response::internal())
            }
        }
    }

    fn helo(&mut self, session: &Session, name: &mut BString, capabilities: &mut BString) -> Answer {
        self.ask(session, Hook::Helo, &[Argument::Bytes(name), Argument::Bytes(capabilities)]).answer
    }

    fn reset(&mut self, session: &Session) -> Answer {
        self.ask(session, Hook::Reset, &[]).answer
    }

    fn sender(&mut self, session: &Session, address: &mut BString, parameters: &mut BString) -> Answer {
        self.ask_about(session, Hook::Sender, address, parameters)
    }

    fn recipient(&mut self, session: &Session, address: &mut BString, parameters: &mut BString) -> Answer {
        self.ask_about(session, Hook::Recipient, address, parameters)
    }

    fn data_start(&mut self, session: &Session, file: Option<&File>) -> Answer {
        self.ask(session, Hook::DataStart, &[descriptor(file)]).answer
    }

    fn data_block(&mut self, session: &Session, block: &[u8]) -> Answer {
        self.ask(session, Hook::DataBlock, &[Argument::Bytes(block)]).answer
    }

    fn message_end(&mut self, session: &Session, file: Option<&File>) -> Answer {
        self.ask(session, Hook::MessageEnd, &[descriptor(file)]).answer
    }
}
