//! See `mailfront_fuzz::content::size`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mailfront_fuzz::content::size(input));
