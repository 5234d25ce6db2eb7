//! Bytes that came, in the notation of transcripts.

use bstr::ByteSlice as _;

use crate::{
    play::Outcome,
    transcript::{
        Act, Fact, Front,
        front::Protocol,
        netstring::{self, Next},
        text::{Match, Part, Pattern, Piece, Tail, Text, Variables},
    },
};

/// Variables that are put in place of their values. The longest value is tried first.
const NAMES: [&str; 11] =
    ["MODULES", "PROBE", "Q", "TMP", "CASE", "LOCALHOST", "REMOTEHOST", "LOCALIP", "REMOTEIP", "PID", "#"];

/// Whether `name` is a variable that has its value before the session.
pub fn knows(front: &Front, name: &str) -> bool {
    NAMES.contains(&name) || front.variables().iter().any(|own| own == name)
}

/// What stands for a name or an address that nobody gave; no variable is put in its place.
const UNKNOWN: &[u8] = b"unknown";

/// How bytes of one session are written.
pub struct Notation {
    /// All variables after the session.
    pub variables: Variables,
    /// Value and name, the longest value first.
    values: Vec<(Vec<u8>, String)>,
    pid: String,
    counts: Vec<u8>,
    /// Texts come from a script, so that they are no human wording.
    scripted: bool,
    /// Answers are netstrings.
    netstrings: bool,
}

impl Notation {
    /// The notation for a session of a case with this head.
    pub fn new(outcome: &Outcome, front: &Front) -> Self {
        let value = |name: String| Some((outcome.variables.get(&name)?.clone(), name));
        // Numbers of a process or a user may stand anywhere.
        let standard = NAMES.into_iter().filter(|name| *name != "PID").map(String::from);
        let own = front.variables().into_iter().filter(|name| name != "UID" && name != "GID");
        let mut values: Vec<_> = standard.chain(own).filter_map(value).collect();
        values.retain(|(value, _)| value.len() > 1 && value != UNKNOWN);
        values.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        let count = |name: &str| String::from_utf8_lossy(outcome.variables.get(name).map_or(b"", |v| v));
        let counts = format!("bytes in: {} bytes out: {}", count("SENT"), count("RECEIVED"));
        Self {
            variables: outcome.variables.clone(),
            values,
            pid: format!("[{}]", outcome.pid),
            counts: counts.into_bytes(),
            scripted: !front.modules.is_empty(),
            netstrings: matches!(front.protocol(), Some(Protocol::Qmtp | Protocol::Qmqp)),
        }
    }

    /// An answer: a step for each line or netstring.
    pub fn answer(&self, answer: &[u8]) -> Vec<Act> {
        self.acts(answer, None)
    }

    /// An answer of turn `turn` of a repetition: its number is a variable.
    pub fn numbered(&self, answer: &[u8], turn: usize) -> Vec<Act> {
        self.acts(answer, Some(turn))
    }

    fn acts(&self, answer: &[u8], turn: Option<usize>) -> Vec<Act> {
        if !self.netstrings {
            return answer.split_inclusive(|b| *b == b'\n').map(|line| self.line(line, turn)).collect();
        }
        let mut acts = Vec::new();
        let mut rest = answer;
        while let Next::Whole(content, length) = netstring::next(rest) {
            acts.push(self.netstring(content, turn));
            rest = &rest[length..];
        }
        if !rest.is_empty() {
            acts.push(Act::Raw(exact(self.pieces(rest, turn))));
        }
        acts
    }

    fn netstring(&self, content: &[u8], turn: Option<usize>) -> Act {
        let fixed = if self.scripted { content.len() } else { fixed_part_of_netstring(content) };
        let pattern = exact(self.pieces(&content[..fixed], turn));
        let tail = match &content[fixed..] {
            b"" => Tail::Exact,
            wording => Tail::Wording(Text(self.pieces(wording, turn))),
        };
        Act::Netstring(Pattern { tail, ..pattern })
    }

