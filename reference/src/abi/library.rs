//! A shared object, opened for good.

use std::{
    ffi::{CStr, CString, c_void},
    os::unix::ffi::OsStrExt,
    path::Path,
    ptr::NonNull,
};

use bstr::{BStr, BString, ByteSlice};

use super::{object::c_bytes, streams};
use crate::plugin::LoadError;

/// A loaded file. It is never unloaded: its code may be registered anywhere in the process.
pub(super) struct Library<'a> {
    handle: NonNull<c_void>,
    path: &'a BStr,
}

impl<'a> Library<'a> {
    /// Opens a file with everything it needs and runs its constructors (PLUG-ABI-1).
    pub(super) fn open(path: &'a Path) -> Result<Self, LoadError> {
        let path = path.as_os_str().as_bytes().as_bstr();
        let Ok(file) = CString::new(path.to_vec()) else {
            return Err(unloadable(path, "a NUL in the path".into()));
        };
        // SAFETY: a C string. The constructors that run are those of a file the site named; the text
        // at the top of `abi` says what that means.
        let handle = unsafe { libc::dlopen(file.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        let Some(handle) = NonNull::new(handle) else { return Err(unloadable(path, last_error())) };
        let library = Self { handle, path };
        streams::lend(&library);
        Ok(library)
    }

    /// The object every module of its kind has under the name `kind`.
    pub(super) fn object<T>(&self, kind: &CStr) -> Result<NonNull<T>, LoadError> {
        self.symbol(kind).ok_or_else(|| unloadable(self.path, last_error()))
    }

    /// The address of a symbol of the file or of a library it needs.
    pub(super) fn symbol<T>(&self, name: &CStr) -> Option<NonNull<T>> {
        // SAFETY: the handle is open for good, and the name a C string.
        NonNull::new(unsafe { libc::dlsym(self.handle.as_ptr(), name.as_ptr()) }.cast())
    }
}

/// The dynamic loader's message about what failed last.
fn last_error() -> BString {
    // SAFETY: one thread; the loader's string stays until its next call.
    unsafe { c_bytes(libc::dlerror()) }.into()
}

fn unloadable(path: &BStr, full: BString) -> LoadError {
    LoadError::Unloadable { public: without_paths(path, &full).into(), full }
}

/// A reason fit for a client: the loader's, unless it still names a place (CORE-MOD-7, SEC-110).
fn without_paths<'a>(path: &BStr, reason: &'a [u8]) -> &'a BStr {
    let rest = reason.strip_prefix(path.as_bytes()).and_then(|rest| rest.strip_prefix(b": "));
    let rest = rest.unwrap_or(reason);
    if rest.contains(&b'/') { "cannot be loaded".into() } else { rest.as_bstr() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reasons(path: &str) -> (BString, BString) {
        match Library::open(Path::new(path)) {
            Err(LoadError::Unloadable { public, full }) => (public, full),
            Err(LoadError::VersionMismatch) => panic!("opening looks at no version"),
            Ok(_) => panic!("{path} was loaded"),
        }
    }

    #[test]
    fn the_log_is_told_where_and_the_client_is_not() {
        let (public, full) = reasons("/nonexistent/plugin-x.so");
        assert_eq!(public, "cannot open shared object file: No such file or directory");
        assert_eq!(full, format!("/nonexistent/plugin-x.so: {public}"));
    }

    #[test]
    fn a_reason_with_another_path_is_not_told() {
        assert_eq!(
            without_paths(b"/m/a.so".into(), b"/m/a.so: undefined symbol: plugin"),
            "undefined symbol: plugin"
        );
        assert_eq!(without_paths(b"/m/a.so".into(), b"/lib/b.so: undefined symbol: x"), "cannot be loaded");
    }
}
