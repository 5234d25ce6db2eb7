//! Who a client is: modules that know are asked, by the CVM protocol; clients say it by SASL.
//!
//! - [`modules`]: a list of credential modules and the question put to them, one after the other.
//!   [`transport`] is how each kind is reached: a command, a local socket, UDP.
//! - [`identity`]: an account as a module that accepted it describes it, and its variables.
//! - [`user`]: what a client calls itself, split into account and domain.
//! - [`password`]: a password that comes without a dialogue.
//! - [`sasl`]: the mechanisms and the dialogue with the client, the same in SMTP, POP3 and IMAP.
//! - [`attempts`]: how often a client may fail.
//! - [`check`]: what can be said of all this before anybody comes.

pub mod attempts;
pub mod check;
pub mod identity;
pub mod modules;
pub mod password;
pub mod sasl;
pub mod transport;
pub mod user;
