//! What queues are given: envelopes, queue files, and the control files of qmail.

use std::{
    cell::RefCell,
    fs,
    io::{self, Write as _},
    path::Path,
};

use bstr::{BString, ByteSlice as _};
use mailfront::{
    backends::queuedir::Queuedir,
    connection::Connection,
    log::Log,
    plugin::Module as _,
    session::Session,
    wire::{control, envelope::Envelope},
};
use mailfront_conformance::judge::queue::{self, Message};

/// The addresses of an input and the rest of it: lines up to an empty one, the first a sender.
fn addresses(input: &[u8]) -> (BString, Vec<&[u8]>, &[u8]) {
    let (head, rest) = input.split_once_str("\n\n").unwrap_or((input, b""));
    let mut lines = head.split(|byte| *byte == b'\n');
    (lines.next().unwrap_or_default().into(), lines.collect(), rest)
}

/// What qmail-queue reads is the envelope that was meant and no other: an address that would be two is
/// refused and leaves no trace (QMAIL-8, -25). Bytes that are no whole envelope are none (QMAIL-9).
pub fn envelope(input: &[u8]) {
    let (sender, recipients, rest) = addresses(input);
    let refused = |address: &[u8], offset| assert_eq!(address.find_byte(0), Some(offset));
    match Envelope::from_sender(&sender) {
        Err(error) => refused(&sender, error.offset),
        Ok(mut envelope) => {
            let mut taken: Vec<Vec<u8>> = Vec::new();
            for recipient in recipients {
                match envelope.add_recipient(recipient) {
                    Ok(()) => taken.push(recipient.to_vec()),
                    Err(error) => refused(recipient, error.offset),
                }
            }
            let meant = (!taken.is_empty()).then(|| (sender.to_vec(), taken));
            let complete = envelope.complete();
            assert_eq!(complete.as_deref().and_then(|bytes| queue::envelope(bytes)), meant);
            if let Some(bytes) = complete {
                let cut = &bytes[..rest.len() % bytes.len()];
                assert_eq!(queue::envelope(cut), None, "a part is an envelope");
            }
        }
    }
    if let Some((sender, recipients)) = queue::envelope(rest) {
        let fields = recipients.iter().flat_map(|to| [b"T", &to[..], b"\0"].concat());
        assert_eq!([b"F", &sender[..], b"\0", &fields.collect::<Vec<u8>>(), b"\0"].concat(), rest);
    }
}

/// Any bytes are a queue file of exactly these addresses and this content, or none (QDIR-4).
pub fn queue_file_reader(bytes: &[u8]) {
    if let Some(Message { from, to, content }) = queue::parse(bytes) {
        assert!(
            from.find_byte(0).is_none() && to.iter().all(|to| !to.is_empty() && to.find_byte(0).is_none())
        );
        let fields = to.iter().flat_map(|to| [&to[..], b"\0"].concat());
        assert_eq!([&from[..], b"\0", &fields.collect::<Vec<u8>>(), b"\0", &content[..]].concat(), bytes);
    }
}

/// What the backend writes is read as what was meant, whatever the addresses, the content and its blocks
/// are; a refused message leaves no file (QDIR-4, -8, -18, -21, -25). The first byte chooses the blocks and
/// whether the envelope comes before the message, as in SMTP, or behind it.
pub fn queue_file_writer(input: &[u8]) {
    let Some((choice, rest)) = input.split_first() else { return };
    let (sender, recipients, content) = addresses(rest);
    let queued = with_queue(|session, folder| {
        let play = Writing { session, backend: RefCell::default(), sender: &sender, recipients: &recipients };
        let is_taken = play.message(content, usize::from(choice >> 1) + 1, choice & 1 == 0);
        play.backend.borrow_mut().reset(session);
        let messages = queue::read(folder)?;
        for name in ["new", "tmp"] {
            for entry in fs::read_dir(folder.join(name))? {
                assert_eq!(name, "new", "a temporary file is left");
                fs::remove_file(entry?.path())?;
            }
        }
        Ok((is_taken, messages))
    });
    let (is_taken, messages) = queued.unwrap_or_else(|error| panic!("the queue failed: {error}"));
    assert_eq!(messages.len(), usize::from(is_taken));
    for message in messages {
        let to = recipients.iter().map(|to| to.to_vec()).collect();
        assert_eq!(message, Message { from: sender.to_vec(), to, content: content.to_vec() });
    }
}

/// One message on its way through the backend.
struct Writing<'a> {
    session: &'a Session,
    backend: RefCell<Queuedir>,
    sender: &'a BString,
    recipients: &'a [&'a [u8]],
}

