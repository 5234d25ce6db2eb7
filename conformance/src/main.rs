//! The program `mailfront-conformance`.
//!
//! With the feature `reference` it carries the reference inside: started under the name of one of
//! the reference's programs it is that program.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(mailfront_conformance::cli::main(std::env::args_os(), None))
}
