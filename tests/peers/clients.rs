//! Mail clients of others send through the reference, under tcpserver into a queue.

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::symlink,
    path::Path,
    process::{Child, Command, Stdio},
};

use libtest_mimic::{Failed, Trial};
use mailfront_conformance::sandbox::certificates;

/// One way to send. Values may name `${TLS}`, the folder of certificates, and `${HERE}`, the service's own.
struct Sending {
    name: &'static str,
    /// Added to the environment of the service.
    environment: &'static [(&'static str, &'static str)],
    plugins: &'static str,
    /// Added to the words for swaks.
    client: &'static [&'static str],
    /// A line of the service's log.
    log: &'static str,
}

const PAIR: (&str, &str) = ("TLS_CERTFILE", "${TLS}/both.pem");
const PASSWORDS: (&str, &str) = ("CVM_PWFILE_PATH", "${HERE}/users");
const PLAIN: (&str, &str) = ("CVM_SASL_PLAIN", "/usr/bin/cvm-pwfile");
const FOR_TLS: (&str, &str) = ("AUTH_REQUIRES_TLS", "1");
const SUBMISSION: &str = "cvm-authenticate:require-auth:relayclient:accept-sender";

const SENDINGS: &[Sending] = &[
    Sending {
        name: "in_the_clear",
        environment: &[PAIR],
        plugins: "accept",
        client: &[],
        log: "RCPT TO:<b@example.com>",
    },
    Sending {
        name: "starttls",
        environment: &[PAIR],
        plugins: "accept",
        client: &["--tls"],
        log: "TLS handshake: TLS1.3 ",
    },
    Sending {
        name: "starttls_1.2",
        environment: &[PAIR],
        plugins: "accept",
        client: &["--tls", "--tls-protocol", "tlsv1_2"],
        log: "TLS handshake: TLS1.2 ",
    },
    Sending {
        name: "starttls_rsa",
        environment: &[("TLS_CERTFILE", "${TLS}/rsa-2048.pem")],
        plugins: "accept",
        client: &["--tls"],
        log: "TLS handshake: TLS1.3 ECDHE-RSA ",
    },
    Sending {
        name: "tls_on_connect",
        environment: &[PAIR, ("TLS_IMMEDIATE", "1")],
        plugins: "accept",
        client: &["--tls-on-connect"],
        log: "TLS handshake: TLS1.3 ",
    },
    Sending {
        name: "auth_plain",
        environment: &[PAIR, PASSWORDS, PLAIN, FOR_TLS],
        plugins: SUBMISSION,
        client: &["--tls", "--auth", "PLAIN", "--auth-user", "bob", "--auth-password", "secret"],
        log: "SASL AUTH PLAIN username=bob",
    },
    Sending {
        name: "auth_login_tls_on_connect",
        environment: &[PAIR, PASSWORDS, PLAIN, FOR_TLS, ("TLS_IMMEDIATE", "1")],
        plugins: SUBMISSION,
        client: &["--tls-on-connect", "--auth", "LOGIN", "--auth-user", "bob", "--auth-password", "secret"],
        log: "SASL AUTH LOGIN username=bob",
    },
];

/// A trial for each way to send; ignored where a program is missing, unless it is `required`.
pub fn trials(required: bool) -> Vec<Trial> {
    let needed = ["swaks", "tcpserver", "cvm-pwfile"];
    let missing = needed.into_iter().find(|name| !is_installed(name));
    let trial = |sending: &'static Sending| {
        let name = format!("swaks_sends_{}", sending.name);
        let trial = match missing {
            None => Trial::test(name, || send(sending)),
            Some(missing) => Trial::test(name, move || Err(format!("{missing} is not installed").into())),
        };
        trial.with_kind("swaks").with_ignored_flag(missing.is_some() && !required)
    };
    SENDINGS.iter().map(trial).collect()
}

fn is_installed(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).exists())
}

fn send(sending: &Sending) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let here = folder.path();
    let tls = here.join("tls");
    certificates::make(&tls)?;
    for queue in ["queue", "queue/tmp", "queue/new"] {
        fs::create_dir(here.join(queue))?;
    }
    fs::write(here.join("users"), "bob:secret:1000:1000:Bob:/home/bob:/bin/sh\n")?;
    symlink(env!("CARGO_BIN_EXE_suite"), here.join("mailfront"))?;
    let filled = |text: &str| {
        let text = text.replace("${TLS}", &tls.to_string_lossy());
        text.replace("${HERE}", &here.to_string_lossy())
    };
    let log = fs::File::create(here.join("log"))?;
    let mut service = Command::new("tcpserver");
    service.args(["-1RHl", "mx.example.com", "127.0.0.1", "0"]).arg(here.join("mailfront"));
    service.args(["smtp", "queuedir", sending.plugins]).env("QUEUEDIR", here.join("queue"));
    service.envs(sending.environment.iter().map(|(name, value)| (name, filled(value))));
    let mut service = Service(service.stdout(Stdio::piped()).stderr(log).spawn()?);
    let mut port = String::new();
    // Kept to the end: who finds nobody reading may die of it.
    let mut said = BufReader::new(service.0.stdout.take().ok_or("no output")?);
    said.read_line(&mut port)?;
    let mut client = Command::new("swaks");
    client.args(["--server", &format!("127.0.0.1:{}", port.trim()), "--timeout", "20"]);
    client.args(["--from", "a@example.net", "--to", "b@example.com", "--body", "from a client"]);
    let output = client.args(sending.client).stdin(Stdio::null()).output()?;
    drop(service);
    let log = fs::read_to_string(here.join("log"))?;
    let story = || format!("{}\n{log}", String::from_utf8_lossy(&output.stdout));
    if !output.status.success() {
        return Err(format!("swaks: {}\n{}", output.status, story()).into());
    }
    if !log.contains(sending.log) {
        return Err(format!("the log lacks {:?}\n{}", sending.log, story()).into());
    }
    match &queued(&here.join("queue/new"))?[..] {
        [message]
            if message.starts_with(b"a@example.net\0b@example.com\0\0")
                && message.windows(13).any(|part| part == b"from a client") =>
        {
            Ok(())
        }
        messages => Err(format!("{} messages in the queue\n{}", messages.len(), story()).into()),
    }
}

fn queued(folder: &Path) -> std::io::Result<Vec<Vec<u8>>> {
    fs::read_dir(folder)?.map(|entry| fs::read(entry?.path())).collect()
}

/// Ends with its owner.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        // It is gone already, or goes now.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
