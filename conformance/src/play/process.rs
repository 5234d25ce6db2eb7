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
    os::fd::{AsFd, OwnedFd},
    process::Stdio,
};

use rustix::{
    fs::OFlags,
    pipe::{PipeFlags, pipe_with},
    process::{PidfdFlags, Signal, pidfd_open},
};

use self::{
    command::command,
    group::{Group, adopt_orphans},
    ucspi::Ucspi,
};
use super::Delivery;
use crate::{
    sandbox::World,
    target::Program,
    transcript::{front::Setup, model::Exit},
};

/// A started program and our ends of its connection.
pub struct Process {
    /// Nothing where it is a server that is not started for a play.
    group: Option<Group>,
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
        adopt_orphans();
        let group = Group::of(&command.spawn()?);
        drop(command);
        let pidfd = pidfd_open(group.program(), PidfdFlags::empty())?;
        let (tx, rx, err) = (Some(tx), Some(rx), Some(err));
        Ok(Self {
            group: Some(group),
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
            group: None,
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
        self.group.is_none()
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
        self.group.as_ref().map_or(0, |group| group.program().as_raw_nonzero().get().unsigned_abs())
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
        // Who has ended takes no signal, and it is no fault to send one.
        if self.group.as_ref().is_some_and(Group::has_ended) {
            return Ok(());
        }
        Ok(rustix::process::pidfd_send_signal(pidfd, signal)?)
    }

    /// Takes the ends of orphans, so that those of its children's children are not taken for its own.
    pub fn take_orphans(&mut self) {
        if let Some(group) = &mut self.group {
            group.take_orphans();
        }
    }

    /// Collects its exit status; it has ended or is ended now.
    /// That of a server is not seen.
    ///
    /// # Errors
    /// Somebody else has taken its end.
    pub fn reap(&mut self, kill: bool) -> io::Result<Option<Exit>> {
        self.group.as_mut().map_or(Ok(None), |group| group.reap(kill))
    }

    /// Whether it has left somebody behind: a child that runs, or one that has ended and for which it did
    /// not wait. Asked after [`Process::reap`].
    pub fn left_group(&mut self, was_killed: bool) -> bool {
        self.group.as_mut().is_some_and(|group| group.is_left(was_killed))
    }

    /// Kills who is left of its group.
    pub fn end_group(&mut self) {
        if let Some(group) = &mut self.group {
            group.end();
        }
    }
}

fn set_nonblocking(fd: &impl AsFd) -> io::Result<()> {
    let flags = rustix::fs::fcntl_getfl(fd)?;
    Ok(rustix::fs::fcntl_setfl(fd, flags | OFlags::NONBLOCK)?)
}
