//! The two parts of a QMTP package that are more than a netstring: the message in its line encoding
//! (QMTP-BODY-1 … 5) and the list of recipients (QMTP-RCPT-1 … 6).

use bstr::BString;

use super::netstring::{Field, Length, LengthError, Step, Unfit};

/// A decoder of message bytes, fed in pieces; what comes out has LF line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Lines end with LF: the bytes are the message (QMTP-BODY-2).
    Lf,
    /// Lines end with CR LF; any other CR or LF is an ordinary byte (QMTP-BODY-4).
    CrLf {
        /// The bytes so far end with a CR that is not in the output yet.
        holds_cr: bool,
    },
}

impl Encoding {
    /// The encoding that the first byte of the message netstring names (QMTP-BODY-1).
    pub fn named(byte: u8) -> Option<Self> {
        match byte {
            b'\n' => Some(Self::Lf),
            b'\r' => Some(Self::CrLf { holds_cr: false }),
            _ => None,
        }
    }

    /// Decodes `input` and appends the message's bytes to `out`, at most one more than `input` has.
    pub fn push(&mut self, input: &[u8], out: &mut Vec<u8>) {
        let Self::CrLf { holds_cr } = self else { return out.extend_from_slice(input) };
        let Some(first) = input.first() else { return };
        if std::mem::take(holds_cr) && *first != b'\n' {
            out.push(b'\r');
        }
        let mut start = 0;
        for cr in memchr::memchr_iter(b'\r', input) {
            match input.get(cr + 1) {
                Some(b'\n') => {
                    out.extend_from_slice(&input[start..cr]);
                    start = cr + 1;
                }
                Some(_) => {}
                None => {
                    out.extend_from_slice(&input[start..cr]);
                    *holds_cr = true;
                    return;
                }
            }
        }
        out.extend_from_slice(&input[start..]);
    }

    /// The message is over: appends what was held.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if let Self::CrLf { holds_cr: true } = self {
            out.push(b'\r');
        }
    }
}

/// A recipient as it came, and why it must be refused.
pub type Recipient = (BString, Option<Unfit>);

/// What is wrong in a list (QMTP-RCPT-2, -4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListError {
    /// A byte that is neither a digit nor a colon.
    NotADigit,
    /// A netstring that would end beyond the list, or no colon before its end.
    TooLong,
    /// Another byte, or the end of the list, in place of a comma.
    MissingComma,
}

/// The recipients of a package, read in pieces. What is behind an error is not looked at.
#[derive(Debug)]
pub struct List {
    /// Bytes of the list still to come.
    left: u64,
    state: State,
    /// How many recipients, and how many bytes of theirs, may still be kept.
    room: Room,
    recipients: Vec<Recipient>,
    excess: u64,
}

/// How much of a list is kept.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// Recipients.
    pub recipients: usize,
    /// Bytes of theirs, together.
    pub bytes: usize,
}

impl Room {
    /// What is left behind a recipient of so many bytes. Behind the first that does not fit there is no
    /// room for any other.
    fn behind(self, bytes: usize) -> Option<Self> {
        Some(Self { recipients: self.recipients.checked_sub(1)?, bytes: self.bytes.checked_sub(bytes)? })
    }
}

#[derive(Debug)]
enum State {
    Length(Length),
    Content(Field, u64),
    Comma(Field),
    Wrong(ListError),
}

/// A list that was read to its end.
#[derive(Debug, PartialEq, Eq)]
pub struct Recipients {
    /// The recipients, in order, those before an error.
    pub recipients: Vec<Recipient>,
    /// How many more there are than are kept.
    pub excess: u64,
    /// What is wrong behind them.
    pub error: Option<ListError>,
}

impl List {
    /// A list of `length` bytes, of which as much is kept as there is `room` for.
    pub fn new(length: u64, room: Room) -> Self {
        let state = State::Length(Length::default());
        Self { left: length, state, room, recipients: Vec::new(), excess: 0 }
    }

    /// Reads `input`, which is no longer than what is left of the list.
    pub fn push(&mut self, input: &[u8]) {
        let mut rest = input;
        while !rest.is_empty() {
            let state = std::mem::replace(&mut self.state, State::Length(Length::default()));
            let (state, taken) = self.next(state, rest);
            self.state = state;
            self.left = self.left.saturating_sub(taken as u64);
            rest = &rest[taken..];
        }
    }

