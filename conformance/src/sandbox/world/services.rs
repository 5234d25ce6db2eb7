//! The services of a case: servers that the play serves, and programs that the target starts.

use std::{fs, io};

use super::World;
use crate::{
    sandbox::{
        Workshop,
        service::{Call, Calls, Servers, stub},
    },
    transcript::{
        Front,
        service::{Kind, variable},
    },
};

impl World {
    pub(super) fn place_services(&mut self, workshop: &Workshop, front: &Front) -> io::Result<()> {
        let ids =
            [("UID", rustix::process::geteuid().as_raw()), ("GID", rustix::process::getegid().as_raw())];
        for (name, id) in ids {
            self.variables.insert(name.into(), id.to_string().into());
        }
        let servers = Servers::open(front, &self.folder, &mut self.variables)?;
        let programs: Vec<_> = front.services.iter().filter(|(_, s)| s.kind == Kind::Command).collect();
        for (name, _) in &programs {
            let place = self.folder.join(name).to_string_lossy().into_owned();
            self.variables.insert(variable(name), place.into());
        }
        // Scripts may name each other's places.
        *self.servers.get_mut() = servers.map(|mut servers| {
            servers.know(&self.variables);
            servers
        });
        let folder = self.folder.with_file_name("services");
        if !programs.is_empty() {
            fs::create_dir(&folder)?;
        }
        for (name, service) in programs {
            let program = workshop.program()?;
            let calls = stub::place(name, service, &self.variables, &program, &folder, &self.folder)?;
            self.programs.push((name.clone(), calls, service.queues()));
        }
        Ok(())
    }

    /// Whether it has programs for the target to start.
    pub fn has_programs(&self) -> bool {
        !self.programs.is_empty()
    }

    /// The calls of its programs so far.
    ///
    /// # Errors
    /// What a program wrote down cannot be read.
    pub fn program_calls(&self) -> io::Result<Calls> {
        self.programs.iter().map(|(name, folder, _)| Ok((name.clone(), Call::read_all(folder)?))).collect()
    }

    /// The programs that take messages as qmail-queue does.
    pub fn queue_programs(&self) -> impl Iterator<Item = &str> {
        self.programs.iter().filter(|(_, _, queues)| *queues).map(|(name, _, _)| name.as_str())
    }
}
