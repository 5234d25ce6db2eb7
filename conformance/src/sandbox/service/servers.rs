//! Services on sockets. They live in the loop of the play: no thread, no wait of their own.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::net::UnixListener,
    },
    path::Path,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags},
    io::Errno,
    net::{
        AddressFamily, RecvFlags, SendFlags, Shutdown, SocketAddrUnix, SocketFlags, SocketType, bind,
        getsockname, recv, send, shutdown, socket_with, sockopt,
    },
};

use super::{
    call::{Call, Calls},
    dialogue::{Dialogue, End, Want},
};
use crate::transcript::{
    Front,
    service::{Kind, Line, Service, variable},
    text::Variables,
};

/// Everything that listens for the target of one play.
pub struct Servers {
    services: Vec<Listening>,
    connections: Vec<Connection>,
    variables: Variables,
}

/// A service that is there.
struct Listening {
    name: String,
    at: Place,
    blocks: Vec<Vec<Line>>,
    calls: usize,
}

/// Where it listens.
enum Place {
    Tcp(TcpListener),
    Unix(UnixListener),
    Udp(UdpSocket),
    /// The same port by datagrams and by connections.
    Both(UdpSocket, TcpListener),
    /// Nobody listens; a socket keeps the place.
    Nobody(#[expect(dead_code, reason = "keeps the port")] Option<OwnedFd>),
}

/// One connection or datagram.
struct Connection {
    service: usize,
    socket: Option<OwnedFd>,
    /// Who sent the datagram.
    peer: Option<SocketAddr>,
    elsewhere: Option<UdpSocket>,
    dialogue: Dialogue,
    out: Vec<u8>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Follows its script and reads.
    Reading,
    /// Has something to send.
    Sending,
    /// Follows its script when this time has come.
    Waiting(Instant),
    /// Reads what still comes; its script is over.
    Draining,
    /// Nothing is left to do.
    Over,
}

/// Most bytes read of one connection: a guard, far above any case.
const READ_MAX: usize = 256 << 20;

impl Servers {
    /// Opens the servers of a case in its folder and gives each variables: `NAME` its address or path,
    /// `NAME_PORT` and `NAME_ADDRESS`. Nothing if it has none.
    ///
    /// # Errors
    /// A socket cannot be opened.
    pub fn open(front: &Front, folder: &Path, variables: &mut Variables) -> io::Result<Option<Self>> {
        let mut services = Vec::new();
        for (name, service) in front.services.iter().filter(|(_, service)| service.kind != Kind::Command) {
            let (at, address) = listen(service, &folder.join(name))?;
            let upper = variable(name);
            if let Some(SocketAddr::V4(address)) = address {
                variables.insert(format!("{upper}_PORT"), address.port().to_string().into());
                variables.insert(format!("{upper}_ADDRESS"), address.ip().to_string().into());
                variables.insert(upper, address.to_string().into());
            } else {
                variables.insert(upper, folder.join(name).to_string_lossy().into_owned().into());
            }
            let blocks = service.blocks().map_err(|wrong| io::Error::other(wrong.what))?;
            services.push(Listening { name: name.clone(), at, blocks, calls: 0 });
        }
        let connections = Vec::new();
        Ok((!services.is_empty()).then_some(Self { services, connections, variables: Variables::new() }))
    }

    /// Fills in what scripts may use.
    pub fn know(&mut self, variables: &Variables) {
        self.variables.clone_from(variables);
    }

    /// Adds what is to be watched.
    pub fn watch<'a>(&'a self, fds: &mut Vec<PollFd<'a>>) {
        for service in &self.services {
            let listening = match &service.at {
                Place::Tcp(listener) => [Some(listener.as_fd()), None],
                Place::Unix(listener) => [Some(listener.as_fd()), None],
                Place::Udp(socket) => [Some(socket.as_fd()), None],
                Place::Both(socket, listener) => [Some(socket.as_fd()), Some(listener.as_fd())],
                Place::Nobody(_) => [None, None],
            };
            let watched = listening.into_iter().flatten();
            fds.extend(watched.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        }
        for connection in &self.connections {
            let flags = match connection.state {
                State::Reading | State::Draining => PollFlags::IN,
                State::Sending => PollFlags::OUT,
                State::Waiting(_) | State::Over => continue,
            };
            fds.extend(connection.socket.as_ref().map(|socket| PollFd::new(socket, flags)));
        }
    }

    /// When something is to be done although nothing happens.
    pub fn wake(&self) -> Option<Instant> {
        self.connections.iter().filter_map(Connection::wake).min()
    }

    /// Whether one of them will say or do something by itself.
    pub fn is_busy(&self) -> bool {
        self.connections.iter().any(|c| matches!(c.state, State::Sending | State::Waiting(_)))
    }

    /// Does what can be done.
    ///
    /// # Errors
    /// A socket fails in a way that is not the target's doing.
    pub fn serve(&mut self) -> io::Result<()> {
        for at in 0..self.services.len() {
            self.accept(at)?;
        }
        let now = Instant::now();
        for connection in &mut self.connections {
            connection.go_on(now, &self.services)?;
        }
        Ok(())
    }

    /// What came, by service; every service has an entry.
    ///
    /// # Errors
    /// As [`Servers::serve`], which is done once more.
    pub fn finish(mut self) -> io::Result<Calls> {
        self.serve()?;
        let mut calls: Calls = self.services.iter().map(|s| (s.name.clone(), Vec::new())).collect();
        for connection in self.connections {
            let name = &self.services[connection.service].name;
            let call: Call = connection.dialogue.into_call();
            calls.entry(name.clone()).or_default().push(call);
        }
        Ok(calls)
    }

