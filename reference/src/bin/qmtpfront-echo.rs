//! `qmtpfront-echo`: `mailfront` with fixed leading words (WRAP-1).
#![no_main]

mailfront::program!("qmtpfront-echo");
