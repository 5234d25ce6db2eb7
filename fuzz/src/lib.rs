//! The bodies of the fuzz targets: what must hold for every input.
//!
//! Each takes the engine's bytes and panics where something does not hold. `cargo test` replays the
//! corpora and the seeds through the same bodies on a stable compiler.

pub mod content;
pub mod credentials;
mod mail_access;
mod mail_sessions;
pub mod netstrings;
pub mod queues;
pub mod seeds;
pub mod services;
pub mod sessions;

use std::convert::Infallible;

use bstr::{BStr, BString, ByteSlice};
use mailfront::{
    plugin_list,
    tls::{priority, settings},
    wire::{
        address::{self, ADDRESS_MAX},
        cdb::{self, CdbError},
        command::Command,
        data::{Decoder, Framing, Outcome},
        glob::Glob,
        mailrules, mailrulesx,
        text_list::TextList,
    },
};
use mailfront_conformance::{sandbox, transcript};

pub use mail_access::{imap, maildir_name, pop3};
pub use mail_sessions::{log_in_session, maildir_session};

/// A body.
pub type Body = fn(&[u8]);

/// All bodies under the names of their targets.
pub const BODIES: &[(&str, Body)] = &[
    ("address", address),
    ("base64", credentials::base64),
    ("cdb", cdb),
    ("clamd", services::clamd),
    ("command_line", command_line),
    ("control", queues::control),
    ("cvm_request", credentials::cvm_request),
    ("cvm_response", credentials::cvm_response),
    ("data", data),
    ("dns", services::dns),
    ("envelope", queues::envelope),
    ("glob", glob),
    ("hops", content::hops),
    ("imap", imap),
    ("log_in_session", log_in_session),
    ("lua_returned", services::lua_returned),
    ("maildir_name", maildir_name),
    ("maildir_session", maildir_session),
    ("mailrules", mailrules),
    ("mailrulesx", mailrulesx),
    ("netstring", netstrings::netstring),
    ("patterns", content::patterns),
    ("plugin_list", plugin_list),
    ("qmqp_package", netstrings::qmqp_package),
    ("qmtp_package", netstrings::qmtp_package),
    ("queue_file_reader", queues::queue_file_reader),
    ("queue_file_writer", queues::queue_file_writer),
    ("recipient_list", netstrings::recipient_list),
    ("session", netstrings::session),
    ("pop3", pop3),
    ("sasl", credentials::sasl),
    ("size", content::size),
    ("spamd", services::spamd),
    ("tls_files", tls_files),
    ("tls_priority", tls_priority),
    ("transcript", transcript),
];

/// A command line falls into verb, blanks and argument; nothing is lost (SMTP-CMD-3).
pub fn command_line(line: &[u8]) {
    let command = Command::parse(line);
    assert!(command.verb.find_byteset(b" \t").is_none(), "a blank in the verb");
    assert!(!command.argument.starts_with_str(" ") && !command.argument.starts_with_str("\t"));
    let blanks = &line[command.verb.len()..line.len() - command.argument.len()];
    assert!(blanks.iter().all(|b| b" \t".contains(b)), "more than blanks is missing");
    assert!(command.argument.is_empty() || !blanks.is_empty());
    assert!(command.is(command.verb));
}

/// What is taken for an address can be passed on in any envelope (SMTP-MAIL-18, HOOK-ADDR-4).
pub fn address(argument: &[u8]) {
    match address::parse(argument) {
        Ok(parsed) => {
            assert!(parsed.address.len() <= ADDRESS_MAX);
            assert!(parsed.address.find_byteset(b"\0\r\n").is_none(), "a byte that ends an envelope field");
            assert!(parsed.parameters.find_byteset(b"\r\n").is_none());
            assert!(parsed.address.len() + parsed.parameters.len() <= argument.len(), "more than was there");
            assert!(argument.find_byteset(b"\0\r\n").is_none());
            let count = address::items(&parsed.parameters).count();
            assert!(count <= argument.len(), "parameters from nowhere");
        }
        Err(error) => assert!(error.offset <= argument.len(), "an error outside the argument"),
    }
}

