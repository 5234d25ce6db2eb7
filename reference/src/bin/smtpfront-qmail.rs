//! `smtpfront-qmail`: `mailfront` with fixed leading words (WRAP-1).
#![no_main]

mailfront::program!("smtpfront-qmail");
