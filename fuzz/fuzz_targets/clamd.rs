//! See `mailfront_fuzz::services::clamd`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mailfront_fuzz::services::clamd(input));
