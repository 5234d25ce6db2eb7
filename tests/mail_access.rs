//! Clients of others fetch mail through the reference, under `tcpserver` and behind Debian's `cvm-pwfile`
//! and `cvm-unix`. Where one of these programs is missing the test is listed as ignored; with `CI` set it
//! fails. Accounts of the system are a file of our own, mounted over the real one for one process only:
//! where that is not allowed the test is ignored.

use std::{
    env, fs,
    io::{self, BufRead as _, BufReader},
    os::unix::fs::symlink,
    path::PathBuf,
    process::{Child, Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use libtest_mimic::{Arguments, Failed, Trial};

/// Guard against a client that does not end.
const LIMIT: Duration = Duration::from_secs(60);

/// The messages of the maildir: ordinary, dots, no last line end, bytes with the eighth bit.
const MESSAGES: [(&str, &[u8]); 4] = [
    ("1000000001.a", b"Subject: one\n\nbody\n"),
    ("1000000002.b,S=30", b"Subject: two\n\n.\n..\n.x\nend\n"),
    ("1000000003.c", b"Subject: three\n\nno end"),
    ("1000000004.d", b"Subject: four\n\n\xc3\xa4\xff\n"),
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let required = env::var_os("CI").is_some();
    let trial = |name: &str, programs: &[&str], test: fn() -> Result<(), Failed>| {
        let missing: Vec<String> =
            programs.iter().filter(|name| !is_there(name)).map(|name| (*name).to_string()).collect();
        let ignored = !missing.is_empty() && !required;
        let why = format!("not installed: {}", missing.join(", "));
        let trial = if missing.is_empty() {
            Trial::test(name, test)
        } else {
            Trial::test(name, move || Err(why.into()))
        };
        trial.with_ignored_flag(ignored)
    };
    let servers = ["tcpserver", "cvm-pwfile"];
    let with = |client: &'static str| [servers[0], servers[1], client];
    let trials = vec![
        trial("poplib_fetches_and_deletes", &with("python3"), poplib_fetches_and_deletes),
        trial("poplib_is_refused", &with("python3"), poplib_is_refused),
        trial("imaplib_logs_in", &with("python3"), imaplib_logs_in),
        trial("fetchmail_delivers_every_message", &with("fetchmail"), fetchmail_delivers_every_message),
        trial("an_account_of_the_system_is_let_in", &SYSTEM, an_account_of_the_system_is_let_in)
            .with_ignored_flag(!SYSTEM.iter().all(|name| is_there(name)) && !required || !can_mount()),
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn is_there(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).exists())
}

/// What is needed for accounts of the system.
const SYSTEM: [&str; 4] = ["tcpserver", "cvm-unix", "python3", "unshare"];

/// Starts what follows with other accounts of the system.
const WITH_ACCOUNTS: [&str; 8] = [
    "unshare",
    "--mount",
    "--propagation",
    "private",
    "sh",
    "-c",
    "mount --bind passwd /etc/passwd && mount --bind shadow /etc/shadow && exec \"$@\"",
    "sh",
];

/// `secret`, as crypt(3) has it.
const SECRET: &str =
    "$6$mailfront$0.e74.8AVGD7Mj7.v38mUeJj/j3BQpdEGYVC7KNiapojU0s29VaXEZEaYboUQ0B5/b3YIR3xkotLCqTzatr0B1";

/// Nobody's user and group, for accounts that are not root's.
const NOBODY: u32 = 65_534;

/// Whether a process may have mounts of its own.
fn can_mount() -> bool {
    let status = Command::new("unshare").args(["--mount", "true"]).stderr(Stdio::null()).status();
    rustix::process::geteuid().is_root() && status.is_ok_and(|status| status.success())
}

/// A server of the reference for one user, on a port of the loopback interface. It ends with this value.
struct Server {
    folder: tempfile::TempDir,
    tcpserver: Child,
    port: String,
}

impl Server {
    /// Starts `words` of the reference's programs for every connection.
    fn start(words: &[&str]) -> io::Result<Self> {
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        Self::start_by(&[], words, uid, gid)
    }

    /// The same, with words in front of `tcpserver` and the maildir in the hands of another account.
    fn start_by(front: &[&str], words: &[&str], uid: u32, gid: u32) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let bin = folder.path().join("bin");
        fs::create_dir(&bin)?;
        for name in mailfront::programs::names() {
            symlink(env!("CARGO_BIN_EXE_suite"), bin.join(name))?;
        }
        let home = folder.path().join("home");
        for sub in ["", "Maildir", "Maildir/cur", "Maildir/new", "Maildir/tmp"] {
            fs::create_dir(home.join(sub))?;
        }
        for (name, content) in MESSAGES {
            fs::write(home.join("Maildir/new").join(name), content)?;
        }
        let path_of_accounts = folder.path().join("accounts");
        let home_of_bob = home.display();
        fs::write(&path_of_accounts, format!("bob:secret:{uid}:{gid}:Bob:{home_of_bob}:/bin/sh\n"))?;
        let passwd = format!("root:x:0:0:root:/:/bin/sh\nbob:x:{uid}:{gid}:Bob:{home_of_bob}:/bin/sh\n");
        fs::write(folder.path().join("passwd"), passwd)?;
        fs::write(folder.path().join("shadow"), format!("root:*:::::::\nbob:{SECRET}:19000::::::\n"))?;
        if !front.is_empty() {
            fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
            for sub in ["", "Maildir", "Maildir/cur", "Maildir/new", "Maildir/tmp"] {
                std::os::unix::fs::chown(home.join(sub), Some(uid), Some(gid))?;
            }
        }
        let path = env::var("PATH").unwrap_or_default();
        let starter: Vec<&str> = front.iter().copied().chain(["tcpserver"]).collect();
        let mut tcpserver = Command::new(starter[0])
            .args(&starter[1..])
            .current_dir(folder.path())
            .args(["-v", "-R", "-H", "-l", "localhost", "127.0.0.1", "0"])
            .args(words)
            .env("PATH", format!("{}:{path}", bin.display()))
            .env("CVM_PWFILE_PATH", &path_of_accounts)
            .env("CVM_SASL_PLAIN", "cvm-pwfile")
            .env("MAILBOX", "Maildir")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let port = port_of(&mut tcpserver);
        match port {
            Some(port) => Ok(Self { folder, tcpserver, port }),
            None => {
                tcpserver.kill()?;
                tcpserver.wait()?;
                Err(io::Error::other("tcpserver does not listen"))
            }
        }
    }

    fn maildir(&self) -> PathBuf {
        self.folder.path().join("home/Maildir")
    }

    /// What is in a folder of the maildir.
    fn names(&self, sub: &str) -> io::Result<Vec<String>> {
        let entries = fs::read_dir(self.maildir().join(sub))?;
        let mut names: Vec<String> = entries
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<io::Result<_>>()?;
        names.sort();
        Ok(names)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nobody is left who could do more about it.
        let _ = self.tcpserver.kill();
        let _ = self.tcpserver.wait();
    }
}

/// The port that the system chose for a `tcpserver` of port 0.
fn port_of(tcpserver: &mut Child) -> Option<String> {
    // It does not say; the system knows who listens.
    let deadline = Instant::now() + LIMIT;
    let mut stderr = BufReader::new(tcpserver.stderr.take()?);
    let mut line = String::new();
    // Its first line comes when it listens.
    stderr.read_line(&mut line).ok()?;
    std::thread::spawn(move || io::copy(&mut stderr, &mut io::sink()));
    let pid = tcpserver.id();
    while Instant::now() < deadline {
        if let Some(port) = listening(pid) {
            return Some(port.to_string());
        }
        std::thread::yield_now();
    }
    None
}

/// The port a process listens on, by the inodes of its descriptors.
fn listening(pid: u32) -> Option<u16> {
    let sockets: Vec<String> = fs::read_dir(format!("/proc/{pid}/fd"))
        .ok()?
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok()?.to_str().map(str::to_string))
        .filter_map(|link| Some(link.strip_prefix("socket:[")?.strip_suffix(']')?.to_string()))
        .collect();
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
        let is_ours = *state == "0A" && sockets.iter().any(|socket| socket == inode);
        is_ours.then(|| u16::from_str_radix(local.rsplit(':').next()?, 16).ok()).flatten()
    })
}