    fn line(&self, line: &[u8], turn: Option<usize>) -> Act {
        match line.strip_suffix(b"\r\n") {
            None => Act::Raw(exact(self.pieces(line, turn))),
            Some(text) => {
                let fixed = if self.scripted { text.len() } else { fixed_part(text) };
                // A code has numbers of its own that are not the turn's.
                let (code, rest) = text[..fixed].split_at(code_part(text));
                let parts = exact(merged(self.pieces(code, None), self.pieces(rest, turn))).parts;
                let tail = match &text[fixed..] {
                    b"" => Tail::Exact,
                    wording => Tail::Wording(Text(self.pieces(wording, turn))),
                };
                Act::Line(Pattern { parts, tail })
            }
        }
    }

    /// Whether the pattern of `old` accepts what `new` was made from.
    pub fn says(&self, old: &Act, new: &Act) -> bool {
        match (old, new) {
            (Act::Line(old), Act::Line(new)) | (Act::Raw(old), Act::Raw(new)) => self
                .bytes(new)
                .is_some_and(|bytes| matches!(old.matches(&bytes, &self.variables), Match::Yes(_))),
            (Act::Netstring(old), Act::Netstring(new)) => self
                .bytes(new)
                .is_some_and(|bytes| matches!(old.matches_lines(&bytes, &self.variables), Match::Yes(_))),
            _ => false,
        }
    }

    /// What a pattern of ours was made from.
    fn bytes(&self, pattern: &Pattern) -> Option<Vec<u8>> {
        let mut text = pattern.clone();
        if let Tail::Wording(Text(wording)) = std::mem::replace(&mut text.tail, Tail::Exact) {
            text.parts.extend(wording.into_iter().map(Part::Text));
        }
        text.fixed(&self.variables)
    }

    /// Exactly these bytes.
    pub fn pattern(&self, bytes: &[u8]) -> Pattern {
        exact(self.pieces(bytes, None))
    }

    /// The lines of a log.
    pub fn log(&self, log: &[u8]) -> Vec<Fact> {
        let mark = format!("{}: ", self.pid);
        let fact = |line: &[u8]| match line.split_once_str(&mark) {
            Some((_, text)) if text == self.counts => {
                let piece = |text: &str| Part::Text(Piece::Bytes(text.into()));
                let variable = |name: &str| Part::Text(Piece::Variable(name.into()));
                let parts =
                    vec![piece("bytes in: "), variable("SENT"), piece(" bytes out: "), variable("RECEIVED")];
                Fact::Log(Pattern { parts, tail: Tail::Exact })
            }
            Some((_, text)) => Fact::Log(self.pattern(text)),
            None => Fact::Stderr(self.pattern(line)),
        };
        log.lines().map(fact).collect()
    }

    fn pieces(&self, bytes: &[u8], turn: Option<usize>) -> Vec<Piece> {
        let turn = turn.map(|turn| turn.to_string().into_bytes());
        let mut pieces = Vec::new();
        let mut plain = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            let in_number = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
            // A process id is only known for one between its brackets.
            let (name, width) = if at > 0 && bytes[at - 1..].starts_with(self.pid.as_bytes()) {
                ("PID", self.pid.len() - 2)
            } else if let Some((value, name)) = self.values.iter().find(|(value, _)| rest.starts_with(value))
            {
                (name.as_str(), value.len())
            } else if let Some(turn) = turn.as_ref().filter(|turn| {
                rest.starts_with(turn) && !in_number(at + turn.len()) && !(at > 0 && in_number(at - 1))
            }) {
                ("#", turn.len())
            } else {
                plain.push(bytes[at]);
                at += 1;
                continue;
            };
            if !plain.is_empty() {
                pieces.push(Piece::Bytes(std::mem::take(&mut plain)));
            }
            pieces.push(Piece::Variable(name.into()));
            at += width;
        }
        if !plain.is_empty() {
            pieces.push(Piece::Bytes(plain));
        }
        pieces
    }
}

fn exact(pieces: Vec<Piece>) -> Pattern {
    Pattern { parts: pieces.into_iter().map(Part::Text).collect(), tail: Tail::Exact }
}

/// Two rows of pieces as one.
fn merged(mut first: Vec<Piece>, second: Vec<Piece>) -> Vec<Piece> {
    for piece in second {
        match (first.last_mut(), piece) {
            (Some(Piece::Bytes(before)), Piece::Bytes(more)) => before.extend(more),
            (_, piece) => first.push(piece),
        }
    }
    first
}

