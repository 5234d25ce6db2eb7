//! A loaded plugin or backend as a [`Module`].

use std::{
    ffi::{CStr, CString},
    fs::File,
    os::fd::AsRawFd,
    ptr::NonNull,
};

use bstr::BString;

use super::{
    host,
    library::Library,
    object::{LentStr, NEEDS_FILE, RawAnswer, RawCommand, RawModule, RawStr, VERSION, c_bytes, copied},
    streams,
};
use crate::{
    plugin::{Answer, Command, Flow, Hook, LoadError, Module},
    session::Session,
};

/// What hooks get for "no temporary file" (PLUG-ABI-7).
const NO_FILE: i32 = -1;

/// The object of a plugin or backend. The file it is in stays loaded, so the pointer stays good.
pub(super) struct Loaded {
    object: NonNull<RawModule>,
}

impl Loaded {
    /// The module in `library`, found by its kind.
    pub(super) fn new(library: &Library<'_>, kind: &CStr) -> Result<Self, LoadError> {
        let loaded = Self { object: library.object(kind)? };
        if loaded.raw(|raw| raw.version) == VERSION { Ok(loaded) } else { Err(LoadError::VersionMismatch) }
    }

    /// Writes the name into the object, for good (PLUG-ABI-3).
    pub(super) fn set_name(&self, name: CString) {
        // SAFETY: the object is writable data of the module's, and the name is never freed.
        unsafe { (*self.object.as_ptr()).name = name.into_raw() };
    }

    /// A field of the object, which only the module changes.
    fn raw<T>(&self, field: impl FnOnce(&RawModule) -> T) -> T {
        // SAFETY: the object has this layout (its version says so, or is what is asked for), and no
        // module runs while the reference is there.
        field(unsafe { self.object.as_ref() })
    }

    fn entry(&self, index: usize) -> RawCommand {
        // SAFETY: indices come from `commands`, which saw the table's end behind them.
        self.raw(|raw| unsafe { *raw.commands.add(index) })
    }
}

/// Calls a hook and copies its answer.
fn answer(session: &Session, call: impl FnOnce() -> RawAnswer) -> Answer {
    // SAFETY: what a hook returns is null or a response, valid until the module runs again.
    host::enter(session, || unsafe { copied(call()) })
}

/// Calls a hook with two strings it may change.
fn with_strings(
    session: &Session,
    hook: Option<unsafe extern "C" fn(*mut RawStr, *mut RawStr) -> RawAnswer>,
    first: &mut BString,
    second: &mut BString,
) -> Answer {
    let hook = hook?;
    let (mut lent_first, mut lent_second) = (LentStr::new(first), LentStr::new(second));
    // SAFETY: a hook of this type, and strings that outlive the call.
    let answer = answer(session, || unsafe { hook(lent_first.as_mut_ptr(), lent_second.as_mut_ptr()) });
    *first = lent_first.content();
    *second = lent_second.content();
    answer
}

fn descriptor(file: Option<&File>) -> i32 {
    file.map_or(NO_FILE, AsRawFd::as_raw_fd)
}

impl Module for Loaded {
    fn has(&self, hook: Hook) -> bool {
        self.raw(|raw| match hook {
            Hook::Init => raw.init.is_some(),
            Hook::Helo => raw.helo.is_some(),
            Hook::Reset => raw.reset.is_some(),
            Hook::Sender => raw.sender.is_some(),
            Hook::Recipient => raw.recipient.is_some(),
            Hook::DataStart => raw.data_start.is_some(),
            Hook::DataBlock => raw.data_block.is_some(),
            Hook::MessageEnd => raw.message_end.is_some(),
        })
    }

    fn needs_file(&self) -> bool {
        self.raw(|raw| raw.flags & NEEDS_FILE != 0)
    }

    fn commands(&self) -> Vec<Command> {
        let table = self.raw(|raw| raw.commands);
        if table.is_null() {
            return Vec::new();
        }
        // SAFETY: the table's last entry has no name, and `take_while` stops there.
        let entries = (0..).map(|index| unsafe { *table.add(index) });
        let named = entries.take_while(|entry| !entry.name.is_null());
        let command = |entry: RawCommand| Command {
            // SAFETY: a name is a C string.
            verb: unsafe { c_bytes(entry.name) }.into(),
            without_argument: entry.without_argument.is_some(),
            with_argument: entry.with_argument.is_some(),
        };
        named.map(command).collect()
    }

    fn command_enabled(&mut self, index: usize, session: &Session) -> bool {
        // SAFETY: a function of this type (PLUG-ABI-9).
        self.entry(index).enabled.is_none_or(|enabled| host::enter(session, || unsafe { enabled() }) != 0)
    }

    fn command(&mut self, index: usize, argument: Option<&mut BString>, session: &Session) -> Flow {
        let entry = self.entry(index);
        // SAFETY: functions of these types (PLUG-ABI-9), and a string that outlives the call.
        let result = host::enter(session, || unsafe {
            match (argument, entry.without_argument, entry.with_argument) {
                (Some(argument), _, Some(handler)) => handler(LentStr::new(argument).as_mut_ptr()),
                (None, Some(handler), _) => handler(),
                // The protocol asks `commands` first.
                _ => 1,
            }
        });
        streams::reclaim(session);
        if result == 0 { Flow::Disconnect } else { Flow::Continue }
    }

    fn init(&mut self, session: &Session) -> Answer {
        let hook = self.raw(|raw| raw.init)?;
        // SAFETY: a hook of this type, as below.
        answer(session, || unsafe { hook() })
    }

    fn helo(&mut self, session: &Session, name: &mut BString, capabilities: &mut BString) -> Answer {
        with_strings(session, self.raw(|raw| raw.helo), name, capabilities)
    }

    fn reset(&mut self, session: &Session) -> Answer {
        let hook = self.raw(|raw| raw.reset)?;
        // SAFETY: as in `init`.
        answer(session, || unsafe { hook() })
    }

    fn sender(&mut self, session: &Session, address: &mut BString, parameters: &mut BString) -> Answer {
        with_strings(session, self.raw(|raw| raw.sender), address, parameters)
    }

    fn recipient(&mut self, session: &Session, address: &mut BString, parameters: &mut BString) -> Answer {
        with_strings(session, self.raw(|raw| raw.recipient), address, parameters)
    }

    fn data_start(&mut self, session: &Session, file: Option<&File>) -> Answer {
        let hook = self.raw(|raw| raw.data_start)?;
        // SAFETY: as in `init`; the descriptor is open during the call.
        answer(session, || unsafe { hook(descriptor(file)) })
    }

    fn data_block(&mut self, session: &Session, block: &[u8]) -> Answer {
        let hook = self.raw(|raw| raw.data_block)?;
        // SAFETY: as in `init`; the block outlives the call.
        answer(session, || unsafe { hook(block.as_ptr(), block.len() as u64) })
    }

    fn message_end(&mut self, session: &Session, file: Option<&File>) -> Answer {
        let hook = self.raw(|raw| raw.message_end)?;
        // SAFETY: as in `init`; the descriptor is open during the call.
        answer(session, || unsafe { hook(descriptor(file)) })
    }
}
