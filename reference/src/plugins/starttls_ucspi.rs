//! `starttls-ucspi`: STARTTLS by the server that started us, over descriptors that it names
//! (TLS-20 … 26).
//!
//! The server shakes hands with the client and hands us plain text. Stops commands that somebody put
//! in before it (SEC-20).

use std::os::fd::RawFd;

use bstr::BString;
use nix::unistd::{close, dup2};
use rustix::stdio;

use crate::{
    plugin::{Answer, Command, Finding, Flow, Hook, Module},
    response::Response,
    session::Session,
    wire::number::decimal_prefix,
};

/// Its presence makes the plugin active (TLS-20).
const UCSPITLS: &str = "UCSPITLS";
/// The descriptors: where the handshake is asked for, where the client is read, where it is written to.
const DESCRIPTORS: [&str; 3] = ["SSLCTLFD", "SSLREADFD", "SSLWRITEFD"];

/// What asks the server to shake hands (TLS-22).
const GO: &[u8] = b"y";

/// The plugin.
pub struct StarttlsUcspi;

impl Module for StarttlsUcspi {
    fn has(&self, hook: Hook) -> bool {
        hook == Hook::Helo
    }

    fn commands(&self) -> Vec<Command> {
        vec![Command { verb: "STARTTLS".into(), without_argument: true, with_argument: false }]
    }

    fn command_enabled(&mut self, _: usize, session: &Session) -> bool {
        is_active(session)
    }

    fn command(&mut self, _: usize, _: Option<&mut BString>, session: &Session) -> Flow {
        if session.respond(&Response::new(220, "2.0.0 Ready to start TLS")).is_ok()
            && start(session).is_some()
        {
            Flow::Continue
        } else {
            Flow::Disconnect
        }
    }

    fn helo(&mut self, session: &Session, _: &mut BString, capabilities: &mut BString) -> Answer {
        if is_active(session) {
            capabilities.extend_from_slice(b"STARTTLS\n");
        }
        None
    }

    fn check(&self, session: &Session) -> Vec<Finding> {
        if session.setting(UCSPITLS).is_none() {
            let text = format!("starttls-ucspi does nothing: ${UCSPITLS} is not set");
            return vec![Finding::Warning(text.into())];
        }
        let missing = DESCRIPTORS.into_iter().filter(|name| descriptor(session, name).is_none());
        missing.map(|name| Finding::Problem(format!("${name} names no descriptor").into())).collect()
    }
}

fn is_active(session: &Session) -> bool {
    session.setting(UCSPITLS).is_some() && !session.is_in_tls()
}

/// The descriptor that a variable names; 0 is none (TLS-25).
fn descriptor(session: &Session, name: &str) -> Option<RawFd> {
    let number = session.setting(name).as_deref().and_then(|value| decimal_prefix(value))?;
    RawFd::try_from(number).ok().filter(|number| *number > 0)
}

/// Puts the server's descriptors in place of the client's; nothing if one cannot be had (TLS-22, -25).
/// They are named by number, as UCSPI does; what they were before is closed by that.
fn start(session: &Session) -> Option<()> {
    let [control, input, output] = DESCRIPTORS.map(|name| descriptor(session, name));
    // From here on nothing can be read that came in the clear.
    dup2(control?, 0).ok()?;
    let discarded = session.connection.replace_input(stdio::stdin());
    rustix::io::write(stdio::stdin(), GO).ok()?;
    dup2(input?, 0).ok()?;
    dup2(output?, 1).ok()?;
    for used in [control, input, output].into_iter().flatten().filter(|number| *number > 2) {
        // Two may be one.
        let _ignored = close(used);
    }
    if discarded > 0 {
        // The client is told nothing: every reply inside would be one too late (TLS-23).
        session.log(b"500 5.5.1 Unexpected pipelined commands following STARTTLS");
    }
    session.enter_tls();
    session.withdraw(UCSPITLS.as_bytes());
    Some(())
}
