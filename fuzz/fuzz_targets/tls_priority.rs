//! See `mailfront_fuzz::tls_priority`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mailfront_fuzz::tls_priority(input));
