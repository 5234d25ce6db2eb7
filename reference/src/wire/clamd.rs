//! What clamd answers to INSTREAM (CLAM-6 … 8, -14, -15).

use bstr::{BString, ByteSlice};

use super::text;

/// The longest answer, its line feed included. Signature names are short; clamd's own lines fit.
pub const REPLY_MAX: usize = 4096;

/// What a scanner found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Clean,
    /// Something: its words, fit for a reply.
    Infected(BString),
    /// It could not or would not scan.
    Failed,
}

/// The verdict in the bytes received so far; `None` until its line is complete.
///
/// Only a line that ends in LF is complete: a part of one can say the opposite of the whole (CLAM-6).
pub fn verdict(received: &[u8]) -> Option<Verdict> {
    let Some(end) = received[..received.len().min(REPLY_MAX)].find_byte(b'\n') else {
        return (received.len() >= REPLY_MAX).then_some(Verdict::Failed);
    };
    let Some(said) = received[..end].trim_end().strip_prefix(b"stream: ") else {
        return Some(Verdict::Failed);
    };
    Some(match said {
        b"OK" => Verdict::Clean,
        _ if said.ends_with(b" FOUND") => Verdict::Infected(text::printable(said)),
        _ => Verdict::Failed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(reply: &str) -> Verdict {
        verdict(reply.as_bytes()).expect("complete")
    }

    #[test]
    fn only_ok_is_clean_and_only_found_is_infected() {
        assert_eq!(read("stream: OK\n"), Verdict::Clean);
        assert_eq!(read("stream: OK \t\r\nmore"), Verdict::Clean);
        assert_eq!(read("stream: X.Y FOUND\n"), Verdict::Infected("X.Y FOUND".into()));
        assert_eq!(read("stream: OK FOUND\n"), Verdict::Infected("OK FOUND".into()));
        for failed in ["", "OK", "stream:OK", "Stream: OK", "1: stream: OK", "stream: ok", "stream: OK\0"] {
            assert_eq!(read(&format!("{failed}\n")), Verdict::Failed, "{failed:?}");
        }
        assert_eq!(read("stream: Can't allocate memory ERROR\n"), Verdict::Failed);
        assert_eq!(read("INSTREAM size limit exceeded. ERROR\n"), Verdict::Failed);
        assert_eq!(read("stream: \n"), Verdict::Failed);
    }

    #[test]
    fn foreign_bytes_are_made_harmless() {
        let reply = b"stream: a\rb\x1b\xffc\0d FOUND\n";
        assert_eq!(verdict(reply), Some(Verdict::Infected("a?b??c?d FOUND".into())));
    }

    #[test]
    fn a_part_of_a_reply_says_nothing() {
        for whole in ["stream: OK FOUND\n", "stream: OK\n", "rubbish\n"] {
            for end in 0..whole.len() {
                assert_eq!(verdict(&whole.as_bytes()[..end]), None);
            }
        }
        assert_eq!(verdict(&[b'x'; REPLY_MAX - 1]), None);
        assert_eq!(verdict(&[b'x'; REPLY_MAX]), Some(Verdict::Failed));
    }
}
