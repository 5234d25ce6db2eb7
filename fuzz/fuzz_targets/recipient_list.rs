//! See `mailfront_fuzz::recipient_list`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mailfront_fuzz::recipient_list(input));
