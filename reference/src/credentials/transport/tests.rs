use std::{
    fs,
    io::{Read, Write},
    net::Ipv4Addr,
    os::unix::{fs::PermissionsExt, net::UnixListener},
    path::Path,
};

use tempfile::TempDir;

use super::*;

/// Longer than any of these answers takes.
const LONG: Duration = Duration::from_secs(20);

const SHORT: Duration = Duration::from_millis(50);

fn soon() -> Instant {
    Instant::now() + LONG
}

fn script(folder: &TempDir, body: &str) -> BString {
    let path = folder.path().join("module");
    fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.to_str().unwrap().into()
}

/// What a command module with this body answers to the request `q`.
fn run(body: &str, until: Instant) -> Result<(Vec<u8>, u8), Trouble> {
    let folder = tempfile::tempdir().unwrap();
    let output = command(&script(&folder, body), b"q", &[], None, until)?;
    Ok((output.packet, output.status))
}

#[test]
fn a_command_reads_its_input_to_the_end_and_its_status_counts() {
    assert_eq!(run("cat; exit 7", soon()), Ok((b"q".to_vec(), 7)));
}

#[test]
fn a_command_need_not_read() {
    assert_eq!(run("exec <&-; printf abc; exit 100", soon()), Ok((b"abc".to_vec(), 100)));
    assert_eq!(run("exit 0", soon()), Ok((Vec::new(), 0)));
}

#[test]
fn a_command_that_closes_its_output_is_waited_for() {
    assert_eq!(run("printf abc; exec >&-; sleep 0.1; exit 3", soon()), Ok((b"abc".to_vec(), 3)));
}

#[test]
fn a_command_that_dies_has_no_status() {
    assert_eq!(run("printf abc; kill -9 $$", soon()), Err(Trouble::Died));
}

#[test]
fn a_silent_command_is_ended_with_its_children() {
    let folder = tempfile::tempdir().unwrap();
    let body = format!("cd {}; sleep 60 & echo $! > child; mv child pid; wait", folder.path().display());
    let name = script(&folder, &body);
    assert_eq!(
        command(&name, b"q", &[], None, Instant::now() + Duration::from_millis(500)).map(|_| ()),
        Err(Trouble::Silent)
    );
    let child: u32 = fs::read_to_string(folder.path().join("pid")).unwrap().trim().parse().unwrap();
    let state = || fs::read_to_string(format!("/proc/{child}/stat")).ok();
    let end = soon();
    while state().is_some_and(|line| !line.contains(") Z ")) {
        assert!(Instant::now() < end, "the child of the module goes on");
        thread::yield_now();
    }
}

#[test]
fn the_secret_of_look_ups_is_there_or_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let name = script(&folder, "printf %s \"$A-${CVM_LOOKUP_SECRET-none}\"");
    let ask = |secret: Option<&str>| {
        let environment = [("A".into(), "a".into()), (LOOKUP_SECRET.into(), "leak".into())];
        command(&name, b"q", &environment, secret.map(BString::from), soon()).unwrap().packet
    };
    assert_eq!(ask(None), b"a-none");
    assert_eq!(ask(Some("")), b"a-");
    assert_eq!(ask(Some("s")), b"a-s");
}

#[test]
fn what_is_no_program_cannot_be_asked() {
    let ask = |name: &str| command(&name.into(), b"q", &[], None, soon()).map(|_| ());
    assert_eq!(ask(""), Err(Trouble::Unreachable(io::ErrorKind::NotFound)));
    assert_eq!(ask("/nonexistent"), Err(Trouble::Unreachable(io::ErrorKind::NotFound)));
    assert_eq!(ask("/"), Err(Trouble::Unreachable(io::ErrorKind::PermissionDenied)));
}

fn path(folder: &Path) -> BString {
    folder.join("socket").to_str().unwrap().into()
}

#[test]
fn a_local_module_reads_to_the_end_and_may_answer_in_pieces() {
    let folder = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(folder.path().join("socket")).unwrap();
    let server = thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        client.read_to_end(&mut request).unwrap();
        client.write_all(&request).unwrap();
        client.write_all(&[b'x'; 600]).unwrap();
    });
    let answer = local(&path(folder.path()), b"q", soon()).unwrap();
    assert_eq!(answer, [&b"q"[..], &[b'x'; 511]].concat());
    server.join().unwrap();
}

#[test]
fn a_local_module_that_is_silent_or_missing_fails() {
    let folder = tempfile::tempdir().unwrap();
    let missing = local(&path(folder.path()), b"q", soon());
    assert_eq!(missing, Err(Trouble::Unreachable(io::ErrorKind::NotFound)));
    let _listener = UnixListener::bind(folder.path().join("socket")).unwrap();
    assert_eq!(local(&path(folder.path()), b"q", Instant::now() + SHORT), Err(Trouble::Silent));
}

/// A UDP module that is asked once and answers with each of these datagrams, the last of them from
/// another port than the others.
fn udp_module(answers: Vec<Vec<u8>>, stray: Vec<u8>) -> BString {
    let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = server.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut request = [0; 512];
        let (_, client) = server.recv_from(&mut request).unwrap();
        let other = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        other.send_to(&stray, client).unwrap();
        for answer in answers {
            server.send_to(&answer, client).unwrap();
        }
    });
    format!("127.0.0.1:{port}").into()
}

#[test]
fn only_the_datagram_of_the_module_with_our_random_bytes_counts() {
    let right = b"\0\x02rr\0".to_vec();
    let wrong = vec![b"\0\x02xx\0".to_vec(), Vec::new(), b"\0\0\0".to_vec(), right.clone()];
    let address = udp_module(wrong, b"\x64\x02rr\0".to_vec());
    assert_eq!(udp(&address, b"q", b"rr", soon()), Ok(right));
}

#[test]
fn datagrams_are_cut_and_silence_ends() {
    let long = [&b"\0\x01r"[..], &[b'x'; 600]].concat();
    let address = udp_module(vec![long.clone()], Vec::new());
    assert_eq!(udp(&address, b"q", b"r", soon()), Ok(long[..512].to_vec()));
    let nobody = udp_module(Vec::new(), Vec::new());
    assert_eq!(udp(&nobody, b"q", b"r", Instant::now() + SHORT), Err(Trouble::Silent));
}

#[test]
fn a_udp_address_is_a_host_and_a_port() {
    for wrong in ["", "h", "h:", "h:x", "h:1 ", "h:70000", "h:-1"] {
        let answer = udp(&wrong.into(), b"q", b"", soon());
        assert_eq!(answer, Err(Trouble::Address), "{wrong:?}");
    }
    assert_eq!(host_and_port(&"localhost:025".into()), Some(("localhost".into(), 25)));
    assert_eq!(resolve(&"localhost:25".into(), soon()), Ok((Ipv4Addr::LOCALHOST, 25).into()));
}
