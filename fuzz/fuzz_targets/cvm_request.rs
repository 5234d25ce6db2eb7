//! See `mailfront_fuzz::credentials::cvm_request`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mailfront_fuzz::credentials::cvm_request(input));
