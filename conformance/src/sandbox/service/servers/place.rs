//! Where services listen: opened as the case says, and asked who has come.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::net::UnixListener,
    },
    path::Path,
};

use rustix::{
    event::{PollFd, PollFlags},
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, getsockname, socket_with},
};

use crate::transcript::service::{Kind, Service};

/// How often a number is looked for that is free for both.
const PORT_TRIES: usize = 100;

/// Where a service listens.
pub(super) enum Place {
    Tcp(TcpListener),
    Unix(UnixListener),
    Udp(UdpSocket),
    /// The same port by datagrams and by connections.
    Both(UdpSocket, TcpListener),
    /// Nobody listens; a socket keeps the place.
    Nobody(#[expect(dead_code, reason = "keeps the port")] Option<OwnedFd>),
}

/// Who has come.
pub(super) enum Come {
    Stream(OwnedFd),
    Datagram(Vec<u8>, SocketAddr),
}

impl Place {
    /// What is to be watched for somebody to come.
    pub(super) fn watched(&self) -> impl Iterator<Item = PollFd<'_>> {
        let listening = match self {
            Self::Tcp(listener) => [Some(listener.as_fd()), None],
            Self::Unix(listener) => [Some(listener.as_fd()), None],
            Self::Udp(socket) => [Some(socket.as_fd()), None],
            Self::Both(socket, listener) => [Some(socket.as_fd()), Some(listener.as_fd())],
            Self::Nobody(_) => [None, None],
        };
        listening.into_iter().flatten().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
    }

    /// The socket from which a datagram is answered.
    pub(super) fn datagrams(&self) -> Option<&UdpSocket> {
        match self {
            Self::Udp(socket) | Self::Both(socket, _) => Some(socket),
            Self::Tcp(_) | Self::Unix(_) | Self::Nobody(_) => None,
        }
    }

    /// The next connection or datagram that is there.
    pub(super) fn next(&self) -> io::Result<Option<Come>> {
        match self {
            Self::Tcp(listener) => connection(listener),
            Self::Unix(listener) => match listener.accept() {
                Ok((socket, _)) => {
                    socket.set_nonblocking(true)?;
                    Ok(Some(Come::Stream(socket.into())))
                }
                Err(error) => would_block(error),
            },
            Self::Udp(socket) => datagram(socket),
            Self::Both(socket, listener) => match datagram(socket)? {
                None => connection(listener),
                come => Ok(come),
            },
            Self::Nobody(_) => Ok(None),
        }
    }
}

fn connection(listener: &TcpListener) -> io::Result<Option<Come>> {
    match listener.accept() {
        Ok((socket, _)) => {
            socket.set_nodelay(true)?;
            socket.set_nonblocking(true)?;
            Ok(Some(Come::Stream(socket.into())))
        }
        Err(error) => would_block(error),
    }
}

fn datagram(socket: &UdpSocket) -> io::Result<Option<Come>> {
    let mut buffer = vec![0; 65536];
    loop {
        match socket.recv_from(&mut buffer) {
            Ok((length, peer)) => {
                buffer.truncate(length);
                return Ok(Some(Come::Datagram(buffer, peer)));
            }
            // A former answer found nobody.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
            Err(error) => return would_block(error),
        }
    }
}

fn would_block(error: io::Error) -> io::Result<Option<Come>> {
    if error.kind() == io::ErrorKind::WouldBlock { Ok(None) } else { Err(error) }
}

/// Opens the place of a service, at `path` if it is one of the file system.
pub(super) fn listen(service: &Service, path: &Path) -> io::Result<(Place, Option<SocketAddr>)> {
    if service.refuses() {
        return refuse(service.kind, path);
    }
    Ok(match service.kind {
        Kind::Tcp => {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            (Place::Tcp(listener), Some(address))
        }
        Kind::Udp => {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
            socket.set_nonblocking(true)?;
            let address = socket.local_addr()?;
            (Place::Udp(socket), Some(address))
        }
        Kind::Dns => both_ports()?,
        Kind::Unix | Kind::Command => {
            let listener = UnixListener::bind(path)?;
            listener.set_nonblocking(true)?;
            (Place::Unix(listener), None)
        }
    })
}

/// A UDP and a TCP port of the same number.
fn both_ports() -> io::Result<(Place, Option<SocketAddr>)> {
    let mut tries = PORT_TRIES;
    loop {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = socket.local_addr()?;
        match TcpListener::bind(address) {
            Ok(listener) => {
                socket.set_nonblocking(true)?;
                listener.set_nonblocking(true)?;
                return Ok((Place::Both(socket, listener), Some(address)));
            }
            Err(error) if tries == 0 => return Err(error),
            // Somebody has that number for TCP.
            Err(_) => tries -= 1,
        }
    }
}

/// A place at which nobody listens, and nobody else can.
fn refuse(kind: Kind, path: &Path) -> io::Result<(Place, Option<SocketAddr>)> {
    match kind {
        Kind::Tcp => {
            let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
            bind(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
            let address = SocketAddr::try_from(getsockname(&socket)?)?;
            Ok((Place::Nobody(Some(socket)), Some(address)))
        }
        Kind::Udp | Kind::Dns => {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
            Ok((Place::Nobody(None), Some(socket.local_addr()?)))
        }
        Kind::Unix | Kind::Command => {
            let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
            bind(&socket, &SocketAddrUnix::new(path)?)?;
            Ok((Place::Nobody(Some(socket)), None))
        }
    }
}
