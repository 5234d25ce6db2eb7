//! The driver itself: `mailfront PROTOCOL BACKEND [LIST ...]`.
#![no_main]

mailfront::program!("mailfront");
