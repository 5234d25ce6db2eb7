//! The modules of a case: the probe under the names it asks for, among the target's own.

use std::{fs, io, os::unix::fs::symlink};

use super::World;
use crate::{sandbox::Workshop, target::Target, transcript::Front};

impl World {
    pub(super) fn place_modules(
        &mut self,
        workshop: &Workshop,
        target: &Target,
        front: &Front,
    ) -> io::Result<()> {
        if front.modules.is_empty() {
            return Ok(());
        }
        let modules = self.folder.with_file_name("modules");
        fs::create_dir(&modules)?;
        self.own_modules.clone_from(&target.modules);
        if let Some(own) = &target.modules {
            for entry in fs::read_dir(own)? {
                let entry = entry?;
                symlink(entry.path(), modules.join(entry.file_name()))?;
            }
        }
        for name in &front.modules {
            let place = modules.join(format!("{name}.so"));
            let _ = fs::remove_file(&place);
            symlink(workshop.module(name)?, place)?;
        }
        let path = modules.to_string_lossy().into_owned();
        self.variables.insert("MODULES".into(), path.clone().into_bytes());
        self.environment.insert("MODULE_PATH".into(), path);
        let script = self.folder.join("probe").to_string_lossy().into_owned();
        self.variables.insert("PROBE".into(), script.clone().into_bytes());
        self.environment.insert("PROBE".into(), script);
        Ok(())
    }
}
