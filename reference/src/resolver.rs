//! Asks the name servers of the system, within time limits (RBL-12, -14 … 17, CLAM-9).
//!
//! Packets are [`crate::wire::dns`]'s. The exchange is our own: a query is one datagram and one wait, and no
//! maintained resolver does that without threads or an asynchronous runtime.
//!
//! Answers cannot be foreseen by one who does not see the query: its number comes from the system's
//! random numbers and its port from the kernel's (RBL-17, RFC 5452).

use std::{
    fs,
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream, UdpSocket},
    path::Path,
    time::{Duration, Instant},
};

use bstr::{BString, ByteSlice};
use rustix::rand::{GetRandomFlags, getrandom};

use crate::{
    session::Session,
    wire::{
        dns::{Answer, Kind, Packet, Question},
        number::decimal_prefix,
    },
};

/// Servers asked; further ones are not used (RBL-14).
const SERVERS_MAX: usize = 16;

/// How long each server is waited for, the first time round and the second (RBL-16). A resolver that
/// has to ask others itself answers within the second.
const WAITS: [Duration; 2] = [Duration::from_secs(3), Duration::from_secs(9)];

/// Time for one question, however many servers there are (RBL-16).
const QUESTION_MAX: Duration = Duration::from_secs(30);

/// The largest datagram read. Without EDNS they have 512 bytes at most (RFC 1035 4.2.1).
const DATAGRAM_MAX: usize = 4096;

/// The largest file of system configuration that is read. They have a few hundred bytes.
const FILE_MAX: u64 = 1024 * 1024;

/// No server would say, or there is no such name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unresolved;

/// The servers and how to ask them.
#[derive(Debug)]
pub struct Resolver {
    servers: Vec<SocketAddrV4>,
    /// What is tried behind a name without dots (CLAM-9).
    search: Vec<BString>,
    until: Option<Instant>,
}

impl Resolver {
    /// As `$DNSCACHEIP`, `$DNSCACHEPORT`, `$DNSRESOLVCONF`, `$LOCALDOMAIN` and the system's
    /// configuration say (RBL-14, -15). Nothing is asked beyond the session's end.
    pub fn new(session: &Session) -> Self {
        let file = session.setting("DNSRESOLVCONF").unwrap_or_else(|| "/etc/resolv.conf".into());
        let file = read_file(&file.to_path_lossy());
        let mut addresses = session.setting("DNSCACHEIP").map_or_else(Vec::new, |list| addresses(&list));
        if addresses.is_empty() {
            addresses = values(&file, &[b"nameserver"]).filter_map(address).collect();
        }
        if addresses.is_empty() {
            addresses.push(Ipv4Addr::LOCALHOST);
        }
        let port = session.setting("DNSCACHEPORT").and_then(|value| decimal_prefix(&value));
        let port = port.and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0).unwrap_or(53);
        let domains = |text: &[u8]| text.fields().map(BString::from).collect();
        let search = match session.setting("LOCALDOMAIN") {
            Some(list) => domains(&list),
            None => values(&file, &[b"search", b"domain"]).last().map_or_else(Vec::new, domains),
        };
        let servers = addresses.into_iter().take(SERVERS_MAX).map(|ip| SocketAddrV4::new(ip, port));
        let until = session.connection.session_left().and_then(|left| Instant::now().checked_add(left));
        Self { servers: servers.collect(), search, until }
    }

    /// The texts of a name, in the order of the answer; none if it has none.
    ///
    /// # Errors
    /// No server would say.
    pub fn texts(&self, name: &[u8]) -> Result<Vec<BString>, Unresolved> {
        self.ask(name, Kind::Text).map(|answer| answer.texts)
    }

    /// The IPv4 addresses of a host, at least one: itself if it is one, else what the hosts file or
    /// the servers say (CLAM-9, -13).
    ///
    /// # Errors
    /// There is none.
    pub fn addresses(&self, host: &[u8]) -> Result<Vec<Ipv4Addr>, Unresolved> {
        if let Some(address) = address(host) {
            return Ok(vec![address]);
        }
        let known = in_hosts_file(&read_file(Path::new("/etc/hosts")), host);
        if !known.is_empty() {
            return Ok(known);
        }
        let qualified = self.search.iter().filter(|_| !host.contains(&b'.') && !host.is_empty());
        let qualified = qualified.map(|domain| BString::from([host, b".", domain].concat()));
        for name in qualified.chain([BString::from(host)]) {
            let found = self.ask(&name, Kind::Address)?.addresses;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Err(Unresolved)
    }

    fn ask(&self, name: &[u8], kind: Kind) -> Result<Answer, Unresolved> {
        let latest = Instant::now() + QUESTION_MAX;
        let latest = self.until.map_or(latest, |until| until.min(latest));
        for wait in WAITS {
            for server in &self.servers {
                let until = latest.min(Instant::now() + wait);
                let id = random_u16().map_err(|_| Unresolved)?;
                let question = Question::new(id, name, kind).ok_or(Unresolved)?;
                // The next server may know what this one does not, so the reason is not kept.
                if let Ok(answer) = exchange(*server, &question, until) {
                    return Ok(answer);
                }
            }
        }
        Err(Unresolved)
    }
}

