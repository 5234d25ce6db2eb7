//! Conversations with scanners and the like: every wait bounded, nothing kept that was not asked for.

use std::{
    fs::File,
    io::{self, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpStream},
    os::unix::{fs::FileExt, net::UnixStream},
    path::PathBuf,
    time::{Duration, Instant},
};

use bstr::{BString, ByteSlice};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, sockopt};

use crate::{
    plugin::Finding,
    resolver::{Resolver, Unresolved, random_u16},
    session::Session,
    wire::number::digits,
};

/// Bytes sent or received at once.
const PIECE: usize = 64 * 1024;

/// Addresses of one name that are tried (CLAM-13).
const ADDRESSES_MAX: usize = 16;

/// A wait without a variable that says otherwise, in milliseconds (CLAM-2, SPAM-1).
const DEFAULT_WAIT: u64 = 5000;

/// Time for one message at all addresses together. Single waits are bounded by variables, but a service
/// that sends a byte now and then would keep the client longer than it waits for the answer to its
/// message, ten minutes, and it would send the message again (RFC 5321 4.5.3.2.6). Two scanners fit.
const EXCHANGE_MAX: Duration = Duration::from_secs(240);

/// Where a service listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// An IPv4 address and port.
    Tcp(SocketAddrV4),
    /// A socket in the file system.
    Unix(PathBuf),
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

/// The places where `host` is to be found, in a random rotation so that several share the load
/// (CLAM-13).
///
/// # Errors
/// The name has no address.
pub fn endpoints(session: &Session, host: &[u8], port: u16) -> Result<Vec<Endpoint>, Unresolved> {
    let mut addresses: Vec<Ipv4Addr> = Resolver::new(session).addresses(host)?;
    addresses.truncate(ADDRESSES_MAX);
    let start = usize::from(random_u16().unwrap_or_default()) % addresses.len().max(1);
    addresses.rotate_left(start);
    Ok(addresses.into_iter().map(|ip| Endpoint::Tcp(SocketAddrV4::new(ip, port))).collect())
}

/// The limits of one exchange.
#[derive(Debug, Clone, Copy)]
pub struct Waits {
    /// For the connection.
    connect: Duration,
    /// For room to send, each time.
    send: Duration,
    /// For something to receive, each time (CLAM-10).
    receive: Duration,
    /// The end of everything.
    until: Instant,
}

impl Waits {
    /// Milliseconds as variables give them; one that is missing or no positive number is `receive`'s,
    /// at last the default (CLAM-2).
    pub fn new(session: &Session, connect: Option<u64>, send: Option<u64>, receive: Option<u64>) -> Self {
        let receive = receive.unwrap_or(DEFAULT_WAIT);
        let wait = |millis: Option<u64>| Duration::from_millis(millis.unwrap_or(receive)).min(EXCHANGE_MAX);
        let left = session.connection.session_left().map_or(EXCHANGE_MAX, |left| left.min(EXCHANGE_MAX));
        Self { connect: wait(connect), send: wait(send), receive: wait(None), until: Instant::now() + left }
    }

    /// The shorter of `wait` and what is left; an error if nothing is.
    fn bounded(&self, wait: Duration) -> io::Result<Duration> {
        let wait = wait.min(self.until.saturating_duration_since(Instant::now()));
        if wait.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(wait) }
    }
}

