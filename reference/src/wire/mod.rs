//! Pure codecs: bytes in, values or errors out. No input or output, no session, no panic.
//!
//! [`text`] makes foreign bytes fit for a line of ours. Logs, replies and the stored HELO name each
//! have their own idea of a harmless byte; whatever is not becomes `?`.
//!
//! [`number`] reads the numbers of variables: strictly, or as far as there are digits.
//!
//! [`command`] splits a command line into verb and argument, and knows which bytes an argument must
//! not have. Taking the line end off is the connection's work, since it also decides how long a line
//! may be.
//!
//! [`address`] reads the argument of MAIL and RCPT: it finds the address, takes its quoting and its
//! source route off, and keeps the parameters for the plugins. It is the only address parser, so that
//! policy and backend cannot disagree about an envelope.
//!
//! [`data`] decodes message data piece by piece: it finds the end mark, removes stuffed dots, makes
//! line ends LF, and tells a message whose end two mail systems could see differently.
//!
//! [`netstring`] reads declared lengths and believes none of them before it is checked. [`qmtp`] decodes
//! what QMTP puts into netstrings: a message in one of two line encodings, and a list of recipients.
//!
//! [`glob`] matches the patterns of rule and pattern files, in time linear in the text.
//!
//! [`cdb`] looks a key up in a constant database and believes no offset in it.
//!
//! [`base64`] is the text form of SASL, and takes no other text for it. [`cvm`] builds the requests that
//! credential modules get and reads what they tell of an account.
//!
//! [`clamd`] and [`spamd`] read what scanners answer and believe no half of it. [`dns`] says which packet
//! answers which question, and how lists name an address.
//!
//! [`patterns`] reads a file of patterns and scans messages for them, piece by piece.
//!
//! [`hops`] counts how often a message was received, [`size`] reads how large a client says it is; [`date`] writes the date of a trace header.
//!
//! [`mailrules`] and [`mailrulesx`] read rules files. [`rule_text`] has what their formats share: lines, escapes, names of
//! lists. [`text_list`] is the other kind of list.
//! [`control`] reads qmail's control files: one entry a line.
//!
//! [`envelope`] writes what qmail-queue reads behind the message, and takes no address that would be two.
//!
//! [`pop3`] splits command lines as POP3 does, reads their numbers, and turns a stored message into what
//! a client is sent. [`maildir_name`] knows what the name of a message's file says. [`imap`] reads commands
//! of several lines, literals among them.

pub mod address;
pub mod base64;
pub mod cdb;
pub mod clamd;
pub mod command;
pub mod control;
pub mod cvm;
pub mod data;
pub mod date;
pub mod dns;
pub mod envelope;
pub mod glob;
pub mod hops;
pub mod imap;
pub mod maildir_name;
pub mod mailrules;
pub mod mailrulesx;
pub mod netstring;
pub mod number;
pub mod patterns;
pub mod pop3;
pub mod qmtp;
pub mod rule_text;
pub mod size;
pub mod spamd;
pub mod text;
pub mod text_list;
