//! The options: `--help`, `--version`, `--list-modules` and `--check` (CORE-ARG-4).

use bstr::{BString, ByteSlice};
use rustix::{io::Errno, stdio};

use crate::{
    connection::{Connection, LONGEST},
    driver::{Service, Words},
    log::Log,
    modules,
    plugin::Finding,
    protocol::ExitStatus,
    scratch,
    session::Session,
    wire::{
        number::{decimal_prefix, whole_decimal},
        text,
    },
};

/// What is read before settings are recorded, or only where a session needs it.
const EARLY_SETTINGS: &[&str] = &["MODULE_PATH", "MSG_DEBUG", "MSG_NO_PROGRAM", "PROTO", "TMPDIR"];

/// Settings of which is told whether they have a value, and not which (CORE-ARG-4).
const SECRETS: &[&str] = &["CVM_LOOKUP_SECRET", "LOOKUP_SECRET"];

const HELP: &str = "\
usage: mailfront PROTOCOL BACKEND [LIST ...]
       mailfront --check PROTOCOL BACKEND [LIST ...]
       mailfront --list-modules | --version | --help

Serves one client on standard input and output.
LIST holds plugins separated by `:`; `+name` puts one in front, `-name` drops it, `-*` drops all.
$PLUGINS is one more list, after all others.

--check         load and configure everything, serve nobody, tell what is wrong
--list-modules  what can be named, one `KIND NAME` a line
";

/// Does what an option asks for, if the first argument is one; any other word is a name.
pub fn run(arguments: &[BString]) -> Option<ExitStatus> {
    let (first, rest) = arguments.split_first()?;
    match first.as_slice() {
        b"--help" => print(HELP.as_bytes()),
        b"--version" => print(concat!("mailfront ", env!("CARGO_PKG_VERSION"), "\n").as_bytes()),
        b"--list-modules" => list_modules(),
        b"--check" => return Some(check(rest)),
        _ => return None,
    }
    Some(ExitStatus::DONE)
}

/// The options of a program that has no modules: `--help` and `--version`.
pub fn own_option(name: &str, help: &str, arguments: &[BString]) -> Option<ExitStatus> {
    match arguments.first()?.as_slice() {
        b"--help" => print(help.as_bytes()),
        b"--version" => print(format!("{name} {}\n", env!("CARGO_PKG_VERSION")).as_bytes()),
        _ => return None,
    }
    Some(ExitStatus::DONE)
}

fn list_modules() {
    let session = quiet_session();
    let mut lines = Vec::new();
    for (kind, name) in modules::list(&session) {
        lines.extend_from_slice(kind.name().as_bytes());
        lines.push(b' ');
        lines.extend_from_slice(&text::for_log(&name));
        lines.push(b'\n');
    }
    print(&lines);
}

fn quiet_session() -> Session {
    Session::new(Connection::new(Log::new("mailfront")))
}

fn check(arguments: &[BString]) -> ExitStatus {
    let session = quiet_session();
    session.record_settings();
    for name in EARLY_SETTINGS {
        let _shown_later = session.setting(name);
    }
    let mut findings = Vec::new();
    match Words::from_arguments(arguments) {
        None => findings.push(problem("Protocol or backend name are missing from the command line")),
        Some(words) => match Service::load(&session, &words) {
            Err(failure) => findings.push(Finding::Problem(failure.text(true))),
            Ok(mut service) => {
                examine(&session, &mut service, &mut findings);
                print(&summary(&session, &service));
                let _ignored = service.chain.reset(&session);
            }
        },
    }
    report(&session.connection.log, &findings)
}

fn examine(session: &Session, service: &mut Service, findings: &mut Vec<Finding>) {
    service.set_time_limits(session);
    findings.extend(doubtful_seconds(session, "TIMEOUT"));
    findings.extend(doubtful_seconds(session, "SESSION_TIMEOUT"));
    if service.chain.needs_file()
        && let Err(error) = scratch::create(session)
    {
        let directory = scratch::directory(session);
        findings.push(problem(&format!("no temporary file in {}: {error}", directory.display())));
    }
    findings.extend(service.chain.examine(session));
    if service.protocol.init(session).is_err() {
        findings.push(problem("the protocol cannot start"));
    }
    findings.extend(service.protocol.check(session));
}

fn problem(text: &str) -> Finding {
    Finding::Problem(text.into())
}

/// A time limit that is not what it seems (CORE-TIME-1, -6).
fn doubtful_seconds(session: &Session, name: &str) -> Option<Finding> {
    let value = session.setting(name)?;
    let read = match decimal_prefix(&value) {
        None | Some(0) => "the default".into(),
        Some(seconds) if whole_decimal(&value).is_none() || seconds > LONGEST => {
            format!("{} seconds", seconds.min(LONGEST))
        }
        Some(_) => return None,
    };
    Some(Finding::Warning(format!("${name} is {value:?}: taken as {read}").into()))
}

/// The effective plugins, one a line in their order, and each setting that was read.
fn summary(session: &Session, service: &Service) -> Vec<u8> {
    let chain = &service.chain;
    let mut lines: Vec<Vec<u8>> = vec![[b"backend ", chain.backend().name().as_bytes()].concat()];
    lines.extend(chain.plugins().iter().map(|plugin| [b"plugin ", plugin.name().as_bytes()].concat()));
    lines.push(format!("temporary file {}", if chain.needs_file() { "yes" } else { "no" }).into());
    let is_secret = |name: &BString| SECRETS.iter().any(|secret| secret.as_bytes() == name.as_slice());
    lines.extend(session.settings().into_iter().map(|(name, value)| match value {
        Some(value) if !value.is_empty() && is_secret(&name) => {
            [b"setting ", name.as_bytes(), b" set, not shown"].concat()
        }
        Some(value) => [b"setting ", name.as_bytes(), b"=", &value].concat(),
        None => [b"setting ", name.as_bytes(), b" unset"].concat(),
    }));
    let escaped = lines.into_iter().flat_map(|line| [text::for_log(&line), "\n".into()]);
    escaped.flat_map(Vec::from).collect()
}

fn report(log: &Log, findings: &[Finding]) -> ExitStatus {
    let mut status = ExitStatus::DONE;
    for finding in findings {
        match finding {
            Finding::Warning(text) => log.warning(text),
            Finding::Problem(text) => {
                log.line(text);
                status = ExitStatus::FAILED;
            }
        }
    }
    status
}

fn print(bytes: &[u8]) {
    let mut rest = bytes;
    while !rest.is_empty() {
        match rustix::io::write(stdio::stdout(), rest) {
            Ok(count) => rest = &rest[count..],
            Err(Errno::INTR) => {}
            // There is nowhere to tell of it.
            Err(_) => return,
        }
    }
}
