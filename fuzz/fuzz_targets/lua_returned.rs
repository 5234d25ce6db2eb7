//! See `mailfront_fuzz::services::lua_returned`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mailfront_fuzz::services::lua_returned(input));