/// How message data is cut makes no difference, and no framing knows more than its own end mark
/// (SMTP-DATA-10 … 15). The first two bytes choose the framing and the cuts.
pub fn data(input: &[u8]) {
    let [choice, step, data @ ..] = input else { return };
    let framing = [Framing::Crlf, Framing::Lf, Framing::Dangerous][usize::from(choice % 3)];
    let (whole, end, doomed) = decoded(framing, data, data.len().max(1));
    let pieces = decoded(framing, data, usize::from(step % 16) + 1);
    assert_eq!(pieces, (whole.clone(), end, doomed), "cutting changes the result");
    assert!(whole.len() <= data.len(), "more comes out than went in");
    let (consumed, outcome) = end;
    assert!(consumed <= data.len());
    if framing == Framing::Crlf {
        assert!(doomed || whole.iter().all(|b| *b != b'\r'), "a CR in an undoomed message");
        let mark =
            data.strip_prefix(b".\r\n").map(|_| 3).or_else(|| data.find(b"\r\n.\r\n").map(|at| at + 5));
        if outcome == Outcome::End {
            assert_eq!(Some(consumed), mark, "another end than the first CRLF.CRLF");
        }
    }
    if framing == Framing::Lf && outcome == Outcome::End {
        assert!(data[..consumed].ends_with(b"\n.\n") || consumed == 2, "an end mark that is none");
    }
}

/// Feeds `data` in pieces of `size` bytes: output, consumed bytes with outcome, doomed.
fn decoded(framing: Framing, data: &[u8], size: usize) -> (Vec<u8>, (usize, Outcome), bool) {
    let mut decoder = Decoder::new(framing);
    let mut out = Vec::new();
    let mut consumed = 0;
    for piece in data.chunks(size) {
        let step = decoder.push(piece, &mut out);
        consumed += step.consumed;
        if step.outcome != Outcome::GoesOn {
            return (out, (consumed, step.outcome), decoder.doomed());
        }
    }
    (out, (consumed, Outcome::GoesOn), decoder.doomed())
}

/// A plugin list gives what a plain reading of PLUG-LIST-3 gives, and names stay distinct.
pub fn plugin_list(list: &[u8]) {
    let mut names: Vec<Vec<u8>> = Vec::new();
    for item in plugin_list::items(list) {
        let load = |name: &BStr| Ok::<Vec<u8>, Infallible>(name.to_vec());
        let Ok(()) = plugin_list::apply(&mut names, item, |name| name.as_bstr(), load);
    }
    let mut expected: Vec<&[u8]> = Vec::new();
    for item in list.split(|b| *b == b':').filter(|item| !item.is_empty()) {
        let (front, name) = match item[0] {
            b'-' if item == b"-*" => {
                expected.clear();
                continue;
            }
            b'-' => {
                expected.retain(|other| *other != &item[1..]);
                continue;
            }
            b'+' => (true, &item[1..]),
            _ => (false, item),
        };
        expected.retain(|other| *other != name);
        expected.insert(if front { 0 } else { expected.len() }, name);
    }
    assert_eq!(names, expected);
}

/// A database is never read outside of itself, whatever it says (SEC-108); one that is well made has its
/// keys and no other. The first byte is the length of the key looked for in the rest; taken as lines,
/// the rest is keys.
pub fn cdb(input: &[u8]) {
    let Some((&length, rest)) = input.split_first() else { return };
    let (key, file) = rest.split_at(rest.len().min(usize::from(length)));
    let _any_answer = look_up(file, key);
    let keys: Vec<&[u8]> = rest.split(|byte| *byte == b'\n').collect();
    let made = sandbox::cdb::with_keys(&keys);
    assert!(keys.iter().all(|key| look_up(&made, key) == Ok(true)), "a key is missing");
    assert_eq!(look_up(&made, key), Ok(keys.contains(&key)));
}

