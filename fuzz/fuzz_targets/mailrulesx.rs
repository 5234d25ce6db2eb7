//! See `mailfront_fuzz::mailrulesx`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mailfront_fuzz::mailrulesx(input));
