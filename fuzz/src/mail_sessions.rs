//! Whole sessions of those who fetch mail, and the laws that hold for every client.

use std::{
    fs::{self, File},
    io,
    os::fd::AsFd as _,
    path::Path,
    sync::{Mutex, OnceLock, PoisonError},
};

use bstr::{BString, ByteSlice as _};
use mailfront::{
    imap, pop3,
    pop3::store::{Limits, Store},
    wire::pop3::Command,
};

use crate::sessions::play_with;

/// The messages of the maildir; the content of the third is the input's.
const NAMES: [&str; 3] = ["new/3", "cur/1.a,S=7:2,", "new/2.b:2,S"];

/// Authentication failures after which a session ends (POPAUTH-AUTH-3, IMAP-AUTH-3).
const FAILURES_MAX: usize = 20;

/// A session of `pop3front-maildir`: one well-formed answer to each command, in order; nothing is removed
/// without QUIT, and by QUIT nothing but what was deleted, and no content ever changes (POP3-LINE-6,
/// MAILDIR-QUIT-1 … 6). The first byte chooses `$POP3_EXACT`; what is in front of the first byte 0xff is a
/// message, behind it is what the client sends.
pub fn maildir_session(input: &[u8]) {
    let Some((choice, rest)) = input.split_first() else { return };
    let (message, sent) = rest.split_once_str(b"\xff").unwrap_or((b"Subject: x\n\n.\n", rest));
    let contents = [b"h\n\nb\n".as_slice(), b"", message];
    let folder = folder().lock().unwrap_or_else(PoisonError::into_inner);
    let (output, status) = match fill(&folder, &contents) {
        Ok(store) => play_with(sent, |connection| pop3::maildir::serve(connection, store, choice % 2 == 1).0),
        Err(error) => panic!("no maildir: {error}"),
    };
    assert_eq!(status, 0);
    let mut answers = output.split_inclusive(|byte| *byte == b'\n');
    assert_eq!(answers.next(), Some(&b"+OK \r\n"[..]));
    let mut kept = [true; NAMES.len()];
    let mut has_quit = false;
    // A last line without its end is no command (POP3-LINE-7).
    let commands = sent.split_inclusive(|byte| *byte == b'\n').filter_map(|line| line.strip_suffix(b"\n"));
    for line in commands {
        let command = Command::parse(line.strip_suffix(b"\r").unwrap_or(line));
        let Some(answer) = answers.next() else { panic!("no answer to {command:?}") };
        let is_good = answer.starts_with(b"+OK ");
        assert!(
            answer.ends_with(b"\r\n") && (is_good || answer.starts_with(b"-ERR ")),
            "{:?}",
            answer.as_bstr()
        );
        let is = |word: &str| command.is(word.as_bytes());
        let lists = (is("LIST") || is("UIDL")) && command.argument.is_empty();
        if is_good && (lists || is("CAPA") || is("RETR") || is("TOP")) {
            let end = answers.by_ref().find(|line| *line == b".\r\n" || !line.ends_with(b"\r\n"));
            assert_eq!(end, Some(&b".\r\n"[..]), "an answer without its end");
        }
        if is_good && is("DELE") {
            // In the order of their numbers, which is that of the names' (MAILDIR-SORT-1).
            match command.argument.to_str().ok().and_then(|number| number.parse::<usize>().ok()) {
                Some(number @ 1..=3) => {
                    assert!(std::mem::take(&mut kept[[1, 2, 0][number - 1]]), "deleted twice");
                }
                _ => panic!("another message was deleted: {command:?}"),
            }
        }
        if is_good && is("RSET") {
            kept = [true; NAMES.len()];
        }
        if is_good && is("QUIT") {
            has_quit = true;
            break;
        }
    }
    assert_eq!(answers.next(), None, "more answers than commands");
    let mut expected: Vec<&[u8]> =
        contents.into_iter().zip(kept).filter(|(_, kept)| *kept || !has_quit).map(|(c, _)| c).collect();
    expected.sort();
    match contents_of(&folder) {
        Ok(left) => assert_eq!(left, expected),
        Err(error) => panic!("the maildir cannot be read: {error}"),
    }
}