    /// The state after some bytes of `input`, and how many: at least one.
    fn next(&mut self, state: State, input: &[u8]) -> (State, usize) {
        match state {
            State::Length(mut length) => match length.push(input) {
                Ok(Step::GoesOn) => (State::Length(length), input.len()),
                Ok(Step::Done(value, taken)) if value > self.left.saturating_sub(taken as u64) => {
                    (State::Wrong(ListError::TooLong), taken)
                }
                Ok(Step::Done(0, taken)) => (State::Comma(Field::default()), taken),
                Ok(Step::Done(value, taken)) => (State::Content(Field::default(), value), taken),
                Err(LengthError::NotADigit) => (State::Wrong(ListError::NotADigit), input.len()),
                Err(LengthError::TooLarge) => (State::Wrong(ListError::TooLong), input.len()),
            },
            State::Content(mut field, wanted) => {
                let taken = usize::try_from(wanted).map_or(input.len(), |wanted| wanted.min(input.len()));
                field.push(&input[..taken]);
                match wanted - taken as u64 {
                    0 => (State::Comma(field), taken),
                    wanted => (State::Content(field, wanted), taken),
                }
            }
            State::Comma(field) if input[0] == b',' => {
                let recipient = field.finish();
                match self.room.behind(recipient.0.len()).filter(|_| self.excess == 0) {
                    Some(room) => {
                        self.room = room;
                        self.recipients.push(recipient);
                    }
                    None => self.excess += 1,
                }
                (State::Length(Length::default()), 1)
            }
            State::Comma(_) => (State::Wrong(ListError::MissingComma), input.len()),
            State::Wrong(error) => (State::Wrong(error), input.len()),
        }
    }

    /// The list is over.
    pub fn finish(self) -> Recipients {
        let error = match self.state {
            State::Length(length) if length.is_empty() => None,
            State::Length(_) | State::Content(..) => Some(ListError::TooLong),
            State::Comma(_) => Some(ListError::MissingComma),
            State::Wrong(error) => Some(error),
        };
        Recipients { recipients: self.recipients, excess: self.excess, error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The message in whole and in pieces of each small size.
    fn decoded(encoding: u8, input: &[u8]) -> Vec<u8> {
        let all = |size: usize| {
            let mut encoding = Encoding::named(encoding).unwrap();
            let mut out = Vec::new();
            input.chunks(size).for_each(|piece| encoding.push(piece, &mut out));
            encoding.finish(&mut out);
            out
        };
        let whole = all(input.len().max(1));
        assert!((1..4).all(|size| all(size) == whole), "{input:?}");
        whole
    }

    #[test]
    fn cr_lf_becomes_lf_and_nothing_else_changes() {
        assert_eq!(decoded(b'\n', b"a\r\n\r\nb"), b"a\r\n\r\nb");
        assert_eq!(decoded(b'\r', b"H: x\r\n\r\nb\r\n"), b"H: x\n\nb\n");
        assert_eq!(decoded(b'\r', b"a\r\r\nb\rc"), b"a\r\nb\rc");
        assert_eq!(decoded(b'\r', b"\r"), b"\r");
        assert_eq!(decoded(b'\r', b"\r\r\r\n\n\r"), b"\r\r\n\n\r");
        assert_eq!(decoded(b'\r', b""), b"");
        assert_eq!(Encoding::named(b't'), None);
    }

    /// The list in whole and in pieces of each small size.
    fn list(input: &[u8], recipients: usize, bytes: usize) -> Recipients {
        let all = |size: usize| {
            let mut list = List::new(input.len() as u64, Room { recipients, bytes });
            input.chunks(size).for_each(|piece| list.push(piece));
            list.finish()
        };
        let whole = all(input.len().max(1));
        assert!((1..4).all(|size| all(size) == whole), "{input:?}");
        whole
    }

    #[test]
    fn recipients_are_kept_in_order_up_to_the_limit() {
        let read = list(b"3:c@d,0:,4:e\0@f,3:c@d,", 3, 100);
        let expected =
            [("c@d".into(), None), ("".into(), None), ("e\0@f".into(), Some(Unfit::ForbiddenByte))];
        assert_eq!(read, Recipients { recipients: expected.into(), excess: 1, error: None });
        assert_eq!(list(b"", 3, 100), Recipients { recipients: Vec::new(), excess: 0, error: None });
    }

    #[test]
    fn recipients_are_kept_up_to_so_many_bytes_and_none_behind() {
        let kept = |bytes| {
            let read = list(b"3:c@d,0:,4:e@ff,0:,", 9, bytes);
            (read.recipients.len(), read.excess, read.error)
        };
        assert_eq!(kept(7), (4, 0, None));
        assert_eq!(kept(6), (2, 2, None));
        assert_eq!(kept(2), (0, 4, None));
    }

    #[test]
    fn an_error_ends_the_list_behind_what_came_before() {
        for (input, before, error) in [
            (&b"3:c@d"[..], 0, ListError::MissingComma),
            (b"2:c@d,", 0, ListError::MissingComma),
            (b"4:c@d,", 0, ListError::MissingComma),
            (b"3:c@d;3:e@f,", 0, ListError::MissingComma),
            (b"3:c@d,x", 1, ListError::NotADigit),
            (b"-1:c,", 0, ListError::NotADigit),
            (b"5", 0, ListError::TooLong),
            (b"5:c@d,", 0, ListError::TooLong),
            (b"18446744073709551619:c@d,", 0, ListError::TooLong),
            (b"1:a,18446744073709551594:,", 1, ListError::TooLong),
            (b"9999999999999999999999:c@d,", 0, ListError::TooLong),
        ] {
            let read = list(input, 10, 100);
            assert_eq!((read.recipients.len(), read.error), (before, Some(error)), "{input:?}");
        }
    }
}
