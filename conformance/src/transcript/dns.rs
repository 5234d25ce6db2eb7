//! What a name server of a case answers: one rule a line, `[udp|tcp] NAME TYPE: ANSWER`.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use super::{
    parser::{self, ParseError},
    service::error,
    text::Text,
};

/// A rule: which questions it is for, and what is answered.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rule {
    /// Only by datagrams (`false`) or only by connections (`true`).
    pub tcp: Option<bool>,
    /// The name in small letters without a period at its end; any if it is empty.
    pub name: String,
    /// The type in capital letters; any if it is empty.
    pub kind: String,
    /// The result code.
    pub code: u8,
    /// The records.
    pub records: Vec<Record>,
    /// What is out of the ordinary, in order.
    pub oddities: Vec<Oddity>,
}

/// A record of the name asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
    /// Texts.
    Txt(Vec<Text>),
    /// Another name.
    Cname(String),
}

/// What is out of the ordinary in an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Oddity {
    /// It says that it is truncated.
    Truncated,
    /// It has another id.
    WrongId,
    /// It repeats another question.
    WrongName,
    /// It comes from another port.
    Elsewhere,
    /// It comes twice.
    Twice,
    /// It never comes.
    Never,
    /// These bytes come before it, in a datagram of their own.
    First(Text),
    /// It comes late.
    Wait(Duration),
    /// Over TCP another length is declared than it has.
    Length(u16),
    /// These bytes come in its place.
    Raw(Text),
}

/// Result codes (RFC 1035 section 4.1.1).
const CODES: [(&str, u8); 6] =
    [("NOERROR", 0), ("FORMERR", 1), ("SERVFAIL", 2), ("NXDOMAIN", 3), ("NOTIMP", 4), ("REFUSED", 5)];

/// The longest `wait`, in milliseconds.
const WAIT_MAX: u64 = 20_000;

/// Reads a rule.
///
/// # Errors
/// What is not understood.
pub fn rule(line: &str) -> Result<Rule, ParseError> {
    let (question, answer) = line.split_once(": ").ok_or_else(|| error("a rule is `NAME TYPE: ANSWER`"))?;
    let mut rule = Rule::default();
    let mut asked: Vec<&str> = question.split(' ').collect();
    if let Some(way @ ("udp" | "tcp")) = asked.first().copied() {
        rule.tcp = Some(way == "tcp");
        asked.remove(0);
    }
    let [name, kind] = asked[..] else { return Err(error("a question is `[udp|tcp] NAME TYPE`")) };
    let any = |word: &str| if word == "*" { String::new() } else { word.to_string() };
    rule.name = any(name).trim_end_matches('.').to_ascii_lowercase();
    rule.kind = any(kind).to_ascii_uppercase();
    let mut words = parser::words(answer).into_iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| error(format!("`{word}` wants a value")));
        let wrong = |value: &str| error(format!("`{word} {value}`: no such value"));
        match word {
            "A" => {
                let value = value()?;
                rule.records.push(Record::A(value.parse().map_err(|_| wrong(value))?));
            }
            "AAAA" => {
                let value = value()?;
                rule.records.push(Record::Aaaa(value.parse().map_err(|_| wrong(value))?));
            }
            "TXT" => rule.records.push(Record::Txt(vec![parser::text_alone(value()?)?])),
            "TXT+" => match rule.records.last_mut() {
                Some(Record::Txt(texts)) => texts.push(parser::text_alone(value()?)?),
                _ => return Err(error("`TXT+` stands behind `TXT`")),
            },
            "CNAME" => rule.records.push(Record::Cname(value()?.into())),
            "truncated" => rule.oddities.push(Oddity::Truncated),
            "wrong-id" => rule.oddities.push(Oddity::WrongId),
            "wrong-name" => rule.oddities.push(Oddity::WrongName),
            "elsewhere" => rule.oddities.push(Oddity::Elsewhere),
            "twice" => rule.oddities.push(Oddity::Twice),
            "never" => rule.oddities.push(Oddity::Never),
            "wait" => {
                let value = value()?;
                let time = value.parse().ok().filter(|time| *time <= WAIT_MAX).ok_or_else(|| wrong(value))?;
                rule.oddities.push(Oddity::Wait(Duration::from_millis(time)));
            }
            "length" => {
                let value = value()?;
                rule.oddities.push(Oddity::Length(value.parse().map_err(|_| wrong(value))?));
            }
            "first" => rule.oddities.push(Oddity::First(parser::text_alone(value()?)?)),
            "raw" => rule.oddities.push(Oddity::Raw(parser::text_alone(value()?)?)),
            code => match CODES.iter().find(|(name, _)| *name == code) {
                Some((_, number)) => rule.code = *number,
                None => return Err(error(format!("`{code}` is no part of an answer"))),
            },
        }
    }
    Ok(rule)
}

impl Rule {
    /// Whether it is for this question; the name in small letters, without a period at its end.
    pub fn fits(&self, tcp: bool, name: &str, kind: &str) -> bool {
        self.tcp.is_none_or(|only| only == tcp)
            && (self.name.is_empty() || self.name == name)
            && (self.kind.is_empty() || self.kind == kind)
    }

    /// Whether this is out of the ordinary.
    pub fn has(&self, oddity: &Oddity) -> bool {
        self.oddities.contains(oddity)
    }

    /// The names of the variables used.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        let texts = self.records.iter().flat_map(|record| match record {
            Record::Txt(texts) => texts.as_slice(),
            _ => &[],
        });
        let raw = self.oddities.iter().filter_map(|oddity| match oddity {
            Oddity::Raw(text) | Oddity::First(text) => Some(text),
            _ => None,
        });
        texts.chain(raw).flat_map(Text::variables).filter(|name| *name != ID)
    }
}

/// The two bytes of the question's id.
pub const ID: &str = "ID";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_says_what_it_is_for_and_what_is_answered() {
        let found =
            rule("tcp 2.0.0.127.BL.example. txt: TXT one\\x20two TXT+ three A 127.0.0.2 truncated wait 5")
                .unwrap();
        assert_eq!(
            (found.tcp, found.name.as_str(), found.kind.as_str()),
            (Some(true), "2.0.0.127.bl.example", "TXT")
        );
        assert_eq!(found.records[0], Record::Txt(vec![Text::plain("one two"), Text::plain("three")]));
        assert_eq!(found.records[1], Record::A(Ipv4Addr::new(127, 0, 0, 2)));
        assert!(found.has(&Oddity::Truncated) && !found.has(&Oddity::Never));
        assert!(
            found.fits(true, "2.0.0.127.bl.example", "TXT")
                && !found.fits(false, "2.0.0.127.bl.example", "TXT")
        );
        assert!(rule("* *: NXDOMAIN").unwrap().fits(false, "x", "A"));
        for wrong in [
            "x: A 1.2.3.4",
            "x A",
            "x A: A",
            "x A: A 1.2.3",
            "x A: hello",
            "x A: TXT+ a",
            "x A: wait 99999",
            "x A: length 65536",
        ] {
            assert!(rule(wrong).is_err(), "{wrong}");
        }
    }
}