/// A folder for maildirs, in memory where that can be.
fn folder() -> &'static Mutex<std::path::PathBuf> {
    static FOLDER: OnceLock<Mutex<std::path::PathBuf>> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let shared = Path::new("/dev/shm");
        let parent = if shared.is_dir() { shared.to_path_buf() } else { std::env::temp_dir() };
        Mutex::new(parent.join(format!("mailfront-fuzz-{}", std::process::id())))
    })
}

/// Makes the maildir anew.
fn fill(folder: &Path, contents: &[&[u8]; NAMES.len()]) -> io::Result<Store> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    for sub in ["cur", "new"] {
        fs::create_dir_all(folder.join(sub))?;
    }
    for (name, content) in NAMES.iter().zip(contents) {
        fs::write(folder.join(name), content)?;
    }
    let all = usize::MAX;
    Ok(Store::open(File::open(folder)?.as_fd(), Limits { cur: all, new: all, all })?)
}

/// What is left in the maildir, sorted; the folder is removed.
fn contents_of(folder: &Path) -> io::Result<Vec<Vec<u8>>> {
    let mut contents = Vec::new();
    for sub in ["cur", "new"] {
        for entry in fs::read_dir(folder.join(sub))? {
            contents.push(fs::read(entry?.path())?);
        }
    }
    contents.sort();
    fs::remove_dir_all(folder)?;
    Ok(contents)
}

/// What is set for log-in programs: modules that nobody serves, so that nobody is ever let in.
fn setting(name: &str) -> Option<BString> {
    name.starts_with("CVM_SASL_").then(|| "cvm-local:/nonexistent/socket".into())
}

/// A session of `pop3front-auth` or, by the first byte, `imapfront-auth`, in front of modules that let
/// nobody in: every line is one of the protocol, a session ends with its twentieth failure, and nothing is
/// ever executed (POP3-RESP-1, IMAP-LINE-3, SEC-84).
pub fn log_in_session(input: &[u8]) {
    let Some((choice, sent)) = input.split_first() else { return };
    let program: [BString; 1] = ["/nonexistent/program".into()];
    let is_imap = choice % 2 == 1;
    let (output, status) = play_with(sent, |connection| {
        let module = b"cvm-local:/nonexistent/socket";
        match is_imap {
            true => imap::serve(connection, &program, setting).0,
            false => pop3::auth::serve(connection, module, &program, setting).0,
        }
    });
    assert_eq!(status, 0, "somebody was let in");
    assert!(output.ends_with(b"\r\n"));
    let mut failures = 0;
    for line in output.split_inclusive(|byte| *byte == b'\n') {
        let Some(line) = line.strip_suffix(b"\r\n") else { panic!("no CRLF behind {:?}", line.as_bstr()) };
        if is_imap {
            let rest = line.splitn(2, |byte| *byte == b' ').nth(1).unwrap_or_default();
            let is_status = [b"OK".as_slice(), b"NO ", b"BAD "].iter().any(|word| rest.starts_with(word));
            assert!(line.starts_with(b"* ") || line.starts_with(b"+ ") || is_status, "{:?}", line.as_bstr());
            failures += usize::from(rest.starts_with(b"NO ") && !line.starts_with(b"* "));
        } else {
            // Names of mechanisms and capabilities are the lines of lists.
            let is_item =
                line == b"." || line.iter().all(|byte| byte.is_ascii_uppercase() || b" -5".contains(byte));
            let is_answer = [b"+OK ".as_slice(), b"-ERR ", b"+ "].iter().any(|word| line.starts_with(word));
            assert!(is_answer || is_item, "{:?}", line.as_bstr());
            failures += usize::from(line == b"-ERR Internal error");
        }
    }
    assert!(failures <= FAILURES_MAX, "{failures} failures");
}
