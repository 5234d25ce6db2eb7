//! Messages acknowledged to the client = messages captured, byte for byte.
//!
//! What was acknowledged is read from the conversation alone, by a client's understanding of SMTP (one
//! reply for each command line, a message between `354` and its end, RFC 5321 section 4.1.1.4) or of
//! QMTP and QMQP ([`packages`]).

mod packages;

use bstr::ByteSlice as _;

use super::{Aspect, Finding, Judgement, queue};
use crate::{
    play::Outcome,
    sandbox::World,
    transcript::{Case, front::Protocol},
};

/// A message that the server took responsibility for.
#[derive(Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// How many recipients it was accepted for.
    pub recipients: usize,
    /// Its content with LF line ends; `None` if a bare CR or LF in it leaves that open.
    pub content: Option<Vec<u8>>,
}

/// Compares the two sides for one play.
pub fn check(case: &Case, world: &World, outcome: &Outcome, judgement: &mut Judgement) {
    let (true, Some(protocol), None) = (queue::is_seen(world), case.front.protocol(), &case.front.custody)
    else {
        return;
    };
    let mut fail = |expected: &str, got: String| {
        judgement.findings.push(Finding::new(Aspect::Custody, 0, expected, got.as_bytes()));
    };
    let captured = match queue::captured(world, outcome) {
        Ok(captured) => captured,
        Err(error) => return fail("a readable queue", error.to_string()),
    };
    let acknowledged = of_protocol(protocol, outcome);
    let mut left: Vec<&queue::Message> = captured.iter().collect();
    for message in &acknowledged {
        let found = left.iter().position(|captured| {
            captured.to.len() == message.recipients
                && message.content.as_ref().is_none_or(|content| captured.content.ends_with(content))
        });
        match found {
            Some(at) => _ = left.remove(at),
            None => fail("each acknowledged message is captured", describe(message)),
        }
    }
    for message in left {
        fail("nothing is captured but acknowledged messages", queue::describe(message));
    }
}

/// How many messages were acknowledged in a play of `case`.
pub fn count(case: &Case, outcome: &Outcome) -> usize {
    case.front.protocol().map_or(0, |protocol| of_protocol(protocol, outcome).len())
}

fn of_protocol(protocol: Protocol, outcome: &Outcome) -> Vec<Acknowledged> {
    let (sent, output) = (&outcome.sent, &outcome.output);
    match protocol {
        Protocol::Smtp => acknowledged(sent, output),
        Protocol::Qmtp => packages::qmtp(sent, output),
        Protocol::Qmqp => packages::qmqp(sent, output),
    }
}

fn describe(message: &Acknowledged) -> String {
    let content = message.content.as_deref().map(|c| crate::transcript::text::escape_short(c, 160));
    format!("acknowledged, not captured: {} recipients | {}", message.recipients, content.unwrap_or_default())
}

/// The messages acknowledged in an SMTP conversation.
pub fn acknowledged(sent: &[u8], output: &[u8]) -> Vec<Acknowledged> {
    let mut messages = Vec::new();
    let mut codes = replies(output);
    let mut recipients = 0;
    let mut rest = sent;
    if codes.next().is_none() {
        return messages;
    }
    while let Some(end) = rest.find_byte(b'\n') {
        let line = &rest[..=end];
        rest = &rest[end + 1..];
        let Some(code) = codes.next() else { break };
        let verb: Vec<u8> =
            line.iter().take_while(|b| b.is_ascii_alphabetic()).map(u8::to_ascii_uppercase).collect();
        match (&verb[..], code) {
            // A refused one leaves the transaction as it is, but for MAIL, which may end it first.
            (b"RSET" | b"EHLO" | b"HELO" | b"MAIL" | b"STARTTLS", 200..300) => recipients = 0,
            (b"RCPT", 200..300) => recipients += 1,
            (b"DATA", 354) => {
                let crlf = line.ends_with(b"\r\n");
                let Some((content, after)) = message(rest, crlf) else { break };
                rest = after;
                if matches!(codes.next(), Some(200..300)) {
                    messages.push(Acknowledged { recipients, content });
                }
                recipients = 0;
            }
            _ => {}
        }
    }
    messages
}

/// The codes of the replies, one for each.
fn replies(output: &[u8]) -> impl Iterator<Item = u16> {
    output.split_str("\n").filter_map(|line| {
        let code = std::str::from_utf8(line.get(..3)?).ok()?.parse().ok()?;
        (line.get(3) != Some(&b'-')).then_some(code)
    })
}

/// A message and what follows it; the content is `None` if its line ends are not all alike.
fn message(data: &[u8], crlf: bool) -> Option<(Option<Vec<u8>>, &[u8])> {
    let (end, ending) = if crlf { (&b"\r\n.\r\n"[..], &b"\r\n"[..]) } else { (&b"\n.\n"[..], &b"\n"[..]) };
    let (body, after) = if data.starts_with(&end[ending.len()..]) {
        (&data[..0], &data[end.len() - ending.len()..])
    } else {
        let at = data.find(end)?;
        (&data[..at + ending.len()], &data[at + end.len()..])
    };
    let mut content = Vec::with_capacity(body.len());
    for line in body.split_str(ending) {
        if crlf && line.find_byteset("\r\n").is_some() {
            return Some((None, after));
        }
        content.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
        content.push(b'\n');
    }
    content.pop();
    Some((Some(content), after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_commands_with_replies_and_unstuffs() {
        let sent = b"MAIL FROM:<a>\r\nRCPT TO:<b>\r\nRCPT TO:<c>\r\nDATA\r\n..x\r\ny\r\n.\r\nQUIT\r\n";
        let output = b"220 hi\r\n250 ok\r\n250 ok\r\n550 no\r\n354 go\r\n250-a\r\n250 b\r\n221 bye\r\n";
        let expected = Acknowledged { recipients: 1, content: Some(b".x\ny\n".to_vec()) };
        assert_eq!(acknowledged(sent, output), [expected]);
    }

    #[test]
    fn a_refused_or_unfinished_message_is_not_acknowledged() {
        let sent = b"MAIL F:<a>\r\nRCPT T:<b>\r\nDATA\r\nx\r\n.\r\n";
        assert_eq!(acknowledged(sent, b"220 h\r\n250 k\r\n250 k\r\n354 g\r\n554 no\r\n"), []);
        assert_eq!(acknowledged(&sent[..sent.len() - 3], b"220 h\r\n250 k\r\n250 k\r\n354 g\r\n"), []);
    }

    #[test]
    fn an_empty_message_counts() {
        let sent = b"MAIL F:<a>\nRCPT T:<b>\nDATA\n.\n";
        let found = acknowledged(sent, b"220 h\r\n250 k\r\n250 k\r\n354 g\r\n250 ok\r\n");
        assert_eq!(found, [Acknowledged { recipients: 1, content: Some(Vec::new()) }]);
    }
}
