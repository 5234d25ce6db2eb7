//! `force-file`: each message goes through a temporary file; the chain does the work (BUILTIN-4).

use crate::plugin::{Hook, Module};

/// The plugin.
pub struct ForceFile;

impl Module for ForceFile {
    fn has(&self, _: Hook) -> bool {
        false
    }

    fn needs_file(&self) -> bool {
        true
    }
}
