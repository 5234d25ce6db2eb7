//! The session functions that modules call by name (PLUG-ABI-11).

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    ffi::{CString, c_char, c_int},
    mem::ManuallyDrop,
    os::fd::IntoRawFd,
    ptr::{NonNull, null},
};

use bstr::{BString, ByteSlice};

use super::{
    object::{RawAnswer, c_bytes, c_string},
    protocol, streams,
};
use crate::{
    scratch,
    session::{Session, process_variable},
};

/// A string a module asked for, by what it asked and by which name.
type Lent = BTreeMap<(Source, BString), CString>;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    Variable,
    Fact,
    String,
    Protocol,
}

thread_local! {
    /// The session whose call into a module is the innermost one now.
    static SESSION: Cell<Option<NonNull<Session>>> = const { Cell::new(None) };
    // Has no destructor: modules may call when the program exits, after those ran.
    static LENT: ManuallyDrop<RefCell<Lent>> = const { ManuallyDrop::new(RefCell::new(BTreeMap::new())) };
}

/// Calls a module. Whatever of ours it calls meanwhile serves `session`.
pub(super) fn enter<R>(session: &Session, call: impl FnOnce() -> R) -> R {
    struct Restore(Option<NonNull<Session>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            SESSION.set(self.0);
        }
    }
    let _restore = Restore(SESSION.replace(Some(NonNull::from(session))));
    streams::with(&session.connection, call)
}

/// Uses the session of the running call; none if a module calls from a constructor or thread of its own.
pub(super) fn session<R>(using: impl FnOnce(&Session) -> R) -> Option<R> {
    // SAFETY: `enter` holds a reference to the session for as long as it is set here.
    SESSION.get().map(|session| using(unsafe { session.as_ref() }))
}

/// A C string that stays until the same name is asked for again and has another value: no shorter than
/// in the C program, and bounded by the number of names.
fn lent(source: Source, name: &[u8], value: Option<BString>) -> *const c_char {
    let Some(value) = value.map(|value| c_string(&value)) else { return null() };
    LENT.with(|lent| {
        let mut lent = lent.borrow_mut();
        let entry = lent.entry((source, name.into())).or_default();
        if *entry != value {
            *entry = value;
        }
        entry.as_ptr()
    })
}

/// CORE-ENV-1; null or an empty name ask for the protocol prefix.
#[unsafe(no_mangle)]
unsafe extern "C" fn getprotoenv(name: *const c_char) -> *const c_char {
    // SAFETY: a module passes null or a C string, here and in all functions below.
    let name = unsafe { c_bytes(name) };
    let fact = |session: &Session| match name {
        b"" => Some(session.prefix().into()),
        name => session.fact(&name.to_str_lossy()),
    };
    lent(Source::Fact, name, session(fact).flatten())
}

#[unsafe(no_mangle)]
extern "C" fn session_protocol() -> *const c_char {
    protocol::name().unwrap_or_else(|| lent(Source::Protocol, b"", session(Session::protocol)))
}

/// SESS-ENV-1.
#[unsafe(no_mangle)]
unsafe extern "C" fn session_getenv(name: *const c_char) -> *const c_char {
    // SAFETY: as in `getprotoenv`.
    let name = unsafe { c_bytes(name) };
    let value = session(|session| session.variable(name)).unwrap_or_else(|| process_variable(name));
    lent(Source::Variable, name, value)
}

/// SESS-ENV-7.
#[unsafe(no_mangle)]
unsafe extern "C" fn session_getenvu(name: *const c_char) -> u64 {
    // SAFETY: as in `getprotoenv`.
    let name = unsafe { c_bytes(name) };
    session(|session| session.smallest(name)).unwrap_or_default()
}

/// SESS-ENV-8.
#[unsafe(no_mangle)]
unsafe extern "C" fn session_getenvu_dflt(name: *const c_char, default: u64) -> u64 {
    // SAFETY: as in `getprotoenv`.
    let name = unsafe { c_bytes(name) };
    session(|session| session.first_number(name, default)).unwrap_or(default)
}

/// SESS-ENV-2.
#[unsafe(no_mangle)]
unsafe extern "C" fn session_putenv(entry: *const c_char) -> c_int {
    // SAFETY: as in `getprotoenv`.
    let entry = unsafe { c_bytes(entry) };
    c_int::from(session(|session| session.put(entry)).is_some())
}

