//! Debian's credential modules, and swaks, against the reference. What is missing on this machine is
//! listed as ignored; with `CI` set in the environment it is a failure.

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use libtest_mimic::{Arguments, Failed, Trial};
use mailfront_conformance::sandbox::certificates;
use mailfront_tests::base64;
use tempfile::TempDir;

/// Longer than any of these programs takes to start.
const LONG: Duration = Duration::from_secs(20);

const PASSWORDS: &str = "testuser:testpass:1000:1001:Test User:/home/testuser:/bin/false\n";

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let required = env::var_os("CI").is_some();
    let trial = |name: &str, needs: &[&'static str], test: fn() -> Result<(), Failed>| {
        let missing: Vec<_> = needs.iter().copied().filter(|program| !is_there(program)).collect();
        let kind = needs.join(", ");
        let ignored = !missing.is_empty() && !required;
        let test = move || match &missing[..] {
            [] => test(),
            missing => Err(format!("not installed: {}", missing.join(", ")).into()),
        };
        Trial::test(name, test).with_kind(kind).with_ignored_flag(ignored)
    };
    let trials = vec![
        trial("passwords_by_command", &["cvm-pwfile"], passwords_by_command),
        trial("passwords_by_local_socket", &["cvm-pwfile"], passwords_by_local_socket),
        trial("passwords_by_udp", &["cvm-pwfile"], passwords_by_udp),
        trial("recipients_by_each_transport", &["cvm-pwfile"], recipients_by_each_transport),
        trial("a_look_up_is_no_password_check", &["cvm-pwfile"], a_look_up_is_no_password_check),
        trial("random_bytes_are_new_for_each_session", &[], random_bytes_are_new_for_each_session),
        trial("accounts_of_this_machine", &["cvm-unix"], accounts_of_this_machine),
        trial("swaks_sends_by_login", &["swaks", "tcpserver", "cvm-pwfile"], || swaks("LOGIN", "cvm-pwfile")),
        trial("swaks_sends_by_cram_md5", &["swaks", "tcpserver", "perl"], || swaks("CRAM-MD5", "digest")),
        trial("swaks_is_refused", &["swaks", "tcpserver", "cvm-pwfile"], swaks_is_refused),
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn is_there(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// A folder with the password file.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> std::io::Result<Self> {
        let folder = tempfile::tempdir()?;
        fs::write(folder.path().join("passwords"), PASSWORDS)?;
        for name in ["queue", "queue/tmp", "queue/new"] {
            fs::create_dir(folder.path().join(name))?;
        }
        Ok(Self { folder })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", env::var_os("PATH").unwrap_or_default());
        command.env("CVM_PWFILE_PATH", self.path("passwords")).current_dir(self.folder.path());
        command
    }

    /// What a mailfront says to these lines.
    fn session(&self, arguments: &[&str], variables: &[(&str, &str)], lines: &str) -> Result<String, Failed> {
        let mut command = self.command(env!("CARGO_BIN_EXE_suite"));
        command.arg0("mailfront").args(arguments);
        command.envs([("PROTO", "TCP"), ("TCPLOCALHOST", "mx.example.com"), ("TIMEOUT", "10")]);
        command.envs(variables.iter().copied());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        if let Some(mut input) = child.stdin.take() {
            input.write_all(lines.as_bytes())?;
        }
        let output = child.wait_with_output()?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// A module as a server, once it listens.
    fn serve(&self, address: &str) -> Result<Server, Failed> {
        let mut command = self.command("cvm-pwfile");
        command.arg(address).env("CVM_LOOKUP_SECRET", "s3cret");
        Server::start(command, |line| line == "Starting.").map(|(server, _)| server)
    }
}

/// A program that runs until this is dropped.
struct Server(Child);

impl Server {
    /// Starts it and waits for a line that says it is ready; gives that line. What it says later is read
    /// too: a module that finds nobody reading its reports dies of them.
    fn start(mut command: Command, is_ready: fn(&str) -> bool) -> Result<(Self, String), Failed> {
        let mut server = Self(command.stdout(Stdio::piped()).spawn()?);
        let output = server.0.stdout.take().ok_or("no output")?;
        let (said, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _nobody_waits = said.send(line);
            }
        });
        while let Ok(line) = lines.recv_timeout(LONG) {
            if is_ready(&line) {
                return Ok((server, line));
            }
        }
        Err("it did not say that it is ready".into())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// A UDP port that was free a moment ago.
fn free_udp_address() -> std::io::Result<String> {
    Ok(format!("cvm-udp:{}", std::net::UdpSocket::bind("127.0.0.1:0")?.local_addr()?))
}

fn check(what: &str, got: &str, expected: &[&str]) -> Result<(), Failed> {
    let codes: Vec<&str> = got.lines().skip(1).map(|line| line.get(..3).unwrap_or(line)).collect();
    if codes == expected { Ok(()) } else { Err(format!("{what}: expected {expected:?}, got\n{got}").into()) }
}

fn plain(user: &str, password: &str) -> String {
    format!("AUTH PLAIN {}\r\n", base64(format!("\0{user}\0{password}").as_bytes()))
}

const AUTH: [&str; 4] = ["smtp", "echo", "cvm-authenticate", "accept"];

/// A wrong password, an unknown user, none at all, the right one, each by both mechanisms.
fn passwords(place: &Place, module: &str) -> Result<(), Failed> {
    let login = |user: &str, password: &str| {
        format!("AUTH LOGIN {}\r\n{}\r\n", base64(user.as_bytes()), base64(password.as_bytes()))
    };
    let variables = [("CVM_SASL_PLAIN", module)];
    let lines = [
        plain("testuser", "wrong"),
        plain("nobody", "testpass"),
        plain("testuser", "testpas"),
        plain("testuser", "testpass2"),
        plain("testuser", "testpass"),
    ];
    let got = place.session(&AUTH, &variables, &lines.concat())?;
    check("PLAIN", &got, &["501", "501", "501", "501", "235"])?;
    let lines = [login("testuser", "wrong"), login("testuser@example.com", "testpass")].concat();
    check("LOGIN", &place.session(&AUTH, &variables, &lines)?, &["334", "501", "334", "235"])
}

fn passwords_by_command() -> Result<(), Failed> {
    passwords(&Place::new()?, "cvm-pwfile")
}

fn passwords_by_local_socket() -> Result<(), Failed> {
    let place = Place::new()?;
    let mut command = place.command("cvm-pwfile");
    command.arg("cvm-local:socket");
    let _server = Server::start(command, |line| line == "Starting.")?;
    passwords(&place, "cvm-local:socket")
}

fn passwords_by_udp() -> Result<(), Failed> {
    let place = Place::new()?;
    let address = free_udp_address()?;
    let mut command = place.command("cvm-pwfile");
    command.arg(&address);
    let _server = Server::start(command, |line| line == "Starting.")?;
    passwords(&place, &address)
}

fn recipients_by_each_transport() -> Result<(), Failed> {
    let place = Place::new()?;
    let udp = free_udp_address()?;
    let _servers = [place.serve("cvm-local:socket")?, place.serve(&udp)?];
    let lines = "MAIL FROM:<>\r\nRCPT TO:<testuser@x>\r\nRCPT TO:<nobody@x>\r\nRCPT TO:<nodomain>\r\n";
    for module in ["cvm-pwfile", "cvm-local:socket", &udp] {
        for secret in ["CVM_LOOKUP_SECRET", "LOOKUP_SECRET"] {
            let variables = [("CVM_LOOKUP", module), (secret, "s3cret")];
            let got = place.session(&["smtp", "echo", "cvm-validate", "accept"], &variables, lines)?;
            check(&format!("{module} with ${secret}"), &got, &["250", "250", "553", "250"])?;
        }
    }
    Ok(())
}

/// AUTH-20: every password would be good if the module took the question for a look-up.
fn a_look_up_is_no_password_check() -> Result<(), Failed> {
    let place = Place::new()?;
    let list = ["smtp", "echo", "cvm-authenticate", "cvm-validate", "accept"];
    let lines = [plain("testuser", "wrong"), plain("testuser", "testpass")].concat();
    for secret in [None, Some(""), Some("s")] {
        let mut variables = vec![("CVM_LOOKUP", "cvm-pwfile"), ("CVM_SASL_PLAIN", "cvm-pwfile")];
        variables.extend(secret.map(|secret| ("CVM_LOOKUP_SECRET", secret)));
        check(&format!("secret {secret:?}"), &place.session(&list, &variables, &lines)?, &["501", "235"])?;
    }
    Ok(())
}

/// CVMV-14: what protects a question asked by datagram cannot be told from the last one.
fn random_bytes_are_new_for_each_session() -> Result<(), Failed> {
    let place = Place::new()?;
    let module = std::net::UdpSocket::bind("127.0.0.1:0")?;
    module.set_read_timeout(Some(LONG))?;
    let address = format!("cvm-udp:{}", module.local_addr()?);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..3 {
        let lines = "MAIL FROM:<>\r\nRCPT TO:<testuser@x>\r\n";
        let variables = [("CVM_LOOKUP", address.as_str()), ("TIMEOUT", "1")];
        place.session(&["smtp", "echo", "cvm-validate", "accept"], &variables, lines)?;
        let mut request = [0; 512];
        let length = module.recv(&mut request)?;
        let random = request[..length].get(2..10).ok_or("a short request")?.to_vec();
        if request[1] != 8 || !seen.insert(random) {
            return Err(format!("the bytes of an earlier request: {:?}", &request[..length]).into());
        }
    }
    Ok(())
}

fn accounts_of_this_machine() -> Result<(), Failed> {
    let place = Place::new()?;
    let lines = "MAIL FROM:<>\r\nRCPT TO:<root@x>\r\nRCPT TO:<no-such-account@x>\r\n";
    let got =
        place.session(&["smtp", "echo", "cvm-validate", "accept"], &[("CVM_LOOKUP", "cvm-unix")], lines)?;
    check("accounts", &got, &["250", "250", "553"])?;
    let variables = [("CVM_SASL_PLAIN", "cvm-unix")];
    let got = place.session(&AUTH, &variables, &plain("root", "certainly not the password"))?;
    check("a wrong password", &got, &["501"])
}

/// A module for CRAM-MD5 that knows testuser: HMAC-MD5 as RFC 2104 has it, over what the front end says it
/// sent.
const DIGEST: &str = r#"#!/usr/bin/perl
use Digest::MD5 qw(md5);
local $/; binmode STDIN; binmode STDOUT; my $packet = <STDIN>; my %is; my $at = 2 + ord(substr($packet, 1, 1));
while ((my $type = ord(substr($packet, $at, 1))) != 0) {
  my $length = ord(substr($packet, $at + 1, 1)); $is{$type} = substr($packet, $at + 2, $length); $at += 2 + $length;
}
my $key = 'testpass' . "\0" x 56;
my $digest = md5(($key ^ "\x5c" x 64) . md5(($key ^ "\x36" x 64) . $is{5}));
if ($is{1} ne 'testuser' or $is{7} ne 'CRAM-MD5' or $is{6} ne $digest) { print "\x64\0\0"; exit 100; }
print "\0\0\x01\x08testuser\x02\x041000\x03\x041001\x05\x01/\0";
"#;

/// A submission service on the loopback interface: its address.
fn submission(place: &Place, variable: &str, module: &str) -> Result<(Server, String), Failed> {
    certificates::make(&place.path("tls"))?;
    let mut command = place.command("tcpserver");
    command.args(["-1", "-R", "-H", "-l", "localhost", "127.0.0.1", "0"]);
    let suite = Path::new(env!("CARGO_BIN_EXE_suite"));
    std::os::unix::fs::symlink(suite, place.path("mailfront"))?;
    command.arg(place.path("mailfront"));
    command.args(["smtp", "queuedir", "cvm-authenticate", "require-auth", "relayclient", "accept-sender"]);
    command.env("TLS_CERTFILE", "tls/both.pem").env("AUTH_REQUIRES_TLS", "1").env(variable, module);
    command.env("QUEUEDIR", place.path("queue"));
    let (server, port) = Server::start(command, |line| line.parse::<u16>().is_ok())?;
    Ok((server, format!("127.0.0.1:{port}")))
}

fn run_swaks(place: &Place, server: &str, mechanism: &str, password: &str) -> Result<(i32, String), Failed> {
    let mut command = place.command("swaks");
    command.args(["--server", server, "--helo", "client.example", "--timeout", "10", "--tls"]);
    command.args(["--from", "testuser@example.com", "--to", "bob@example.net", "--body", "by swaks"]);
    command.args(["--auth", mechanism, "--auth-user", "testuser", "--auth-password", password]);
    let output = command.output()?;
    let story = [output.stdout, output.stderr].concat();
    Ok((output.status.code().unwrap_or(-1), String::from_utf8_lossy(&story).into_owned()))
}

fn queued(place: &Place) -> Result<Vec<Vec<u8>>, Failed> {
    let mut messages = Vec::new();
    for entry in fs::read_dir(place.path("queue/new"))? {
        messages.push(fs::read(entry?.path())?);
    }
    Ok(messages)
}

/// Swaks sends a message by STARTTLS and this mechanism.
fn swaks(mechanism: &str, module: &str) -> Result<(), Failed> {
    let place = Place::new()?;
    fs::write(place.path("digest"), DIGEST)?;
    fs::set_permissions(place.path("digest"), fs::Permissions::from_mode(0o755))?;
    let (variable, module) = match module {
        "digest" => ("CVM_SASL_CRAM_MD5", "./digest"),
        module => ("CVM_SASL_PLAIN", module),
    };
    let (_server, address) = submission(&place, variable, module)?;
    let (status, story) = run_swaks(&place, &address, mechanism, "testpass")?;
    let messages = queued(&place)?;
    let [message] = &messages[..] else { return Err(format!("{} messages\n{story}", messages.len()).into()) };
    let envelope = b"testuser@example.com\0bob@example.net\0\0";
    let arrived = message.starts_with(envelope) && message.windows(8).any(|part| part == b"by swaks");
    if status == 0 && arrived { Ok(()) } else { Err(format!("status {status}\n{story}").into()) }
}

fn swaks_is_refused() -> Result<(), Failed> {
    let place = Place::new()?;
    let (_server, address) = submission(&place, "CVM_SASL_PLAIN", "cvm-pwfile")?;
    let (status, story) = run_swaks(&place, &address, "PLAIN", "wrong")?;
    let nothing = queued(&place)?.is_empty();
    // 28: swaks could not authenticate.
    if status == 28 && nothing { Ok(()) } else { Err(format!("status {status}\n{story}").into()) }
}
