//! Reads captured messages.

use std::{fs, io, path::Path};

use bstr::ByteSlice as _;

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

/// Sender NUL, recipient NUL …, NUL, content.
fn parse(bytes: &[u8]) -> Option<Message> {
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
