//! See `mailfront_fuzz::credentials::base64`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mailfront_fuzz::credentials::base64(input));
