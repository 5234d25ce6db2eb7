//! A mailfront: one driver loads a protocol, a backend and a list of plugins by name and serves one
//! connection on standard input and output.
#![deny(unsafe_op_in_unsafe_fn)]

pub mod backends;
pub mod chain;
pub mod check;
pub mod connection;
pub mod driver;
pub mod log;
pub mod modules;
pub mod plugin;
pub mod plugin_list;
pub mod plugins;
pub mod process;
pub mod programs;
pub mod protocol;
pub mod response;
pub mod scratch;
pub mod session;
pub mod wire;
