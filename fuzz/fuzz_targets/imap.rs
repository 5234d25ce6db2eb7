//! See `mailfront_fuzz::imap`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mailfront_fuzz::imap(input));
