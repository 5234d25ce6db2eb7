//! What a service of a case does: a server or a program that the target talks to.
//!
//! A script is one step a line, in the notation of the dialogue: `C` is what the target sends, `S`
//! what the service answers. A line `next` begins the script of the next connection, datagram or
//! call; the last one serves all that follow.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    dns::{self, Rule},
    parser::{self, ParseError},
    text::{Pattern, Piece, Text, Variables},
};

/// A service of a case.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// What it is reached by.
    pub kind: Kind,
    /// What it does; nothing at all if it is left out.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub script: String,
}

/// What a service is reached by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A TCP port of the loopback interface.
    Tcp,
    /// A UDP port of the loopback interface; each datagram is a call of its own.
    Udp,
    /// A stream socket in the case's folder.
    Unix,
    /// A program in the case's folder, which the target starts.
    Command,
    /// A name server on a UDP and a TCP port of the same number. Its script is one of rules.
    Dns,
}

impl Kind {
    /// The word it has in cases.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Unix => "unix",
            Self::Command => "command",
            Self::Dns => "dns",
        }
    }
}

/// One step of a script.
#[derive(Debug, Clone, PartialEq)]
pub enum Line {
    /// `C: pattern`: a line is read, ended by CRLF or LF.
    Read(Pattern),
    /// `C| text`: so many bytes are read, and are these.
    ReadRaw(Text),
    /// `until text`: bytes are read up to this text.
    Until(Text),
    /// `read N`: so many bytes are read.
    Take(usize),
    /// `read all`: everything is read.
    TakeAll,
    /// `from N`: a program reads from descriptor N from here on.
    From(u8),
    /// `S| text` or `S: text`: this is sent, in one piece.
    Say(Text),
    /// `elsewhere`: what follows is sent from another port.
    Elsewhere,
    /// `wait N ms`
    Wait(Duration),
    /// `half-close`: the sending side is closed.
    HalfClose,
    /// `close`: the connection is closed at once, whatever is unread.
    Close,
    /// `close N`: a program closes this descriptor.
    CloseDescriptor(u8),
    /// `reset`: the connection is reset.
    Reset,
    /// `never`: nothing is said any more.
    Never,
    /// `exit N`: a program ends.
    Exit(u8),
    /// `die SIGNAL`: a program ends by a signal.
    Die(String),
    /// `cvm`: a request of a credential validation module is read.
    CvmRead,
    /// `cvm CODE NAME=VALUE …`: as `cvm`, and it is answered.
    Cvm(CvmReply),
    /// `refuse`: nobody listens.
    Refuse,
    /// A question to a name server is read, and answered by the first rule for it.
    Answer {
        /// Whether it comes over TCP.
        tcp: bool,
        /// The rules.
        rules: Vec<Rule>,
    },
}

/// The answer of a credential validation module (version 2).
#[derive(Debug, Clone, PartialEq)]
pub struct CvmReply {
    /// The result code.
    pub code: u8,
    /// The random bytes, if they are not those of the request.
    pub cookie: Option<Text>,
    /// Types and values.
    pub facts: Vec<(u8, Text)>,
}

/// The longest `wait`: only where time is the subject.
const WAIT_MAX: u64 = 20_000;

/// Names of facts (`docs/spec` CVM-RESP-4).
const FACTS: [(&str, u8); 16] = [
    ("user", 1),
    ("uid", 2),
    ("gid", 3),
    ("name", 4),
    ("dir", 5),
    ("shell", 6),
    ("group", 7),
    ("groupid", 8),
    ("sysuser", 9),
    ("sysdir", 10),
    ("office", 11),
    ("workphone", 12),
    ("homephone", 13),
    ("domain", 14),
    ("mailbox", 15),
    ("scope", 16),
];

/// What is wrong in a script: the line itself, the column, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// The line.
    pub text: String,
    /// From 1.
    pub column: usize,
    /// Why.
    pub what: String,
}

