//! A mailfront: one driver loads a protocol, a backend and a list of plugins by name and serves one
//! connection on standard input and output.
#![forbid(unsafe_op_in_unsafe_fn)]

pub mod plugin;
pub mod response;
