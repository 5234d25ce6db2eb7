//! A server that calls services: each line of its client names one, and it says what came back.
//!
//! `tcp ADDRESS TEXT`, `unix PATH TEXT`, `udp ADDRESS TEXT`, `run PROGRAM TEXT` and `queue PROGRAM TEXT`
//! send the text, `ask ADDRESS NAME` asks a name server; `\n` in it is a line end. `flood N` answers with N bytes.
//!
//! `caller serve PORT PROGRAM ARGUMENT…` is a server that starts the program for each connection.

use std::{
    env,
    io::{self, BufRead as _, Read, Write},
    net::{Shutdown, TcpListener, TcpStream, UdpSocket},
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::{Command, Stdio},
    time::Duration,
};

fn main() -> io::Result<()> {
    let words: Vec<String> = env::args().skip(1).collect();
    if let [verb, port, program, arguments @ ..] = &words[..]
        && verb == "serve"
    {
        return serve(port, program, arguments);
    }
    say("ready")?;
    for line in io::stdin().lock().lines() {
        let line = line?;
        let mut words = line.trim_end().splitn(3, ' ');
        let mut word = || words.next().unwrap_or_default().to_string();
        let (verb, place, text) = (word(), word(), word().replace("\\n", "\n"));
        let answer = match verb.as_str() {
            "tcp" => TcpStream::connect(&place)
                .and_then(|stream| talk(&stream, &stream, &text, || stream.shutdown(Shutdown::Write))),
            "unix" => UnixStream::connect(&place)
                .and_then(|stream| talk(&stream, &stream, &text, || stream.shutdown(Shutdown::Write))),
            "udp" => datagram(&place, &text),
            "ask" => ask(&place, &text),
            "run" => run(&place, &text),
            "queue" => queue(&place, &text),
            "flood" => Ok("x".repeat(place.parse().unwrap_or_default())),
            _ => Ok("what?".into()),
        };
        say(&match answer {
            Ok(answer) => answer.escape_debug().to_string(),
            Err(error) => format!("{:?}", error.kind()),
        })?;
    }
    Ok(())
}

/// Starts the program for each connection, as a server of the UCSPI kind does.
fn serve(port: &str, program: &str, arguments: &[String]) -> io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port.parse().unwrap_or_default()))?;
    loop {
        let stream: OwnedFd = listener.accept()?.0.into();
        let mut command = Command::new(program);
        command.args(arguments).stdin(stream.try_clone()?).stdout(stream);
        let mut child = command.spawn()?;
        drop(command);
        child.wait()?;
    }
}

fn say(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    write!(out, "{text}\r\n")?;
    out.flush()
}

fn talk(
    mut reader: impl Read,
    mut writer: impl Write,
    text: &str,
    done: impl Fn() -> io::Result<()>,
) -> io::Result<String> {
    writer.write_all(text.as_bytes())?;
    // Of a connection that was reset this says less than reading does.
    let _reset = done();
    let mut answer = Vec::new();
    reader.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn datagram(place: &str, text: &str) -> io::Result<String> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(Some(Duration::from_millis(300)))?;
    socket.send_to(text.as_bytes(), place)?;
    let mut buffer = [0; 1000];
    let (length, from) = socket.recv_from(&mut buffer)?;
    let strange = if from.to_string() == place { "" } else { " from elsewhere" };
    Ok(format!("{}{strange}", String::from_utf8_lossy(&buffer[..length])))
}

/// The address of a name, asked by a datagram and, if that is cut, over a connection (RFC 1035).
fn ask(place: &str, name: &str) -> io::Result<String> {
    let mut question = b"\x01\x02\x01\0\0\x01\0\0\0\0\0\0".to_vec();
    for label in name.split('.') {
        question.push(label.len().try_into().unwrap_or_default());
        question.extend_from_slice(label.as_bytes());
    }
    question.extend_from_slice(b"\0\0\x01\0\x01");
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(Some(Duration::from_millis(300)))?;
    socket.send_to(&question, place)?;
    let mut answer = vec![0; 1000];
    let length = socket.recv_from(&mut answer)?.0;
    answer.truncate(length);
    if answer[2] & 2 != 0 {
        let mut stream = TcpStream::connect(place)?;
        stream.write_all(&u16::try_from(question.len()).unwrap_or_default().to_be_bytes())?;
        stream.write_all(&question)?;
        answer.clear();
        stream.read_to_end(&mut answer)?;
        answer.drain(..2);
    }
    let records = u16::from_be_bytes([answer[6], answer[7]]);
    Ok(format!("code {} records {records} end {:?}", answer[3] & 15, &answer[answer.len() - 4..]))
}

fn run(program: &str, text: &str) -> io::Result<String> {
    let mut command = Command::new(program);
    command.args(["one", "two words"]).env("GREETING", "hello").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn()?;
    if let Some(mut input) = child.stdin.take() {
        // One that does not read is no error of ours.
        let _ = input.write_all(text.as_bytes());
    }
    let output = child.wait_with_output()?;
    Ok(format!("{} {}", output.status, String::from_utf8_lossy(&output.stdout)))
}

fn queue(program: &str, text: &str) -> io::Result<String> {
    let (envelope, mut writer) = io::pipe()?;
    let mut child = Command::new(program).stdin(Stdio::piped()).stdout(envelope).spawn()?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(text.as_bytes())?;
    }
    let cut = env::var_os("CUT").is_some();
    writer.write_all(if cut { b"Fa@b\0Tc@d\0" } else { b"Fa@b\0Tc@d\0\0" })?;
    drop(writer);
    Ok(child.wait()?.to_string())
}
