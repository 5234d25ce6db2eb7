//! One session from its arguments to its exit status (CORE-START-1 … 7, CORE-EXIT-1 … 3).

use bstr::{BStr, BString, ByteSlice};

use crate::{
    chain::Chain,
    connection::{Connection, DEFAULT_TIMEOUT, End},
    log::Log,
    modules::{self, Kind},
    plugin::{LoadError, Named},
    plugin_list,
    protocol::{ExitStatus, Protocol},
    response::Response,
    session::Session,
    wire::number::decimal_prefix,
};

/// A protocol and the chain of modules it drives.
pub struct Service {
    /// Speaks with the client.
    pub protocol: Box<dyn Protocol>,
    /// Decides and delivers.
    pub chain: Chain,
}

/// A module that could not be loaded.
pub struct LoadFailure {
    kind: Kind,
    name: BString,
    error: LoadError,
}

/// Serves the client on standard input and output as the arguments of `mailfront` say.
pub fn serve(arguments: &[BString]) -> ExitStatus {
    let log = Log::new("mailfront");
    let Some(words) = Words::from_arguments(arguments) else {
        log.fatal(b"Protocol or backend name are missing from the command line");
        return ExitStatus::FATAL;
    };
    let session = Session::new(Connection::new(log));
    let mut service = match Service::load(&session, &words) {
        Ok(service) => service,
        Err(failure) => {
            failure.report(&session);
            return ExitStatus::FAILED;
        }
    };
    service.set_time_limits(&session);
    let status = service.run(&session);
    finish(&session, &mut service.chain);
    status
}

/// What every exit after start-up sees to: one last reset, whatever it answers (HOOK-RESET-1), and the
/// count of bytes (CORE-LOG-7).
pub(crate) fn finish(session: &Session, chain: &mut Chain) {
    let _ignored = chain.reset(session);
    session.connection.close();
    session.connection.log_bytes();
}

/// The arguments of `mailfront`, by their meaning (CORE-ARG-1).
pub struct Words<'a> {
    protocol: &'a BStr,
    backend: &'a BStr,
    lists: &'a [BString],
}

impl<'a> Words<'a> {
    /// Nothing if protocol or backend are missing.
    pub fn from_arguments(arguments: &'a [BString]) -> Option<Self> {
        let [protocol, backend, lists @ ..] = arguments else { return None };
        Some(Self { protocol: protocol.as_bstr(), backend: backend.as_bstr(), lists })
    }
}

impl Service {
    /// Loads protocol, backend and plugins, in this order (CORE-MOD-4).
    ///
    /// # Errors
    /// The first module that cannot be loaded.
    pub fn load(session: &Session, words: &Words<'_>) -> Result<Self, LoadFailure> {
        let fail = |kind, name: &BStr| {
            let name = name.to_owned();
            move |error| LoadFailure { kind, name, error }
        };
        let protocol =
            modules::protocol(session, words.protocol).map_err(fail(Kind::Protocol, words.protocol))?;
        session.set_protocol(protocol.name());
        session.connection.set_framing(protocol.framing());
        let backend = modules::backend(session, words.backend).map_err(fail(Kind::Backend, words.backend))?;
        let mut needs_file = backend.needs_file();
        let mut plugins: Vec<Named> = Vec::new();
        let more = session.setting("PLUGINS");
        for item in words.lists.iter().chain(&more).flat_map(|list| plugin_list::items(list)) {
            plugin_list::apply(&mut plugins, item, Named::name, |name| {
                let module = modules::plugin(session, name).map_err(fail(Kind::Plugin, name))?;
                // Stays so even if the plugin is removed again (PLUG-LIST-7).
                needs_file |= module.needs_file();
                Ok(Named { name: name.to_owned(), module })
            })?;
        }
        session.set_message_waits(needs_file);
        let backend = Named { name: words.backend.to_owned(), module: backend };
        Ok(Self { protocol, chain: Chain::new(plugins, backend, needs_file) })
    }

    /// `$TIMEOUT` and `$SESSION_TIMEOUT`; without a positive number the defaults (CORE-TIME-1, -7 … 9).
    pub fn set_time_limits(&self, session: &Session) {
        let positive =
            |name| session.setting(name).as_deref().and_then(|v| decimal_prefix(v)).filter(|n| *n > 0);
        session.connection.set_inactivity(positive("TIMEOUT").unwrap_or(DEFAULT_TIMEOUT));
        let limit = positive("SESSION_TIMEOUT").unwrap_or_else(|| self.protocol.default_session_limit());
        session.connection.set_session_limit(limit);
    }

    fn run(&mut self, session: &Session) -> ExitStatus {
        if let Some(refusal) = self.chain.init(session) {
            return match session.respond(&refusal) {
                Err(End::SessionOver) => ExitStatus::DONE,
                _ => ExitStatus::FAILED,
            };
        }
        match self.protocol.init(session) {
            Ok(()) => self.protocol.run(session, &mut self.chain),
            Err(status) => status,
        }
    }
}

impl LoadFailure {
    /// Tells log and client. The log has the whole reason, the client one without paths (SEC-110);
    /// of a protocol there is nobody to tell the client (CORE-MOD-5 … 8).
    fn report(&self, session: &Session) {
        let full = Response::new(451, self.text(true));
        match self.kind {
            Kind::Protocol => session.connection.log.fatal(full.text().unwrap_or_default()),
            Kind::Backend | Kind::Plugin => {
                session.connection.log_refusal(&full);
                // Nobody is left who could do more about a client that is gone.
                let _ignored = session.connection.send(&Response::new(451, self.text(false)));
            }
        }
    }

    /// What went wrong, on one line.
    pub fn text(&self, full: bool) -> BString {
        let kind = self.kind.name();
        let (public, whole) = match &self.error {
            LoadError::VersionMismatch => {
                let capital = kind[..1].to_ascii_uppercase();
                return format!("4.3.0 {capital}{} ABI version mismatch", &kind[1..]).into();
            }
            LoadError::Unloadable { public, full } => (public, full),
        };
        let start = format!("4.3.0 Error loading {kind} ");
        let reason = if full { whole } else { public };
        [start.as_bytes(), &self.name, b": ", reason].concat().into()
    }
}
