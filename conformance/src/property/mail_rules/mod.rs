//! The property of mail rules: whatever a rules file says, each sender and recipient is answered as the
//! model says (RULES-SEL, RULES-AND, RULES-EVAL, RULES-LIST, RULES-NEG).
//!
//! [`rules`] makes up rules files and addresses, [`model`] says what the answers are, and
//! [`transcript`] writes the case in which a target shows it. [`globs`] does the same for single
//! patterns over many addresses.

pub mod globs;
pub mod model;
pub mod rules;
mod transcript;

pub use rules::{Input, Words};

#[cfg(test)]
mod tests;
