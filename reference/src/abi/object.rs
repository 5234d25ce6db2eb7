//! The objects modules and host exchange (x86-64, System V; PLUG-ABI-2 … 10).

use std::{
    ffi::{CStr, CString, c_char, c_int, c_void},
    ptr::{self, null, null_mut},
};

use bstr::{BString, ByteSlice};

use crate::{plugin::Answer, response::Response};

/// The interface version, of all kinds of modules (PLUG-ABI-5).
pub(super) const VERSION: u32 = 3;

/// Set in [`RawModule::flags`]: each message must be in a temporary file.
pub(super) const NEEDS_FILE: u32 = 1;

/// A response; `text` may be null (PLUG-ABI-6).
#[repr(C)]
pub(super) struct RawResponse {
    pub(super) number: u32,
    pub(super) text: *const c_char,
}

/// What a hook returns: null passes.
pub(super) type RawAnswer = *const RawResponse;

/// A byte string. `data` comes from malloc, with a NUL behind `length` bytes (PLUG-ABI-2).
#[repr(C)]
pub(super) struct RawStr {
    data: *mut u8,
    length: u32,
    capacity: u32,
}

type NoArgument = unsafe extern "C" fn() -> RawAnswer;
type TwoStrings = unsafe extern "C" fn(*mut RawStr, *mut RawStr) -> RawAnswer;
type Descriptor = unsafe extern "C" fn(c_int) -> RawAnswer;

/// A plugin or a backend (PLUG-ABI-3, -7).
#[repr(C)]
pub(super) struct RawModule {
    pub(super) version: u32,
    next: *mut c_void,
    pub(super) name: *const c_char,
    pub(super) flags: u32,
    pub(super) commands: *const RawCommand,
    pub(super) init: Option<NoArgument>,
    pub(super) helo: Option<TwoStrings>,
    pub(super) reset: Option<NoArgument>,
    pub(super) sender: Option<TwoStrings>,
    pub(super) recipient: Option<TwoStrings>,
    pub(super) data_start: Option<Descriptor>,
    pub(super) data_block: Option<unsafe extern "C" fn(*const u8, u64) -> RawAnswer>,
    pub(super) message_end: Option<Descriptor>,
}

/// An entry of a command table; a null name ends it (PLUG-ABI-9).
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct RawCommand {
    pub(super) name: *const c_char,
    pub(super) enabled: Option<unsafe extern "C" fn() -> c_int>,
    pub(super) without_argument: Option<unsafe extern "C" fn() -> c_int>,
    pub(super) with_argument: Option<unsafe extern "C" fn(*mut RawStr) -> c_int>,
}

impl RawCommand {
    /// Ends a table.
    pub(super) const END: Self =
        Self { name: null(), enabled: None, without_argument: None, with_argument: None };
}

/// A protocol (PLUG-ABI-4, -8).
#[repr(C)]
pub(super) struct RawProtocol {
    pub(super) version: u32,
    pub(super) name: *const c_char,
    pub(super) write_line: unsafe extern "C" fn(u32, c_int, *const u8, u64) -> c_int,
    pub(super) init: Option<unsafe extern "C" fn() -> c_int>,
    pub(super) serve: unsafe extern "C" fn(*const RawCommand) -> c_int,
}

const _: () = assert!(size_of::<RawResponse>() == 16 && size_of::<RawStr>() == 16);
const _: () = assert!(size_of::<RawModule>() == 104 && size_of::<RawCommand>() == 32);
const _: () = assert!(size_of::<RawProtocol>() == 40);

/// The bytes of a C string, none for null.
///
/// # Safety
/// `string` is null or NUL-terminated and stays as it is while the result is used.
pub(super) unsafe fn c_bytes<'a>(string: *const c_char) -> &'a [u8] {
    if string.is_null() {
        return b"";
    }
    // SAFETY: not null, and the rest is the caller's promise.
    unsafe { CStr::from_ptr(string) }.to_bytes()
}

/// A C string of the bytes before the first NUL: that is where modules see the end (CORE-RESP-1).
pub(super) fn c_string(bytes: &[u8]) -> CString {
    let end = bytes.find_byte(0).unwrap_or(bytes.len());
    // There is no NUL in front of the first one.
    CString::new(&bytes[..end]).unwrap_or_default()
}

