//! `patterns`: refuses messages with a line that matches one of the patterns in `$PATTERNS`
//! (PAT-FILE-1 … PAT-REJ-2).
//!
//! The file is read for each message, so that an edit counts at once. Where the envelope follows the
//! message, a rule may name a file when the message has passed already: the plugin then keeps a copy
//! and scans that (NS-HOOK-5).

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, Read as _, Seek as _},
    os::unix::ffi::OsStrExt as _,
};

use bstr::{BString, ByteSlice};

use crate::{
    plugin::{Answer, Finding, Hook, Module},
    response::Response,
    scratch::Scratch,
    session::Session,
    wire::{
        number::whole_decimal,
        patterns::{self, DEFAULT_LINE_MAX, DEFAULT_RESPONSE, LONGEST_LINE_MAX, Scan},
    },
};

/// How much of a kept copy is scanned at once.
const BLOCK: usize = 64 * 1024;

/// The plugin.
#[derive(Default)]
pub struct Patterns {
    /// What this message is scanned for, and where.
    used: Used,
    patterns: Option<patterns::Patterns>,
    scan: Scan,
    copy: Option<Scratch>,
}

/// The settings that one scan goes by.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Used {
    /// The file; `None` if nothing is scanned.
    name: Option<BString>,
    line_max: usize,
    response: BString,
}

impl Used {
    /// What holds now (PAT-FILE-1, PAT-CFG-1, PAT-RESP-2).
    fn now(session: &Session) -> Self {
        let line_max = session.variable(b"PATTERNS_LINEMAX").and_then(|value| whole_decimal(&value));
        let line_max = line_max.filter(|n| *n > 0).map_or(DEFAULT_LINE_MAX, |n| {
            usize::try_from(n).unwrap_or(LONGEST_LINE_MAX).min(LONGEST_LINE_MAX)
        });
        let response = session.variable(b"PATTERNS_RESP").filter(|text| !text.is_empty());
        Self {
            // An empty name switches scanning off (PAT-FILE-2).
            name: session.variable(b"PATTERNS").filter(|name| !name.is_empty()),
            line_max,
            response: response.unwrap_or_else(|| DEFAULT_RESPONSE.into()),
        }
    }

    /// # Errors
    /// The file cannot be read.
    fn load(&self) -> io::Result<Option<patterns::Patterns>> {
        let Some(name) = &self.name else { return Ok(None) };
        let source = fs::read(OsStr::from_bytes(name))?;
        Ok(Some(patterns::Patterns::parse(&source, &self.response, self.line_max)))
    }
}

impl Module for Patterns {
    fn has(&self, hook: Hook) -> bool {
        matches!(hook, Hook::Reset | Hook::DataStart | Hook::DataBlock | Hook::MessageEnd)
    }

    fn variables(&self) -> &'static [&'static str] {
        &["PATTERNS", "PATTERNS_LINEMAX", "PATTERNS_RESP"]
    }

    fn check(&self, session: &Session) -> Vec<Finding> {
        let mut findings: Vec<Finding> = Vec::new();
        let line_max = session.variable(b"PATTERNS_LINEMAX").filter(|value| !value.is_empty());
        if let Some(value) = line_max.filter(|value| whole_decimal(value).is_none_or(|n| n == 0)) {
            let parts: [&[u8]; 3] = [b"$PATTERNS_LINEMAX is `", &value, b"`, which is ignored"];
            findings.push(Finding::Warning(parts.concat().into()));
        }
        let Some(name) = Used::now(session).name else { return findings };
        match fs::read(OsStr::from_bytes(&name)) {
            Err(error) => findings.push(Finding::Problem(unreadable(&name, &error))),
            Ok(source) => findings.extend(patterns::doubts(&source).map(|doubt| {
                let line = format!(":{}:1: `", doubt.line);
                let parts: [&[u8]; 4] = [
                    &name,
                    line.as_bytes(),
                    &[doubt.byte],
                    b"` is dropped: a pattern begins with `/`, `:` or `\\`",
                ];
                Finding::Warning(parts.concat().into())
            })),
        }
        findings
    }

    fn reset(&mut self, _: &Session) -> Answer {
        *self = Self::default();
        None
    }

    fn data_start(&mut self, session: &Session, _: Option<&File>) -> Answer {
        *self = Self { used: Used::now(session), ..Self::default() };
        match self.used.load() {
            Ok(patterns) => self.patterns = patterns,
            Err(error) => return cannot_read(session, &self.used, &error),
        }
        if session.envelope_is_last() {
            match Scratch::create(session) {
                Ok(copy) => self.copy = Some(copy),
                Err(_) => return Some(Response::internal()),
            }
        }
        None
    }

    fn data_block(&mut self, _: &Session, block: &[u8]) -> Answer {
        if self.copy.as_mut().is_some_and(|copy| copy.append(block).is_err()) {
            return Some(Response::internal());
        }
        let patterns = self.patterns.as_ref()?;
        self.scan.push(patterns, block).map(refused)
    }

    fn message_end(&mut self, session: &Session, _: Option<&File>) -> Answer {
        let ended = self.patterns.as_ref().and_then(|patterns| self.scan.finish(patterns)).map(refused);
        ended.or_else(|| self.scan_again(session))
    }
}

impl Patterns {
    /// Scans the copy for what the rules have named meanwhile, if that is something else.
    fn scan_again(&mut self, session: &Session) -> Answer {
        let copy = self.copy.as_mut()?;
        let now = Used::now(session);
        if now == self.used {
            return None;
        }
        let patterns = match now.load() {
            Ok(patterns) => patterns?,
            Err(error) => return cannot_read(session, &now, &error),
        };
        scan_copy(copy, &patterns).unwrap_or_else(|_| Some(Response::internal()))
    }
}

/// # Errors
/// The copy cannot be read back.
fn scan_copy(copy: &mut Scratch, patterns: &patterns::Patterns) -> io::Result<Answer> {
    copy.flush()?;
    let mut file = copy.file();
    file.rewind()?;
    let mut scan = Scan::default();
    let mut block = vec![0; BLOCK];
    loop {
        let count = file.read(&mut block)?;
        if count == 0 {
            return Ok(scan.finish(patterns).map(refused));
        }
        if let Some(response) = scan.push(patterns, &block[..count]) {
            return Ok(Some(refused(response)));
        }
    }
}

fn refused(text: &BString) -> Response {
    Response::new(554, text.clone())
}

/// A filter that is named and cannot be had must not let everything through (PAT-FILE-2).
fn cannot_read(session: &Session, used: &Used, error: &io::Error) -> Answer {
    session
        .connection
        .log
        .warning(&unreadable(used.name.as_deref().map_or(b"", |name| name.as_bytes()), error));
    Some(Response::new(451, "4.3.0 Could not read patterns file"))
}

fn unreadable(name: &[u8], error: &io::Error) -> BString {
    let reason = error.to_string();
    // The system's words alone, as the C library has them.
    let reason = reason.split(" (os error").next().unwrap_or_default();
    [b"Could not read patterns file '", name, b"': ", reason.as_bytes()].concat().into()
}
