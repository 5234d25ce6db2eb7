//! Pure codecs: bytes in, values or errors out. No input or output, no session, no panic.
//!
//! [`text`] makes foreign bytes fit for a line of ours. Logs, replies and the stored HELO name each
//! have their own idea of a harmless byte; whatever is not becomes `?`.
//!
//! [`command`] splits a command line into verb and argument, and knows which bytes an argument must
//! not have. Taking the line end off is the connection's work, since it also decides how long a line
//! may be.

pub mod command;
pub mod text;
