//! The real scanners and lists behind the reference: clamd, spamd, rbldnsd and nsd from Debian, each with
//! a small configuration of our own and no network but the loopback interface.

use std::{
    fs,
    io::{BufRead, BufReader, ErrorKind, Write},
    net::{TcpListener, TcpStream, UdpSocket},
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use libtest_mimic::{Failed, Trial};

/// How long a daemon may take until it serves. Loading takes a second; the machine may be busy.
const START_MAX: Duration = Duration::from_secs(60);

/// How long one session may take.
const SESSION_MAX: Duration = Duration::from_secs(60);

/// What anti-virus programs take for a virus by agreement, in two halves, so that this file is not one.
const EICAR: [&str; 2] = [r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-", "ANTIVIRUS-TEST-FILE!$H+H*"];

/// What spam filters take for spam by agreement.
const GTUBE: &str = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X";

/// A test with a folder of its own.
type Test = fn(&Path) -> Result<(), Failed>;

/// The tests of this module: ignored where the daemon is missing, failures there if all are required.
pub(crate) fn trials(required: bool) -> Vec<Trial> {
    let tests: [(&str, &str, Test); 4] = [
        ("clamd", "finds_what_clamd_finds", clamd),
        ("spamd", "delivers_what_spamd_writes", spamd),
        ("rbldnsd", "blocks_whom_rbldnsd_lists", rbldnsd),
        ("nsd", "asks_nsd_again_over_tcp", nsd),
    ];
    let trials = tests.into_iter().map(|(program, name, test)| {
        let there = ["/usr/sbin", "/usr/bin"].iter().any(|dir| Path::new(dir).join(program).exists());
        let run = move || {
            if !there {
                return Err(format!("Debian's program {program} is not installed").into());
            }
            let folder = tempfile::Builder::new().prefix("scanner").tempdir()?;
            test(folder.path())
        };
        Trial::test(name, run).with_kind(program).with_ignored_flag(!there && !required)
    });
    trials.collect()
}

/// A daemon; ends with this value.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        // Its group: spamd has children.
        let group = rustix::process::Pid::from_child(&self.0);
        let _gone = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        let _reaped = self.0.wait();
    }
}

impl Daemon {
    /// Starts a daemon that stays in the foreground, and waits until it serves.
    fn start(command: &mut Command, serves: impl Fn() -> Result<bool, Failed>) -> Result<Self, Failed> {
        let child = command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        let mut daemon = Self(child);
        let latest = Instant::now() + START_MAX;
        while !serves()? {
            if let Some(status) = daemon.0.try_wait()? {
                return Err(format!("the daemon ended: {status}").into());
            }
            if Instant::now() > latest {
                return Err("the daemon does not serve in time".into());
            }
            // Nothing tells of a port that has begun to be served.
            thread::park_timeout(Duration::from_millis(20));
        }
        Ok(daemon)
    }
}

/// Whether somebody listens at a TCP port.
fn listens(port: u16) -> Result<bool, Failed> {
    Ok(TcpStream::connect(("127.0.0.1", port)).is_ok())
}

