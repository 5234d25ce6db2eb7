//! Bodies for what those who fetch mail can send, and for what lies in their maildirs.

use mailfront::wire::{
    imap::{ARGUMENTS_MAX, LITERAL_MAX, Parser, Step},
    maildir_name::{ID_MAX, Key, Name, order},
    pop3::{self, Retrieval},
};

/// Command lines and their numbers lose nothing, and however a message is cut, what is sent is the same
/// and can be undone (MAILDIR-DATA-1 … 8). The first two bytes choose the lines and the cuts.
pub fn pop3(input: &[u8]) {
    let command = pop3::Command::parse(input);
    assert!(!command.word.contains(&b' ') && !command.argument.starts_with(b" "));
    if let Ok((_, rest)) = pop3::leading_number(command.argument) {
        assert!(command.argument.ends_with(rest) && !rest.starts_with(b" "));
    }
    let [choice, step, stored @ ..] = input else { return };
    let lines = choice.checked_sub(128).map(u64::from);
    let exact = choice % 2 == 0;
    let whole = sent(stored, lines, exact, stored.len().max(1));
    assert_eq!(sent(stored, lines, exact, usize::from(step % 16) + 1), whole, "cutting changes the result");
    assert!(whole.is_empty() || whole.ends_with(b"\r\n"), "the end mark would not be on its own line");
    // A client that takes CRLF for the only line end sees no end mark, and each stuffed dot once.
    for line in whole.split(|byte| *byte == b'\n') {
        assert!(line != b".\r", "a line that ends the message early");
    }
    if lines.is_none() && exact {
        let plain: Vec<u8> = stored.iter().copied().filter(|byte| !b"\r\n".contains(byte)).collect();
        let unstuffed: Vec<u8> = whole
            .split(|byte| *byte == b'\n')
            .flat_map(|line| line.strip_prefix(b".").unwrap_or(line))
            .copied()
            .filter(|byte| !b"\r\n".contains(byte))
            .collect();
        assert_eq!(unstuffed, plain, "something is lost or added");
    }
}

/// What a message becomes in pieces of `size`.
fn sent(stored: &[u8], lines: Option<u64>, exact: bool, size: usize) -> Vec<u8> {
    let mut retrieval = Retrieval::new(lines);
    let mut out = Vec::new();
    stored.chunks(size).for_each(|piece| retrieval.push(piece, &mut out));
    retrieval.finish(exact, &mut out);
    out
}

/// A command of several lines with its literals stays within its limits, and nothing of it is made up
/// (IMAP-LINE-1 … 4, IMAP-ARGS-1 … 8).
pub fn imap(input: &[u8]) {
    let mut parser = Parser::default();
    let mut rest = input;
    loop {
        let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        let (line, behind) = rest.split_at(end);
        rest = behind.get(1..).unwrap_or_default();
        let step;
        (parser, step) = parser.line(line.strip_suffix(b"\r").unwrap_or(line));
        match step {
            Step::Literal(length) => {
                assert!(length <= LITERAL_MAX);
                if rest.len() < length {
                    return;
                }
                let (literal, behind) = rest.split_at(length);
                parser.literal(literal.into());
                rest = behind;
            }
            Step::Complete(command) => {
                assert!(!command.tag.is_empty() && !command.name.is_empty());
                assert!(command.arguments.len() <= ARGUMENTS_MAX);
                let all = [&command.tag, &command.name].into_iter().chain(&command.arguments);
                let bytes: usize = all.clone().map(|part| part.len()).sum();
                assert!(bytes <= input.len(), "more than was there");
                assert!(all.clone().all(|part| !part.contains(&0)), "a NUL that was let through");
                return;
            }
            Step::Wrong(tag, mistake) => {
                assert!(!tag.contains(&0) && !tag.contains(&b' ') && !mistake.text().is_empty());
                return;
            }
        }
    }
}

/// Whatever the names of files are, ids can be sent, and the order is one (MAILDIR-SORT-1 … 4,
/// MAILDIR-UIDL-1 … 3, MAILDIR-QUIT-3). Names are the lines of the input.
pub fn maildir_name(input: &[u8]) {
    let names: Vec<&[u8]> = input.split(|byte| *byte == b'\n').filter(|name| !name.is_empty()).collect();
    for whole in &names {
        let name = Name::parse(whole);
        let id: Vec<u8> = name.id().collect();
        assert!((1..=ID_MAX).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic));
        assert!(name.size() != Some(0));
        let seen = name.seen();
        assert!(seen.starts_with(whole) && seen.len() <= whole.len() + 4);
        assert_eq!(Name::parse(&seen).seen(), seen, "read twice");
        assert_eq!(Name::parse(&seen).size(), name.size());
        if !name.is_seen() && seen != *whole {
            assert!(Name::parse(&seen).is_seen());
        }
    }
    let mut sorted = names.clone();
    sorted.sort_by(|a, b| order(a, b));
    for pair in sorted.windows(2) {
        assert!(order(pair[0], pair[1]).is_le() && order(pair[1], pair[0]).is_ge());
        assert!(Key::of(pair[0]) <= Key::of(pair[1]), "keys against the order");
    }
}
