//! `pop3front-auth`: authenticates a POP3 client and becomes another program (POPAUTH-ARG-1).
#![no_main]

mailfront::program!("pop3front-auth");
