//! A client's view: the messages in what a server said, and whether somebody who reads mail reads the
//! same in them as in the files.

use bstr::ByteSlice as _;
use mailparse::{MailParseError, ParsedMail, parse_mail};

/// The messages in a conversation in which nothing was asked for but messages, one after the other:
/// behind the greeting, each `+OK` line is followed by a message that ends with a lone dot. Dots are
/// unstuffed; what a server refused is not there.
pub fn messages(output: &[u8]) -> Vec<Vec<u8>> {
    let mut lines = output.split_inclusive(|byte| *byte == b'\n').skip(1);
    let mut messages = Vec::new();
    while let Some(answer) = lines.next() {
        if !answer.starts_with(b"+OK") {
            continue;
        }
        let mut message = Vec::new();
        for line in lines.by_ref().take_while(|line| *line != b".\r\n") {
            message.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
        }
        messages.push(message);
    }
    messages
}

/// Whether a message that was retrieved reads as the file does: the same fields, types, parts and texts,
/// but for the ends of lines and the empty line that may follow (MAILDIR-DATA-3).
///
/// # Errors
/// What differs.
pub fn reads_alike(file: &[u8], retrieved: &[u8]) -> Result<(), String> {
    match (parse_mail(file), parse_mail(retrieved)) {
        (Ok(file), Ok(retrieved)) => parts_alike(&file, &retrieved, ""),
        (Err(_), Err(_)) => Ok(()),
        (Ok(_), Err(error)) => Err(format!("what was retrieved cannot be read: {error}")),
        (Err(error), Ok(_)) => Err(format!("what was retrieved can be read, the file cannot: {error}")),
    }
}

/// `place` is where the parts are: `.1.2` is the second part of the first one.
fn parts_alike(file: &ParsedMail<'_>, retrieved: &ParsedMail<'_>, place: &str) -> Result<(), String> {
    let fields = |mail: &ParsedMail<'_>| -> Vec<(String, String)> {
        mail.headers.iter().map(|field| (field.get_key(), field.get_value())).collect()
    };
    same("the fields", place, &fields(file), &fields(retrieved))?;
    let kind = |mail: &ParsedMail<'_>| (mail.ctype.mimetype.clone(), mail.ctype.params.clone());
    same("the type", place, &kind(file), &kind(retrieved))?;
    same("the number of parts", place, &file.subparts.len(), &retrieved.subparts.len())?;
    if file.subparts.is_empty() {
        same("the text", place, &text(file), &text(retrieved))?;
    }
    for (number, (file, retrieved)) in file.subparts.iter().zip(&retrieved.subparts).enumerate() {
        parts_alike(file, retrieved, &format!("{place}.{}", number + 1))?;
    }
    Ok(())
}

/// The decoded body, its lines ended by LF and without line ends behind it.
fn text(mail: &ParsedMail<'_>) -> Result<String, String> {
    let body = mail.get_body_raw().map_err(|error: MailParseError| format!("no body: {error}"))?;
    let body = body.replace("\r\n", "\n");
    Ok(body.trim_end_with(|c| c == '\n').as_bstr().to_string())
}

fn same<T: PartialEq + std::fmt::Debug>(
    what: &str,
    place: &str,
    file: &T,
    retrieved: &T,
) -> Result<(), String> {
    if file == retrieved {
        return Ok(());
    }
    Err(format!("{what} of part {place:?} in the file: {file:?}; as retrieved: {retrieved:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_found_between_answers() {
        let output = b"+OK \r\n+OK 7 octets\r\nS: x\r\n\r\n..\r\n.\r\n-ERR gone\r\n+OK \r\n.\r\n+OK \r\ncut";
        let expected: [&[u8]; 3] = [b"S: x\r\n\r\n.\r\n", b"", b"cut"];
        assert_eq!(messages(output), expected);
    }

    const FILE: &[u8] = b"Subject: a\n b\nContent-Type: multipart/mixed; boundary=x\n\n\
                          --x\n\n.\none\n--x\nContent-Transfer-Encoding: base64\n\naGk=\n--x--\n";

    #[test]
    fn line_ends_and_a_line_more_are_nothing() {
        for (from, to) in [("\n", "\r\n"), ("--x--\n", "--x--\n\r\n"), ("aGk=\n", "aGk=\r\n")] {
            assert_eq!(reads_alike(FILE, &FILE.replace(from, to)), Ok(()));
        }
    }

    #[test]
    fn whatever_else_differs_is_seen() {
        for (from, to, what) in [
            (" b\n", "b: \n", "the fields"),
            ("Subject", "Sbject", "the fields"),
            ("mixed", "other", "the fields"),
            ("\n.\n", "\n..\n", "the text"),
            ("one\n", "on\n", "the text"),
            ("aGk", "aGo", "the text"),
            ("--x\nC", "-x\nC", "the number of parts"),
        ] {
            let read = reads_alike(FILE, &FILE.replace(from, to));
            assert!(read.as_ref().is_err_and(|why| why.starts_with(what)), "{from:?} → {to:?}: {read:?}");
        }
    }
}
