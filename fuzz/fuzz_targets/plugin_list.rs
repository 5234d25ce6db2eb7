//! See `mailfront_fuzz::plugin_list`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mailfront_fuzz::plugin_list(input));
