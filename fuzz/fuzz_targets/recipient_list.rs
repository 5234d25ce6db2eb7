//! See `mailfront_fuzz::netstrings::recipient_list`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mailfront_fuzz::netstrings::recipient_list(input));
