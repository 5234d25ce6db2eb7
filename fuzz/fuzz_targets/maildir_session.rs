//! See `mailfront_fuzz::maildir_session`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mailfront_fuzz::maildir_session(input));
