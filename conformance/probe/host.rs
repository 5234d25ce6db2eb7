//! What the host offers (PLUG-ABI-10, -11), and the temporary file it hands over.
//!
//! Functions are looked up when a script asks for them; one that is not there is traced as missing.

use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr::null_mut;

use crate::c::{close, dlsym, ftruncate, lseek, pread, pwrite};
use crate::interface::Answer;
use crate::script::Word;
use crate::trace::{SHOWN, Trace};

type S = *const c_char;

/// A symbol of the host.
pub(crate) fn symbol(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: a C string; RTLD_DEFAULT is null.
    let found = unsafe { dlsym(null_mut(), name.as_ptr()) };
    if found.is_null() {
        Trace::new(name.to_bytes()).word(b"missing").write();
    }
    (!found.is_null()).then_some(found)
}

/// A function of the host. `F` must be its type as PLUG-ABI-11 gives it.
pub(crate) fn function<F: Copy>(name: &CStr) -> Option<F> {
    // SAFETY: a function pointer is as large as a data pointer; the caller names the right type.
    symbol(name).map(|found| unsafe { core::mem::transmute_copy(&found) })
}

/// Sends a response through the host: whether it could.
pub(crate) fn respond(answer: Answer) -> bool {
    function::<extern "C" fn(Answer) -> c_int>(c"respond").is_none_or(|respond| respond(answer) != 0)
}

/// Whether a session number is there and not 0.
pub(crate) fn number_is_set(name: &Word) -> bool {
    function::<extern "C" fn(S, u64) -> u64>(c"session_getnum").is_some_and(|get| get(name.c(), 0) != 0)
}

/// Actions that call the host. A question traces what it learnt; `inject` hands on a refusal.
pub(crate) fn ask(action: &[Word]) -> Option<Answer> {
    let name = action[0].bytes();
    let about = || action.get(1).into_iter().fold(Trace::new(name), |line, word| line.word(word.bytes()));
    match (name, &action[1..]) {
        (b"inject", [text]) => {
            let inject = function::<extern "C" fn(*const u8, u64) -> Answer>(c"backend_data_block")?;
            let given = inject(text.0.as_ptr(), text.bytes().len() as u64);
            return (!given.is_null()).then_some(given);
        }
        (b"scratchfile", _) => {
            let fd = function::<extern "C" fn() -> c_int>(c"scratchfile")?();
            about().descriptor(fd).write();
            // SAFETY: a descriptor made for us.
            unsafe { close(fd) };
        }
        (b"getenv", [variable]) => {
            let value = function::<extern "C" fn(S) -> S>(c"session_getenv")?(variable.c());
            about().c_string(value).write();
        }
        (b"getenvu", [variable]) => {
            let value = function::<extern "C" fn(S) -> u64>(c"session_getenvu")?(variable.c());
            about().number(value).write();
        }
        (b"getenvu_dflt", [variable, default]) => {
            let get = function::<extern "C" fn(S, u64) -> u64>(c"session_getenvu_dflt")?;
            about().number(get(variable.c(), default.number())).write();
        }
        (b"putenv", [entry]) => {
            function::<extern "C" fn(S) -> c_int>(c"session_putenv")?(entry.c());
        }
        (b"setenv", [variable, value, overwrite]) => {
            let set = function::<extern "C" fn(S, S, c_int) -> c_int>(c"session_setenv")?;
            set(variable.c(), value.c(), overwrite.number() as c_int);
        }
        (b"resetenv", _) => function::<extern "C" fn()>(c"session_resetenv")?(),
        (b"getnum", [number, default]) => {
            let get = function::<extern "C" fn(S, u64) -> u64>(c"session_getnum")?;
            about().number(get(number.c(), default.number())).write();
        }
        (b"hasnum", [number]) => {
            let mut value = 0;
            let has = function::<extern "C" fn(S, *mut u64) -> c_int>(c"session_hasnum")?;
            match has(number.c(), &mut value) {
                0 => about().word(b"-").write(),
                _ => about().number(value).write(),
            }
        }
        (b"setnum", [number, value]) => {
            function::<extern "C" fn(S, u64)>(c"session_setnum")?(number.c(), value.number());
        }
        (b"delnum", [number]) => function::<extern "C" fn(S)>(c"session_delnum")?(number.c()),
        (b"getstr", [string]) => {
            let value = function::<extern "C" fn(S) -> S>(c"session_getstr")?(string.c());
            about().c_string(value).write();
        }
        (b"setstr", [string, value]) => {
            function::<extern "C" fn(S, S)>(c"session_setstr")?(string.c(), value.c());
        }
        (b"delstr", [string]) => function::<extern "C" fn(S)>(c"session_delstr")?(string.c()),
        (b"protoenv", [fact]) => {
            let value = function::<extern "C" fn(S) -> S>(c"getprotoenv")?(fact.c());
            about().c_string(value).write();
        }
        (b"protocol", _) => {
            let value = function::<extern "C" fn() -> S>(c"session_protocol")?();
            about().c_string(value).write();
        }
        _ => {}
    }
    None
}

/// Traces size and beginning of the temporary file.
pub(crate) fn show_file(fd: c_int) {
    let line = Trace::new(b"file");
    if fd < 0 {
        return line.descriptor(fd).write();
    }
    let mut start = [0; SHOWN + 1];
    // SAFETY: the host's descriptor; its position is unspecified, so it may move (HOOK-TMP-7).
    let (size, got) = unsafe { (lseek(fd, 0, 2), pread(fd, start.as_mut_ptr().cast(), start.len(), 0)) };
    line.number(size as u64).quoted(&start[..got.max(0) as usize]).write();
}

/// Gives the temporary file new content.
pub(crate) fn rewrite(fd: c_int, content: &[u8]) {
    // SAFETY: the host's descriptor and our bytes.
    let written = unsafe {
        ftruncate(fd, 0);
        pwrite(fd, content.as_ptr().cast(), content.len(), 0)
    };
    if written != content.len() as isize {
        Trace::new(b"rewrite").word(b"failed").write();
    }
}
