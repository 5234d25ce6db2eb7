//! Our programs by name: what each adds to its arguments, and what they all do at first.

use std::{ffi::OsString, os::unix::ffi::OsStringExt, path::Path};

use bstr::BString;

use crate::{check, driver, imap, log::Log, modules, pop3, process, protocol::ExitStatus};

/// The plugins of the wrappers for qmail (WRAP-1).
const QMAIL: &[&str] = &[
    "check-fqdn",
    "counters",
    "mailrules",
    "relayclient",
    "cvm-validate",
    "qmail-validate",
    "add-received",
    "patterns",
];

/// A program of ours.
struct Program {
    name: &'static str,
    kind: Kind,
}

/// What a program does.
enum Kind {
    /// `mailfront` with words in front of its arguments (WRAP-1).
    Mailfront(&'static [&'static [&'static str]]),
    /// Something of its own; the text is what `--help` shows (POPAUTH-ARG-1, MAILDIR-ARG-1, IMAP-ARG-1).
    Own(fn(&[BString]) -> ExitStatus, &'static str),
}

const PROGRAMS: &[Program] = &[
    Program { name: "mailfront", kind: Kind::Mailfront(&[]) },
    Program { name: "imapfront-auth", kind: Kind::Own(imap::run, imap::HELP) },
    Program { name: "pop3front-auth", kind: Kind::Own(pop3::auth::run, pop3::auth::HELP) },
    Program { name: "pop3front-maildir", kind: Kind::Own(pop3::maildir::run, pop3::maildir::HELP) },
    Program { name: "smtpfront-echo", kind: Kind::Mailfront(&[&["smtp", "echo"]]) },
    Program { name: "qmtpfront-echo", kind: Kind::Mailfront(&[&["qmtp", "echo"]]) },
    Program { name: "qmqpfront-echo", kind: Kind::Mailfront(&[&["qmqp", "echo"]]) },
    Program {
        name: "smtpfront-qmail",
        kind: Kind::Mailfront(&[&["smtp", "qmail", "cvm-authenticate"], QMAIL]),
    },
    Program { name: "qmtpfront-qmail", kind: Kind::Mailfront(&[&["qmtp", "qmail"], QMAIL]) },
    Program { name: "qmqpfront-qmail", kind: Kind::Mailfront(&[&["qmqp", "qmail"], QMAIL]) },
];

/// The names of our programs.
pub fn names() -> impl Iterator<Item = &'static str> {
    PROGRAMS.iter().map(|program| program.name)
}

/// What this mailfront can do: the names of its built-in modules; `c-modules`, compiled ones; `tls`, the
/// `$TLS_*` variables.
pub fn features() -> impl Iterator<Item = &'static str> {
    modules::built_in_names().chain(["c-modules", "tls"])
}

/// Runs the program that the file name of the first word names, with the other words as its arguments,
/// and gives its exit status; nothing if no program of ours is called so.
pub fn run_as_called(words: impl IntoIterator<Item = OsString>) -> Option<i32> {
    let mut words = words.into_iter();
    let called = words.next()?;
    let name = Path::new(&called).file_name()?;
    let program = PROGRAMS.iter().find(|program| program.name == name)?;
    Some(program.run(words))
}

/// The status of a program that cannot serve.
const NO_SERVICE: i32 = 111;

/// Runs the program `name` with these arguments and gives its exit status; 111 if there is none.
pub fn run(name: &str, arguments: impl IntoIterator<Item = OsString>) -> i32 {
    PROGRAMS.iter().find(|program| program.name == name).map_or(NO_SERVICE, |program| program.run(arguments))
}

impl Program {
    fn run(&self, arguments: impl IntoIterator<Item = OsString>) -> i32 {
        process::prepare();
        if process::has_foreign_rights() {
            Log::new(self.name).fatal(b"installed set-uid or set-gid, which is not safe");
            return NO_SERVICE;
        }
        let given = arguments.into_iter().map(|word| BString::from(word.into_vec()));
        match &self.kind {
            Kind::Mailfront(leading) => {
                let leading = leading.iter().copied().flatten().map(|word| BString::from(*word));
                let arguments: Vec<BString> = leading.chain(given).collect();
                check::run(&arguments).unwrap_or_else(|| driver::serve(&arguments)).0
            }
            Kind::Own(run, help) => {
                let arguments: Vec<BString> = given.collect();
                check::own_option(self.name, help, &arguments).unwrap_or_else(|| run(&arguments)).0
            }
        }
    }
}

/// The `main` of one of our programs.
///
/// It is the C runtime's own: Rust's start-up costs more than a short session. What it does for the
/// standard library is either not needed (`args_os` has its own source) or done in
/// [`process::prepare`].
#[macro_export]
macro_rules! program {
    ($name:literal) => {
        // `no_mangle` counts as unsafe; the symbol is the program's only one of that name.
        #[allow(unsafe_code)]
        #[unsafe(no_mangle)]
        extern "C" fn main(_count: i32, _words: *const *const std::ffi::c_char) -> i32 {
            $crate::programs::run($name, std::env::args_os().skip(1))
        }
    };
}
