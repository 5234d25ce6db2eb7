//! The trace: one line on standard error for each thing seen, `probe NAME WHAT …`.

use alloc::vec::Vec;
use core::ffi::{CStr, c_char};

use crate::c::write;

/// Bytes of a string that a trace shows; longer ones are cut and followed by `...`.
pub(crate) const SHOWN: usize = 64;

/// A line in the making; written with one call.
pub(crate) struct Trace(Vec<u8>);

impl Trace {
    pub(crate) fn new(what: &[u8]) -> Self {
        let mut line = Vec::with_capacity(256);
        line.extend_from_slice(b"probe ");
        line.extend_from_slice(crate::name());
        Self(line).word(what)
    }

    pub(crate) fn word(mut self, word: &[u8]) -> Self {
        self.0.push(b' ');
        self.0.extend_from_slice(word);
        self
    }

    pub(crate) fn number(mut self, number: u64) -> Self {
        self.0.push(b' ');
        put_number(&mut self.0, number);
        self
    }

    pub(crate) fn quoted(mut self, bytes: &[u8]) -> Self {
        self.0.push(b' ');
        put_quoted(&mut self.0, bytes);
        self
    }

    /// A C string of the host, `-` for none.
    pub(crate) fn c_string(self, string: *const c_char) -> Self {
        if string.is_null() {
            return self.word(b"-");
        }
        // SAFETY: the host returns NUL-terminated strings.
        self.quoted(unsafe { CStr::from_ptr(string) }.to_bytes())
    }

    /// A descriptor: there is a file or none; its number means nothing.
    pub(crate) fn descriptor(self, fd: i32) -> Self {
        self.word(if fd < 0 { b"none" } else { b"file" })
    }

    pub(crate) fn write(mut self) {
        self.0.push(b'\n');
        // SAFETY: the buffer is ours.
        unsafe { write(2, self.0.as_ptr().cast(), self.0.len()) };
    }
}

pub(crate) fn put_number(to: &mut Vec<u8>, number: u64) {
    if number > 9 {
        put_number(to, number / 10);
    }
    to.push(b'0' + (number % 10) as u8);
}

fn put_quoted(to: &mut Vec<u8>, bytes: &[u8]) {
    to.push(b'"');
    for byte in &bytes[..bytes.len().min(SHOWN)] {
        match byte {
            b'\n' => to.extend_from_slice(b"\\n"),
            b'\r' => to.extend_from_slice(b"\\r"),
            b'\t' => to.extend_from_slice(b"\\t"),
            0 => to.extend_from_slice(b"\\0"),
            b'"' | b'\\' => to.extend_from_slice(&[b'\\', *byte]),
            32..127 => to.push(*byte),
            _ => {
                let digit = |n: u8| b"0123456789abcdef"[usize::from(n)];
                to.extend_from_slice(&[b'\\', b'x', digit(byte >> 4), digit(byte & 15)]);
            }
        }
    }
    to.extend_from_slice(if bytes.len() > SHOWN { b"\"..." } else { b"\"" });
}
