//! What spamd answers to PROCESS: a head, then the message rewritten (SPAM-5 … 7, -11).

use bstr::ByteSlice;

use super::number::digits;

/// The longest head of a reply. Spamd's own is below 200 bytes.
pub const HEAD_MAX: usize = 16 * 1024;

/// The head of a good reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Its bytes, the empty line included.
    pub size: usize,
    /// How long the message behind it is, if that is said (SPAM-11).
    pub length: Option<u64>,
}

impl Head {
    /// Whether a message of `length` bytes is all that was promised, and not nothing for the `original`
    /// bytes that were sent (SPAM-11).
    pub fn is_whole(self, length: u64, original: u64) -> bool {
        self.length.is_none_or(|promised| promised == length) && (length > 0 || original == 0)
    }
}

/// The reply is not one of a successful scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unusable;

/// The head in the bytes received so far; `None` until its empty line is there.
///
/// # Errors
/// Not spamd, not successful, two lengths, or longer than [`HEAD_MAX`].
pub fn head(received: &[u8]) -> Result<Option<Head>, Unusable> {
    let mut size = 0;
    let mut length = None;
    for (number, line) in received[..received.len().min(HEAD_MAX)].lines_with_terminator().enumerate() {
        let Some(content) = line.strip_suffix(b"\n") else { break };
        size += line.len();
        let content = content.strip_suffix(b"\r").unwrap_or(content);
        if number == 0 {
            is_success(content.trim_end()).then_some(()).ok_or(Unusable)?;
        } else if content.is_empty() {
            return Ok(Some(Head { size, length }));
        } else if let Some(value) = field(content, b"content-length") {
            let value = digits(value).ok_or(Unusable)?;
            if length.replace(value).is_some_and(|earlier| earlier != value) {
                return Err(Unusable);
            }
        }
    }
    if received.len() < HEAD_MAX { Ok(None) } else { Err(Unusable) }
}

/// `SPAMD/DIGITS.DIGITS 0 EX_OK` (SPAM-5, -6)
fn is_success(line: &[u8]) -> bool {
    let version = line.strip_prefix(b"SPAMD/").and_then(|rest| rest.strip_suffix(b" 0 EX_OK"));
    let is_number = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    version
        .and_then(|version| version.split_once_str("."))
        .is_some_and(|(major, minor)| is_number(major) && is_number(minor))
}

/// The value of a head line, if its name is `name`, which is in small letters.
fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (found, value) = line.split_once_str(":")?;
    found.trim().eq_ignore_ascii_case(name).then(|| value.trim())
}

/// The field that says whether a message is spam.
const STATUS: &[u8] = b"x-spam-status:";

/// Looks for `X-Spam-Status` in the header of a message that comes piece by piece (SPAM-7).
#[derive(Debug, Clone, Default)]
pub struct Status {
    state: State,
}

#[derive(Debug, Clone, Copy, Default)]
enum State {
    /// At the start of a line.
    #[default]
    Start,
    /// As many bytes of the field's name were there.
    Name(usize),
    /// Behind the name, where blanks do not count.
    Value,
    /// A line that starts with CR, which may be an empty one.
    Return,
    /// In a line that is something else.
    Other,
    /// It is known.
    Decided(bool),
}

impl Status {
    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some((&byte, behind)) = rest.split_first() {
            (self.state, rest) = match self.state {
                State::Decided(_) => return,
                State::Other => match rest.find_byte(b'\n') {
                    Some(at) => (State::Start, &rest[at + 1..]),
                    None => return,
                },
                state => (state.after(byte), behind),
            };
        }
    }

    /// Whether the message is spam, after all of its header was given.
    pub fn is_spam(&self) -> bool {
        matches!(self.state, State::Decided(true))
    }
}

impl State {
    fn after(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Start | Self::Return, b'\n') => Self::Decided(false),
            (Self::Start, b'\r') => Self::Return,
            (Self::Value, b' ' | b'\t') => Self::Value,
            (Self::Value, _) => Self::Decided(byte.eq_ignore_ascii_case(&b'y')),
            (Self::Name(_), b'\n') => Self::Start,
            (Self::Start, _) => Self::named(0, byte),
            (Self::Name(seen), _) => Self::named(seen, byte),
            _ => Self::Other,
        }
    }

    fn named(seen: usize, byte: u8) -> Self {
        match STATUS.get(seen..) {
            Some([last]) if byte.eq_ignore_ascii_case(last) => Self::Value,
            Some([next, ..]) if byte.eq_ignore_ascii_case(next) => Self::Name(seen + 1),
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests;
