//! Netstrings: `LEN:BYTES,` (NS-LEN-1 … 8), read in pieces and never by trust in LEN.
//!
//! [`Length`] reads LEN; it is checked before anybody acts upon it. [`Field`] takes the bytes of an
//! address: it keeps no more than an address may have, whatever was declared (NS-MEM-3), so that the
//! framing holds after one that is too long.

use bstr::BString;

use super::address::ADDRESS_MAX;

/// Most digits of a LEN, leading zeros included (NS-LEN-3, CORE-LIM-1).
pub const DIGITS_MAX: usize = 20;

/// Why bytes are no LEN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LengthError {
    /// A byte that is neither a digit nor the colon behind one (NS-LEN-2, -4).
    NotADigit,
    /// More than [`DIGITS_MAX`] digits, or a value that does not fit in 64 bits (NS-LEN-3, -5).
    TooLarge,
}

/// A LEN being read. How its digits are cut makes no difference.
#[derive(Debug, Clone, Copy, Default)]
pub struct Length {
    value: u64,
    digits: usize,
}

/// What a piece of input did for a LEN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// All of it was digits; more must come.
    GoesOn,
    /// The colon was read: the value, and how many bytes of the piece it took.
    Done(u64, usize),
}

impl Length {
    /// Whether no digit was read so far.
    pub fn is_empty(&self) -> bool {
        self.digits == 0
    }

    /// Reads on in `input`.
    ///
    /// # Errors
    /// It is no LEN, whatever follows.
    pub fn push(&mut self, input: &[u8]) -> Result<Step, LengthError> {
        for (at, &byte) in input.iter().enumerate() {
            match byte {
                b'0'..=b'9' if self.digits == DIGITS_MAX => return Err(LengthError::TooLarge),
                b'0'..=b'9' => {
                    let value = self.value.checked_mul(10);
                    let value = value.and_then(|value| value.checked_add(u64::from(byte - b'0')));
                    self.value = value.ok_or(LengthError::TooLarge)?;
                    self.digits += 1;
                }
                b':' if self.digits > 0 => return Ok(Step::Done(self.value, at + 1)),
                _ => return Err(LengthError::NotADigit),
            }
        }
        Ok(Step::GoesOn)
    }
}

/// Why an address that was framed rightly is refused (NS-ADDR-3, -5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// Longer than [`ADDRESS_MAX`] bytes.
    TooLong,
    /// NUL, CR or LF in it: these end a field of every envelope format (HOOK-ADDR-4).
    ForbiddenByte,
}

/// The bytes of an address as they come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Field {
    kept: Vec<u8>,
    is_too_long: bool,
}

impl Field {
    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        let room = ADDRESS_MAX - self.kept.len();
        self.kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.is_too_long |= bytes.len() > room;
    }

    /// The address, and why it must be refused; of one that is too long, its beginning.
    pub fn finish(self) -> (BString, Option<Unfit>) {
        let unfit = if self.is_too_long {
            Some(Unfit::TooLong)
        } else {
            memchr::memchr3(0, b'\r', b'\n', &self.kept).map(|_| Unfit::ForbiddenByte)
        };
        (self.kept.into(), unfit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(input: &[u8]) -> Result<Step, LengthError> {
        let whole = Length::default().push(input);
        let mut bytewise = Length::default();
        let cut = input.iter().enumerate().find_map(|(at, byte)| match bytewise.push(&[*byte]) {
            Ok(Step::GoesOn) => None,
            Ok(Step::Done(value, 1)) => Some(Ok(Step::Done(value, at + 1))),
            other => Some(other),
        });
        assert_eq!(cut.unwrap_or(Ok(Step::GoesOn)), whole, "{input:?}");
        whole
    }

    #[test]
    fn a_length_is_checked_digit_by_digit() {
        assert_eq!(length(b"0:,"), Ok(Step::Done(0, 2)));
        assert_eq!(length(b"018:x"), Ok(Step::Done(18, 4)));
        assert_eq!(length(b"18446744073709551615:"), Ok(Step::Done(u64::MAX, 21)));
        assert_eq!(length(b"00000000000000000007:"), Ok(Step::Done(7, 21)));
        assert_eq!(length(b"123"), Ok(Step::GoesOn));
        assert_eq!(length(b""), Ok(Step::GoesOn));
        for wrong in [&b":"[..], b" 1:", b"-1:", b"+1:", b"1x", b"1\r\n:", b"1\0:", b"\xff", b"1;"] {
            assert_eq!(length(wrong), Err(LengthError::NotADigit), "{wrong:?}");
        }
        for wrong in [&b"18446744073709551616:"[..], b"000000000000000000007:", b"99999999999999999999"] {
            assert_eq!(length(wrong), Err(LengthError::TooLarge), "{wrong:?}");
        }
    }

    #[test]
    fn a_field_keeps_what_an_address_may_have() {
        let finished = |parts: &[&[u8]]| {
            let mut field = Field::default();
            parts.iter().for_each(|part| field.push(part));
            field.finish()
        };
        assert_eq!(finished(&[b"a@", b"b"]), ("a@b".into(), None));
        assert_eq!(finished(&[b"a\r", b"b"]).1, Some(Unfit::ForbiddenByte));
        let most = vec![b'x'; ADDRESS_MAX];
        assert_eq!(finished(&[&most]), (most.clone().into(), None));
        assert_eq!(finished(&[&most, b"", b"\n"]), (most.clone().into(), Some(Unfit::TooLong)));
        assert_eq!(finished(&[b"y", &most]).1, Some(Unfit::TooLong));
    }
}