impl Writing<'_> {
    /// Whether it is taken.
    fn message(&self, content: &[u8], size: usize, envelope_is_first: bool) -> bool {
        if envelope_is_first && !self.envelope() {
            return false;
        }
        let is_complete = self.data(content, size) && (envelope_is_first || self.envelope());
        is_complete && self.backend.borrow_mut().message_end(self.session, None).is_none()
    }

    fn data(&self, content: &[u8], size: usize) -> bool {
        let mut backend = self.backend.borrow_mut();
        backend.data_start(self.session, None).is_none()
            && content.chunks(size).all(|block| backend.data_block(self.session, block).is_none())
    }

    /// The chain lets no empty recipient through to a backend (SMTP-RCPT-5).
    fn envelope(&self) -> bool {
        let mut backend = self.backend.borrow_mut();
        !self.recipients.is_empty()
            && self.recipients.iter().all(|recipient| !recipient.is_empty())
            && backend.sender(self.session, &mut self.sender.clone(), &mut BString::default()).is_none()
            && self.recipients.iter().all(|recipient| {
                backend.recipient(self.session, &mut (*recipient).into(), &mut BString::default()).is_none()
            })
    }
}

/// Does something with a queue of this thread's own.
fn with_queue<T>(run: impl FnOnce(&Session, &Path) -> io::Result<T>) -> io::Result<T> {
    thread_local! {
        static QUEUE: RefCell<Option<(Session, Folder)>> = const { RefCell::new(None) };
    }
    QUEUE.with_borrow_mut(|queue| {
        if queue.is_none() {
            let folder = Folder::new()?;
            let session = Session::new(Connection::new(Log::silent()));
            session.set(b"QUEUEDIR", folder.0.as_os_str().as_encoded_bytes(), true);
            session.put(b"QUEUEDIR_NOSYNC=");
            *queue = Some((session, folder));
        }
        match queue {
            Some((session, folder)) => run(session, &folder.0),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    })
}

/// A queue's folder, in memory where there is such a file system; it goes with this.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new() -> io::Result<Self> {
        let parent = Path::new("/dev/shm");
        let parent = if parent.is_dir() { parent.to_path_buf() } else { std::env::temp_dir() };
        let thread = format!("{:?}", std::thread::current().id());
        let name =
            format!("queue-{}-{}", std::process::id(), thread.trim_matches(|c: char| !c.is_ascii_digit()));
        let folder = Self(parent.join(name));
        for name in ["tmp", "new"] {
            fs::create_dir_all(folder.0.join(name))?;
        }
        Ok(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            // Nobody is hurt by a folder that stays.
            let _told = writeln!(io::stderr(), "{}: {error}", self.0.display());
        }
    }
}

/// A control file has the entries that a plain reading of QVAL-5 gives.
pub fn control(file: &[u8]) {
    let mut expected = Vec::new();
    let mut line = Vec::new();
    for byte in file.iter().copied().chain([b'\n']) {
        if byte != b'\n' {
            line.push(byte);
            continue;
        }
        let white = |byte: &u8| b" \t\r\x0b\x0c".contains(byte);
        while line.last().is_some_and(white) {
            line.pop();
        }
        let entry: Vec<u8> = line.drain(..).skip_while(white).map(|byte| byte.to_ascii_lowercase()).collect();
        if entry.first().is_some_and(|first| *first != b'#') {
            expected.push(entry);
        }
    }
    assert_eq!(control::entries(file).collect::<Vec<_>>(), expected);
}

/// Seeds of these targets: the ordinary, and near misses.
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    let texts: &[&[u8]] = match target {
        "envelope" => &[
            b"a@b\nc@d\ne@f\n\nFa@b\0Tc@d\0\0",
            b"a\0Tx@far\nc@d\n\nFa\0Tb\0Tc\0\0x",
            b"a@b\nc\0Tx@far\nd\n\nF\0\0",
            b"\n\n\n",
        ],
        "queue_file_reader" => {
            &[b"a@b\0c@d\0e@f\0\0Subject: x\n\nbody\n", b"\0c@d\0\0", b"a@b\0c@d\0", b"\0\0"]
        }
        "queue_file_writer" => &[
            b"\0a@b\nc@d\n\nSubject: x\n\nbody\n",
            b"\x01a@b\nc@d\ne@f\n\n\0\0\0",
            b"\x04\nc@d\n\nbare\rreturn",
            b"\x03a\0b\nc@d\n\nx",
            b"\x02a\nc\0d\n\nx",
            b"\x05a@b\n\n",
        ],
        "control" => &[
            b"One@Example.com\r\n\n \t# two\n#three\n\x0b\x0c four five \t\n\x80\xc4A\0B#\n@\nlast",
            b".example.com\nexample.com",
        ],
        _ => &[],
    };
    texts.iter().map(|text| text.to_vec()).collect()
}
