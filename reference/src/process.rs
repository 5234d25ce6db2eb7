//! What a program sees to before anything else: its signals and its standard descriptors.
//!
//! The programs start without Rust's own start-up, which would do this and more at a cost larger than
//! a whole short session. One call, `signal`, has no safe interface anywhere and is declared unsafe.
#![allow(unsafe_code)]

use std::os::fd::IntoRawFd;

use rustix::{
    fs::{Mode, OFlags},
    stdio,
};

/// Makes a failed write an error instead of a death, the end of a child something to be asked for, and
/// descriptors 0 to 2 open.
pub fn prepare() {
    set_signals();
    open_standard_descriptors();
}

/// Whether the program runs with the rights of somebody else than who started it and set its environment.
/// That environment names programs, folders and modules: such a program must not use it (SEC-107).
pub fn has_foreign_rights() -> bool {
    rustix::process::getuid() != rustix::process::geteuid()
        || rustix::process::getgid() != rustix::process::getegid()
}

/// SIGPIPE would end the program without its reset hooks (CORE-SIG-1, SMTP-MISC-12). SIGCHLD, where the
/// program that started us ignores it, would keep the exit status of every child from us (QMAIL-31).
fn set_signals() {
    // SAFETY: `signal` with SIG_IGN or SIG_DFL installs no handler, so no code of ours can run at a bad
    // moment; all arguments are constants the C library defines for this call.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_IGN);
        libc::signal(libc::SIGCHLD, libc::SIG_DFL);
    }
}

/// A file opened later must never become a standard descriptor (HOOK-TMP-9). Output stands in
/// read-only, so that writing the greeting fails and the status says so (CORE-EXIT-4).
fn open_standard_descriptors() {
    let standard = [
        (stdio::stdin(), OFlags::RDONLY),
        (stdio::stdout(), OFlags::RDONLY),
        (stdio::stderr(), OFlags::WRONLY),
    ];
    for (descriptor, flags) in standard {
        if rustix::io::fcntl_getfd(descriptor).is_err() {
            // The lowest free number is the one that is missing: those below are open by now.
            if let Ok(null) = rustix::fs::open("/dev/null", flags, Mode::empty()) {
                let _stays_open = null.into_raw_fd();
            }
        }
    }
}
