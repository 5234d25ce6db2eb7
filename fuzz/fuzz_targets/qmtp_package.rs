//! See `mailfront_fuzz::netstrings::qmtp_package`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mailfront_fuzz::netstrings::qmtp_package(input));
