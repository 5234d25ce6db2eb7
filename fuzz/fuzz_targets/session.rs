//! See `mailfront_fuzz::netstrings::session`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mailfront_fuzz::netstrings::session(input));
