//! See `mailfront_fuzz::services::spamd`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mailfront_fuzz::services::spamd(input));
