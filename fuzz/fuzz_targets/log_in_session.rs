//! See `mailfront_fuzz::log_in_session`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mailfront_fuzz::log_in_session(input));