    fn accept(&mut self, at: usize) -> io::Result<()> {
        while let Some(come) = self.services[at].at.next()? {
            let service = &mut self.services[at];
            let block = service.calls.min(service.blocks.len() - 1);
            let mut lines = service.blocks[block].clone();
            let (mut socket, mut peer, mut datagram) = (None, None, None);
            match come {
                Come::Stream(stream) => socket = Some(stream),
                Come::Datagram(bytes, from) => (datagram, peer) = (Some(bytes), Some(from)),
            }
            if let Some(Line::Answer { tcp, .. }) = lines.first_mut() {
                *tcp = socket.is_some();
            }
            let mut dialogue = Dialogue::new(lines, self.variables.clone());
            if let Some(datagram) = datagram {
                dialogue.feed(0, &datagram);
                dialogue.end(0);
            }
            service.calls += 1;
            self.connections.push(Connection {
                service: at,
                socket,
                peer,
                elsewhere: None,
                dialogue,
                out: Vec::new(),
                state: State::Reading,
            });
        }
        Ok(())
    }
}

/// Who has come.
enum Come {
    Stream(OwnedFd),
    Datagram(Vec<u8>, SocketAddr),
}

impl Place {
    /// The next connection or datagram that is there.
    fn next(&self) -> io::Result<Option<Come>> {
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

impl Connection {
    fn wake(&self) -> Option<Instant> {
        match self.state {
            State::Waiting(wake) => Some(wake),
            _ => None,
        }
    }

    fn go_on(&mut self, now: Instant, services: &[Listening]) -> io::Result<()> {
        if self.wake().is_some_and(|wake| now < wake) || self.state == State::Over {
            return Ok(());
        }
        if !self.read() {
            self.state = State::Over;
            return Ok(());
        }
        loop {
            if self.state == State::Draining || !self.flush() {
                return Ok(());
            }
            match self.dialogue.advance(now) {
                Want::Input(_) | Want::Never => {
                    // Of a connection that is at its end nothing more will come.
                    self.state = if self.state == State::Over { State::Over } else { State::Reading };
                    return Ok(());
                }
                Want::Send(bytes) => self.say(bytes, services)?,
                Want::Elsewhere => {
                    self.elsewhere = Some(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?);
                }
                Want::Until(wake) => {
                    self.state = State::Waiting(wake);
                    return Ok(());
                }
                Want::HalfClose => self.half_close(),
                Want::CloseDescriptor(_) => {}
                Want::End(end) => {
                    match end {
                        End::Done(_) | End::Died(_) => {
                            self.half_close();
                            self.state = if self.socket.is_some() { State::Draining } else { State::Over };
                        }
                        End::Closed => self.close(),
                        End::Reset => {
                            if let Some(socket) = &self.socket {
                                sockopt::set_socket_linger(socket, Some(Duration::ZERO))?;
                            }
                            self.close();
                        }
                    }
                    return Ok(());
                }
            }
        }
    }

    fn close(&mut self) {
        self.socket = None;
        self.state = State::Over;
    }

    fn half_close(&self) {
        if let Some(socket) = &self.socket {
            let _ = shutdown(socket, Shutdown::Write);
        }
    }

    /// Reads what is there; `false` if the connection is gone, or its script is over and all is read.
    fn read(&mut self) -> bool {
        let Some(socket) = &self.socket else { return true };
        let mut buffer = [0; 65536];
        while self.dialogue.received() < READ_MAX {
            match recv(socket, &mut buffer[..], RecvFlags::empty()) {
                Ok((0, _)) => {
                    self.dialogue.end(0);
                    if self.state == State::Draining {
                        return false;
                    }
                    return true;
                }
                Ok((length, _)) => self.dialogue.feed(0, &buffer[..length]),
                Err(Errno::AGAIN) => return true,
                Err(Errno::INTR) => {}
                Err(_) => {
                    self.dialogue.end(0);
                    return false;
                }
            }
        }
        false
    }

    /// Sends what is left to send; `false` if it cannot go on now.
    fn flush(&mut self) -> bool {
        let Some(socket) = &self.socket else { return true };
        while !self.out.is_empty() {
            match send(socket, &self.out, SendFlags::NOSIGNAL) {
                Ok(length) => _ = self.out.drain(..length),
                Err(Errno::AGAIN) => {
                    self.state = State::Sending;
                    return false;
                }
                Err(Errno::INTR) => {}
                // The target is gone.
                Err(_) => self.out.clear(),
            }
        }
        true
    }

    fn say(&mut self, bytes: Vec<u8>, services: &[Listening]) -> io::Result<()> {
        let Some(peer) = self.peer else {
            self.out = bytes;
            return Ok(());
        };
        let ((Some(socket), _) | (None, Place::Udp(socket) | Place::Both(socket, _))) =
            (&self.elsewhere, &services[self.service].at)
        else {
            return Ok(());
        };
        match socket.send_to(&bytes, peer) {
            Err(error) if error.kind() != io::ErrorKind::ConnectionRefused => Err(error),
            _ => Ok(()),
        }
    }
}

fn listen(service: &Service, path: &Path) -> io::Result<(Place, Option<SocketAddr>)> {
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

/// How often a number is looked for that is free for both.
const PORT_TRIES: usize = 100;

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
