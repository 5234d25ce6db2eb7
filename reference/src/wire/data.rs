//! Message data after DATA: line ends, dot stuffing and the end mark (SMTP-DATA-10 … 15).
//!
//! Stops SMTP smuggling (SEC-1 … 7, CVE-2023-51764): each framing knows one end mark only, and in
//! [`Framing::Crlf`] whatever another mail system might take for one ends the session.

use memchr::{memchr, memchr2};

/// Which bytes end a line and the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// After `DATA\r\n`: CRLF only. A bare CR or LF dooms the message (SMTP-DATA-14).
    Crlf,
    /// After `DATA\n`: LF only. CR is data (SMTP-DATA-14).
    Lf,
    /// The old reading, in which CRLF and LF are one. Lets messages be smuggled (SMTP-DATA-15).
    Dangerous,
}

/// What came of a piece of input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Bytes of the piece that belong to the message; all of it if the message goes on.
    pub consumed: usize,
    /// What becomes of the message.
    pub outcome: Outcome,
}

/// Where a message stands after a piece of input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// More data must come.
    GoesOn,
    /// The end mark was read. What follows are commands.
    End,
    /// Client and server may see different ends here: nothing that follows can be trusted.
    Ambiguous,
}

/// A decoder of one message, fed in pieces. How the input is cut makes no difference to the result.
#[derive(Debug, Clone)]
pub struct Decoder {
    framing: Framing,
    state: State,
    is_doomed: bool,
}

/// What the bytes before the next one mean for it. A byte that is "held" is not in the output yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A line begins.
    LineStart,
    /// Inside a line.
    Text,
    /// A CR inside a line, held.
    Cr,
    /// A dot at a line start, held.
    Dot,
    /// A dot and a CR at a line start, both held.
    DotCr,
    /// `Dangerous`: a CR at a line start, held.
    StartCr,
    /// `Dangerous`: a CR and a dot at a line start, both held.
    StartCrDot,
    /// `Crlf`: after a bare CR or LF, where others may see a line begin.
    FalseStart,
    /// `Crlf`: a dot after a bare CR or LF.
    FalseDot,
    /// The message is over.
    Over(Outcome),
}

impl Decoder {
    /// A decoder at the start of a message, which is a line start (SMTP-DATA-11).
    pub fn new(framing: Framing) -> Self {
        Self { framing, state: State::LineStart, is_doomed: false }
    }

    /// Whether the message must be refused at its end for a bare CR or LF (SMTP-DATA-14).
    pub fn doomed(&self) -> bool {
        self.is_doomed
    }

    /// Decodes `input` and appends the message's bytes to `out`, at most two more than `input` has.
    ///
    /// Nothing is appended from the byte on that dooms the message. After the end mark, or where the
    /// end is ambiguous, the rest of `input` is left alone.
    pub fn push(&mut self, input: &[u8], out: &mut Vec<u8>) -> Step {
        out.reserve(input.len() + 2);
        let mut consumed = 0;
        loop {
            if let State::Over(outcome) = self.state {
                return Step { consumed, outcome };
            }
            if self.state == State::Text {
                consumed += self.copy_lines(&input[consumed..], out);
            }
            let Some(&byte) = input.get(consumed) else {
                return Step { consumed, outcome: Outcome::GoesOn };
            };
            consumed += 1;
            self.state = match self.framing {
                Framing::Crlf => self.next_crlf(byte, out),
                Framing::Lf => self.next_lf(byte, out),
                Framing::Dangerous => self.next_dangerous(byte, out),
            };
        }
    }

    /// From inside a line, takes everything that needs no thought: text up to the first line end that
    /// is bare or is followed by an extraordinary line.
    fn copy_lines(&self, input: &[u8], out: &mut Vec<u8>) -> usize {
        let mut start = 0;
        loop {
            let rest = &input[start..];
            let found = match self.framing {
                Framing::Crlf | Framing::Dangerous => memchr2(b'\r', b'\n', rest),
                Framing::Lf => memchr(b'\n', rest),
            };
            let length = found.unwrap_or(rest.len());
            self.keep(&rest[..length], out);
            let line_end = match (self.framing, &rest[length..]) {
                (Framing::Crlf | Framing::Dangerous, [b'\r', b'\n', next, ..]) if is_ordinary(*next) => 2,
                (Framing::Lf | Framing::Dangerous, [b'\n', next, ..]) if is_ordinary(*next) => 1,
                _ => return start + length,
            };
            start += length + line_end;
            self.keep(b"\n", out);
        }
    }

    fn next_crlf(&mut self, byte: u8, out: &mut Vec<u8>) -> State {
        match (self.state, byte) {
            (State::LineStart, b'.') => State::Dot,
            (State::LineStart | State::Text | State::FalseStart, b'\r') => State::Cr,
            (State::LineStart | State::Text | State::FalseStart, b'\n') => self.doom(),
            (State::Cr, b'\n') => self.end_line(out),
            (State::Cr, _) => {
                self.state = self.doom();
                self.next_crlf(byte, out)
            }
            (State::Dot, b'\r') => State::DotCr,
            (State::DotCr, b'\n') => State::Over(Outcome::End),
            (State::FalseStart, b'.') => State::FalseDot,
            // A line with only a dot, but not between the line ends that make it the end mark.
            (State::Dot, b'\n') | (State::DotCr, _) | (State::FalseDot, b'\r' | b'\n') => {
                self.is_doomed = true;
                State::Over(Outcome::Ambiguous)
            }
            _ => self.text(byte, out),
        }
    }

    fn next_lf(&mut self, byte: u8, out: &mut Vec<u8>) -> State {
        match (self.state, byte) {
            (State::LineStart, b'.') => State::Dot,
            (State::Dot, b'\n') => State::Over(Outcome::End),
            (_, b'\n') => self.end_line(out),
            _ => self.text(byte, out),
        }
    }

    fn next_dangerous(&mut self, byte: u8, out: &mut Vec<u8>) -> State {
        match (self.state, byte) {
            (State::Dot | State::DotCr | State::StartCrDot, b'\n') => State::Over(Outcome::End),
            (_, b'\n') => self.end_line(out),
            (State::LineStart, b'.') => State::Dot,
            (State::LineStart, b'\r') => State::StartCr,
            (State::Dot, b'\r') => State::DotCr,
            (State::StartCr, b'.') => State::StartCrDot,
            // The held CR turns out to be data; a held dot was stuffing (SMTP-DATA-13).
            (State::Cr | State::StartCr | State::DotCr | State::StartCrDot, _) => {
                self.keep(b"\r", out);
                self.state = State::Text;
                self.next_dangerous(byte, out)
            }
            (_, b'\r') => State::Cr,
            _ => self.text(byte, out),
        }
    }

    fn text(&self, byte: u8, out: &mut Vec<u8>) -> State {
        self.keep(&[byte], out);
        State::Text
    }

    fn end_line(&self, out: &mut Vec<u8>) -> State {
        self.keep(b"\n", out);
        State::LineStart
    }

    fn doom(&mut self) -> State {
        self.is_doomed = true;
        State::FalseStart
    }

    fn keep(&self, bytes: &[u8], out: &mut Vec<u8>) {
        if !self.is_doomed {
            out.extend_from_slice(bytes);
        }
    }
}

/// Whether a byte means at a line start what it means inside a line. A dot does not in any framing, a
/// CR in [`Framing::Dangerous`].
fn is_ordinary(first: u8) -> bool {
    !matches!(first, b'.' | b'\r')
}

#[cfg(test)]
mod tests;
