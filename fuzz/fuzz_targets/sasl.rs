//! See `mailfront_fuzz::credentials::sasl`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mailfront_fuzz::credentials::sasl(input));
