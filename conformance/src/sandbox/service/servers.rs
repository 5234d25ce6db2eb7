//! Services on sockets. They live in the loop of the play: no thread, no wait of their own.
//!
//! A [`place`] is where one listens, and a [`connection`] follows the script of one that has come.

mod connection;
mod place;

use std::{io, net::SocketAddr, path::Path, time::Instant};

use rustix::event::PollFd;

use self::{
    connection::Connection,
    place::{Place, listen},
};
use super::call::Calls;
use crate::transcript::{
    Front,
    service::{Kind, Line, variable},
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
        fds.extend(self.services.iter().flat_map(|service| service.at.watched()));
        fds.extend(self.connections.iter().filter_map(Connection::watched));
    }

    /// When something is to be done although nothing happens.
    pub fn wake(&self) -> Option<Instant> {
        self.connections.iter().filter_map(Connection::wake).min()
    }

    /// Whether one of them will say or do something by itself.
    pub fn is_busy(&self) -> bool {
        self.connections.iter().any(Connection::is_busy)
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
            connection.go_on(now, &self.services[connection.service].at)?;
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
            calls.entry(name.clone()).or_default().push(connection.into_call());
        }
        Ok(calls)
    }

    fn accept(&mut self, at: usize) -> io::Result<()> {
        while let Some(come) = self.services[at].at.next()? {
            let service = &mut self.services[at];
            let block = service.calls.min(service.blocks.len() - 1);
            let lines = service.blocks[block].clone();
            service.calls += 1;
            self.connections.push(Connection::new(at, come, lines, self.variables.clone()));
        }
        Ok(())
    }
}
