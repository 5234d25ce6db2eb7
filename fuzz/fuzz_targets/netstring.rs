//! See `mailfront_fuzz::netstring`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mailfront_fuzz::netstring(input));