/// SESS-ENV-2.
#[unsafe(no_mangle)]
unsafe extern "C" fn session_setenv(name: *const c_char, value: *const c_char, overwrite: c_int) -> c_int {
    // SAFETY: as in `getprotoenv`.
    let (name, value) = unsafe { (c_bytes(name), c_bytes(value)) };
    c_int::from(session(|session| session.set(name, value, overwrite != 0)).is_some())
}

/// SESS-ENV-3.
#[unsafe(no_mangle)]
extern "C" fn session_resetenv() {
    session(Session::clear_overlay);
}

/// Applies the overlay to the process environment. Only child processes call it (SESS-ENV-5).
#[unsafe(no_mangle)]
extern "C" fn session_exportenv() -> c_int {
    for (name, value) in session(Session::overlay).unwrap_or_default() {
        let (name, value) = (c_string(&name), value.map(|value| c_string(&value)));
        // SAFETY: C strings; the process has one thread, so nobody else reads its environment.
        let failed = unsafe {
            match value {
                Some(value) => libc::setenv(name.as_ptr(), value.as_ptr(), 1),
                None => libc::unsetenv(name.as_ptr()),
            }
        };
        // An entry that is no name at all cannot be in the environment either.
        if failed != 0 && !name.is_empty() {
            return 0;
        }
    }
    1
}

#[unsafe(no_mangle)]
unsafe extern "C" fn session_getnum(name: *const c_char, default: u64) -> u64 {
    // SAFETY: as in `getprotoenv`.
    let name = unsafe { c_bytes(name) };
    session(|session| session.number(name)).flatten().unwrap_or(default)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn session_hasnum(name: *const c_char, to: *mut u64) -> c_int {
    // SAFETY: as in `getprotoenv`.
    let name = unsafe { c_bytes(name) };
    let Some(number) = session(|session| session.number(name)).flatten() else { return 0 };
    if !to.is_null() {
        // SAFETY: the module passes null or the address of a number of its own.
        unsafe { to.write(number) };
    }
    1
}

#[unsafe(no_mangle)]
unsafe extern "C" fn session_setnum(name: *const c_char, value: u64) {
    // SAFETY: as in `getprotoenv`.
    let name = unsafe { c_bytes(name) };
    session(|session| session.set_number(name, value));
}

#[unsafe(no_mangle)]
unsafe extern "C" fn session_delnum(name: *const c_char) {
    // SAFETY: as in `getprotoenv`.
    let name = unsafe { c_bytes(name) };
    session(|session| session.delete_number(name));
}

#[unsafe(no_mangle)]
unsafe extern "C" fn session_getstr(name: *const c_char) -> *const c_char {
    // SAFETY: as in `getprotoenv`.
    let name = unsafe { c_bytes(name) };
    lent(Source::String, name, session(|session| session.string(name)).flatten())
}

#[unsafe(no_mangle)]
unsafe extern "C" fn session_setstr(name: *const c_char, value: *const c_char) {
    // SAFETY: as in `getprotoenv`.
    let (name, value) = unsafe { (c_bytes(name), c_bytes(value)) };
    session(|session| session.set_string(name, value));
}

#[unsafe(no_mangle)]
unsafe extern "C" fn session_delstr(name: *const c_char) {
    // SAFETY: as in `getprotoenv`.
    let name = unsafe { c_bytes(name) };
    session(|session| session.delete_string(name));
}

/// Header bytes for the message. What becomes of them is told to nobody but the chain, which fails the
/// hook that injected them (HOOK-DATA-6).
#[unsafe(no_mangle)]
unsafe extern "C" fn backend_data_block(block: *const u8, length: u64) -> RawAnswer {
    if let (false, Ok(length)) = (block.is_null(), usize::try_from(length)) {
        // SAFETY: a module passes its own bytes with their length.
        let bytes = unsafe { std::slice::from_raw_parts(block, length) };
        session(|session| session.inject(bytes));
    }
    null()
}

/// A new unlinked temporary file, -1 if there can be none. The module closes it.
#[unsafe(no_mangle)]
extern "C" fn scratchfile() -> c_int {
    session(|session| scratch::create(session).ok()).flatten().map_or(-1, IntoRawFd::into_raw_fd)
}
