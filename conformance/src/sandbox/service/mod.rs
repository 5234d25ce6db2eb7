//! The services of a case: servers that run beside the play, and programs that the target starts.
//!
//! [`dialogue`] walks through the script of one connection, datagram or call and does no input or
//! output itself; [`servers`] does it for sockets, within the play's own loop; [`stub`] is the program.
//! [`call`] is what is kept of one call, [`cvm`] reads the requests of credential validation clients,
//! [`dns`] answers questions about names.

pub mod call;
pub mod cvm;
pub mod dialogue;
mod dns;
pub mod servers;
pub mod stub;

pub use call::{Call, Calls};
pub use servers::Servers;
