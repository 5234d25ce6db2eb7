//! What a target is started with: a server that outlives the plays, or a script that puts files in place.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, Signal, kill_process, kill_process_group, pidfd_open},
};

use crate::{
    target::{Start, Target},
    transcript::text::printable,
};

/// A started server; it is stopped when this goes.
pub struct Server {
    child: Child,
}

/// How often a server that is starting is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// How long it may take to end when told.
const STOP_MOST: Duration = Duration::from_secs(10);
/// Most of its log that is shown, in bytes.
const SHOWN_MAX: usize = 4000;

impl Server {
    /// Runs `script` in the new folder `folder`, fills the variables of `target`, and waits until its
    /// ports answer; where it has none, until the script has ended well.
    ///
    /// # Errors
    /// It does not get ready: why, and what it said.
    pub fn start(target: &mut Target, start: &Start, script: &str, folder: &Path) -> Result<Self, String> {
        let failed = |what: String| format!("target {}: {what}", target.name);
        let unable = |e: std::io::Error| failed(e.to_string());
        fs::create_dir(folder).map_err(unable)?;
        fs::write(folder.join("start"), script).map_err(unable)?;
        let mut variables = BTreeMap::from([("DIR".to_string(), folder.to_string_lossy().into_owned())]);
        for name in ["PORT", "PORT2"] {
            let port = free_port().map_err(unable)?;
            variables.insert(name.into(), port.to_string());
        }
        let log = File::create(folder.join("start.log")).map_err(unable)?;
        let mut command = Command::new("/bin/sh");
        command.arg("start").current_dir(folder).envs(&variables).process_group(0).stdin(Stdio::null());
        command.stdout(log.try_clone().map_err(unable)?).stderr(log);
        let child = command.spawn().map_err(unable)?;
        let mut server = Self { child };
        let mut filled = target.clone();
        filled.fill(&variables);
        let ports: Vec<u16> = filled.programs.keys().filter_map(|role| filled.program(role)?.port).collect();
        let deadline = Instant::now() + Duration::from_secs(start.ready);
        let result = if ports.is_empty() {
            server.await_end(deadline)
        } else {
            ports.iter().try_for_each(|port| server.await_port(*port, deadline))
        };
        let said = || {
            let log = fs::read(folder.join("start.log")).unwrap_or_default();
            printable(&log[log.len().saturating_sub(SHOWN_MAX)..]).into_owned().replace("\\n", "\n")
        };
        result.map_err(|what| failed(format!("{what}; it said:\n{}", said())))?;
        *target = filled;
        Ok(server)
    }

    fn await_end(&mut self, deadline: Instant) -> Result<(), String> {
        match self.ended(deadline) {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(format!("its start script ended with {status}")),
            None => Err("its start script does not end".into()),
        }
    }

    fn await_port(&mut self, port: u16, deadline: Instant) -> Result<(), String> {
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if let Some(status) = self.ended(Instant::now() + LOOK) {
                return Err(format!("its server ended with {status}"));
            }
            if Instant::now() > deadline {
                return Err(format!("nothing answers at port {port}"));
            }
        }
        Ok(())
    }

    /// How it ended, if it does until then.
    fn ended(&mut self, until: Instant) -> Option<ExitStatus> {
        let left = Timespec::try_from(until.saturating_duration_since(Instant::now())).ok();
        let pidfd = pidfd_open(Pid::from_child(&self.child), PidfdFlags::empty()).ok()?;
        let _ = poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], left.as_ref());
        self.child.try_wait().ok().flatten()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let pid = Pid::from_child(&self.child);
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = kill_process(pid, Signal::TERM);
            self.ended(Instant::now() + STOP_MOST);
        }
        // What it has started and left goes with it.
        let _ = kill_process_group(pid, Signal::KILL);
        let _ = self.child.wait();
    }
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
