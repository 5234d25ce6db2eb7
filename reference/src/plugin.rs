//! What a module can do: the hooks of an event chain and commands of its own (HOOK-ORDER-1).

use std::fs::File;

use bstr::{BStr, BString};

use crate::{response::Response, session::Session};

/// What a hook returns: `None` passes, a number below 400 accepts, one from 400 on refuses.
pub type Answer = Option<Response>;

/// The events of a session, in the words of the log (CORE-LOG-6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hook {
    /// Start-up.
    Init,
    /// HELO or EHLO.
    Helo,
    /// Whatever belongs to one message is to be forgotten.
    Reset,
    /// The envelope sender.
    Sender,
    /// One envelope recipient.
    Recipient,
    /// The message begins.
    DataStart,
    /// A part of the message.
    DataBlock,
    /// The message is complete.
    MessageEnd,
}

impl Hook {
    /// The name in debug lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Helo => "helo",
            Self::Reset => "reset",
            Self::Sender => "sender",
            Self::Recipient => "recipient",
            Self::DataStart => "data_start",
            Self::DataBlock => "data_block",
            Self::MessageEnd => "message_end",
        }
    }
}

/// Something `--check` tells of a configuration (CORE-ARG-4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// A session could not serve: the check fails.
    Problem(BString),
    /// Worth knowing; the check passes.
    Warning(BString),
}

/// Why a module cannot be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadError {
    /// It was built for another interface (CORE-MOD-8).
    VersionMismatch,
    /// Anything else.
    Unloadable {
        /// The reason without paths, for the client (CORE-MOD-7, SEC-110).
        public: BString,
        /// The whole reason, for the log.
        full: BString,
    },
}

/// A plugin or a backend. Every hook is optional; one that is absent passes.
///
/// Hooks never see an address or parameter with NUL, CR or LF in it: the protocols refuse those
/// first (HOOK-ADDR-4). `file` is the message's temporary file, if there is one (HOOK-TMP-1); its
/// position is unspecified.
pub trait Module {
    /// Whether the module has this hook; the chain calls no other (HOOK-ORDER-2).
    fn has(&self, hook: Hook) -> bool;

    /// Whether each message must be in a temporary file (PLUG-LIST-3).
    fn needs_file(&self) -> bool {
        false
    }

    /// The commands this module adds to SMTP, in its order (PLUG-CMD-1).
    fn commands(&self) -> Vec<Command> {
        Vec::new()
    }

    /// Whether command `index` of [`Module::commands`] is enabled now (PLUG-CMD-2).
    fn command_enabled(&mut self, index: usize, session: &Session) -> bool {
        let _ = (index, session);
        true
    }

    /// Runs command `index`, which sends its own response. `argument` is `None` if the line had none.
    fn command(&mut self, index: usize, argument: Option<&mut BString>, session: &Session) -> Flow {
        let _ = (index, argument, session);
        Flow::Continue
    }

    /// The session variables it looks up while serving, which `--check` shows (CORE-ARG-4).
    fn variables(&self) -> &'static [&'static str] {
        &[]
    }

    /// What `--check` should tell of this module's settings, after a good [`Module::init`].
    fn check(&self, session: &Session) -> Vec<Finding> {
        let _ = session;
        Vec::new()
    }

    /// What `--check` should tell if this module refuses to start: where in its files the reason lies.
    fn explain(&self, session: &Session) -> Vec<Finding> {
        let _ = session;
        Vec::new()
    }

    /// At start-up. A refusal ends the program before any greeting (CORE-START-3).
    fn init(&mut self, session: &Session) -> Answer {
        let _ = session;
        None
    }

    /// At HELO and EHLO. `capabilities` collects `NAME\n` lines for EHLO (HOOK-ADDR-3).
    fn helo(&mut self, session: &Session, name: &mut BString, capabilities: &mut BString) -> Answer {
        let _ = (session, name, capabilities);
        None
    }

    /// Before each transaction, after a failed one, and at exit (HOOK-RESET-1).
    fn reset(&mut self, session: &Session) -> Answer {
        let _ = session;
        None
    }

    /// The envelope sender. `parameters` are separated by NUL (HOOK-ADDR-2).
    fn sender(&mut self, session: &Session, address: &mut BString, parameters: &mut BString) -> Answer {
        let _ = (session, address, parameters);
        None
    }

    /// One envelope recipient.
    fn recipient(&mut self, session: &Session, address: &mut BString, parameters: &mut BString) -> Answer {
        let _ = (session, address, parameters);
        None
    }

    /// The message begins. Header bytes are added with [`Session::inject`] (HOOK-DATA-6).
    fn data_start(&mut self, session: &Session, file: Option<&File>) -> Answer {
        let _ = (session, file);
        None
    }

    /// A part of the message, never empty (HOOK-DATA-1).
    fn data_block(&mut self, session: &Session, block: &[u8]) -> Answer {
        let _ = (session, block);
        None
    }

    /// The message is complete. In file mode a backend delivers the file's content (HOOK-DATA-7).
    fn message_end(&mut self, session: &Session, file: Option<&File>) -> Answer {
        let _ = (session, file);
        None
    }
}

/// A command of a module's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The verb, compared without regard to ASCII case.
    pub verb: BString,
    /// Whether there is a handler for the verb alone.
    pub without_argument: bool,
    /// Whether there is a handler for the verb with an argument.
    pub with_argument: bool,
}

/// What becomes of the session after a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// The next command is read.
    Continue,
    /// The session ends with status 1 (PLUG-CMD-3).
    Disconnect,
}

/// A module together with the name it was loaded under.
pub struct Named {
    /// The name as given on the command line, without operator.
    pub name: BString,
    /// The module.
    pub module: Box<dyn Module>,
}

impl Named {
    /// The name, for logs.
    pub fn name(&self) -> &BStr {
        self.name.as_ref()
    }
}
