//! See `mailfront_fuzz::content::patterns`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mailfront_fuzz::content::patterns(input));
