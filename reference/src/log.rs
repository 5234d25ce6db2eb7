//! Lines on standard error (CORE-LOG-1 … 11). Stops forged log lines (SEC-103).

use std::cell::RefCell;

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
    /// Nothing is written: the session is played inside another program.
    silent: bool,
    /// Room for a line, kept from one to the next.
    room: RefCell<Vec<u8>>,
}

impl Log {
    /// The log of `program`, as `$MSG_NO_PROGRAM` and bit 0 of `$MSG_DEBUG` want it (CORE-LOG-6).
    pub fn new(program: &str) -> Self {
        let mask = process_variable(b"MSG_DEBUG").unwrap_or_default();
        Self {
            prefix: format!("{program}[{}]: ", std::process::id()).into(),
            bare: process_variable(b"MSG_NO_PROGRAM").is_some(),
            tracing: decimal_prefix(&mask).is_some_and(|mask| mask & 1 == 1),
            silent: false,
            room: RefCell::default(),
        }
    }

    /// A log that writes nothing, for sessions inside another program, such as a fuzzer.
    pub fn silent() -> Self {
        Self {
            prefix: BString::default(),
            bare: true,
            tracing: false,
            silent: true,
            room: RefCell::default(),
        }
    }

    /// Writes one line. `text` is escaped as CORE-LOG-5 says and needs no line end.
    pub fn line(&self, text: &[u8]) {
        self.parts(&[text]);
    }

    /// As [`Log::line`], of a text in parts.
    pub fn parts(&self, text: &[&[u8]]) {
        self.write(b"", text);
    }

    /// A failure that ends the program before a session began (CORE-LOG-2).
    pub fn fatal(&self, text: &[u8]) {
        self.write(b"Fatal: ", &[text]);
    }

    /// Something to mend that does not keep the program from serving.
    pub fn warning(&self, text: &[u8]) {
        self.write(b"Warning: ", &[text]);
    }

    /// A line about the walk over the plugins, if they are wanted (CORE-LOG-6).
    pub fn debug(&self, text: &[u8]) {
        if self.tracing {
            self.write_behind(&self.prefix, b"Debug: ", &[text]);
        }
    }

    /// Whether [`Log::debug`] writes anything.
    pub fn is_tracing(&self) -> bool {
        self.tracing
    }

    fn write(&self, severity: &[u8], text: &[&[u8]]) {
        if !self.silent {
            self.write_behind(if self.bare { b"" } else { &self.prefix }, severity, text);
        }
    }

    fn write_behind(&self, prefix: &[u8], severity: &[u8], text: &[&[u8]]) {
        let mut line = self.room.take();
        write(&mut line, prefix, severity, text);
        self.room.replace(line);
    }
}

/// Writes a line that has no prefix at all: the usage of a program (POPAUTH-ARG-1).
pub fn usage(text: &str) {
    write(&mut Vec::new(), b"", b"", &[text.as_bytes()]);
}

/// Writes a line, made up in `line`.
fn write(line: &mut Vec<u8>, prefix: &[u8], severity: &[u8], text: &[&[u8]]) {
    line.clear();
    line.extend_from_slice(prefix);
    line.extend_from_slice(severity);
    let mut left = TEXT_MAX;
    for part in text {
        let part = &part[..part.len().min(left)];
        text::add_for_log(part, line);
        left -= part.len();
    }
    line.push(b'\n');
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
