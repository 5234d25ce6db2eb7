//! The C library: the few functions used, the allocator over it, and what a panic does.

use alloc::vec::Vec;
use core::alloc::{GlobalAlloc, Layout};
use core::ffi::{CStr, c_char, c_int, c_long, c_void};
use core::ptr::{null, null_mut};

use crate::script::fail;

#[link(name = "c")]
unsafe extern "C" {
    pub(crate) fn malloc(size: usize) -> *mut c_void;
    pub(crate) fn realloc(block: *mut c_void, size: usize) -> *mut c_void;
    pub(crate) fn free(block: *mut c_void);
    pub(crate) fn getenv(name: *const c_char) -> *const c_char;
    pub(crate) fn open(path: *const c_char, flags: c_int, ...) -> c_int;
    pub(crate) fn close(fd: c_int) -> c_int;
    pub(crate) fn read(fd: c_int, to: *mut c_void, size: usize) -> isize;
    pub(crate) fn write(fd: c_int, from: *const c_void, size: usize) -> isize;
    pub(crate) fn pread(fd: c_int, to: *mut c_void, size: usize, at: c_long) -> isize;
    pub(crate) fn pwrite(fd: c_int, from: *const c_void, size: usize, at: c_long) -> isize;
    pub(crate) fn ftruncate(fd: c_int, size: c_long) -> c_int;
    pub(crate) fn lseek(fd: c_int, to: c_long, whence: c_int) -> c_long;
    pub(crate) fn dladdr(address: *const c_void, info: *mut DlInfo) -> c_int;
    pub(crate) fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
    pub(crate) fn _exit(status: c_int) -> !;
}

/// What `dladdr` tells of an address.
#[repr(C)]
pub(crate) struct DlInfo {
    pub(crate) file: *const c_char,
    base: *mut c_void,
    symbol: *const c_char,
    address: *mut c_void,
}

/// The path this object was loaded from, empty if the loader does not say.
pub(crate) fn own_path(inside: *const c_void) -> &'static [u8] {
    let mut info = DlInfo { file: null(), base: null_mut(), symbol: null(), address: null_mut() };
    // SAFETY: `info` is ours; the loader's string lives as long as the object.
    unsafe {
        dladdr(inside, &mut info);
        if info.file.is_null() { b"" } else { CStr::from_ptr(info.file).to_bytes() }
    }
}

/// The whole content of a file, `None` if it cannot be read.
pub(crate) fn content(path: *const c_char) -> Option<Vec<u8>> {
    const CLOEXEC: c_int = 0o2_000_000;
    let (mut content, mut buffer) = (Vec::new(), [0; 4096]);
    // SAFETY: a C string; the buffer outlives the calls.
    unsafe {
        let fd = open(path, CLOEXEC);
        loop {
            match read(fd, buffer.as_mut_ptr().cast(), buffer.len()) {
                0 => break,
                n if n > 0 => content.extend_from_slice(&buffer[..n as usize]),
                _ => return None,
            }
        }
        close(fd);
    }
    Some(content)
}

struct CAllocator;

// SAFETY: malloc's blocks are aligned to 16 bytes and nothing here asks for more.
unsafe impl GlobalAlloc for CAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        unsafe { malloc(layout.size()).cast() }
    }
    unsafe fn dealloc(&self, block: *mut u8, _: Layout) {
        unsafe { free(block.cast()) }
    }
    unsafe fn realloc(&self, block: *mut u8, _: Layout, size: usize) -> *mut u8 {
        unsafe { realloc(block.cast(), size).cast() }
    }
}

#[global_allocator]
static ALLOCATOR: CAllocator = CAllocator;

/// Named by the precompiled core library, never called: nothing here unwinds.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    fail(0, b"the probe itself panicked")
}
