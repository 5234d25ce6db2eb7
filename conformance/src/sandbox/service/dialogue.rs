//! Walks through the script of one connection, datagram or call. What it wants done with the outside
//! it says; whoever drives it does that and asks again.

use std::{collections::BTreeMap, time::Instant};

use bstr::ByteSlice as _;

use super::{call::Call, cvm, dns};
use crate::transcript::{
    printer,
    service::Line,
    text::{Match, Variables},
};

/// The script of one call on its way.
#[derive(Debug)]
pub struct Dialogue {
    lines: Vec<Line>,
    at: usize,
    variables: Variables,
    source: u8,
    inputs: BTreeMap<u8, Input>,
    wake: Option<Instant>,
    status: u8,
    /// What is learnt.
    pub call: Call,
}

/// What was read from one descriptor.
#[derive(Debug, Default)]
struct Input {
    bytes: Vec<u8>,
    used: usize,
    ended: bool,
}

/// What is to be done before it goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Want {
    /// More is read from this descriptor, or its end.
    Input(u8),
    /// This is sent, in one piece.
    Send(Vec<u8>),
    /// What follows is sent from another port.
    Elsewhere,
    /// This time is waited for.
    Until(Instant),
    /// The sending side is closed.
    HalfClose,
    /// This descriptor is closed.
    CloseDescriptor(u8),
    /// Nothing, until the other side is gone.
    Never,
    /// It is over.
    End(End),
}

/// How it is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// As a well-behaved server or program does: with this exit status.
    Done(u8),
    /// Closed at once.
    Closed,
    /// The connection is reset.
    Reset,
    /// By this signal.
    Died(String),
}

impl Dialogue {
    /// The script `lines` at its beginning.
    pub fn new(lines: Vec<Line>, variables: Variables) -> Self {
        Self {
            lines,
            at: 0,
            variables,
            source: 0,
            inputs: BTreeMap::new(),
            wake: None,
            status: 0,
            call: Call::default(),
        }
    }

    /// Takes what was read from a descriptor.
    pub fn feed(&mut self, descriptor: u8, bytes: &[u8]) {
        self.inputs.entry(descriptor).or_default().bytes.extend_from_slice(bytes);
    }

    /// Takes the end of a descriptor's input.
    pub fn end(&mut self, descriptor: u8) {
        self.inputs.entry(descriptor).or_default().ended = true;
    }

    /// The call with all that was read, by descriptor.
    pub fn into_call(self) -> Call {
        let got = self.inputs.into_iter().map(|(descriptor, input)| (descriptor, input.bytes));
        Call { got: got.collect(), ..self.call }
    }

    /// How many bytes have come.
    pub fn received(&self) -> usize {
        self.inputs.values().map(|input| input.bytes.len()).sum()
    }

    /// Goes on as far as it can.
    pub fn advance(&mut self, now: Instant) -> Want {
        loop {
            let Some(line) = self.lines.get(self.at).cloned() else {
                return Want::End(End::Done(self.status));
            };
            if let Some(want) = self.line(&line, now) {
                return want;
            }
            self.at += 1;
        }
    }

    /// Does one step; what it wants first, or wants done by the way.
    fn line(&mut self, line: &Line, now: Instant) -> Option<Want> {
        let input = self.inputs.entry(self.source).or_default();
        let rest = &input.bytes[input.used..];
        match line {
            Line::Read(pattern) => {
                let Some(width) = width(rest, rest.find_byte(b'\n').map(|at| at + 1), input.ended) else {
                    return Some(Want::Input(self.source));
                };
                let text = &rest[..width];
                let text =
                    text.strip_suffix(b"\n").map_or(text, |line| line.strip_suffix(b"\r").unwrap_or(line));
                if width == 0 || matches!(pattern.matches(text, &self.variables), Match::No) {
                    self.call.departures.push((printer::pattern(pattern), rest[..width].to_vec()));
                }
                input.used += width;
            }
            Line::ReadRaw(text) => {
                let wanted = text.expand(&self.variables);
                let Some(width) = width(rest, Some(wanted.len()), input.ended) else {
                    return Some(Want::Input(self.source));
                };
                if rest[..width] != wanted {
                    self.call.departures.push((printer::text(text), rest[..width].to_vec()));
                }
                input.used += width;
            }
            Line::Until(text) => {
                let wanted = text.expand(&self.variables);
                let Some(width) = width(rest, rest.find(&wanted).map(|at| at + wanted.len()), input.ended)
                else {
                    return Some(Want::Input(self.source));
                };
                if !rest[..width].ends_with(&wanted) {
                    self.call.departures.push((printer::text(text), rest[..width].to_vec()));
                }
                input.used += width;
            }
            Line::Take(count) => {
                let Some(width) = width(rest, Some(*count), input.ended) else {
                    return Some(Want::Input(self.source));
                };
                input.used += width;
            }
            Line::TakeAll => {
                if !input.ended {
                    return Some(Want::Input(self.source));
                }
                input.used = input.bytes.len();
            }
            Line::From(descriptor) => self.source = *descriptor,
            Line::CvmRead => return self.request(),
            Line::Cvm(reply) => {
                if let Some(want) = self.request() {
                    return Some(want);
                }
                self.status = reply.code;
                let cookie = self.variables.get(COOKIE).cloned().unwrap_or_default();
                return Some(self.done(Want::Send(reply.encode(&cookie, &self.variables))));
            }
            Line::Say(text) => {
                let said = text.expand(&self.variables);
                return Some(self.done(Want::Send(said)));
            }
            Line::Answer { tcp, rules } => {
                let Some(question) = dns::question(rest, *tcp, input.ended) else {
                    return Some(Want::Input(self.source));
                };
                input.used += question.length;
                let (facts, lines) = dns::answer(&question.packet, rules, *tcp, &self.variables);
                self.call.facts.extend(facts);
                self.lines.splice(self.at + 1.., lines);
            }
            Line::Elsewhere => return Some(self.done(Want::Elsewhere)),
            Line::HalfClose => return Some(self.done(Want::HalfClose)),
            Line::CloseDescriptor(descriptor) => return Some(self.done(Want::CloseDescriptor(*descriptor))),
            Line::Wait(time) => {
                let wake = *self.wake.get_or_insert(now + *time);
                if now < wake {
                    return Some(Want::Until(wake));
                }
                self.wake = None;
            }
            Line::Never | Line::Refuse => return Some(Want::Never),
            Line::Close => return Some(Want::End(End::Closed)),
            Line::Reset => return Some(Want::End(End::Reset)),
            Line::Exit(status) => return Some(Want::End(End::Done(*status))),
            Line::Die(signal) => return Some(self.done(Want::End(End::Died(signal.clone())))),
        }
        None
    }

