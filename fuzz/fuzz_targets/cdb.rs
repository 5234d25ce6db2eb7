//! See `mailfront_fuzz::cdb`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mailfront_fuzz::cdb(input));
