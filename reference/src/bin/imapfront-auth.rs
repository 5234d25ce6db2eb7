//! `imapfront-auth`: authenticates an IMAP client and becomes another program (IMAP-ARG-1).
#![no_main]

mailfront::program!("imapfront-auth");