    /// Of a step that is over once `want` is done.
    fn done(&mut self, want: Want) -> Want {
        self.at += 1;
        want
    }

    /// Reads a credential validation request, unless that is done.
    fn request(&mut self) -> Option<Want> {
        if self.variables.contains_key(COOKIE) {
            return None;
        }
        let input = self.inputs.entry(0).or_default();
        if !input.ended {
            return Some(Want::Input(0));
        }
        let request = cvm::decode(&input.bytes);
        input.used = input.bytes.len();
        self.call.facts.extend(request.facts);
        self.variables.insert(COOKIE.into(), request.cookie);
        None
    }
}

/// The random bytes of the last request.
pub const COOKIE: &str = "COOKIE";

/// `wanted` if so many bytes are there; what is there if nothing more will come.
fn width(rest: &[u8], wanted: Option<usize>, ended: bool) -> Option<usize> {
    match wanted {
        Some(wanted) if rest.len() >= wanted => Some(wanted),
        _ if ended => Some(rest.len()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::transcript::service::{Kind, Service};

    fn dialogue(kind: Kind, script: &str) -> Dialogue {
        let mut blocks = Service { kind, script: script.into() }.blocks().unwrap();
        Dialogue::new(blocks.remove(0), Variables::new())
    }

    #[test]
    fn lines_are_read_and_answered_in_pieces() {
        let mut talk = dialogue(Kind::Tcp, "C: PING ~~\nS: PONG\nS| x\nread 3\nhalf-close\n");
        let now = Instant::now();
        assert_eq!(talk.advance(now), Want::Input(0));
        talk.feed(0, b"PING");
        assert_eq!(talk.advance(now), Want::Input(0));
        talk.feed(0, b" 1\r\nab");
        assert_eq!(talk.advance(now), Want::Send(b"PONG\r\n".into()));
        assert_eq!(talk.advance(now), Want::Send(b"x".into()));
        assert_eq!(talk.advance(now), Want::Input(0));
        talk.end(0);
        assert_eq!(talk.advance(now), Want::HalfClose);
        assert_eq!(talk.advance(now), Want::End(End::Done(0)));
        let call = talk.into_call();
        assert_eq!(call.value("got"), Some(&b"PING 1\r\nab"[..]));
        assert_eq!(call.departures, []);
    }

    #[test]
    fn what_the_script_does_not_expect_is_kept() {
        let mut talk = dialogue(Kind::Tcp, "C: PING\nC| ab\nuntil \\0\nC: more\n");
        talk.feed(0, b"PONG\nac|\0");
        talk.end(0);
        assert_eq!(talk.advance(Instant::now()), Want::End(End::Done(0)));
        let expected = [("PING", &b"PONG\n"[..]), ("ab", b"ac"), ("more", b"")];
        assert_eq!(talk.call.departures, expected.map(|(e, g)| (e.into(), g.to_vec())));
    }

    #[test]
    fn a_module_answers_with_the_random_bytes_of_the_request_and_its_code() {
        let mut talk = dialogue(Kind::Command, "cvm\nS| \\x01\ncvm 100 16=0\n");
        talk.feed(0, b"\x02\x02ab\x01\x01u\0");
        let now = Instant::now();
        assert_eq!(talk.advance(now), Want::Input(0));
        talk.end(0);
        assert_eq!(talk.advance(now), Want::Send(b"\x01".into()));
        assert_eq!(talk.advance(now), Want::Send(b"\x64\x02ab\x10\x010\0".into()));
        assert_eq!(talk.advance(now), Want::End(End::Done(100)));
        assert_eq!(talk.call.value("account"), Some(&b"u"[..]));
    }

    #[test]
    fn a_wait_is_over_when_its_time_has_come() {
        let mut talk = dialogue(Kind::Tcp, "wait 50 ms\nreset\n");
        let now = Instant::now();
        let wake = now + Duration::from_millis(50);
        assert_eq!(talk.advance(now), Want::Until(wake));
        assert_eq!(talk.advance(wake), Want::End(End::Reset));
    }
}
