//! Starts the program under test, and takes its end.
//!
//! [`mod@command`] is what is started, [`ucspi`] a server that may stand between it and the client. While it
//! runs, [`watching`] tells what it is doing; [`group`] are its children, whom it must not leave behind.

mod command;
mod group;
mod ucspi;
mod watching;

use std::{
    io,
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::{
        fd::{AsFd, OwnedFd},
        unix::process::ExitStatusExt as _,
    },
    process::{Child, Stdio},
};

use rustix::{
    fs::OFlags,
    pipe::{PipeFlags, pipe_with},
    process::{Pid, PidfdFlags, Signal, pidfd_open},
};

use self::{command::command, ucspi::Ucspi};
use super::Delivery;
use crate::{
    sandbox::World,
    target::Program,
    transcript::{front::Setup, model::Exit},
};

/// A started program and our ends of its connection.
pub struct Process {
    /// Nothing where it is a server that is not started for a play.
    child: Option<Child>,
    /// Readable when the process has ended.
    pub pidfd: Option<OwnedFd>,
    /// The two ends of a connection to a server: the client's port and the server's.
    ports: Option<(u16, u16)>,
    /// Where we write.
    pub tx: Option<OwnedFd>,
    /// Where we read.
    pub rx: Option<OwnedFd>,
    /// Its standard error.
    pub err: Option<OwnedFd>,
    /// The server's end of the connection or the reading end of its pipe, to see what it has not
    /// read yet. On a TCP connection it keeps the server's side open and must be dropped at its exit.
    pub unread: Option<OwnedFd>,
    /// What a UCSPI server around the program has in its hands, if there is one.
    ucspi: Option<Ucspi>,
    copies: Vec<OwnedFd>,
    /// Where the program wrote to the client before the UCSPI server stepped between.
    pub in_the_clear: Option<OwnedFd>,
}

/// Slots of a packet pipe: one for each packet in flight.
const PACKET_PIPE_BYTES: usize = 1 << 20;

impl Process {
    /// Starts `program` with `arguments` in `world`.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn start(
        program: &Program,
        arguments: &[String],
        world: &World,
        delivery: Delivery,
    ) -> io::Result<Self> {
        if let Some(port) = program.port {
            return Self::connect(port);
        }
        let fault = world.setups.iter().find_map(|setup| match setup {
            Setup::UcspiTls(fault) => Some(*fault),
            _ => None,
        });
        let ucspi = fault.map(Ucspi::new).transpose()?;
        let redirections = ucspi.as_ref().map_or("", |ucspi| &ucspi.redirections);
        let mut command = command(program, arguments, world, redirections)?;
        let (tx, rx, unread);
        if delivery.over_tcp() {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            let client = TcpStream::connect(listener.local_addr()?)?;
            let (server, _) = listener.accept()?;
            client.set_nodelay(true)?;
            server.set_nodelay(true)?;
            client.set_nonblocking(true)?;
            let server: OwnedFd = server.into();
            command.stdin(Stdio::from(server.try_clone()?)).stdout(Stdio::from(server.try_clone()?));
            rx = OwnedFd::from(client.try_clone()?);
            tx = OwnedFd::from(client);
            unread = Some(server);
        } else {
            let flags = if delivery.in_packets() { PipeFlags::DIRECT } else { PipeFlags::empty() };
            let (server_in, client_out) = pipe_with(flags | PipeFlags::CLOEXEC)?;
            if delivery.in_packets() {
                // Without the larger pipe it is only slower.
                let _ = rustix::pipe::fcntl_setpipe_size(&client_out, PACKET_PIPE_BYTES);
            }
            let (client_in, server_out) = pipe_with(PipeFlags::CLOEXEC)?;
            set_nonblocking(&client_out)?;
            set_nonblocking(&client_in)?;
            command.stdin(Stdio::from(server_in)).stdout(Stdio::from(server_out));
            (tx, rx, unread) = (client_out, client_in, None);
        }
        let (err, server_err) = pipe_with(PipeFlags::CLOEXEC)?;
        set_nonblocking(&err)?;
        command.stderr(Stdio::from(server_err));
        let child = command.spawn()?;
        drop(command);
        let pid = Pid::from_child(&child);
        let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
        let (tx, rx, err) = (Some(tx), Some(rx), Some(err));
        Ok(Self {
            child: Some(child),
            pidfd: Some(pidfd),
            ports: None,
            tx,
            rx,
            err,
            unread,
            ucspi,
            copies: Vec::new(),
            in_the_clear: None,
        })
    }

    /// A connection to a server at a port of the loopback interface.
    fn connect(port: u16) -> io::Result<Self> {
        let client = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        client.set_nodelay(true)?;
        client.set_nonblocking(true)?;
        let ports = Some((client.local_addr()?.port(), port));
        let rx = Some(OwnedFd::from(client.try_clone()?));
        Ok(Self {
            child: None,
            pidfd: None,
            ports,
            tx: Some(client.into()),
            rx,
            err: None,
            unread: None,
            ucspi: None,
            copies: Vec::new(),
            in_the_clear: None,
        })
    }

    /// Whether it is a server that is not started for a play: then only the connection is seen.
    pub fn is_remote(&self) -> bool {
        self.child.is_none()
    }

    /// Drops what would keep the program's side of the connection open after its end.
    pub fn drop_copies(&mut self) {
        self.unread = None;
        self.copies.clear();
        if let Some(ucspi) = &mut self.ucspi {
            ucspi.copies.clear();
        }
    }

    /// From now on pieces are a stream.
    pub fn end_packets(&self) {
        if let Some(tx) = &self.tx
            && let Ok(flags) = rustix::fs::fcntl_getfl(tx)
        {
            // What is no packet pipe stays as it is.
            let _ = rustix::fs::fcntl_setfl(tx, flags - OFlags::DIRECT);
        }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    /// Sends it a signal by name.
    ///
    /// # Errors
    /// The name is not known, or the process is gone.
    pub fn signal(&self, name: &str) -> io::Result<()> {
        let signal = match name {
            "TERM" => Signal::TERM,
            "INT" => Signal::INT,
            "HUP" => Signal::HUP,
            "KILL" => Signal::KILL,
            "ALRM" => Signal::ALARM,
            _ => return Err(io::Error::other(format!("signal {name} is not known"))),
        };
        let pidfd = self.pidfd.as_ref().ok_or_else(|| io::Error::other("a server takes no signals"))?;
        Ok(rustix::process::pidfd_send_signal(pidfd, signal)?)
    }

    /// Collects its exit status; it has ended or is ended now.
    /// That of a server is not seen.
    pub fn reap(&mut self, kill: bool) -> io::Result<Option<Exit>> {
        if kill {
            self.end_group();
        }
        let Some(child) = &mut self.child else { return Ok(None) };
        let status = child.wait()?;
        Ok(Some(match (status.code(), status.signal()) {
            (Some(code), _) => Exit::Status(code),
            (None, signal) => Exit::Signal(signal.unwrap_or(0)),
        }))
    }
}

fn set_nonblocking(fd: &impl AsFd) -> io::Result<()> {
    let flags = rustix::fs::fcntl_getfl(fd)?;
    Ok(rustix::fs::fcntl_setfl(fd, flags | OFlags::NONBLOCK)?)
}
