//! See `mailfront_fuzz::transcript`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mailfront_fuzz::transcript(input));
