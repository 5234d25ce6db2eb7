//! How a module is reached: each function carries one request there and the answer back, and waits for
//! no longer than to a given moment (CVM-XFER-1 … 7).

use std::{
    ffi::OsStr,
    io,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, ToSocketAddrs, UdpSocket},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::{
            ffi::OsStrExt,
            process::{CommandExt, ExitStatusExt},
        },
    },
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use bstr::{BString, ByteSlice};
use rustix::{
    event::PollFlags,
    net::{AddressFamily, Shutdown, SocketAddrUnix, SocketFlags, SocketType, sockopt},
    process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open},
};

use super::modules::{LOOKUP_SECRET, Trouble};
use crate::{
    wait::ready,
    wire::cvm::{self, RESPONSE_MAX},
};

/// When a UDP request is sent, after the first time (CVM-XFER-4).
const RESENT_AFTER: [Duration; 3] = [Duration::from_secs(2), Duration::from_secs(6), Duration::from_secs(14)];

/// When a UDP request is given up (CVM-XFER-4).
const GIVEN_UP_AFTER: Duration = Duration::from_secs(30);

/// What a command answered: its output, and the status it ended with.
pub struct Output {
    packet: Vec<u8>,
    status: u8,
}

impl Output {
    /// The response in the output. The exit status takes the place of its first byte (CVM-XFER-1).
    pub fn response(&self, random: &[u8]) -> Result<cvm::Response, Trouble> {
        let response = cvm::response(random, &self.packet).map_err(Trouble::Response)?;
        Ok(cvm::Response { code: self.status, ..response })
    }
}

/// A module that runs. It is gone, and those it started in its process group, when this is dropped.
struct Running {
    child: Child,
    ended: bool,
}

impl Running {
    /// Its exit status, once it ended.
    fn wait(&mut self, until: Instant) -> Result<u8, Trouble> {
        let pid = pidfd_open(Pid::from_child(&self.child), PidfdFlags::empty()).map_err(io::Error::from)?;
        if !ready(pid.as_fd(), PollFlags::IN, until)? {
            return Err(Trouble::Silent);
        }
        let status = self.child.wait()?;
        self.ended = true;
        if status.signal().is_some() {
            return Err(Trouble::Died);
        }
        status.code().and_then(|code| u8::try_from(code).ok()).ok_or(Trouble::Died)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended {
            // It may have gone by itself, which is as well.
            let _gone = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
            let _reaped = self.child.wait();
        }
    }
}

/// Runs a program with the request as its input. `environment` is added to ours, and `secret` is in it
/// or nowhere (CVM-XFER-1, -8).
///
/// A child that cannot become the program ends at once and does nothing else (AUTH-23, CVMV-15).
///
/// # Errors
/// It cannot be run, dies, says nothing or too little, or takes too long.
pub fn command(
    name: &BString,
    request: &[u8],
    environment: &[(BString, BString)],
    secret: Option<BString>,
    until: Instant,
) -> Result<Output, Trouble> {
    let mut command = Command::new(OsStr::from_bytes(name));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
    command.envs(environment.iter().map(|(n, value)| (OsStr::from_bytes(n), OsStr::from_bytes(value))));
    match secret {
        Some(secret) => command.env(LOOKUP_SECRET, OsStr::from_bytes(&secret)),
        None => command.env_remove(LOOKUP_SECRET),
    };
    let child = command.spawn()?;
    let mut running = Running { child, ended: false };
    if let Some(input) = running.child.stdin.take() {
        // A request is shorter than what a new pipe takes without waiting. One who does not read it may
        // answer all the same (CVM-XFER-2, AUTH-22).
        let _unread = rustix::io::write(&input, request);
    }
    let mut packet = Vec::new();
    if let Some(output) = &running.child.stdout {
        // Who gives no answer in time is killed with somebody still listening, and so by nothing else.
        packet = read_answer(output.as_fd(), until)?;
    }
    drop(running.child.stdout.take());
    let status = running.wait(until)?;
    Ok(Output { packet, status })
}

