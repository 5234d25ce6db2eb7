//! One case: what is set up, said, expected and left behind.
//!
//! [`model`] is the case as data, [`text`] its byte texts and patterns, [`tls`] the words of a handshake,
//! [`netstring`] the netstrings in them, [`front`] the TOML head, [`service`] what a program that the target
//! talks to does, [`dns`] what a name server answers, [`parser`]
//! (with `scanner` for the texts) and [`printer`] the file format of `docs/guide/transcripts.md`, [`script`] the steps
//! in playing order.

pub mod dns;
pub mod front;
pub mod model;
pub mod netstring;
pub mod parser;
pub mod printer;
#[cfg(test)]
mod roundtrip;
mod scanner;
pub mod script;
pub mod service;
pub mod text;
pub mod tls;

pub use front::Front;
pub use model::{Act, Case, Choice, Expectation, Fact, Item, Step};
pub use parser::{ParseError, parse};
pub use printer::print;
