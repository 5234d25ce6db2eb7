//! See `mailfront_fuzz::address`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mailfront_fuzz::address(input));