/// A copy of what a module answered (HOOK-RESP-8).
///
/// # Safety
/// `answer` is null or a response whose text is null or NUL-terminated.
pub(super) unsafe fn copied(answer: RawAnswer) -> Answer {
    if answer.is_null() {
        return None;
    }
    // SAFETY: the caller's promise; both fields are read before any module runs again.
    let (number, text) = unsafe { ((*answer).number, (*answer).text) };
    // SAFETY: the caller's promise.
    let text = (!text.is_null()).then(|| unsafe { c_bytes(text) }.into());
    Some(Response::from_module(number, text))
}

impl RawStr {
    /// The content.
    ///
    /// # Safety
    /// `data` is null or has `length` bytes.
    unsafe fn content(&self) -> BString {
        if self.data.is_null() {
            return BString::default();
        }
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts(self.data, self.length as usize) }.into()
    }

    /// Makes `bytes` the content, in a block of the C library's.
    ///
    /// # Safety
    /// `data` is null or a block from malloc.
    unsafe fn assign(&mut self, bytes: &[u8]) {
        // Nothing we pass is longer than a command line (CORE-LIM-1); what a module made longer than
        // the field can say is cut rather than misstated.
        let bytes = &bytes[..bytes.len().min(u32::MAX as usize - 1)];
        let capacity = bytes.len() + 1;
        // SAFETY: `data` is null or malloc's; the new block has room for the bytes and the NUL.
        unsafe {
            let data: *mut u8 = libc::realloc(self.data.cast(), capacity).cast();
            if data.is_null() {
                std::alloc::handle_alloc_error(std::alloc::Layout::for_value(bytes));
            }
            ptr::copy_nonoverlapping(bytes.as_ptr(), data, bytes.len());
            data.add(bytes.len()).write(0);
            self.data = data;
        }
        self.capacity = u32::try_from(capacity).unwrap_or(u32::MAX);
        self.length = self.capacity - 1;
    }
}

/// A byte string of ours, lent to a module for one call.
pub(super) struct LentStr(RawStr);

impl LentStr {
    pub(super) fn new(bytes: &[u8]) -> Self {
        let mut raw = RawStr { data: null_mut(), length: 0, capacity: 0 };
        // SAFETY: `data` is null.
        unsafe { raw.assign(bytes) };
        Self(raw)
    }

    pub(super) fn as_mut_ptr(&mut self) -> *mut RawStr {
        &raw mut self.0
    }

    /// What the module left in it.
    pub(super) fn content(&self) -> BString {
        // SAFETY: the interface has modules keep the fields right (PLUG-ABI-2).
        unsafe { self.0.content() }
    }
}

impl Drop for LentStr {
    fn drop(&mut self) {
        // SAFETY: the block came from realloc, ours or the module's.
        unsafe { libc::free(self.0.data.cast()) };
    }
}

/// The content of a module's string, empty for null.
///
/// # Safety
/// `string` is null or a string of a module that runs now.
pub(super) unsafe fn content(string: *const RawStr) -> BString {
    // SAFETY: the caller's promise.
    unsafe { if string.is_null() { BString::default() } else { (*string).content() } }
}

/// Gives a module's string new content; null takes none.
///
/// # Safety
/// As [`content`].
pub(super) unsafe fn assign(string: *mut RawStr, bytes: &[u8]) {
    if !string.is_null() {
        // SAFETY: the caller's promise; no reference to the string is held anywhere else.
        unsafe { (*string).assign(bytes) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lent_strings_come_back_as_the_module_left_them() {
        let mut lent = LentStr::new(b"a@b");
        assert_eq!(lent.content(), "a@b");
        // SAFETY: the string is ours.
        unsafe { assign(lent.as_mut_ptr(), b"somebody else\0x") };
        assert_eq!(lent.content(), "somebody else\0x");
        assert_eq!(LentStr::new(b"").content(), "");
    }

    #[test]
    fn answers_are_copies() {
        let text = c_string(b"first\0second");
        let raw = RawResponse { number: 1274, text: text.as_ptr() };
        // SAFETY: a good response, then none.
        let (answer, none) = unsafe { (copied(&raw const raw), copied(null())) };
        drop(text);
        let answer = answer.unwrap();
        assert_eq!((answer.number(), answer.is_final()), (250, true));
        assert_eq!(answer.text(), Some(&b"first"[..]));
        assert_eq!(none, None);
    }
}
