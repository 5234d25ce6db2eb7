//! Answers questions about names as a case's rules say (RFC 1035). The packets are hickory's to read and
//! write.

use hickory_proto::{
    op::{Message, MessageType, OpCode, Query, ResponseCode},
    rr::{
        Name, RData,
        rdata::{A, AAAA, CNAME, TXT},
    },
};

use crate::transcript::{
    dns::{ID, Oddity, Record, Rule},
    service::Line,
    text::{Text, Variables},
};

/// A question as it came.
pub struct Question {
    /// The packet.
    pub packet: Vec<u8>,
    /// How many bytes it took; over TCP two more than the packet has (RFC 1035 section 4.2.2).
    pub length: usize,
}

/// The question in `bytes`; nothing as long as it is not complete.
pub fn question(bytes: &[u8], tcp: bool, ended: bool) -> Option<Question> {
    if !tcp {
        return ended.then(|| Question { packet: bytes.to_vec(), length: bytes.len() });
    }
    let whole = bytes.split_at_checked(2).and_then(|(length, rest)| {
        let length = usize::from(u16::from_be_bytes(length.try_into().ok()?));
        rest.get(..length)
    });
    match whole {
        Some(packet) => Some(Question { packet: packet.to_vec(), length: packet.len() + 2 }),
        None => ended.then(|| Question { packet: Vec::new(), length: bytes.len() }),
    }
}

/// What is learnt from a question, and the steps by which it is answered.
pub fn answer(
    packet: &[u8],
    rules: &[Rule],
    tcp: bool,
    variables: &Variables,
) -> (Vec<(String, Vec<u8>)>, Vec<Line>) {
    let mut facts = vec![("over".to_string(), if tcp { b"tcp".to_vec() } else { b"udp".to_vec() })];
    let question = Message::from_vec(packet).ok();
    let Some((question, query)) = question.as_ref().and_then(|q| Some((q, q.queries.first()?))) else {
        facts.push(("malformed".into(), b"no question".into()));
        return (facts, vec![Line::Never]);
    };
    let kind = query.query_type().to_string();
    let name = query.name().to_ascii();
    let name = name.trim_end_matches('.');
    facts.push(("query".into(), format!("{name} {kind}").into()));
    let unknown = Rule { code: 3, ..Rule::default() };
    let name = name.to_ascii_lowercase();
    let rule = rules.iter().find(|rule| rule.fits(tcp, &name, &kind)).unwrap_or(&unknown);
    (facts, steps(question, query, rule, tcp, variables))
}

fn steps(question: &Message, query: &Query, rule: &Rule, tcp: bool, variables: &Variables) -> Vec<Line> {
    let id = question.metadata.id;
    let mut lines = Vec::new();
    let (mut raw, mut declared) = (None, None);
    let mut known = variables.clone();
    known.insert(ID.to_string(), id.to_be_bytes().to_vec());
    for oddity in &rule.oddities {
        match oddity {
            Oddity::Never => return vec![Line::Never],
            Oddity::Wait(time) => lines.push(Line::Wait(*time)),
            Oddity::Length(length) => declared = Some(*length),
            Oddity::Elsewhere if !tcp => lines.push(Line::Elsewhere),
            Oddity::Raw(text) => raw = Some(text.expand(&known)),
            Oddity::First(text) if !tcp => lines.push(Line::Say(Text::plain(text.expand(&known)))),
            _ => {}
        }
    }
    let Some(mut packet) = raw.or_else(|| reply(question, query, rule, variables)) else {
        return vec![Line::Never];
    };
    if tcp {
        let length = declared.unwrap_or(u16::try_from(packet.len()).unwrap_or(u16::MAX));
        packet.splice(..0, length.to_be_bytes());
    }
    let copies = if rule.has(&Oddity::Twice) { 2 } else { 1 };
    lines.extend((0..copies).map(|_| Line::Say(Text::plain(packet.clone()))));
    lines
}

