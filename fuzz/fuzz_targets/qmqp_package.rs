//! See `mailfront_fuzz::qmqp_package`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mailfront_fuzz::qmqp_package(input));
