//! The client's connection as the support library sees it (PLUG-ABI-10).
//!
//! Modules read and write through the library's `inbuf` and `outbuf`. Those get reading and writing
//! functions of ours, so that their bytes are those of [`Connection`]: what it has buffered comes
//! first, its time limits hold, its counts are right.

use std::{
    cell::Cell,
    ffi::{c_int, c_void},
    os::fd::BorrowedFd,
    ptr::NonNull,
};

use super::{library::Library, protocol};
use crate::{
    connection::{Connection, End},
    session::Session,
};

/// The part both buffers begin with.
#[repr(C)]
struct RawBuffer {
    fd: c_int,
    buffer: *mut u8,
    size: u32,
    end: u32,
    start: u32,
    offset: u32,
    timeout: u32,
    flags: u32,
    errno: c_int,
}

type Read = unsafe extern "C" fn(c_int, *mut c_void, usize) -> isize;
type Write = unsafe extern "C" fn(c_int, *const c_void, usize) -> isize;

#[repr(C)]
struct RawInput {
    buffer: RawBuffer,
    count: u32,
    read: Read,
}

#[repr(C)]
struct RawOutput {
    buffer: RawBuffer,
    position: u32,
    count: u32,
    write: Write,
}

const _: () = assert!(size_of::<RawInput>() == 64 && size_of::<RawOutput>() == 64);

/// The library's function that empties an output buffer: whether it could.
type Flush = unsafe extern "C" fn(*mut RawOutput) -> c_int;

/// What a read function of the C library's kind returns on failure.
const FAILED: isize = -1;

thread_local! {
    static CONNECTION: Cell<Option<NonNull<Connection>>> = const { Cell::new(None) };
    static INPUT: Cell<Option<NonNull<RawInput>>> = const { Cell::new(None) };
    static OUTPUT: Cell<Option<(NonNull<RawOutput>, Flush)>> = const { Cell::new(None) };
}

/// Puts our functions into the buffers of the support library that `library` brought along, if it did.
pub(super) fn lend(library: &Library<'_>) {
    if INPUT.get().is_some() {
        return;
    }
    let (input, output) = (library.symbol::<RawInput>(c"inbuf"), library.symbol::<RawOutput>(c"outbuf"));
    let flush = library.symbol::<c_void>(c"obuf_flush");
    if let (Some(input), Some(output), Some(flush)) = (input, output, flush) {
        // SAFETY: the interface gives these objects this layout; nothing uses them before a module runs.
        unsafe {
            (*input.as_ptr()).read = read;
            (*output.as_ptr()).write = write;
        }
        INPUT.set(Some(input));
        // SAFETY: the library's function has this type.
        OUTPUT.set(Some((output, unsafe { std::mem::transmute::<NonNull<c_void>, Flush>(flush) })));
    }
}

/// Sends what a module left in `outbuf`: whether that went well (CORE-RESP-5).
pub(super) fn flush() -> bool {
    // SAFETY: the library's object and its own function for it.
    OUTPUT.get().is_none_or(|(output, flush)| unsafe { flush(output.as_ptr()) != 0 })
}

/// Makes `connection` the one that modules read and write while `call` runs.
pub(super) fn with<R>(connection: &Connection, call: impl FnOnce() -> R) -> R {
    struct Restore(Option<NonNull<Connection>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            CONNECTION.set(self.0);
        }
    }
    let _restore = Restore(CONNECTION.replace(Some(NonNull::from(connection))));
    call()
}

/// Takes back what a command read ahead. If it gave the buffer another descriptor, as STARTTLS through
/// a wrapper does, that one is the client from now on, and nothing read before counts: it came in the
/// clear (SEC-6).
pub(super) fn reclaim(session: &Session) {
    let Some(input) = INPUT.get() else { return };
    // SAFETY: the library's object, as in `lend`; no module runs now. `start` and `end` delimit bytes
    // of its buffer, which are copied before anything can change them.
    unsafe {
        let input = input.as_ptr();
        if !std::ptr::fn_addr_eq((*input).read, read as Read) {
            (*input).read = read;
            session.connection.replace_input(BorrowedFd::borrow_raw((*input).buffer.fd));
        }
        let RawBuffer { buffer, start, end, .. } = (*input).buffer;
        if !buffer.is_null() && start < end {
            let left = std::slice::from_raw_parts(buffer.add(start as usize), (end - start) as usize);
            session.connection.give_back(left);
        }
        (*input).buffer.start = 0;
        (*input).buffer.end = 0;
    }
}

/// Uses the connection of the running call.
fn connection<R>(using: impl FnOnce(&Connection) -> R) -> Option<R> {
    // SAFETY: `with` holds a reference to it for as long as it is set here.
    CONNECTION.get().map(|connection| using(unsafe { connection.as_ref() }))
}

unsafe extern "C" fn read(_: c_int, to: *mut c_void, size: usize) -> isize {
    let taken = connection(|connection| {
        let bytes = connection.fill()?;
        let count = bytes.len().min(size);
        // SAFETY: the library passes room for `size` bytes of its own.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to.cast(), count) };
        drop(bytes);
        connection.consume(count);
        Ok(count)
    });
    match taken {
        Some(Ok(count)) => isize::try_from(count).unwrap_or(FAILED),
        Some(Err(End::Eof)) => 0,
        Some(Err(End::SessionOver)) => {
            protocol::leave();
            FAILED
        }
        Some(Err(End::TimedOut | End::Failed)) | None => FAILED,
    }
}

unsafe extern "C" fn write(_: c_int, from: *const c_void, size: usize) -> isize {
    // SAFETY: the library passes `size` bytes of its own.
    let bytes = unsafe { std::slice::from_raw_parts(from.cast(), size) };
    match connection(|connection| connection.write(bytes)) {
        Some(Ok(())) => isize::try_from(size).unwrap_or(FAILED),
        Some(Err(_)) | None => FAILED,
    }
}