fn look_up(file: &[u8], key: &[u8]) -> Result<bool, CdbError<()>> {
    cdb::contains(file.len() as u64, key, |offset, buffer| {
        let start = usize::try_from(offset).map_err(|_| ())?;
        assert!(buffer.len() <= key.len().max(8), "more is read than a key needs");
        buffer.copy_from_slice(&file[start..start + buffer.len()]);
        Ok(())
    })
}

/// A glob matches what the definition says, in a number of steps that its size and the text's bound
/// (RULES-GLOB-1 … 8). The first byte divides the rest into pattern and text.
pub fn glob(input: &[u8]) {
    let Some((cut, rest)) = input.split_first() else { return };
    let (pattern, text) = rest.split_at(rest.len() * usize::from(*cut) / 256);
    assert_eq!(Glob::new(pattern).matches(text), glob_by_table(pattern, text));
    let (low_pattern, low_text) = (pattern.to_ascii_lowercase(), text.to_ascii_lowercase());
    assert_eq!(Glob::folded(pattern).matches(text), glob_by_table(&low_pattern, &low_text));
    let steps = Glob::folded(pattern).steps(text);
    let most = 2 * (pattern.len() + 1) * (text.len() + 1);
    assert!(steps <= most, "{steps} steps for {} × {}", pattern.len(), text.len());
}

/// The definition, by a table: whether the pattern read so far matches the text up to each place.
fn glob_by_table(pattern: &[u8], text: &[u8]) -> bool {
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    let mut rest = pattern;
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        if *first == b'*' {
            let from = reached.iter().position(|reached| *reached).unwrap_or(reached.len());
            reached[from..].fill(true);
            continue;
        }
        let mut set: Option<(bool, Vec<u8>)> = None;
        if *first == b'['
            && let Some((negated, members, after)) = bracketed(behind)
        {
            set = Some((negated, members));
            rest = after;
        }
        for at in (0..text.len()).rev() {
            let byte = text[at];
            let fits = match &set {
                Some((negated, members)) => members.contains(&byte) != *negated,
                None => *first == b'?' || *first == byte,
            };
            reached[at + 1] = reached[at] && fits;
        }
        reached[0] = false;
    }
    reached[text.len()]
}

/// The set behind `[` and what follows its `]`.
fn bracketed(text: &[u8]) -> Option<(bool, Vec<u8>, &[u8])> {
    let negated = matches!(text.first(), Some(b'!' | b'^'));
    let (mut at, mut members) = (usize::from(negated), Vec::new());
    loop {
        match *text.get(at)? {
            b']' => return Some((negated, members, &text[at + 1..])),
            b'\\' => {
                members.push(*text.get(at + 1)?);
                at += 2;
            }
            byte => {
                members.push(byte);
                at += 1;
            }
        }
    }
}

/// A rules file gives a rule or a fault for no more lines than it has, each at a place within it, and a
/// rule has no more bytes than its line (RULES-LINE, RULES-ESC). As a list it has its lines.
pub fn mailrules(file: &[u8]) {
    let lines = file.split(|byte| *byte == b'\n').count();
    let within = |place: mailfront::wire::rule_text::Place| {
        let line = file.split(|byte| *byte == b'\n').nth(place.line - 1);
        line.is_some_and(|line| place.column <= line.len() + 1)
    };
    let mut count = 0;
    for rule in mailrules::rules(file) {
        count += 1;
        match rule {
            Err(fault) => assert!(within(fault.place), "a fault outside: {fault}"),
            Ok(rule) => {
                assert!(within(rule.sender.place) && within(rule.recipient.place));
                let size: usize = rule.environment.iter().map(|item| item.len()).sum();
                assert!(rule.response.len() + rule.suffix.len() + size <= file.len());
                assert!(!rule.response.contains(&0) && !rule.suffix.contains(&0), "a NUL in a rule");
                assert!(rule.environment.iter().all(|item| !item.is_empty() && !item.contains(&0)));
            }
        }
    }
    assert!(count <= lines);
    assert!(mailrules::remarks(file).iter().all(|remark| within(remark.place)));
    let Ok(list) = TextList::new(file.to_vec()) else { panic!("a short file is a list") };
    for line in file.split(|byte| *byte == b'\n') {
        let entry = line.to_ascii_lowercase();
        let white = |byte: &u8| matches!(byte, 9..=13 | b' ');
        let from = entry.iter().position(|byte| !white(byte)).unwrap_or(entry.len());
        let to = entry.iter().rposition(|byte| !white(byte)).map_or(from, |last| last + 1);
        let entry = &entry[from..to];
        assert_eq!(list.contains(entry), !entry.is_empty() && !entry.starts_with(b"#"));
    }
}

