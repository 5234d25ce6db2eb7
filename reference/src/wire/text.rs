//! Foreign bytes made fit for a line of ours: a log line, a reply, the stored name of a client.
//!
//! Stops forged log lines (SEC-100), reply splitting (SEC-109) and header injection by HELO (SEC-43).

use bstr::BString;

/// The longest stored HELO name, in bytes (RCVD-HELO-2).
pub const HELO_MAX: usize = 255;

/// What stands in for a byte that must not be shown.
const SUBSTITUTE: u8 = b'?';

/// Text for one log line: bytes outside 32..=126, tab excepted, become `?` (CORE-LOG-5).
///
/// NUL and LF are among them, so that no text ends or begins a line.
pub fn for_log(text: &[u8]) -> BString {
    let mut fit = Vec::new();
    add_for_log(text, &mut fit);
    fit.into()
}

/// Appends text for one log line, as [`for_log`] makes it.
pub fn add_for_log(text: &[u8], line: &mut Vec<u8>) {
    let start = line.len();
    line.extend_from_slice(text);
    for byte in &mut line[start..] {
        *byte = if matches!(*byte, b'\t' | b' '..=b'~') { *byte } else { SUBSTITUTE };
    }
}

/// Text for one line of an SMTP reply: control bytes except tab become `?`, 8-bit bytes stay
/// (CORE-RESP-1).
pub fn for_reply(text: &[u8]) -> BString {
    substitute(text, |byte| byte == b'\t' || !byte.is_ascii_control())
}

/// What a service says, for a reply: bytes outside 32..=126 become `?` (RBL-10, CLAM-15).
pub fn printable(text: &[u8]) -> BString {
    substitute(text, |byte| matches!(byte, b' '..=b'~'))
}

/// A HELO name as it is stored: control bytes become `?`, at most [`HELO_MAX`] bytes (SMTP-HELO-12).
pub fn for_helo(name: &[u8]) -> BString {
    substitute(&name[..name.len().min(HELO_MAX)], |byte| !byte.is_ascii_control())
}

/// The operator's greeting: CR and LF become a space each (SMTP-GREET-4).
pub fn for_greeting(text: &[u8]) -> BString {
    text.iter()
        .map(|&byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte })
        .collect::<Vec<u8>>()
        .into()
}

fn substitute(text: &[u8], is_fit: impl Fn(u8) -> bool) -> BString {
    text.iter().map(|&byte| if is_fit(byte) { byte } else { SUBSTITUTE }).collect::<Vec<u8>>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_byte() -> Vec<u8> {
        (0..=255).collect()
    }

    #[test]
    fn a_log_line_is_printable_ascii_and_tab() {
        let expected = every_byte().into_iter().map(|byte| match byte {
            9 | 32..=126 => byte,
            _ => b'?',
        });
        assert_eq!(for_log(&every_byte()), expected.collect::<Vec<_>>());
    }

    #[test]
    fn a_reply_keeps_tab_and_eight_bit_bytes() {
        let expected = every_byte().into_iter().map(|byte| match byte {
            0..=8 | 10..=31 | 127 => b'?',
            _ => byte,
        });
        assert_eq!(for_reply(&every_byte()), expected.collect::<Vec<_>>());
    }

    #[test]
    fn a_helo_name_has_no_control_byte_and_an_end() {
        assert_eq!(for_helo(b"a\tb\r\n\x7f\xe9 c "), b"a?b???\xe9 c ".as_slice());
        assert_eq!(for_helo(&[b'x'; 255]).len(), 255);
        assert_eq!(for_helo(&[b'x'; 256]), vec![b'x'; 255]);
    }

    #[test]
    fn a_greeting_stays_one_line() {
        assert_eq!(for_greeting(b"a\r\nb\tc\xe9"), b"a  b\tc\xe9".as_slice());
    }
}