/// A connection to a service.
pub struct Service {
    stream: Stream,
    waits: Waits,
    buffer: Vec<u8>,
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Service {
    /// Connects.
    ///
    /// # Errors
    /// Nobody is there, or nobody answers in time.
    pub fn connect(endpoint: &Endpoint, waits: Waits) -> io::Result<Self> {
        let wait = waits.bounded(waits.connect)?;
        let stream = match endpoint {
            Endpoint::Tcp(address) => {
                Stream::Tcp(TcpStream::connect_timeout(&SocketAddr::V4(*address), wait)?)
            }
            Endpoint::Unix(path) => {
                let kind = SocketType::STREAM;
                let socket = rustix::net::socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)?;
                // The kernel bounds connecting by the time limit for sending.
                sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, Some(wait))?;
                rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?;
                Stream::Unix(socket.into())
            }
        };
        Ok(Self { stream, waits, buffer: Vec::new() })
    }

    /// Sends all of `bytes`.
    ///
    /// # Errors
    /// The service is gone, or takes nothing in time.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        for piece in bytes.chunks(PIECE) {
            let wait = Some(self.waits.bounded(self.waits.send)?);
            match &mut self.stream {
                Stream::Tcp(stream) => stream.set_write_timeout(wait).and_then(|()| stream.write_all(piece)),
                Stream::Unix(stream) => stream.set_write_timeout(wait).and_then(|()| stream.write_all(piece)),
            }?;
        }
        Ok(())
    }

    /// Sends the first `size` bytes of a file.
    ///
    /// # Errors
    /// As [`Service::send`], or the file has no more so many bytes.
    pub fn send_file(&mut self, file: &File, size: u64) -> io::Result<()> {
        let mut piece = vec![0; PIECE];
        let mut sent = 0;
        while sent < size {
            let room = usize::try_from(size - sent).map_or(PIECE, |left| left.min(PIECE));
            match file.read_at(&mut piece[..room], sent)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => {
                    self.send(&piece[..count])?;
                    sent += count as u64;
                }
            }
        }
        Ok(())
    }

    /// Tells the service that nothing more will be sent.
    ///
    /// # Errors
    /// It is gone.
    pub fn end_sending(&self) -> io::Result<()> {
        match &self.stream {
            Stream::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Stream::Unix(stream) => stream.shutdown(Shutdown::Write),
        }
    }

    /// The next bytes, as many as there are; none at the end.
    ///
    /// # Errors
    /// The service is gone, or sends nothing in time.
    pub fn receive(&mut self) -> io::Result<&[u8]> {
        self.buffer.resize(PIECE, 0);
        loop {
            let wait = Some(self.waits.bounded(self.waits.receive)?);
            let received = match &mut self.stream {
                Stream::Tcp(stream) => {
                    stream.set_read_timeout(wait).and_then(|()| stream.read(&mut self.buffer))
                }
                Stream::Unix(stream) => {
                    stream.set_read_timeout(wait).and_then(|()| stream.read(&mut self.buffer))
                }
            };
            match received {
                Ok(size) => return Ok(&self.buffer[..size]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// A variable that holds a number: only digits, and not 0, or it is as if unset (CLAM-2, SPAM-1).
pub fn number(session: &Session, name: &str) -> Option<u64> {
    session.variable(name.as_bytes()).and_then(|value| digits(&value)).filter(|number| *number > 0)
}

/// A port, modulo 65536 (CLAM-2).
pub fn port(number: Option<u64>, default: u16) -> u16 {
    number.map_or(default, |number| u16::try_from(number % 65536).unwrap_or(default))
}

/// What `--check` tells of variables that should hold numbers and do not.
pub fn doubtful_numbers(session: &Session, names: &[&str]) -> Vec<Finding> {
    let doubtful = names.iter().filter_map(|name| {
        let value = session.variable(name.as_bytes()).filter(|value| *value != "0")?;
        let text = || format!("${name} is {:?}: taken as the default", value.as_bstr());
        digits(&value).is_none().then(|| Finding::Warning(BString::from(text())))
    });
    doubtful.collect()
}

/// What `--check` tells of a service that does not answer now: it may at another time.
pub fn unreachable(endpoints: &[Endpoint], waits: Waits) -> Vec<Finding> {
    let failures = endpoints.iter().filter_map(|endpoint| {
        let error = Service::connect(endpoint, waits).err()?;
        Some(Finding::Warning(format!("nobody answers at {endpoint}: {error}").into()))
    });
    failures.collect()
}

/// Logs why one place of several gave no answer; what the client is told names none.
pub fn log_failure(session: &Session, plugin: &str, endpoint: &Endpoint, reason: &str) {
    session.connection.log.warning(format!("{plugin}: {endpoint}: {reason}").as_bytes());
}
