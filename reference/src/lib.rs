//! A mailfront: one driver loads a protocol, a backend and a list of plugins by name and serves one
//! client on standard input and output, then exits.
//!
//! The contract is `docs/spec/`; ids such as `SMTP-DATA-14` name its clauses. In reading order:
//!
//! - [`response`]: what a hook answers and a client is told: a number, a text, and how they are sent.
//! - [`session`]: what the modules of one connection share: variables, numbers, strings.
//! - [`connection`]: standard input and output: bytes, lines, time limits, counts. [`tls`] is what
//!   encrypts them. [`log`] is standard error. [`wait`] is how anything is waited for.
//! - [`plugin`]: what a module can do: the hooks of its events and commands of its own.
//! - [`plugin_list`]: the language in which plugins are listed: `name`, `+name`, `-name`, `-*`.
//! - [`modules`]: a name becomes a module: one built in, else a shared object, which [`abi`] loads.
//! - [`chain`]: one event after another runs over plugins and backend until somebody decides.
//!   [`scratch`] is the temporary file some of them need, [`unnamed`] how a file is in no directory.
//! - [`wire`]: pure codecs: command lines, addresses, netstrings, message data.
//! - [`protocol`]: what reads the client's bytes and runs the events they ask for; SMTP, QMTP, QMQP.
//! - [`credentials`]: who a client is: credential modules, and SASL, by which clients say it.
//! - [`service`] and [`resolver`]: scanners and name servers, which may be slow, wrong or gone.
//! - [`plugins`] and [`backends`]: the modules built in, one file each. [`qmail_home`] is the directory that
//!   two of them work in, [`lists`] are the files of addresses that mail rules name.
//! - [`pop3`] and [`imap`]: the programs for those who fetch mail. Two of them ask who somebody is and
//!   become another program, as [`second_stage`] does it; the third serves a maildir. [`time_limits`] is how
//!   long they wait.
//! - [`driver`]: one session from arguments to exit status. [`check`] does as much of it as can be done
//!   without a client.
//! - [`programs`]: the programs by name; [`process`] is what they all do first. [`mathematics`] spares them a
//!   library.
#![deny(unsafe_op_in_unsafe_fn)]

pub mod abi;
pub mod backends;
pub mod chain;
pub mod check;
pub mod connection;
pub mod credentials;
pub mod driver;
pub mod imap;
pub mod lists;
pub mod log;
mod mathematics;
pub mod modules;
pub mod plugin;
pub mod plugin_list;
pub mod plugins;
pub mod pop3;
pub mod process;
pub mod programs;
pub mod protocol;
pub mod qmail_home;
pub mod resolver;
pub mod response;
pub mod scratch;
pub mod second_stage;
pub mod service;
pub mod session;
pub mod time_limits;
pub mod tls;
mod unnamed;
pub mod wait;
pub mod wire;
