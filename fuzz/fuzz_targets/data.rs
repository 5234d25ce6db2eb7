//! See `mailfront_fuzz::data`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mailfront_fuzz::data(input));
