//! The objects a host and a module exchange (PLUG-ABI-2 … -9; x86-64, little endian).

use core::ffi::{c_char, c_int, c_void};
use core::ptr::null;

use crate::c::realloc;
use crate::script::fail;

/// A byte string of the host (PLUG-ABI-2).
#[repr(C)]
pub struct Str {
    data: *mut u8,
    length: u32,
    capacity: u32,
}

/// What a hook answers (PLUG-ABI-6).
#[repr(C)]
pub struct Response {
    pub(crate) number: u32,
    pub(crate) text: *const u8,
}

/// A hook's result; null passes.
pub type Answer = *const Response;

/// A command table entry (PLUG-ABI-9).
#[repr(C)]
pub(crate) struct Command {
    pub(crate) name: *const c_char,
    pub(crate) enabled: Option<extern "C" fn() -> c_int>,
    pub(crate) without: Option<extern "C" fn() -> c_int>,
    pub(crate) with: Option<extern "C" fn(*mut Str) -> c_int>,
}

impl Command {
    /// Ends a table.
    pub(crate) const END: Self = Self { name: null(), enabled: None, without: None, with: None };
}

/// The interface version of plugins, backends and protocols (PLUG-ABI-5).
pub(crate) const VERSION: u32 = 3;

/// A plugin or a backend (PLUG-ABI-3).
#[repr(C)]
pub struct Module {
    pub(crate) version: u32,
    pub(crate) next: *mut c_void,
    pub(crate) name: *const c_char,
    pub(crate) flags: u32,
    pub(crate) commands: *const c_void,
    pub(crate) init: extern "C" fn() -> Answer,
    pub(crate) helo: extern "C" fn(*mut Str, *mut Str) -> Answer,
    pub(crate) reset: extern "C" fn() -> Answer,
    pub(crate) sender: extern "C" fn(*mut Str, *mut Str) -> Answer,
    pub(crate) recipient: extern "C" fn(*mut Str, *mut Str) -> Answer,
    pub(crate) data_start: extern "C" fn(c_int) -> Answer,
    pub(crate) data_block: extern "C" fn(*const u8, usize) -> Answer,
    pub(crate) message_end: extern "C" fn(c_int) -> Answer,
}

/// A protocol (PLUG-ABI-4).
#[repr(C)]
pub struct Protocol {
    pub(crate) version: u32,
    pub(crate) name: *const c_char,
    pub(crate) write_line: extern "C" fn(u32, c_int, *const u8, usize) -> c_int,
    pub(crate) init: Option<extern "C" fn() -> c_int>,
    pub(crate) serve: extern "C" fn(*const c_void) -> c_int,
}

/// The content of a str.
pub(crate) fn bytes<'a>(string: *const Str) -> &'a [u8] {
    // SAFETY: null, or the host's str with its length; used before the host runs again.
    unsafe {
        match string.as_ref() {
            Some(string) if !string.data.is_null() => {
                core::slice::from_raw_parts(string.data, string.length as usize)
            }
            _ => b"",
        }
    }
}

/// Gives a str more or new content the way the support library does: realloc, and a NUL behind it.
pub(crate) fn put(string: *mut Str, content: &[u8], keep: bool) {
    // SAFETY: the host's str, its block from malloc.
    unsafe {
        let Some(string) = string.as_mut() else { fail(0, b"no such string in this hook") };
        let start = if keep { string.length as usize } else { 0 };
        let length = start + content.len();
        if length >= string.capacity as usize || string.data.is_null() {
            let capacity = (length + 16) & !15;
            string.data = realloc(string.data.cast(), capacity).cast();
            string.capacity = capacity as u32;
        }
        core::ptr::copy_nonoverlapping(content.as_ptr(), string.data.add(start), content.len());
        *string.data.add(length) = 0;
        string.length = length as u32;
    }
}