impl Service {
    /// The script of each call, at least one.
    ///
    /// # Errors
    /// The first line that is not understood.
    pub fn blocks(&self) -> Result<Vec<Vec<Line>>, Wrong> {
        if self.kind == Kind::Dns {
            let rules = self.rules()?;
            return Ok(vec![vec![Line::Answer { tcp: false, rules }]]);
        }
        let mut blocks = vec![Vec::new()];
        for text in self.script.lines() {
            let bare = text.trim_start();
            if bare.is_empty() || bare.starts_with('#') {
                continue;
            }
            if bare == "next" {
                blocks.push(Vec::new());
                continue;
            }
            let lines = line(bare)
                .and_then(|lines| match lines.iter().find(|line| !self.kind.knows(line)) {
                    Some(_) => Err(error(format!("a service of kind {} cannot do this", self.kind.name()))),
                    None => Ok(lines),
                })
                .map_err(|e| Wrong {
                    text: text.into(),
                    column: e.column + text.len() - bare.len(),
                    what: e.what,
                })?;
            if let Some(block) = blocks.last_mut() {
                block.extend(lines);
            }
        }
        Ok(blocks)
    }

    /// The rules of a name server.
    fn rules(&self) -> Result<Vec<Rule>, Wrong> {
        let lines =
            self.script.lines().filter(|line| !line.trim().is_empty() && !line.trim().starts_with('#'));
        let rule = |line: &str| {
            dns::rule(line.trim()).map_err(|e| Wrong { text: line.into(), column: e.column, what: e.what })
        };
        lines.map(rule).collect()
    }

    /// Whether nobody is to listen.
    pub fn refuses(&self) -> bool {
        self.script.lines().any(|line| line.trim() == "refuse")
    }

    /// Whether it is a program that takes messages as qmail-queue does.
    pub fn queues(&self) -> bool {
        self.kind == Kind::Command && self.script.lines().any(|line| line.trim() == "queue")
    }
}

impl Kind {
    fn knows(self, line: &Line) -> bool {
        match line {
            Line::Exit(_) | Line::Die(_) | Line::CloseDescriptor(_) | Line::From(_) => self == Self::Command,
            Line::HalfClose | Line::Close => matches!(self, Self::Tcp | Self::Unix),
            Line::Reset => self == Self::Tcp,
            Line::Elsewhere => self == Self::Udp,
            Line::Refuse => self != Self::Command,
            Line::Answer { .. } => self == Self::Dns,
            _ => true,
        }
    }
}

/// The variable of the service `name`.
pub fn variable(name: &str) -> String {
    name.to_ascii_uppercase().replace('-', "_")
}

pub(super) fn error(what: impl Into<String>) -> ParseError {
    ParseError { line: 1, column: 1, what: what.into() }
}

fn line(source: &str) -> Result<Vec<Line>, ParseError> {
    let behind = |e: ParseError, width: usize| ParseError { column: e.column + width, ..e };
    let text = |at: usize| parser::text_alone(&source[at..]).map_err(|e| behind(e, at));
    let words = parser::words(source);
    Ok(vec![match words[..] {
        ["S:"] => Line::Say(Text::plain("\r\n")),
        ["C:"] => Line::Read(Pattern::plain("")),
        ["S:", ..] => {
            let mut said = text(3)?;
            match said.0.last_mut() {
                Some(Piece::Bytes(bytes)) => bytes.extend_from_slice(b"\r\n"),
                _ => said.0.push(Piece::Bytes(b"\r\n".to_vec())),
            }
            Line::Say(said)
        }
        ["S|", ..] => Line::Say(text(3)?),
        ["C:", ..] => Line::Read(parser::pattern_alone(&source[3..]).map_err(|e| behind(e, 3))?),
        ["C|", ..] => Line::ReadRaw(text(3)?),
        ["until", _, ..] => Line::Until(text("until ".len())?),
        ["read", "all"] => Line::TakeAll,
        ["read", count] => Line::Take(number(count)?),
        ["from", descriptor] => Line::From(number(descriptor)?),
        ["queue"] => return Ok(vec![Line::From(0), Line::TakeAll, Line::From(1), Line::TakeAll]),
        ["elsewhere"] => Line::Elsewhere,
        ["wait", time, "ms"] => {
            let time = number::<u64>(time)?;
            if time > WAIT_MAX {
                return Err(error(format!("no wait is longer than {WAIT_MAX} ms")));
            }
            Line::Wait(Duration::from_millis(time))
        }
        ["half-close"] => Line::HalfClose,
        ["close"] => Line::Close,
        ["close", descriptor] => Line::CloseDescriptor(number(descriptor)?),
        ["reset"] => Line::Reset,
        ["never"] => Line::Never,
        ["refuse"] => Line::Refuse,
        ["exit", status] => Line::Exit(number(status)?),
        ["die", signal] => Line::Die(signal.into()),
        ["cvm"] => Line::CvmRead,
        ["cvm", code, ref facts @ ..] => Line::Cvm(cvm(number(code)?, facts)?),
        _ => return Err(error("no step of a service's script")),
    }])
}

