//! Reads captured messages.

use std::{fs, io, path::Path};

use bstr::ByteSlice as _;

use crate::{play::Outcome, sandbox::World};

/// A message as the queuedir backend stores it (QDIR-4).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Message {
    /// The envelope sender.
    pub from: Vec<u8>,
    /// The envelope recipients.
    pub to: Vec<Vec<u8>>,
    /// The content.
    pub content: Vec<u8>,
}

/// Whether captured messages can be seen in this world.
pub fn is_seen(world: &World) -> bool {
    world.queue.is_some() || world.queue_programs().next().is_some()
}

/// All messages captured in a play: those in the queue folder, and those that a program which takes
/// messages as qmail-queue does took with status 0.
///
/// # Errors
/// As [`read`].
pub fn captured(world: &World, outcome: &Outcome) -> io::Result<Vec<Message>> {
    let mut messages = world.queue.as_ref().map_or_else(|| Ok(Vec::new()), |queue| read(queue))?;
    for name in world.queue_programs() {
        for call in outcome.calls.get(name).into_iter().flatten() {
            if call.value("end") == Some(b"0") {
                let read = |descriptor: u8| call.got.get(&descriptor).map(Vec::as_slice).unwrap_or_default();
                messages.extend(envelope(read(1)).map(|(from, to)| Message {
                    from,
                    to,
                    content: read(0).into(),
                }));
            }
        }
    }
    Ok(messages)
}

/// The envelope given to qmail-queue (QMAIL-8): `F` sender NUL, `T` recipient NUL …, NUL. Nothing if it
/// is not complete: then no queue takes the message.
pub fn envelope(bytes: &[u8]) -> Option<(Vec<u8>, Vec<Vec<u8>>)> {
    let (from, mut rest) = bytes.strip_prefix(b"F")?.split_once_str("\0")?;
    let mut to = Vec::new();
    while let Some((recipient, more)) = rest.strip_prefix(b"T").and_then(|rest| rest.split_once_str("\0")) {
        to.push(recipient.to_vec());
        rest = more;
    }
    (rest == b"\0").then(|| (from.to_vec(), to))
}

/// All messages in the queue folder `queue`, in the order of their names.
///
/// # Errors
/// A file cannot be read or is no message; the error names it.
pub fn read(queue: &Path) -> io::Result<Vec<Message>> {
    let mut paths: Vec<_> =
        fs::read_dir(queue.join("new"))?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    paths.sort();
    paths
        .iter()
        .map(|path| {
            parse(&fs::read(path)?)
                .ok_or_else(|| io::Error::other("a captured message has no complete envelope"))
        })
        .collect()
}

/// A queue file (QDIR-4): sender NUL, recipient NUL …, NUL, content. Nothing if the envelope is not complete.
pub fn parse(bytes: &[u8]) -> Option<Message> {
    let (from, mut rest) = bytes.split_once_str("\0")?;
    let mut to = Vec::new();
    loop {
        let (recipient, more) = rest.split_once_str("\0")?;
        rest = more;
        if recipient.is_empty() {
            return Some(Message { from: from.into(), to, content: rest.into() });
        }
        to.push(recipient.to_vec());
    }
}

/// A message in one line, for reports.
pub fn describe(message: &Message) -> String {
    use crate::transcript::text::{escape, escape_short};
    let to: Vec<String> = message.to.iter().map(|to| format!("<{}>", escape(to))).collect();
    format!("<{}> -> {} | {}", escape(&message.from), to.join(" "), escape_short(&message.content, 160))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_for_qmail_queue_is_complete_or_none() {
        let complete = envelope(b"Fa@b\0Tc@d\0Te\0\0").unwrap();
        assert_eq!(complete, (b"a@b".into(), vec![b"c@d".into(), b"e".into()]));
        for cut in [&b""[..], b"Fa", b"Fa\0Tb\0", b"Fa\0Tb", b"Tb\0\0", b"Fa\0Tb\0\0x"] {
            assert_eq!(envelope(cut), None);
        }
    }

    #[test]
    fn an_envelope_without_end_is_no_message() {
        let message = parse(b"a@b\0c@d\0\0x\n").unwrap();
        assert_eq!(
            (message.from, message.to, message.content),
            (b"a@b".into(), vec![b"c@d".into()], b"x\n".into())
        );
        assert_eq!(parse(b"a@b\0c@d\0"), None);
        assert_eq!(parse(b""), None);
    }
}
