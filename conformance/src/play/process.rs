//! Starts the program under test and watches it.

use std::{
    io,
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::{
        fd::{AsFd, AsRawFd as _, OwnedFd},
        unix::{
            fs::symlink,
            process::{CommandExt as _, ExitStatusExt as _},
        },
    },
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::OFlags,
    pipe::{PipeFlags, pipe_with},
    process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, test_kill_process_group},
};

use super::{
    Delivery,
    waits::{self, Waits},
};
use crate::{
    sandbox::{World, user_ids},
    target::Program,
    transcript::{
        front::{Setup, UCSPI_DESCRIPTORS, UcspiFault},
        model::Exit,
    },
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

/// The server's ends of the three descriptors, and copies of the program's: it opens them by their
/// path, so that nobody else who is started meanwhile gets them.
struct Ucspi {
    /// `None` once the server is gone.
    control: Option<OwnedFd>,
    is_to_go: bool,
    to_program: OwnedFd,
    from_program: OwnedFd,
    copies: Vec<OwnedFd>,
    redirections: String,
}

impl Ucspi {
    fn new(fault: UcspiFault) -> io::Result<Self> {
        let (control, asks) = pipe_with(PipeFlags::CLOEXEC)?;
        let (reads, to_program) = pipe_with(PipeFlags::CLOEXEC)?;
        let (from_program, writes) = pipe_with(PipeFlags::CLOEXEC)?;
        for ours in [&control, &to_program, &from_program] {
            set_nonblocking(ours)?;
        }
        let mut redirections = String::new();
        for (at, ((_, number), theirs)) in UCSPI_DESCRIPTORS.iter().zip([&asks, &reads, &writes]).enumerate()
        {
            if fault == UcspiFault::Missing(at) {
                continue;
            }
            let (arrow, pid, fd) = (if at == 1 { '<' } else { '>' }, std::process::id(), theirs.as_raw_fd());
            redirections.push_str(&format!(" {number}{arrow}/proc/{pid}/fd/{fd}"));
        }
        let copies = vec![asks, reads, writes];
        let (control, is_to_go) = (Some(control), fault == UcspiFault::Gone);
        Ok(Self { control, is_to_go, to_program, from_program, copies, redirections })
    }
}

/// Slots of a packet pipe: one for each packet in flight.
const PACKET_PIPE_BYTES: usize = 1 << 20;

/// How long a child may take to end with its parent, and how often that is looked at.
const ENDING_MOST: Duration = Duration::from_millis(300);
const ENDING_LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 500_000 };

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

    /// The byte by which the program asks the UCSPI server for a handshake, if it has.
    ///
    /// # Errors
    /// There is no such server.
    pub fn asked_ucspi(&self) -> io::Result<Option<u8>> {
        let ucspi = self.ucspi.as_ref().ok_or_else(|| io::Error::other("the case has no `ucspi-tls`"))?;
        let mut byte = [0];
        match ucspi.control.as_ref().map(|control| rustix::io::read(control, &mut byte)) {
            Some(Ok(1)) => Ok(Some(byte[0])),
            _ => Ok(None),
        }
    }

    /// The program has said something, so that it has opened its descriptors: a UCSPI server that is to
    /// be gone goes.
    pub fn has_spoken(&mut self) {
        if let Some(ucspi) = self.ucspi.as_mut().filter(|ucspi| ucspi.is_to_go) {
            ucspi.control = None;
            // A program just started beside us holds a copy of that end until its exec is complete. The
            // pipe's own end tells when the last reader is gone.
            let wait = Timespec { tv_sec: 1, tv_nsec: 0 };
            let _gone = poll(&mut [PollFd::new(&ucspi.copies[0], PollFlags::empty())], Some(&wait));
        }
    }

    /// Whether a UCSPI server stands around the program.
    pub fn has_ucspi(&self) -> bool {
        self.ucspi.is_some()
    }

    /// The client is behind the UCSPI server's descriptors from now on.
    pub fn enter_ucspi(&mut self) {
        if let Some(ucspi) = self.ucspi.take() {
            self.in_the_clear = self.rx.replace(ucspi.from_program);
            self.tx = Some(ucspi.to_program);
            self.unread = None;
            self.copies = ucspi.copies;
        }
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

    /// How many bytes it has been sent and not read yet.
    pub fn unread_bytes(&self) -> u64 {
        if let Some((client, server)) = self.ports {
            return unread_at(server, client);
        }
        let end = self.unread.as_ref().or(self.tx.as_ref());
        end.map_or(0, |fd| rustix::io::ioctl_fionread(fd).unwrap_or(0))
    }

    /// Whether it has read everything and waits for the client.
    /// A server whose process is not known has read everything and said nothing for a while: `quiet`.
    pub fn is_silent(&self, quiet: Duration) -> bool {
        if self.is_remote() {
            return quiet >= REMOTE_QUIET && self.unread_bytes() == 0;
        }
        self.unread_bytes() == 0 && waits::of(self.pid()) == Waits::ForInput
    }

    /// Whether it waits for the client to read.
    pub fn is_stuck(&self, quiet: Duration) -> bool {
        if self.is_remote() {
            return quiet >= REMOTE_QUIET;
        }
        waits::of(self.pid()) == Waits::ForOutput
    }

    /// Its peak resident memory so far, in bytes.
    pub fn peak_memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib << 10)
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

    /// Whether processes of its group are still there. Asked after [`Process::reap`]. A child that
    /// learns of the end just now, and ends too, is not left behind. Nor is one that has ended and was not
    /// reaped, if the program itself was killed: that is for init to do.
    pub fn left_group(&self, was_killed: bool) -> bool {
        let Some(child) = &self.child else { return false };
        let started = Instant::now();
        let group = Pid::from_child(child);
        while test_kill_process_group(group).is_ok() {
            if started.elapsed() > ENDING_MOST {
                return !was_killed || is_alive(group);
            }
            let _ = poll(&mut [], Some(&ENDING_LOOK));
        }
        false
    }

    /// Kills what is left of its group.
    pub fn end_group(&self) {
        if let Some(child) = &self.child {
            let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
        }
    }
}

