//! What takes a message, one file each.

pub mod echo;
pub mod qmail;
pub mod queuedir;
