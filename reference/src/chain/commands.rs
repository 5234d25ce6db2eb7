//! The commands that modules have of their own (PLUG-CMD).

use bstr::BString;

use super::Chain;
use crate::{
    plugin::{Command, Flow, Module},
    session::Session,
};

/// A command of a module, found by [`Chain::commands`].
pub struct ModuleCommand {
    /// What the module declared.
    pub command: Command,
    owner: Owner,
    index: usize,
}

#[derive(Clone, Copy)]
enum Owner {
    Backend,
    Plugin(usize),
}

impl Chain {
    /// The modules' own commands: the backend's, then the plugins' in order (PLUG-CMD-1).
    pub fn commands(&self) -> Vec<ModuleCommand> {
        let plugins = self.plugins.iter().enumerate().map(|(i, named)| (Owner::Plugin(i), named));
        let modules = std::iter::once((Owner::Backend, &self.backend)).chain(plugins);
        let entries = modules.flat_map(|(owner, named)| {
            let commands = named.module.commands().into_iter().enumerate();
            commands.map(move |(index, command)| ModuleCommand { command, owner, index })
        });
        entries.collect()
    }

    /// Whether the module offers its command at this moment (PLUG-CMD-2).
    pub fn is_enabled(&mut self, command: &ModuleCommand, session: &Session) -> bool {
        self.owner(command).command_enabled(command.index, session)
    }

    /// Runs a module's command, which sends its own response (PLUG-CMD-3).
    pub fn run(
        &mut self,
        command: &ModuleCommand,
        argument: Option<&mut BString>,
        session: &Session,
    ) -> Flow {
        self.owner(command).command(command.index, argument, session)
    }

    fn owner(&mut self, command: &ModuleCommand) -> &mut dyn Module {
        match command.owner {
            Owner::Backend => self.backend.module.as_mut(),
            Owner::Plugin(index) => self.plugins[index].module.as_mut(),
        }
    }
}
