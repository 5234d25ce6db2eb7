//! The program `mailfront-conformance`.
//!
//! With the feature `reference` it carries the reference inside: started under the name of one of
//! the reference's programs it is that program. Its `main` is the C runtime's own, as the
//! reference's is, so that a play of the built-in reference does not pay for the start of Rust's
//! runtime.
#![no_main]

use std::ffi::OsString;

/// Entered by the C runtime.
// `no_mangle` counts as unsafe; the symbol is the program's only one of that name.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
extern "C" fn main(_count: i32, _words: *const *const std::ffi::c_char) -> i32 {
    run(std::env::args_os().collect())
}

#[cfg(feature = "reference")]
fn run(words: Vec<OsString>) -> i32 {
    if let Some(status) = mailfront::programs::run_as_called(words.clone()) {
        return status;
    }
    i32::from(mailfront_conformance::cli::main(words, Some(built_in::target)))
}

#[cfg(not(feature = "reference"))]
fn run(words: Vec<OsString>) -> i32 {
    i32::from(mailfront_conformance::cli::main(words, None))
}

#[cfg(feature = "reference")]
mod built_in {
    //! The reference as a target: links to this program under the names of the reference's.

    use std::{collections::BTreeMap, io};

    use mailfront_conformance::{sandbox::Workshop, target::Target};

    /// The target `reference`.
    pub fn target(workshop: &Workshop) -> io::Result<Target> {
        let names: Vec<&str> = mailfront::programs::names().collect();
        let bin = workshop.link_programs(&std::env::current_exe()?, &names)?;
        let programs = names.iter().map(|name| ((*name).to_string(), bin.join(name).to_string_lossy().into_owned()));
        let mut programs: BTreeMap<String, String> = programs.collect();
        programs.insert("smtp".into(), "mailfront smtp queuedir accept".into());
        Ok(Target {
            name: "reference".into(),
            title: "the mailfront in this program".into(),
            programs,
            features: mailfront::programs::features().map(str::to_string).collect(),
            modules: None,
            delivery: Some("queuedir".into()),
            known: None,
            pipelining: mailfront_conformance::target::Pipelining::Any,
        })
    }
}
