//! See `mailfront_fuzz::netstrings::qmqp_package`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mailfront_fuzz::netstrings::qmqp_package(input));
