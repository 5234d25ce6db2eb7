use hickory_proto::rr::{
    Record,
    rdata::{A, CNAME, TXT},
};

use super::*;

fn question(kind: Kind) -> Question {
    Question::new(7, b"2.0.0.127.bl.example", kind).unwrap()
}

/// A reply to `question` with these records.
fn reply(question: &Question, data: Vec<RData>) -> Message {
    let mut message = Message::new(question.id, MessageType::Response, OpCode::Query);
    message.add_query(Query::query(question.name.clone(), question.record_type()));
    for data in data {
        message.add_answer(Record::from_rdata(question.name.clone(), 60, data));
    }
    message
}

fn txt(strings: &[&[u8]]) -> RData {
    RData::TXT(TXT::from_bytes(strings.to_vec()))
}

#[test]
fn an_address_is_spelt_backwards() {
    let name = |address: &str, list: &[u8]| listed_name(address.parse().unwrap(), list).to_string();
    assert_eq!(name("127.0.0.2", b"bl.example"), "2.0.0.127.bl.example");
    assert_eq!(name("1.2.3.4", b""), "4.3.2.1");
    let expected = "2.".to_string() + &"0.".repeat(23) + "8.b.d.0.1.0.0.2.bl";
    assert_eq!(name("2001:db8::2", b"bl"), expected);
}

#[test]
fn a_question_is_one_packet_with_one_question() {
    let packet = question(Kind::Text).encode().unwrap();
    let expected = b"\0\x07\x01\0\0\x01\0\0\0\0\0\0\x012\x010\x010\x03127\x02bl\x07example\0\0\x10\0\x01";
    assert_eq!(packet, expected);
}

#[test]
fn what_is_no_name_is_not_asked() {
    for wrong in [&b""[..], b".", b"a..b", b".a", &[b'x'; 64], &b"abcdefg.".repeat(33)] {
        assert_eq!(Question::new(0, wrong, Kind::Text), None, "{}", wrong.as_bstr());
    }
    assert!(Question::new(0, b"a b.C_\xff.", Kind::Text).is_some());
}

#[test]
fn texts_are_joined_and_other_records_do_not_count() {
    let question = question(Kind::Text);
    let alias = RData::CNAME(CNAME(Name::root()));
    let records = vec![alias, txt(&[b"one ", b"text"]), RData::A(A::new(127, 0, 0, 2)), txt(&[b""])];
    let packet = reply(&question, records).to_vec().unwrap();
    let texts = vec!["one text".into(), "".into()];
    assert_eq!(question.read(&packet), Packet::Answer(Answer { texts, addresses: vec![] }));
}

#[test]
fn addresses_are_collected() {
    let question = question(Kind::Address);
    let packet = reply(&question, vec![RData::A(A::new(1, 2, 3, 4)), txt(&[b"x"])]).to_vec().unwrap();
    let addresses = vec![Ipv4Addr::new(1, 2, 3, 4)];
    assert_eq!(question.read(&packet), Packet::Answer(Answer { texts: vec![], addresses }));
}

#[test]
fn another_s_answer_is_ignored() {
    let question = question(Kind::Text);
    let good = reply(&question, vec![txt(&[b"x"])]);
    let mut foreign = Vec::new();
    let mut other = good.clone();
    other.metadata.id = 8;
    foreign.push(other);
    let mut other = good.clone();
    other.metadata.message_type = MessageType::Query;
    foreign.push(other);
    let mut other = good.clone();
    other.queries = vec![Query::query(Name::root(), RecordType::TXT)];
    foreign.push(other);
    let mut other = good;
    other.queries.clear();
    foreign.push(other);
    for message in foreign {
        assert_eq!(question.read(&message.to_vec().unwrap()), Packet::Foreign);
    }
    assert_eq!(question.read(b"\0\x07rubbish"), Packet::Foreign);
}

#[test]
fn errors_and_absence_are_told_apart() {
    let question = question(Kind::Text);
    let with = |code| {
        let mut message = reply(&question, vec![]);
        message.metadata.response_code = code;
        question.read(&message.to_vec().unwrap())
    };
    assert_eq!(with(ResponseCode::NXDomain), Packet::Answer(Answer::default()));
    assert_eq!(with(ResponseCode::NoError), Packet::Answer(Answer::default()));
    assert_eq!(with(ResponseCode::ServFail), Packet::Failed);
    assert_eq!(with(ResponseCode::Refused), Packet::Failed);
    let mut cut = reply(&question, vec![txt(&[b"x"])]);
    cut.metadata.truncation = true;
    assert_eq!(question.read(&cut.to_vec().unwrap()), Packet::Truncated);
}
