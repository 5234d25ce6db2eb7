//! `pop3front-maildir`: serves a maildir by POP3 (MAILDIR-ARG-1).
#![no_main]

mailfront::program!("pop3front-maildir");
