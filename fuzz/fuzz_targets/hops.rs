//! See `mailfront_fuzz::content::hops`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mailfront_fuzz::content::hops(input));