fn number<T: std::str::FromStr>(word: &str) -> Result<T, ParseError> {
    word.parse().map_err(|_| error(format!("`{word}` is not a number that fits here")))
}

fn cvm(code: u8, words: &[&str]) -> Result<CvmReply, ParseError> {
    let mut reply = CvmReply { code, cookie: None, facts: Vec::new() };
    for word in words {
        let (name, value) =
            word.split_once('=').ok_or_else(|| error(format!("`{word}` is not NAME=VALUE")))?;
        let value = parser::text_alone(value)?;
        if name == "cookie" {
            reply.cookie = Some(value);
            continue;
        }
        let known = FACTS.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind);
        let kind = known.or_else(|| name.parse().ok());
        reply.facts.push((kind.ok_or_else(|| error(format!("there is no fact `{name}`")))?, value));
    }
    Ok(reply)
}

impl Line {
    /// The names of the variables used.
    pub fn variables(&self) -> Vec<&str> {
        match self {
            Self::Read(pattern) => pattern.variables().collect(),
            Self::ReadRaw(text) | Self::Until(text) | Self::Say(text) => text.variables().collect(),
            Self::Answer { rules, .. } => rules.iter().flat_map(Rule::variables).collect(),
            Self::Cvm(reply) => {
                let facts = reply.facts.iter().flat_map(|(_, text)| text.variables());
                facts.chain(reply.cookie.iter().flat_map(Text::variables)).collect()
            }
            _ => Vec::new(),
        }
    }
}

impl CvmReply {
    /// The bytes of the answer (`docs/spec` CVM-RESP-1), with the random bytes `cookie` unless the
    /// reply has its own. Lengths are sent modulo 256.
    pub fn encode(&self, cookie: &[u8], variables: &Variables) -> Vec<u8> {
        let own = self.cookie.as_ref().map(|text| text.expand(variables));
        let cookie = own.as_deref().unwrap_or(cookie);
        let length = |bytes: &[u8]| u8::try_from(bytes.len() % 256).unwrap_or_default();
        let mut out = vec![self.code, length(cookie)];
        out.extend_from_slice(cookie);
        for (kind, value) in &self.facts {
            let value = value.expand(variables);
            out.extend([*kind, length(&value)]);
            out.extend(value);
        }
        out.push(0);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(kind: Kind, script: &str) -> Result<Vec<Vec<Line>>, Wrong> {
        Service { kind, script: script.into() }.blocks()
    }

    #[test]
    fn a_script_has_a_block_for_each_call() {
        let script = "# one\nC: PING\nS: PONG\nnext\n  C| \\0x\n  until ${\"a b\" * 2}\n  read 4\n  wait 10 ms\n  reset\n";
        let found = blocks(Kind::Tcp, script).unwrap();
        assert_eq!(found[0], [Line::Read(Pattern::plain("PING")), Line::Say(Text::plain("PONG\r\n"))]);
        assert_eq!(found[1].len(), 5);
        assert_eq!(blocks(Kind::Tcp, "").unwrap(), [vec![]]);
    }

    #[test]
    fn a_wrong_line_is_named_with_its_place() {
        let wrong = blocks(Kind::Udp, "C: a\n  S: \\q\n").unwrap_err();
        assert_eq!((wrong.text.as_str(), wrong.column), ("  S: \\q", 6));
        for (kind, line) in [
            (Kind::Tcp, "exit 1"),
            (Kind::Command, "reset"),
            (Kind::Unix, "elsewhere"),
            (Kind::Udp, "wait 900000 ms"),
            (Kind::Command, "exit 256"),
            (Kind::Command, "cvm 0 users=x"),
            (Kind::Command, "cvm x"),
            (Kind::Command, "hello"),
        ] {
            assert!(blocks(kind, line).is_err(), "{line}");
        }
    }

    #[test]
    fn an_answer_of_a_module_has_its_facts_in_order() {
        let found = blocks(Kind::Udp, "cvm 0 user=bob uid=${UID} 200=a\\x20b").unwrap();
        let Line::Cvm(reply) = &found[0][0] else { panic!() };
        let variables = Variables::from([("UID".into(), b"7".to_vec())]);
        assert_eq!(reply.encode(b"1234", &variables), b"\0\x041234\x01\x03bob\x02\x017\xc8\x03a b\0");
        assert_eq!(found[0][0].variables(), ["UID"]);
    }
}