/// A port nobody listens at.
fn free_port() -> Result<u16, Failed> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// A session of the reference that sends `message`: what it answered, without its log.
fn session(folder: &Path, plugin: &str, variables: &[(&str, &str)], message: &str) -> Result<String, Failed> {
    for name in ["q/tmp", "q/new"] {
        fs::create_dir_all(folder.join(name))?;
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_suite"));
    command.arg0("mailfront").args(["smtp", "queuedir", plugin, "accept"]);
    command.current_dir(folder).env_clear().env("QUEUEDIR", "q").env("TMPDIR", folder);
    command.env("TCPREMOTEIP", "127.0.0.3").envs(variables.iter().copied());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    let mut input = child.stdin.take().ok_or("no input")?;
    let output = child.stdout.take().ok_or("no output")?;
    let text = format!(
        "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n{}\r\n.\r\nQUIT\r\n",
        message.replace('\n', "\r\n")
    );
    let writer = thread::spawn(move || input.write_all(text.as_bytes()));
    let (tell, hear) = mpsc::channel();
    thread::spawn(move || {
        let lines: Vec<String> = BufReader::new(output).lines().map_while(Result::ok).collect();
        tell.send(lines.join("\n"))
    });
    let answers = hear.recv_timeout(SESSION_MAX);
    if answers.is_err() {
        child.kill()?;
    }
    child.wait()?;
    // A session that ends early leaves its input unread.
    let _written = writer.join();
    Ok(answers.map_err(|_| "the session does not end")?)
}

/// The content of all queue files.
fn queued(folder: &Path) -> Result<String, Failed> {
    let mut all = String::new();
    for entry in fs::read_dir(folder.join("q/new"))? {
        all.push_str(&fs::read_to_string(entry?.path())?);
    }
    Ok(all)
}

fn expect(text: &str, part: &str) -> Result<(), Failed> {
    if text.contains(part) { Ok(()) } else { Err(format!("expected {part:?} in:\n{text}").into()) }
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn clamd(folder: &Path) -> Result<(), Failed> {
    let port = free_port()?;
    let path = folder.display();
    let (marker, eicar) = ("MAILFRONT-MARKER", EICAR.concat());
    fs::create_dir(folder.join("db"))?;
    let signatures = format!("Test.Marker:0:*:{}\nTest.Eicar:0:*:{}\n", hex(marker), hex(&eicar));
    fs::write(folder.join("db/test.ndb"), signatures)?;
    let configuration = format!(
        "Foreground yes\nDatabaseDirectory {path}/db\nTCPSocket {port}\nTCPAddr 127.0.0.1\n\
         User {}\nSelfCheck 0\nStreamMaxLength 1M\nConcurrentDatabaseReload no\n",
        if rustix::process::getuid().is_root() { "root".into() } else { std::env::var("USER")? }
    );
    fs::write(folder.join("clamd.conf"), configuration)?;
    let _daemon =
        Daemon::start(Command::new("clamd").arg("-c").arg(folder.join("clamd.conf")), || listens(port))?;
    let port = port.to_string();
    let variables = [("CLAMAV_HOST", "127.0.0.1"), ("CLAMAV_PORT", port.as_str())];
    let send = |message: &str| session(folder, "clamav", &variables, message);
    expect(&send("Subject: x\n\nharmless")?, "\n250 2.6.0 Message accepted.")?;
    expect(&queued(folder)?, "Subject: x\n\nharmless\n")?;
    let found = "\n554 5.7.0 Virus scan failed: Test.";
    expect(&send(&format!("Subject: x\n\n{marker}"))?, &format!("{found}Marker.UNOFFICIAL FOUND"))?;
    expect(&send(&eicar)?, &format!("{found}Eicar.UNOFFICIAL FOUND"))?;
    // Above its limit clamd closes in the middle (CLAM-12).
    expect(&send(&"0123456789\n".repeat(300_000))?, "\n451 4.3.0 Could not virus scan message")
}

fn spamd(folder: &Path) -> Result<(), Failed> {
    let port = free_port()?;
    let path = folder.display().to_string();
    for name in ["rules", "site", "home"] {
        fs::create_dir(folder.join(name))?;
    }
    fs::write(folder.join("site/init.pre"), "loadplugin Mail::SpamAssassin::Plugin::Check\n")?;
    fs::write(folder.join("site/local.cf"), "dns_available no\n")?;
    let rules = format!(
        "required_score 5\nuse_bayes 0\nskip_rbl_checks 1\nreport_safe 0\n\
         add_header all Status _YESNO_, score=_SCORE_\n\
         body T_GTUBE /{}/\nscore T_GTUBE 1000\ndescribe T_GTUBE test\n",
        GTUBE.replace('*', r"\*").replace('.', r"\.")
    );
    fs::write(folder.join("rules/10_test.cf"), rules)?;
    let mut command = Command::new("spamd");
    command.arg("--local").arg(format!("--listen=127.0.0.1:{port}"));
    command.arg(format!("--configpath={path}/rules")).arg(format!("--siteconfigpath={path}/site"));
    command.args(["--nouser-config", "--syslog=null", "--min-children=1", "--max-children=1"]);
    command.args(["--min-spare=1", "--max-spare=1"]).arg(format!("--helper-home-dir={path}/home"));
    if rustix::process::getuid().is_root() {
        command.arg("--username=nobody");
    }
    let _daemon = Daemon::start(&mut command, || listens(port))?;
    let port = port.to_string();
    let variables = [
        ("SPAMD_HOST", "127.0.0.1"),
        ("SPAMD_PORT", port.as_str()),
        ("SPAMD_TIMEOUT", "30000"),
        ("SPAMD_REJECT", "5.7.1 No spam, please"),
    ];
    let send = |message: &str| session(folder, "spamassassin", &variables, message);
    expect(&send("Subject: x\n\nharmless")?, "\n250 2.6.0 Message accepted.")?;
    let content = queued(folder)?;
    expect(&content, "X-Spam-Status: No, score=")?;
    expect(&content, "Subject: x\n\nharmless\n")?;
    expect(&send(&format!("Subject: x\n\n{GTUBE}"))?, "\n554 5.7.1 No spam, please")
}

fn rbldnsd(folder: &Path) -> Result<(), Failed> {
    let port = free_port()?;
    fs::write(folder.join("list4"), ":127.0.0.2:Listed: $\n127.0.0.2\n")?;
    fs::write(folder.join("list6"), ":127.0.0.2:Listed: $\n2001:db8::/32\n")?;
    let mut command = Command::new("rbldnsd");
    command.arg("-n").arg("-w").arg(folder).arg("-b").arg(format!("127.0.0.1/{port}"));
    if rustix::process::getuid().is_root() {
        // It does not serve as root; another user must be able to read the lists.
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
        command.arg("-u").arg("nobody");
    }
    command.args(["bl.test:ip4set:list4", "bl6.test:ip6trie:list6"]).stderr(Stdio::null());
    let _daemon = Daemon::start(&mut command, || reads(port))?;
    let port = format!("{port},");
    let ask = |address: &str, list: &str| ask(folder, &port, address, list);
    expect(&ask("127.0.0.2", "bl.test")?, "\n451 Blocked: Listed: 127.0.0.2")?;
    expect(&ask("127.0.0.3", "bl.test")?, "\n250 2.6.0 Message accepted.")?;
    expect(&ask("2001:db8::7", "bl6.test")?, "\n451 Blocked: Listed: 2001:db8:")?;
    expect(&ask("2001:db9::7", "bl6.test")?, "\n250 2.6.0 Message accepted.")
}

/// Whether somebody reads datagrams at a port: one to a port nobody reads comes back as an error.
fn reads(port: u16) -> Result<bool, Failed> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(("127.0.0.1", port))?;
    socket.set_read_timeout(Some(Duration::from_millis(200)))?;
    socket.send(&[0; 12])?;
    let answer = socket.recv(&mut [0; 512]).map_err(|error| error.kind());
    Ok(answer != Err(ErrorKind::ConnectionRefused))
}

/// A session of the client `address` that is looked up in `list`.
fn ask(folder: &Path, port: &str, address: &str, list: &str) -> Result<String, Failed> {
    let variables = [
        ("DNSCACHEIP", "127.0.0.1"),
        ("DNSCACHEPORT", port),
        ("RBL_BLACKLISTS", list),
        ("RBL_IPV6", "1"),
        ("TCPREMOTEIP", address),
    ];
    session(folder, "rbl", &variables, "x")
}

/// A name server with a zone file: texts that no datagram of 512 bytes holds, aliases, wild cards, and names
/// without a text.
fn nsd(folder: &Path) -> Result<(), Failed> {
    let port = free_port()?;
    let here = folder.display();
    let long = ["x", "y", "z"].map(|letter| letter.repeat(250));
    let [x, y, z] = &long;
    fs::write(
        folder.join("zone"),
        format!(
            "$TTL 60\n@ IN SOA ns hostmaster 1 60 60 60 60\n@ IN NS ns\nns IN A 127.0.0.1\n\
             2.0.0.127 IN TXT \"{x}\" \"{y}\" \"{z}\"\n\
             3.0.0.127 IN CNAME elsewhere\nelsewhere IN TXT \"by an alias\"\n\
             4.0.0.127 IN A 127.0.0.2\n\
             *.0.0.10 IN TXT \"a whole network\"\n\
             7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2 IN TXT \"by nibbles\"\n"
        ),
    )?;
    let user = if rustix::process::getuid().is_root() { "root".into() } else { std::env::var("USER")? };
    let configuration = format!(
        "server:\n ip-address: 127.0.0.1@{port}\n username: {user}\n chroot: \"\"\n zonesdir: \"{here}\"\n \
         database: \"\"\n pidfile: \"{here}/pid\"\n xfrdfile: \"{here}/xfrd\"\n zonelistfile: \"{here}/list\"\n \
         xfrdir: \"{here}\"\n server-count: 1\nremote-control:\n control-enable: no\n\
         zone:\n name: bl.test\n zonefile: zone\n"
    );
    fs::write(folder.join("nsd.conf"), configuration)?;
    let mut command = Command::new("/usr/sbin/nsd");
    command.arg("-d").arg("-c").arg(folder.join("nsd.conf")).stderr(Stdio::null());
    let _daemon = Daemon::start(&mut command, || Ok(reads(port)? && listens(port)?))?;
    let ask = |address: &str, list: &str| ask(folder, &port.to_string(), address, list);
    expect(&ask("127.0.0.2", "bl.test")?, &format!("\n451 Blocked: {}\n", long.concat()))?;
    expect(&ask("127.0.0.3", "bl.test")?, "\n451 Blocked: by an alias\n")?;
    expect(&ask("10.0.0.9", "bl.test")?, "\n451 Blocked: a whole network\n")?;
    expect(&ask("2001:db8::7", "bl.test")?, "\n451 Blocked: by nibbles\n")?;
    for free in ["127.0.0.4", "127.0.0.5", "2001:db8::8"] {
        expect(&ask(free, "bl.test")?, "\n250 2.6.0 Message accepted.")?;
    }
    // A zone that is not its own it refuses, which says nothing of the client (RBL-12).
    expect(&ask("127.0.0.2", "bl.test,other.test")?, "451 4.3.0 DNS error doing RBL lookup")
}