/// The answer; nothing if a name in it is none.
fn reply(question: &Message, query: &Query, rule: &Rule, variables: &Variables) -> Option<Vec<u8>> {
    let id = question.metadata.id;
    let id = if rule.has(&Oddity::WrongId) { id.wrapping_add(1) } else { id };
    let mut answer = Message::new(id, MessageType::Response, OpCode::Query);
    answer.metadata.recursion_desired = question.metadata.recursion_desired;
    answer.metadata.recursion_available = true;
    answer.metadata.truncation = rule.has(&Oddity::Truncated);
    answer.metadata.response_code = ResponseCode::from(0, rule.code);
    let name = if rule.has(&Oddity::WrongName) {
        Name::from_ascii("wrong.example.").ok()?
    } else {
        query.name().clone()
    };
    answer.add_query(Query::query(name.clone(), query.query_type()));
    for record in &rule.records {
        let data = match record {
            Record::A(address) => RData::A(A(*address)),
            Record::Aaaa(address) => RData::AAAA(AAAA(*address)),
            Record::Cname(other) => RData::CNAME(CNAME(Name::from_ascii(other).ok()?)),
            Record::Txt(texts) => {
                let texts: Vec<Vec<u8>> = texts.iter().map(|text| text.expand(variables)).collect();
                RData::TXT(TXT::from_bytes(texts.iter().map(Vec::as_slice).collect()))
            }
        };
        answer.add_answer(hickory_proto::rr::Record::from_rdata(name.clone(), TIME_TO_LIVE, data));
    }
    answer.to_vec().ok()
}

/// Seconds for which an answer may be kept; no play lasts so long.
const TIME_TO_LIVE: u32 = 60;

#[cfg(test)]
mod tests {
    use hickory_proto::rr::RecordType;

    use super::*;
    use crate::transcript::dns::rule;

    fn asked(name: &str, kind: RecordType) -> Vec<u8> {
        let mut message = Message::new(258, MessageType::Query, OpCode::Query);
        message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
        message.to_vec().unwrap()
    }

    fn told(rules: &[&str], tcp: bool) -> (Vec<(String, Vec<u8>)>, Vec<Line>) {
        let rules: Vec<Rule> = rules.iter().map(|line| rule(line).unwrap()).collect();
        answer(&asked("2.0.bl.Example.", RecordType::TXT), &rules, tcp, &Variables::new())
    }

    fn said(line: &Line) -> Message {
        let Line::Say(text) = line else { panic!("{line:?}") };
        Message::from_vec(&text.expand(&Variables::new())).unwrap()
    }

    #[test]
    fn the_first_rule_that_fits_answers() {
        let (facts, lines) = told(
            &["2.0.bl.example A: A 127.0.0.2", "2.0.bl.example TXT: TXT listed TXT other", "* *: SERVFAIL"],
            false,
        );
        assert!(facts.contains(&("query".into(), b"2.0.bl.Example TXT".into())));
        let message = said(&lines[0]);
        assert_eq!((message.metadata.id, message.answers.len(), lines.len()), (258, 2, 1));
        let (_, lines) = told(&["tcp * *: NOERROR"], false);
        assert_eq!(said(&lines[0]).metadata.response_code, ResponseCode::NXDomain);
    }

    #[test]
    fn what_is_odd_is_done() {
        let (_, lines) = told(&["* *: TXT x wrong-id truncated twice elsewhere wait 5"], false);
        assert_eq!((lines.len(), &lines[0]), (4, &Line::Elsewhere));
        let message = said(&lines[2]);
        assert_eq!((message.metadata.id, message.metadata.truncation), (259, true));
        assert_eq!(told(&["* *: never"], false).1, [Line::Never]);
        let forged = told(&["* *: first a first b raw c"], false).1;
        assert_eq!(forged, ["a", "b", "c"].map(|text| Line::Say(Text::plain(text))));
        assert_eq!(told(&["* *: raw x length 258"], true).1, [Line::Say(Text::plain("\x01\x02x"))]);
        assert_eq!(told(&["* *: raw ${ID}x"], true).1, [Line::Say(Text::plain("\0\x03\x01\x02x"))]);
    }

    #[test]
    fn a_question_over_tcp_has_its_length_before_it() {
        assert!(question(b"\0", true, false).is_none() && question(b"\0\x02a", true, false).is_none());
        let whole = question(b"\0\x02abc", true, false).unwrap();
        assert_eq!((whole.packet, whole.length), (b"ab".to_vec(), 4));
        assert!(question(b"ab", false, false).is_none());
    }
}