/// How much of a reply line is its code and enhanced code (RFC 3463), with the blanks behind them.
fn code_part(line: &[u8]) -> usize {
    if line.len() <= 4 || !line[..3].iter().all(u8::is_ascii_digit) || !b" -".contains(&line[3]) {
        return 0;
    }
    4 + enhanced_part(&line[4..])
}

/// How much of a text is an enhanced code with the blank behind it.
fn enhanced_part(text: &[u8]) -> usize {
    let enhanced = text.split(|b| *b == b' ').next().unwrap_or_default();
    let numbers: Vec<&[u8]> = enhanced.split(|b| *b == b'.').collect();
    let is_number = |n: &&[u8]| (1..=3).contains(&n.len()) && n.iter().all(u8::is_ascii_digit);
    if numbers.len() == 3 && numbers.iter().all(is_number) { (enhanced.len() + 1).min(text.len()) } else { 0 }
}

/// How much of an answer in a netstring is not human wording: letter and enhanced code, or all of it
/// where there is no such code; of a broken package's, the letter (NS-ERR-2).
fn fixed_part_of_netstring(content: &[u8]) -> usize {
    match enhanced_part(content.get(1..).unwrap_or_default()) {
        0 if content.starts_with(b"Z") => 1,
        0 => content.len(),
        enhanced => 1 + enhanced,
    }
}

/// How much of a reply line is not human wording: code and enhanced code, or all of it where there
/// is no enhanced code, as in the greeting; of `354`, which has none, the code.
fn fixed_part(line: &[u8]) -> usize {
    match code_part(line) {
        4 if line.starts_with(b"354") => 4,
        0 | 4 => line.len(),
        code => code,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_and_enhanced_code_are_fixed() {
        let fixed = |line: &str| line[..fixed_part(line.as_bytes())].to_string();
        assert_eq!(fixed("250 2.1.0 Sender accepted."), "250 2.1.0 ");
        assert_eq!(fixed("354 End your message"), "354 ");
        assert_eq!(fixed("220 local.host mailfront ESMTP"), "220 local.host mailfront ESMTP");
        assert_eq!(fixed("250 2.1.0"), "250 2.1.0");
        assert_eq!(fixed("2"), "2");
    }

    #[test]
    fn answers_in_netstrings_have_a_step_each() {
        let front = Front { run: "mailfront qmtp echo".into(), ..Front::default() };
        let notation = Notation::new(&Outcome { pid: 7, ..Outcome::default() }, &front);
        let said = |answer: &[u8]| -> String {
            let step = |act| {
                crate::transcript::Item::Step(crate::transcript::Step {
                    line: 0,
                    only_if: None,
                    should: false,
                    act,
                })
            };
            let body: Vec<_> = notation.answer(answer).into_iter().map(step).collect();
            crate::transcript::printer::body(&body)
        };
        assert_eq!(
            said(b"18:KReceived 5 bytes.,24:K2.6.0 Message accepted.,24:ZNetstring missing comma,4:Kx"),
            "N: KReceived 5 bytes.\nN: K2.6.0 ~Message accepted.\nN: Z~Netstring missing comma\nS| 4:Kx\n"
        );
    }

    #[test]
    fn values_become_variables() {
        let mut outcome = Outcome { pid: 7, ..Outcome::default() };
        for (name, value) in [("CASE", "/tmp/x"), ("Q", "/tmp/x/q"), ("LOCALHOST", "unknown")] {
            outcome.variables.insert(name.into(), value.into());
        }
        let notation = Notation::new(&outcome, &Front::default());
        let said = |text: &str| crate::transcript::printer::pattern(&notation.pattern(text.as_bytes()));
        assert_eq!(said("a /tmp/x/q/y /tmp/x [7] 7 unknown"), "a ${Q}/y ${CASE} [${PID}] 7 unknown");
        let numbered = notation.numbered(b"n 12 of 312\r\n", 12);
        assert_eq!(
            numbered,
            [Act::Line(exact(vec![
                Piece::Bytes(b"n ".into()),
                Piece::Variable("#".into()),
                Piece::Bytes(b" of 312".into()),
            ]))]
        );
    }
}