/// Whether a process of a group has not ended.
fn is_alive(group: Pid) -> bool {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let stats = processes.filter_map(|process| std::fs::read_to_string(process.path().join("stat")).ok());
    // Behind the name, which is in parentheses and may hold anything: state, parent, group.
    let mut found = stats.filter_map(|stat| {
        let mut fields = stat.rsplit_once(") ")?.1.split(' ');
        let (state, group) = (fields.next()?.to_string(), fields.nth(1)?.parse::<i32>().ok()?);
        Some((state, group))
    });
    found.any(|(state, of)| of == group.as_raw_nonzero().get() && !["Z", "X"].contains(&state.as_str()))
}

/// How long a server must have said nothing, with everything read, to count as silent.
const REMOTE_QUIET: Duration = Duration::from_millis(200);

/// What the system still holds for the reader at `local` of a connection with `remote`, both ports of
/// the loopback interface.
fn unread_at(local: u16, remote: u16) -> u64 {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let ends = |port: u16| format!("0100007F:{port:04X}");
    let line = table.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        (words.get(1) == Some(&ends(local).as_str()) && words.get(2) == Some(&ends(remote).as_str()))
            .then(|| words.get(4).copied().unwrap_or_default().to_string())
    });
    let waiting = line.as_deref().and_then(|queues| queues.split_once(':')).map(|(_, received)| received);
    waiting.and_then(|waiting| u64::from_str_radix(waiting, 16).ok()).unwrap_or(0)
}

fn set_nonblocking(fd: &impl AsFd) -> io::Result<()> {
    let flags = rustix::fs::fcntl_getfl(fd)?;
    Ok(rustix::fs::fcntl_setfl(fd, flags | OFlags::NONBLOCK)?)
}

/// The command, through a shell where descriptors are closed or limits set.
fn command(
    program: &Program,
    arguments: &[String],
    world: &World,
    redirections: &str,
) -> io::Result<Command> {
    let mut script = String::new();
    let mut path = program.path.clone();
    let mut environment = world.environment.clone();
    let mut user = None;
    let mut closes = redirections.to_string();
    for setup in &world.setups {
        match setup {
            Setup::Close(descriptor) => closes.push_str(&format!(" {descriptor}>&-")),
            Setup::LimitFile(bytes) => {
                script.push_str(&format!("trap '' XFSZ; ulimit -f {}; ", bytes / 512));
            }
            Setup::Umask(mask) => script.push_str(&format!("umask {mask:03o}; ")),
            Setup::LimitMemory(bytes) => script.push_str(&format!("ulimit -v {}; ", bytes / 1024)),
            Setup::LimitDescriptors(number) => script.push_str(&format!("ulimit -n {number}; ")),
            // The shell of Debian has a letter of its own for it.
            Setup::LimitProcesses(number) => {
                script.push_str(&format!("ulimit -u {number} 2>/dev/null || ulimit -p {number}; "));
            }
            Setup::User(name) => user = Some(user_ids(name)?),
            Setup::CallByLink(link) => {
                let link = world.folder.join(world.fill(link));
                symlink(&path, &link)?;
                path = link;
            }
            Setup::CallByPath => {
                let (folder, name) = (path.parent(), path.file_name());
                let (Some(folder), Some(name)) = (folder, name) else { continue };
                let before = environment.get("PATH").cloned().unwrap_or_default();
                environment.insert("PATH".into(), format!("{}:{before}", folder.display()));
                path = name.into();
            }
            _ => {}
        }
    }
    let mut command;
    if script.is_empty() && closes.is_empty() {
        command = Command::new(&path);
    } else {
        command = Command::new("/bin/sh");
        command.arg("-c").arg(format!("{script}exec \"$0\" \"$@\"{closes}")).arg(&path);
    }
    command.args(program.words.iter().map(|word| world.fill(word))).args(arguments);
    command.env_clear().envs(&environment).current_dir(&world.folder).process_group(0);
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
    Ok(command)
}
