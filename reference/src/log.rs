//! Lines on standard error (CORE-LOG-1 … 11). Stops forged log lines (SEC-103).

use bstr::BString;
use rustix::stdio;

use crate::{
    session::process_variable,
    wire::{number::decimal_prefix, text},
};

/// The longest text of a line; what is beyond is cut, so that a line stays one write (CORE-LOG-1, -5).
pub const TEXT_MAX: usize = 4096;

/// Where one program writes its log.
pub struct Log {
    /// `NAME[PID]: `
    prefix: BString,
    /// `$MSG_NO_PROGRAM` leaves the prefix out, but not of debug lines (CORE-LOG-10).
    bare: bool,
    tracing: bool,
}

impl Log {
    /// The log of `program`, as `$MSG_NO_PROGRAM` and bit 0 of `$MSG_DEBUG` want it (CORE-LOG-6).
    pub fn new(program: &str) -> Self {
        let mask = process_variable(b"MSG_DEBUG").unwrap_or_default();
        Self {
            prefix: format!("{program}[{}]: ", std::process::id()).into(),
            bare: process_variable(b"MSG_NO_PROGRAM").is_some(),
            tracing: decimal_prefix(&mask).is_some_and(|mask| mask & 1 == 1),
        }
    }

    /// Writes one line. `text` is escaped as CORE-LOG-5 says and needs no line end.
    pub fn line(&self, text: &[u8]) {
        write(self.prefix(), b"", text);
    }

    /// A failure that ends the program before a session began (CORE-LOG-2).
    pub fn fatal(&self, text: &[u8]) {
        write(self.prefix(), b"Fatal: ", text);
    }

    /// Something to mend that does not keep the program from serving.
    pub fn warning(&self, text: &[u8]) {
        write(self.prefix(), b"Warning: ", text);
    }

    /// A line about the walk over the plugins, if they are wanted (CORE-LOG-6).
    pub fn debug(&self, text: &[u8]) {
        if self.tracing {
            write(&self.prefix, b"Debug: ", text);
        }
    }

    /// Whether [`Log::debug`] writes anything.
    pub fn is_tracing(&self) -> bool {
        self.tracing
    }

    fn prefix(&self) -> &[u8] {
        if self.bare { b"" } else { &self.prefix }
    }
}

/// Writes a line that has no prefix at all: the usage of a program (POPAUTH-ARG-1).
pub fn usage(text: &str) {
    write(b"", b"", text.as_bytes());
}

fn write(prefix: &[u8], severity: &[u8], text: &[u8]) {
    let text = text::for_log(&text[..text.len().min(TEXT_MAX)]);
    let line = [prefix, severity, &text, b"\n"].concat();
    let mut rest = &line[..];
    while !rest.is_empty() {
        match rustix::io::write(stdio::stderr(), rest) {
            Ok(0) => break,
            Ok(written) => rest = &rest[written..],
            Err(rustix::io::Errno::INTR) => {}
            // A log nobody takes must not disturb the session (CORE-LOG-11).
            Err(_) => break,
        }
    }
}
