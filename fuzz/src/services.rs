//! The bodies for what scanners, name servers and scripts answer.

use mailfront::{
    plugins::lua::returned,
    response::Framing,
    wire::{
        clamd::{self, Verdict},
        dns::{Kind, Packet, Question},
        spamd::{self, Status},
    },
};

/// The number of the question that packets are held against.
const ID: u16 = 7;

/// Once a part of clamd's reply has a verdict, the whole has the same; what is shown is printable
/// (CLAM-6, -15).
pub fn clamd(reply: &[u8]) {
    let whole = clamd::verdict(reply);
    for end in 0..reply.len() {
        let part = clamd::verdict(&reply[..end]);
        assert!(part.is_none() || part == whole, "{part:?} became {whole:?}");
    }
    if let Some(Verdict::Infected(found)) = whole {
        assert!(found.ends_with(b"FOUND") && found.iter().all(|byte| (b' '..=b'~').contains(byte)));
    }
}

/// Whether a reply of spamd's is taken, and as spam.
fn taken(reply: &[u8]) -> Option<bool> {
    let head = spamd::head(reply).ok()??;
    let body = &reply[head.size..];
    let mut status = Status::default();
    status.push(body);
    head.is_whole(body.len() as u64, 1).then(|| status.is_spam())
}

/// A head that is complete stays what it is; of a reply that is taken no shorter part is, if its
/// length was promised (SPAM-11); how a message is cut changes no status (SPAM-7).
pub fn spamd(reply: &[u8]) {
    let whole = spamd::head(reply);
    for end in 0..reply.len() {
        let part = spamd::head(&reply[..end]);
        assert!(part == Ok(None) || part == whole, "{part:?} became {whole:?}");
    }
    let promised = whole.ok().flatten().and_then(|head| head.length);
    if promised.is_some() && taken(reply).is_some() {
        let parts = (0..reply.len()).filter_map(|end| taken(&reply[..end]));
        assert_eq!(parts.count(), 0, "a part is taken");
    }
    let (mut at_once, mut pieces) = (Status::default(), Status::default());
    at_once.push(reply);
    reply.chunks(3).for_each(|piece| pieces.push(piece));
    assert_eq!(at_once.is_spam(), pieces.is_spam(), "cutting changes the status");
}

/// An answer has the question's number and says it is one; its texts are bytes of the packet
/// (RBL-16).
pub fn dns(packet: &[u8]) {
    for kind in [Kind::Text, Kind::Address] {
        let question = Question::new(ID, b"2.0.0.127.bl.example", kind);
        let Some(question) = question else { panic!("a good name is refused") };
        match question.read(packet) {
            Packet::Foreign => {}
            Packet::Truncated | Packet::Failed => assert_eq!(packet[..2], ID.to_be_bytes()),
            Packet::Answer(answer) => {
                assert_eq!(packet[..2], ID.to_be_bytes());
                assert_ne!(packet[2] & 0x80, 0, "a question is no answer");
                let bytes: usize = answer.texts.iter().map(|text| text.len()).sum();
                assert!(bytes + 4 * answer.addresses.len() <= packet.len(), "bytes from nowhere");
            }
        }
    }
}

/// What a script returns becomes a well-formed reply or is an error (LUA-9 … 12). The first eight bytes
/// are the number, the rest the text.
pub fn lua_returned(input: &[u8]) {
    let Some((number, text)) = input.split_first_chunk::<8>() else { return };
    for number in [f64::from_be_bytes(*number), f64::from(u16::from_be_bytes([number[6], number[7]]))] {
        match returned::answer(Some(number), Some(text)) {
            Ok(Some(answer)) => {
                assert!((200..600).contains(&answer.number()));
                let reply = Framing::Smtp.encode(&answer);
                let Some(lines) = reply.strip_suffix(b"\r\n") else { panic!("a reply without end") };
                let code = answer.number().to_string();
                for line in lines.split(|byte| *byte == b'\n') {
                    let line = line.strip_suffix(b"\r").unwrap_or(line);
                    assert!(line.starts_with(code.as_bytes()) && b"- ".contains(&line[3]));
                    assert!(!line.contains(&b'\r') && !line.contains(&0));
                }
            }
            Ok(None) => assert_eq!(number.trunc(), 0.0),
            Err(wrong) => assert!(wrong != 0.0),
        }
    }
}

/// Seeds of these targets: the replies of the real programs and near misses.
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    let texts: &[&[u8]] = match target {
        "clamd" => &[
            b"stream: OK\n",
            b"stream: OK\nstream: X FOUND\n",
            b"stream: Eicar-Test-Signature FOUND\n",
            b"stream: OK FOUND\r\n",
            b"INSTREAM size limit exceeded. ERROR\n",
            b"stream: Can't allocate memory ERROR\n",
            b"UNKNOWN COMMAND\n",
        ],
        "spamd" => &[
            b"SPAMD/1.1 0 EX_OK\r\nContent-length: 29\r\n\r\nX-Spam-Status: Yes, score=9\n\n",
            b"SPAMD/1.5 0 EX_OK\nSpam: True ; 10.0 / 5.0\n\nA: b\r\nx-spam-status:\tno\r\n\r\nbody",
            b"SPAMD/1.0 76 Bad header line: (Content-Length mismatch: Expected 5 bytes, got 4 bytes)\r\n",
        ],
        "dns" => &[
            b"\0\x07\x81\x80\0\x01\0\x01\0\0\0\0\x012\x010\x010\x03127\x02bl\x07example\0\0\x10\0\x01\
              \xc0\x0c\0\x10\0\x01\0\0\0\x3c\0\x07\x06listed",
            b"\0\x07\x81\x80\0\x01\0\x01\0\0\0\0\x012\x010\x010\x03127\x02bl\x07example\0\0\x01\0\x01\
              \xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\x7f\0\0\x02",
            b"\0\x07\x83\x83\0\x01\0\0\0\0\0\0\x012\x010\x010\x03127\x02bl\x07example\0\0\x10\0\x01",
        ],
        "lua_returned" => &[
            b"\0\0\0\0\0\0\0\xfaOK",
            b"\0\0\0\0\0\0\x04\xfafin",
            b"\x40\x81\x50\0\0\0\0\0one\ntwo\0three",
            b"\xff\xf8\0\0\0\0\0\0",
        ],
        _ => &[],
    };
    texts.iter().map(|text| text.to_vec()).collect()
}
