//! Netstrings, QMTP, QMQP, and whole sessions.

use bstr::ByteSlice;
use mailfront::wire::{
    address::ADDRESS_MAX,
    netstring::{DIGITS_MAX, Field, Length, LengthError, Step, Unfit},
    qmtp::{List, ListError, Recipients, Room},
};
use mailfront_conformance::transcript::netstring::{self, Next};

use crate::sessions;

/// How a netstring is cut makes no difference, and no length is believed that is none (NS-LEN-1 … 5). The
/// first byte chooses the cuts.
pub fn netstring(input: &[u8]) {
    let Some((step, bytes)) = input.split_first() else { return };
    let size = usize::from(step % 16) + 1;
    let mut whole = Length::default();
    let whole = whole.push(bytes);
    let mut length = Length::default();
    let mut at = 0;
    let mut cut = Ok(Step::GoesOn);
    for piece in bytes.chunks(size) {
        cut = length.push(piece);
        match cut {
            Ok(Step::GoesOn) => at += piece.len(),
            Ok(Step::Done(value, taken)) => cut = Ok(Step::Done(value, at + taken)),
            Err(_) => {}
        }
        if cut != Ok(Step::GoesOn) {
            break;
        }
    }
    assert_eq!(cut, whole, "cutting changes the length");
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let value = bytes[..digits].to_str().ok().and_then(|text| text.parse::<u64>().ok());
    match whole {
        Ok(Step::Done(read, taken)) => {
            assert_eq!((value, taken), (Some(read), digits + 1));
            assert!(digits <= DIGITS_MAX && bytes[digits] == b':');
            let content = &bytes[taken..];
            let content = &content[..content.len().min(usize::try_from(read).unwrap_or(usize::MAX))];
            let mut field = Field::default();
            content.chunks(size).for_each(|piece| field.push(piece));
            let (kept, unfit) = field.finish();
            assert_eq!(kept.as_slice(), &content[..content.len().min(ADDRESS_MAX)]);
            assert_eq!(unfit == Some(Unfit::TooLong), content.len() > ADDRESS_MAX);
        }
        Ok(Step::GoesOn) => assert_eq!(digits, bytes.len()),
        Err(LengthError::TooLarge) => assert!(digits > DIGITS_MAX || value.is_none()),
        Err(LengthError::NotADigit) => {
            assert!(digits < bytes.len() && (digits == 0 || bytes[digits] != b':'));
        }
    }
}

/// A list of recipients is what a plain reading of QMTP-RCPT-2 makes of it, however it is cut. The first
/// byte chooses the cuts, the second how many recipients, and how many bytes of theirs, are kept.
pub fn recipient_list(input: &[u8]) {
    let [step, most, bytes @ ..] = input else { return };
    let room = Room { recipients: usize::from(*most), bytes: usize::from(*most) * 4 };
    let read = |size: usize| -> Recipients {
        let mut list = List::new(bytes.len() as u64, room);
        bytes.chunks(size).for_each(|piece| list.push(piece));
        list.finish()
    };
    let whole = read(bytes.len().max(1));
    assert_eq!(read(usize::from(step % 16) + 1), whole, "cutting changes the list");
    let mut rest = bytes;
    let mut count = 0;
    let error = loop {
        if rest.is_empty() {
            break None;
        }
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let length = rest[..digits].to_str().ok().and_then(|text| text.parse::<usize>().ok());
        let Some(after) = rest.get(digits) else { break Some(ListError::TooLong) };
        if digits > DIGITS_MAX || (digits > 0 && length.is_none()) {
            break Some(ListError::TooLong);
        }
        let (b':', Some(length)) = (after, length) else { break Some(ListError::NotADigit) };
        let content = &rest[digits + 1..];
        if length > content.len() {
            break Some(ListError::TooLong);
        }
        if content.get(length) != Some(&b',') {
            break Some(ListError::MissingComma);
        }
        if let Some((kept, _)) = whole.recipients.get(count) {
            assert_eq!(kept.as_slice(), &content[..length.min(ADDRESS_MAX)]);
        }
        count += 1;
        rest = &content[length + 1..];
    };
    assert_eq!(whole.error, error);
    assert_eq!(whole.recipients.len() as u64 + whole.excess, count as u64);
    assert!(whole.recipients.len() <= room.recipients);
    assert!(whole.recipients.iter().map(|(kept, _)| kept.len()).sum::<usize>() <= room.bytes);
}

/// Whatever is sent as a QMQP package, at most one answer comes, and it is a netstring with a meaning.
pub fn qmqp_package(input: &[u8]) {
    let (output, status) = sessions::play(&["qmqp", "echo", "accept"], input);
    let answers = answers(&output);
    assert!(answers.len() <= 1, "{} answers", answers.len());
    assert_eq!(status == 111, answers.first().is_some_and(|answer| answer.starts_with(b"Z")));
}

/// Whatever is sent as QMTP packages, all that comes is netstrings with a meaning; a broken package is the
/// last one.
pub fn qmtp_package(input: &[u8]) {
    let (output, status) = sessions::play(&["qmtp", "echo", "accept"], input);
    let answers = answers(&output);
    let broken = answers.iter().position(|answer| answer.starts_with(b"Z") && !answer.starts_with(b"Z4.5.3"));
    assert_eq!(status == 111, broken.is_some());
    assert!(broken.is_none_or(|at| at + 1 == answers.len()), "an answer behind a broken package");
}

/// The answers of QMTP and QMQP.
fn answers(output: &[u8]) -> Vec<&[u8]> {
    let mut answers = Vec::new();
    let mut rest = output;
    while !rest.is_empty() {
        let Next::Whole(answer, length) = netstring::next(rest) else {
            panic!("no netstring: {}", rest.escape_ascii());
        };
        assert!(answer.first().is_some_and(|letter| b"KZD".contains(letter)), "no meaning");
        answers.push(answer);
        rest = &rest[length..];
    }
    answers
}

/// A session of any protocol ends, with one of the statuses of its contract. The first byte chooses the
/// protocol and the plugins.
pub fn session(input: &[u8]) {
    let Some((choice, input)) = input.split_first() else { return };
    let protocol = ["smtp", "qmtp", "qmqp"][usize::from(choice % 3)];
    let plugins = ["accept", "force-file:accept", "reject", "accept-sender"][usize::from(choice / 3 % 4)];
    let (output, status) = sessions::play(&[protocol, "echo", plugins], input);
    assert!([0, 1, 111].contains(&status), "status {status}");
    if protocol == "smtp" {
        for line in output.lines() {
            assert!(line.get(..3).is_some_and(|code| code.iter().all(u8::is_ascii_digit)), "no code");
        }
    } else {
        answers(&output);
    }
}
