//! What has a say in what is taken: one file each, named as the plugin (BUILTIN-1).

pub mod accept;
pub mod accept_recipient;
pub mod accept_sender;
pub mod add_received;
pub mod check_fqdn;
pub mod clamav;
pub mod counters;
pub mod cvm_authenticate;
pub mod cvm_validate;
pub mod force_file;
pub mod lua;
pub mod mailrules;
pub mod mailrulesx;
pub mod patterns;
pub mod qmail_validate;
pub mod rbl;
pub mod reject;
pub mod relayclient;
pub mod require_auth;
pub mod spamassassin;
pub mod starttls_ucspi;
