//! Counts in the header of a message how often it was received and delivered (CNT-HOP-1 … 4).

/// The header fields that each hop adds one of, in lower case.
const FIELDS: [&[u8]; 2] = [b"received:", b"delivered-to:"];

/// The longest of them.
const LONGEST: usize = 13;

/// The counts of one message, fed in pieces. Every cut of the message gives the same.
#[derive(Debug, Clone, Default)]
pub struct Hops {
    counts: [u64; FIELDS.len()],
    /// The beginning of the line that the last piece ended in, at most [`LONGEST`] bytes.
    begun: Vec<u8>,
    /// The first empty line was seen.
    in_body: bool,
}

impl Hops {
    /// Takes the next piece of the message; lines end in LF.
    pub fn push(&mut self, piece: &[u8]) {
        let mut rest = piece;
        while !self.in_body && !rest.is_empty() {
            let end = memchr::memchr(b'\n', rest);
            let part = &rest[..end.unwrap_or(rest.len())];
            let room = LONGEST - self.begun.len();
            self.begun.extend_from_slice(&part[..part.len().min(room)]);
            let Some(end) = end else { return };
            self.line();
            rest = &rest[end + 1..];
        }
    }

    fn line(&mut self) {
        self.in_body = self.begun.is_empty();
        for (field, count) in FIELDS.into_iter().zip(&mut self.counts) {
            let starts = self.begun.get(..field.len()).is_some_and(|start| start.eq_ignore_ascii_case(field));
            *count += u64::from(starts);
        }
        self.begun.clear();
    }

    /// The larger of the two counts.
    pub fn most(&self) -> u64 {
        self.counts.into_iter().max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn most(message: &[u8]) -> u64 {
        let mut hops = Hops::default();
        hops.push(message);
        hops.most()
    }

    #[test]
    fn only_whole_fields_of_the_header_count() {
        assert_eq!(most(b"rEcEiVeD: 1\nDelivered-To:\n Received: 2\nX: 3\nReceived:\n\nReceived: 4\n"), 2);
        assert_eq!(most(b"Received : 1\nX-Received: 2\nReceived\nReceived\r: 3\n"), 0);
        assert_eq!(most(b"\nReceived: 1\n"), 0);
        assert_eq!(most(b"no header\nDELIVERED-TO:x\ndelivered-to:y\n"), 2);
        assert_eq!(most(b"Received: without its end"), 0);
    }

    proptest! {
        #[test]
        fn cuts_change_nothing(message in "(Received:|Delivered-To: a|x|\n){0,40}", cut in 0usize..400) {
            let message = message.as_bytes();
            let (head, tail) = message.split_at(cut.min(message.len()));
            let mut hops = Hops::default();
            hops.push(head);
            hops.push(tail);
            prop_assert_eq!(hops.most(), most(message));
        }
    }
}
