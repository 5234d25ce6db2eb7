//! Plays a case against a target and observes. Never judges.
//!
//! [`delivery`] says how the client's bytes are cut and when they are sent, [`process`] starts the
//! program and watches it, [`waits`] tells what a process waits for, [`wire`] moves bytes between the two,
//! [`tls`] encrypts them, [`stream`] finds the expected parts
//! in the output, and [`player`] walks through the steps.

pub mod delivery;
pub mod outcome;
pub mod player;
pub mod process;
pub mod stream;
pub mod tls;
mod waits;
pub mod wire;

pub use delivery::Delivery;
pub use outcome::{Exchange, Outcome};
pub use player::play;