/// One question to one server; an error if it has no answer by `until`.
fn exchange(server: SocketAddrV4, question: &Question, until: Instant) -> io::Result<Answer> {
    let query = question.encode().ok_or(io::ErrorKind::InvalidInput)?;
    match over_udp(server, question, &query, until)? {
        Packet::Answer(answer) => Ok(answer),
        Packet::Truncated => over_tcp(server, question, &query, until),
        Packet::Failed | Packet::Foreign => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// The first datagram that answers the question; others are ignored until the time is over (RBL-16).
fn over_udp(server: SocketAddrV4, question: &Question, query: &[u8], until: Instant) -> io::Result<Packet> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.connect(server)?;
    socket.send(query)?;
    let mut datagram = [0; DATAGRAM_MAX];
    loop {
        socket.set_read_timeout(Some(left(until)?))?;
        match socket.recv(&mut datagram) {
            Ok(size) => match question.read(&datagram[..size]) {
                Packet::Foreign => {}
                packet => return Ok(packet),
            },
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The same question over TCP, to the same port (RFC 1035 4.2.2).
fn over_tcp(server: SocketAddrV4, question: &Question, query: &[u8], until: Instant) -> io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&SocketAddr::V4(server), left(until)?)?;
    stream.set_write_timeout(Some(left(until)?))?;
    let length = u16::try_from(query.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    stream.write_all(&[&length.to_be_bytes(), query].concat())?;
    let mut received = Vec::new();
    let mut piece = [0; DATAGRAM_MAX];
    loop {
        if let Some((length, packet)) = received.split_first_chunk::<2>()
            && let Some(packet) = packet.get(..usize::from(u16::from_be_bytes(*length)))
        {
            return match question.read(packet) {
                Packet::Answer(answer) => Ok(answer),
                Packet::Truncated | Packet::Failed | Packet::Foreign => {
                    Err(io::ErrorKind::InvalidData.into())
                }
            };
        }
        stream.set_read_timeout(Some(left(until)?))?;
        match stream.read(&mut piece) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(size) => received.extend_from_slice(&piece[..size]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// What is left until then; an error if nothing is.
fn left(until: Instant) -> io::Result<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// A number nobody can foresee.
///
/// # Errors
/// The system has no random numbers.
pub fn random_u16() -> io::Result<u16> {
    let mut bytes = [0; 2];
    // So few bytes are never cut short.
    getrandom(&mut bytes[..], GetRandomFlags::empty())?;
    Ok(u16::from_ne_bytes(bytes))
}

fn read_file(path: &Path) -> Vec<u8> {
    let mut content = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(FILE_MAX).read_to_end(&mut content));
    // A file that is not there says nothing, as for everybody else on the system.
    if read.is_ok() { content } else { Vec::new() }
}

/// The rest of each line that begins with one of `names`, in order.
fn values<'a>(file: &'a [u8], names: &'a [&[u8]]) -> impl Iterator<Item = &'a [u8]> {
    file.lines().filter_map(move |line| {
        let (name, value) = line.split_at(line.find_byteset(b" \t")?);
        names.contains(&name).then(|| value.trim())
    })
}

/// IPv4 addresses separated by commas, up to the first that is none (RBL-14).
fn addresses(list: &[u8]) -> Vec<Ipv4Addr> {
    list.split_str(",").map_while(address).collect()
}

/// An IPv4 address; `0.0.0.0` is this machine (RBL-14).
fn address(text: &[u8]) -> Option<Ipv4Addr> {
    let address: Ipv4Addr = text.to_str().ok()?.parse().ok()?;
    Some(if address.is_unspecified() { Ipv4Addr::LOCALHOST } else { address })
}

fn in_hosts_file(file: &[u8], host: &[u8]) -> Vec<Ipv4Addr> {
    let lines = file.lines().map(|line| line.split_str("#").next().unwrap_or_default());
    let matching = lines.filter_map(|line| {
        let mut words = line.fields();
        let address = address(words.next()?)?;
        words.any(|name| name.eq_ignore_ascii_case(host)).then_some(address)
    });
    matching.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_servers_end_where_they_are_wrong() {
        let parsed = |list: &str| addresses(list.as_bytes()).len();
        assert_eq!(parsed("127.0.0.1,10.0.0.1"), 2);
        assert_eq!(parsed("127.0.0.1,x,10.0.0.1"), 1);
        assert_eq!(parsed("::1,127.0.0.1"), 0);
        assert_eq!(parsed(""), 0);
        assert_eq!(address(b"0.0.0.0"), Some(Ipv4Addr::LOCALHOST));
    }

    #[test]
    fn configuration_lines_are_found_by_their_first_word() {
        let file =
            b"# nameserver 9.9.9.9\nnameserver 10.0.0.1\nnameserver\t10.0.0.2 \nsearch a b\ndomain c\n";
        let servers: Vec<_> = values(file, &[b"nameserver"]).filter_map(address).collect();
        assert_eq!(servers, [Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2)]);
        assert_eq!(values(file, &[b"search", b"domain"]).last(), Some(&b"c"[..]));
    }

    #[test]
    fn the_hosts_file_knows_names_and_aliases() {
        let file = b"127.0.0.1 localhost\n::1 scanner\n10.0.0.1\tScanner alias # other\n10.0.0.2 scanner\n";
        let both = [Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2)];
        assert_eq!(in_hosts_file(file, b"scanner"), both);
        assert_eq!(in_hosts_file(file, b"alias"), both[..1]);
        assert!(in_hosts_file(file, b"other").is_empty());
    }

    #[test]
    fn numbers_of_questions_differ() {
        let numbers: std::collections::BTreeSet<u16> = (0..64).map(|_| random_u16().unwrap()).collect();
        assert!(numbers.len() > 32, "{numbers:?}");
    }
}
