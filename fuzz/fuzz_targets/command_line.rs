//! See `mailfront_fuzz::command_line`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mailfront_fuzz::command_line(input));