/// Asks who listens at a socket in the file system (CVM-XFER-3).
///
/// # Errors
/// Nobody does, or they go away, or take too long.
pub fn local(path: &BString, request: &[u8], until: Instant) -> Result<Vec<u8>, Trouble> {
    let address = SocketAddrUnix::new(OsStr::from_bytes(path)).map_err(io::Error::from)?;
    let socket =
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
            .map_err(io::Error::from)?;
    let left = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
    // This also bounds the wait for a place in the queue of connections.
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, Some(left)).map_err(io::Error::from)?;
    rustix::net::connect(&socket, &address).map_err(io::Error::from)?;
    let written = rustix::io::write(&socket, request).map_err(io::Error::from)?;
    if written < request.len() {
        return Err(Trouble::Silent);
    }
    rustix::net::shutdown(&socket, Shutdown::Write).map_err(io::Error::from)?;
    read_answer(socket.as_fd(), until)
}

/// Reads to the end, or as much as an answer may have.
fn read_answer(input: BorrowedFd<'_>, until: Instant) -> Result<Vec<u8>, Trouble> {
    let mut packet = vec![0; RESPONSE_MAX];
    let mut length = 0;
    while length < packet.len() {
        if !ready(input, PollFlags::IN, until)? {
            return Err(Trouble::Silent);
        }
        match rustix::io::read(input, &mut packet[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(io::Error::from(error).into()),
        }
    }
    packet.truncate(length);
    Ok(packet)
}

/// Asks by datagrams, again and again. Only an answer from that address with the random bytes of the
/// request counts (CVM-XFER-4, -5).
///
/// # Errors
/// The address is none, or nobody answers.
pub fn udp(address: &BString, request: &[u8], random: &[u8], until: Instant) -> Result<Vec<u8>, Trouble> {
    let start = Instant::now();
    let until = until.min(start + GIVEN_UP_AFTER);
    let peer = resolve(address, until)?;
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    // From now on the system lets datagrams of nobody else through.
    socket.connect(peer)?;
    let mut datagram = [0; RESPONSE_MAX];
    let moments = RESENT_AFTER.iter().map(|after| start + *after).chain([until]);
    for next in moments {
        // A port where nobody listens now may have somebody when it is sent again.
        let _refused = socket.send(request);
        while ready(socket.as_fd(), PollFlags::IN, next.min(until))? {
            match socket.recv(&mut datagram) {
                Ok(length) if cvm::is_answer_to(random, &datagram[..length]) => {
                    return Ok(datagram[..length].to_vec());
                }
                _ => {}
            }
        }
        if Instant::now() >= until {
            break;
        }
    }
    Err(Trouble::Silent)
}

/// `HOST:PORT` as an address. A name is looked up by a thread of its own, which is left alone if it takes
/// too long: the system's resolver cannot be told when to give up.
fn resolve(address: &BString, until: Instant) -> Result<SocketAddr, Trouble> {
    let (host, port) = host_and_port(address).ok_or(Trouble::Address)?;
    if let Ok(address) = host.parse() {
        return Ok(SocketAddrV4::new(address, port).into());
    }
    let (found, finding) = mpsc::channel();
    thread::Builder::new().spawn(move || {
        let addresses = (host, port).to_socket_addrs().into_iter().flatten();
        // Nobody waits for it any more if this fails.
        let _late = found.send(addresses.into_iter().find(SocketAddr::is_ipv4));
    })?;
    let left = until.saturating_duration_since(Instant::now());
    finding.recv_timeout(left).map_err(|_| Trouble::Silent)?.ok_or(Trouble::Address)
}

/// The parts of `HOST:PORT`; the port is decimal to the end.
pub fn host_and_port(address: &BString) -> Option<(String, u16)> {
    let (host, port) = address.rsplit_once_str(":")?;
    let pure = !port.is_empty() && port.iter().all(u8::is_ascii_digit);
    let port = pure.then(|| port.to_str().ok()?.parse().ok()).flatten()?;
    Some((host.to_str().ok()?.to_owned(), port))
}

#[cfg(test)]
mod tests;
