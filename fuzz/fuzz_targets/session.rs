//! See `mailfront_fuzz::session`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mailfront_fuzz::session(input));
