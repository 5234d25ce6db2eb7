//! The program `mailfront-conformance`.
//!
//! Started by the link that a case's service is, it is that program: see `sandbox::service::stub`.
//!
//! With the feature `reference` it carries the reference inside: started under the name of one of
//! the reference's programs it is that program. Its `main` is the C runtime's own, as the
//! reference's is, so that a play of the built-in reference does not pay for the start of Rust's
//! runtime.
#![cfg_attr(feature = "reference", no_main)]

/// Entered by the C runtime.
#[cfg(feature = "reference")]
// `no_mangle` counts as unsafe; the symbol is the program's only one of that name.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
extern "C" fn main(_count: i32, _words: *const *const std::ffi::c_char) -> i32 {
    if let Some(status) = mailfront::programs::run_as_called(std::env::args_os()) {
        return status;
    }
    if let Some(status) = mailfront_conformance::sandbox::service::stub::run_as_called() {
        return status;
    }
    // What Rust's runtime would have done: open descriptors 0 to 2, and no death by SIGPIPE.
    mailfront::process::prepare();
    i32::from(mailfront_conformance::cli::main(std::env::args_os(), Some(built_in::target)))
}

#[cfg(not(feature = "reference"))]
fn main() -> std::process::ExitCode {
    let called = mailfront_conformance::sandbox::service::stub::run_as_called();
    let status = called.map(|status| u8::try_from(status).unwrap_or(u8::MAX));
    let status = status.unwrap_or_else(|| mailfront_conformance::cli::main(std::env::args_os(), None));
    std::process::ExitCode::from(status)
}

#[cfg(feature = "reference")]
mod built_in {
    //! The reference as a target: this program under the names of the reference's.

    use mailfront_conformance::{sandbox::Workshop, target};

    /// The target `reference`.
    pub fn target(workshop: &Workshop) -> std::io::Result<target::Target> {
        let (names, features) = (mailfront::programs::names(), mailfront::programs::features());
        target::built_in(workshop, &std::env::current_exe()?, names, features)
    }
}
