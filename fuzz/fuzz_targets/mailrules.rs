//! See `mailfront_fuzz::mailrules`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mailfront_fuzz::mailrules(input));
