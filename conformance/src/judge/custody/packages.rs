//! What was acknowledged in QMTP and QMQP: the packages that were sent, each with the answers that came.
//!
//! Lengths are read with leniency, as servers do that take leading zeros (NS-LEN-3) or no digits at all
//! (NS-LEN-4): what counts here is which message an answer speaks of.

use bstr::ByteSlice as _;

use super::Acknowledged;

/// The messages acknowledged in a QMTP conversation: one answer for each recipient, in order
/// (QMTP-RSP-3).
pub fn qmtp(sent: &[u8], output: &[u8]) -> Vec<Acknowledged> {
    let mut messages = Vec::new();
    let (mut sent, mut output) = (sent, output);
    while let Some((content, recipients)) = package(&mut sent) {
        let answers = (0..recipients).map_while(|_| netstring(&mut output));
        let accepted = answers.filter(|answer| answer.starts_with(b"K")).count();
        if accepted > 0 {
            messages.push(Acknowledged { recipients: accepted, content: Some(content) });
        }
    }
    messages
}

/// A whole package: the message with LF line ends and the number of recipients.
fn package(sent: &mut &[u8]) -> Option<(Vec<u8>, usize)> {
    let (message, _sender, mut list) = (netstring(sent)?, netstring(sent)?, netstring(sent)?);
    let content = match message.split_first()? {
        (b'\n', content) => content.to_vec(),
        (b'\r', content) => content.replace("\r\n", "\n"),
        _ => return None,
    };
    let mut recipients = 0;
    while !list.is_empty() {
        netstring(&mut list)?;
        recipients += 1;
    }
    Some((content, recipients))
}

/// The message acknowledged in a QMQP conversation: one answer for all its recipients (QMQP-RSP-1).
/// What the outer length says is not looked at.
pub fn qmqp(sent: &[u8], output: &[u8]) -> Vec<Acknowledged> {
    let message = |mut sent: &[u8], mut output: &[u8]| {
        length(&mut sent)?;
        let (content, _sender) = (netstring(&mut sent)?, netstring(&mut sent)?);
        let mut recipients = 0;
        while !sent.starts_with(b",") {
            netstring(&mut sent)?;
            recipients += 1;
        }
        let accepted = netstring(&mut output)?.starts_with(b"K");
        accepted.then(|| Acknowledged { recipients, content: Some(content.to_vec()) })
    };
    message(sent, output).into_iter().collect()
}

/// Takes the first netstring; `None` if there is no whole one.
fn netstring<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let mut rest = *bytes;
    let length = length(&mut rest)?;
    let content = rest.get(..length).filter(|_| rest.get(length) == Some(&b','))?;
    *bytes = &rest[length + 1..];
    Some(content)
}

/// Takes digits and a colon.
fn length(bytes: &mut &[u8]) -> Option<usize> {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = bytes.split_at(digits);
    *bytes = rest.strip_prefix(b":")?;
    if digits.is_empty() { Some(0) } else { std::str::from_utf8(digits).ok()?.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acknowledged(recipients: usize, content: &str) -> Acknowledged {
        Acknowledged { recipients, content: Some(content.into()) }
    }

    #[test]
    fn qmtp_has_an_answer_for_each_recipient() {
        let sent =
            b"6:\ntest\n,3:a@b,12:3:c@d,3:e@f,,4:\rx\r\n,0:,6:3:c@d,,1:\n,0:,0:,6:\nlost\n,3:a@b,6:3:c@d,";
        let expected = [acknowledged(1, "test\n"), acknowledged(1, "x\n")];
        assert_eq!(qmtp(&sent.replace("4:\rx", "4:\rx"), b"2:Da,2:Kb,2:Kc,"), expected);
        assert_eq!(qmtp(sent, b"2:Da,2:Zb,2:Dc,2:Kd,"), []);
        assert_eq!(qmtp(b"006:\ntest\n,:,6:3:c@d,,", b"1:K,"), [acknowledged(1, "test\n")]);
    }

    #[test]
    fn qmqp_has_one_answer() {
        let sent = b"26:5:test\n,3:a@b,3:c@d,3:e@f,,";
        assert_eq!(qmqp(sent, b"3:Kok,"), [acknowledged(2, "test\n")]);
        assert_eq!(qmqp(sent, b"3:Dno,"), []);
        assert_eq!(qmqp(&sent[..sent.len() - 1], b"3:Kok,"), []);
    }
}