/// Runs a client to its end.
fn client(command: &mut Command) -> Result<(bool, String), Failed> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let pidfd = rustix::process::pidfd_open(
        rustix::process::Pid::from_child(&child),
        rustix::process::PidfdFlags::empty(),
    )?;
    let limit = rustix::event::Timespec { tv_sec: 60, tv_nsec: 0 };
    let mut ends = [rustix::event::PollFd::new(&pidfd, rustix::event::PollFlags::IN)];
    if rustix::event::poll(&mut ends, Some(&limit))? == 0 {
        child.kill()?;
    }
    let output = child.wait_with_output()?;
    let said = [output.stdout, output.stderr].concat();
    Ok((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
}

fn python(script: &str, server: &Server) -> Result<(bool, String), Failed> {
    client(Command::new("python3").arg("-c").arg(script).arg(&server.port))
}

/// A connection of Python's `poplib` by the name `p`.
const POPLIB: &str = r#"
import poplib, sys
p = poplib.POP3("127.0.0.1", int(sys.argv[1]), timeout=30)
"#;

/// That `p` is refused with a wrong password.
const WRONG_PASSWORD: &str = r#"
p.user("bob")
try:
    p.pass_("wrong")
except poplib.error_proto as e:
    assert b"Authentication failed" in e.args[0], e
else:
    raise SystemExit("a wrong password is accepted")
"#;

const POP3: [&str; 3] = ["pop3front-auth", "cvm-pwfile", "pop3front-maildir"];

fn poplib_fetches_and_deletes() -> Result<(), Failed> {
    let server = Server::start(&POP3)?;
    let script = r#"
p.user("bob"); p.pass_("secret")
assert p.stat()[0] == 4, p.stat()
assert "TOP" in p.capa() and "UIDL" in p.capa(), p.capa()
assert p.uidl()[1] == [b"1 1000000001.a", b"2 1000000002.b", b"3 1000000003.c", b"4 1000000004.d"], p.uidl()
assert p.retr(1)[1] == [b"Subject: one", b"", b"body", b""], p.retr(1)
assert p.retr(2)[1] == [b"Subject: two", b"", b".", b"..", b".x", b"end", b""], p.retr(2)
assert p.retr(3)[1] == [b"Subject: three", b"", b"no end"], p.retr(3)
assert p.top(4, 0)[1] == [b"Subject: four", b"", b""], p.top(4, 0)
p.dele(1); p.dele(2); p.rset(); p.dele(2)
p.quit()
"#;
    let (good, said) = python(&[POPLIB, script].concat(), &server)?;
    if !good {
        return Err(said.into());
    }
    let left = server.names("cur")?;
    // RSET takes marks back, so that nothing counts as read.
    let expected = ["1000000001.a", "1000000003.c", "1000000004.d"];
    if left != expected || !server.names("new")?.is_empty() {
        return Err(format!("left in cur: {left:?}").into());
    }
    Ok(())
}

/// With Debian's `cvm-unix`: one process with the account's ids serves the maildir, which root's process
/// could read but another account's could not.
fn an_account_of_the_system_is_let_in() -> Result<(), Failed> {
    let words = ["pop3front-auth", "cvm-unix", "pop3front-maildir"];
    let server = Server::start_by(&WITH_ACCOUNTS, &words, NOBODY, NOBODY)?;
    // Nobody but root could change this one.
    let kept = server.maildir().join("new/1000000005.e");
    fs::write(&kept, "Subject: five\n\nof root\n")?;
    fs::set_permissions(&kept, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    let script = r#"
p.user("bob"); p.pass_("secret")
assert p.stat()[0] == 5, p.stat()
assert p.retr(1)[1] == [b"Subject: one", b"", b"body", b""], p.retr(1)
try:
    p.retr(5)
except poplib.error_proto as e:
    assert b"Could not open" in e.args[0], e
else:
    raise SystemExit("the server still has root's rights")
p.dele(2); p.quit()
"#;
    let (good, said) = python(&[POPLIB, WRONG_PASSWORD, script].concat(), &server)?;
    let left = server.names("cur")?;
    let expected = ["1000000001.a:2,S", "1000000003.c", "1000000004.d"];
    if good && left.starts_with(&expected.map(String::from)) {
        return Ok(());
    }
    Err(format!("left in cur: {left:?}; {said}").into())
}

fn poplib_is_refused() -> Result<(), Failed> {
    let server = Server::start(&POP3)?;
    let script = r#"p.user("bob"); p.pass_("secret"); p.quit()"#;
    let (good, said) = python(&[POPLIB, WRONG_PASSWORD, script].concat(), &server)?;
    if good { Ok(()) } else { Err(said.into()) }
}

fn imaplib_logs_in() -> Result<(), Failed> {
    // No IMAP server is needed to see that the program is reached with the command's tag.
    let server = Server::start(&[
        "imapfront-auth",
        "sh",
        "-c",
        "printf '%s OK %s\\r\\n' \"$IMAPLOGINTAG\" \"$AUTHENTICATED\"; \
         while read -r tag word rest; do printf '* BYE bye\\r\\n%s OK %s\\r\\n' \"$tag\" \"$word\"; done",
    ])?;
    let script = r#"
import imaplib, sys
for how in ("login", "authenticate"):
    i = imaplib.IMAP4("127.0.0.1", int(sys.argv[1]), timeout=30)
    assert "IMAP4REV1" in i.capabilities, i.capabilities
    try:
        i.login("bob", "wrong word")
    except imaplib.IMAP4.error as e:
        assert "LOGIN failed" in str(e), e
    else:
        raise SystemExit("a wrong password is accepted")
    if how == "login":
        answer = i.login("bob", "secret")
    else:
        answer = i.authenticate("PLAIN", lambda challenge: b"\0bob\0secret")
    assert answer[0] == "OK", answer
    i.logout()
"#;
    let (good, said) = python(script, &server)?;
    if good { Ok(()) } else { Err(said.into()) }
}

fn fetchmail_delivers_every_message() -> Result<(), Failed> {
    let server = Server::start(&POP3)?;
    let folder = server.folder.path();
    let (rc, inbox) = (folder.join("fetchmailrc"), folder.join("inbox"));
    let settings = format!(
        "poll 127.0.0.1 protocol POP3 port {} username bob password secret fetchall no rewrite sslproto '' \
         mda \"cat >> {}\"\n",
        server.port,
        inbox.display()
    );
    fs::write(&rc, settings)?;
    fs::set_permissions(&rc, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    let mut fetchmail = Command::new("fetchmail");
    fetchmail.arg("-f").arg(&rc).args(["--nosyslog", "--invisible"]).env("FETCHMAILHOME", folder);
    let (good, said) = client(&mut fetchmail)?;
    let delivered = fs::read(&inbox).unwrap_or_default();
    for (name, content) in MESSAGES {
        let (_, body) = content.split_at(content.windows(2).position(|w| w == b"\n\n").unwrap_or(0) + 2);
        if !delivered.windows(body.len()).any(|part| part == body) {
            return Err(format!("{name} was not delivered: {said}").into());
        }
    }
    let left = server.names("cur")?.len() + server.names("new")?.len();
    if good && left == 0 { Ok(()) } else { Err(format!("{left} messages are left: {said}").into()) }
}