/// An extended rules file gives rules and faults at places within it, and what a rule says is no longer
/// than the file (RULESX-RULE, RULESX-COND).
pub fn mailrulesx(file: &[u8]) {
    let line = |number: usize| file.split(|byte| *byte == b'\n').nth(number - 1);
    for rule in mailrulesx::rules(file) {
        match rule {
            Err(fault) => {
                let within = line(fault.place.line).is_some_and(|line| fault.place.column <= line.len() + 1);
                assert!(within, "a fault outside: {fault}");
            }
            Ok(rule) => {
                assert!(line(rule.place.line).is_some_and(|line| line.contains(&b':')));
                assert!(rule.conditions.len() + rule.assignments.len() < file.len());
                assert!(rule.message.pieces().len() <= file.len());
                for condition in &rule.conditions {
                    assert!(condition.place < rule.place, "a condition behind the action");
                    if let mailrulesx::Test::Looks(pattern) = &condition.test {
                        let _ = pattern.matches(&file.to_ascii_lowercase());
                    }
                }
                assert!(rule.assignments.iter().all(|(place, _)| *place > rule.place));
            }
        }
    }
}

/// A transcript that can be read can be written and read again as the same (the guide's promise).
pub fn transcript(source: &[u8]) {
    let Ok(source) = std::str::from_utf8(source) else { return };
    match transcript::parse("fuzz", source) {
        Ok(case) => {
            let printed = transcript::print(&case);
            match transcript::parse("fuzz", &printed) {
                Ok(again) => assert_eq!(transcript::print(&again), printed, "printing is not stable"),
                Err(error) => panic!("what was printed cannot be read: {error}\n{printed}"),
            }
        }
        Err(error) => assert!(error.line <= source.lines().count() + 2, "an error outside the file: {error}"),
    }
}

/// A priority string leaves a version or makes TLS unavailable, and no restriction is ever dropped (TLS-3).
pub fn tls_priority(text: &[u8]) {
    match priority::parse(text) {
        Ok(parsed) => {
            assert!(parsed.tls12 || parsed.tls13, "no version is left");
            let restricts = |part: &&BString| part.starts_with(b"-") || part.starts_with(b"!");
            assert_eq!(parsed.ignored.iter().find(restricts), None, "a restriction was dropped");
            let more = [text, b":-VERS-TLS1.3"].concat();
            match priority::parse(&more) {
                Ok(less) => assert!(!less.tls13 && less.tls12 == parsed.tls12),
                Err(unusable) => assert!(!parsed.tls12, "{unusable:?}"),
            }
        }
        Err(priority::Unusable::Restriction(part)) => {
            assert!(text.find(&*part).is_some(), "a part from nowhere");
        }
        Err(priority::Unusable::NoVersion) => {
            assert!(text.find_byteset(b"-!nN").is_some(), "nothing removed one");
        }
    }
    let more = [text, b":-NO-SUCH-PART"].concat();
    assert!(priority::parse(&more).is_err(), "an unknown restriction was dropped");
}

/// Whatever stands in the files of `$TLS_*` is used or refused (TLS-2, TLS-3). A byte 0xff parts
/// certificate and key.
pub fn tls_files(files: &[u8]) {
    let (certificate, key) = files.split_once_str(b"\xff").unwrap_or((files, files));
    let found = settings::certified(certificate, key);
    let has_key = key.find("PRIVATE KEY-----").is_some();
    assert!(found.is_err() || (certificate.find("CERTIFICATE-----").is_some() && has_key), "from nothing");
    assert!(!settings::is_dh_parameters(files) || files.find("DH PARAMETERS-----").is_some(), "from nothing");
}
