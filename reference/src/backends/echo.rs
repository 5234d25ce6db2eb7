//! `echo`: delivers nothing and tells what it was given (ECHO-1 … 10).

use std::{fs::File, os::unix::fs::FileExt};

use bstr::BString;

use crate::{
    plugin::{Answer, Hook, Module},
    response::Response,
    session::Session,
    wire::address,
};

/// How much of a temporary file is looked at for its first lines (ECHO-6).
const FILE_START: usize = 1023;

/// The backend.
#[derive(Default)]
pub struct Echo {
    /// Bytes of data since the last reset (ECHO-4).
    received: u64,
}

impl Module for Echo {
    fn has(&self, hook: Hook) -> bool {
        matches!(hook, Hook::Reset | Hook::Sender | Hook::Recipient | Hook::DataBlock | Hook::MessageEnd)
    }

    fn reset(&mut self, _: &Session) -> Answer {
        self.received = 0;
        None
    }

    fn sender(&mut self, _: &Session, address: &mut BString, parameters: &mut BString) -> Answer {
        Some(Response::new(250, told("Sender", address, parameters)))
    }

    fn recipient(&mut self, _: &Session, address: &mut BString, parameters: &mut BString) -> Answer {
        Some(Response::new(250, told("Recipient", address, parameters)))
    }

    fn data_block(&mut self, session: &Session, block: &[u8]) -> Answer {
        if self.received == 0 {
            session.log_parts(&first_lines(block).unwrap_or([block, b""]));
        }
        self.received += block.len() as u64;
        None
    }

    fn message_end(&mut self, session: &Session, file: Option<&File>) -> Answer {
        let received = match file {
            None => self.received,
            Some(file) => match described(session, file) {
                Ok(size) => size,
                Err(_) => return Some(Response::internal()),
            },
        };
        Some(Response::new(250, format!("Received {received} bytes.")))
    }
}

/// `Sender='ADDRESS'. [PARAMETER] …` (ECHO-2, -3)
fn told(what: &str, address: &[u8], parameters: &[u8]) -> BString {
    let mut text = [what.as_bytes(), b"='", address, b"'."].concat();
    for parameter in address::items(parameters) {
        text.extend_from_slice(b" [");
        text.extend_from_slice(parameter);
        text.push(b']');
    }
    text.into()
}

/// Logs the first lines of a temporary file and tells its size (ECHO-6).
fn described(session: &Session, file: &File) -> std::io::Result<u64> {
    let mut start = vec![0; FILE_START];
    let count = file.read_at(&mut start, 0)?;
    if let Some(lines) = first_lines(&start[..count]) {
        session.log_parts(&lines);
    }
    Ok(file.metadata()?.len())
}

/// The first two lines, to be run together; the second is empty if it has no end or a NUL in it (ECHO-5, -7).
/// Never looks beyond the bytes given (ECHO-9); nothing if they hold no line (ECHO-8).
fn first_lines(bytes: &[u8]) -> Option<[&[u8]; 2]> {
    let first = memchr::memchr(b'\n', bytes)?;
    let rest = &bytes[first + 1..];
    let second = match memchr::memchr2(b'\n', 0, rest) {
        Some(end) if rest[end] == b'\n' => &rest[..end],
        _ => &[],
    };
    Some([&bytes[..first], second])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_shown_one_by_one() {
        assert_eq!(told("Sender", b"a@b", b""), "Sender='a@b'.");
        assert_eq!(told("Sender", b"a@b", b"A=1\0B\0\0C"), "Sender='a@b'. [A=1] [B] [] [C]");
        assert_eq!(told("Sender", b"a@b", b"X\0"), "Sender='a@b'. [X]");
        assert_eq!(told("Sender", b"a@b", b"X\0\0"), "Sender='a@b'. [X] []");
    }

    #[test]
    fn the_first_two_lines_are_run_together() {
        let lines = |bytes: &[u8]| first_lines(bytes).map(|lines| BString::from(lines.concat()).to_string());
        assert_eq!(lines(b"Received: from x\n\tby y\nfoo\n").as_deref(), Some("Received: from x\tby y"));
        assert_eq!(lines(b"foo\nbar").as_deref(), Some("foo"));
        assert_eq!(lines(b"\nx\n").as_deref(), Some("x"));
        assert_eq!(lines(b"\n").as_deref(), Some(""));
        assert_eq!(lines(b"a\nb\0c\n").as_deref(), Some("a"));
        assert_eq!(lines(b"foo"), None);
    }
}
