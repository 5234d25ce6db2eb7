//! See `mailfront_fuzz::glob`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mailfront_fuzz::glob(input));
