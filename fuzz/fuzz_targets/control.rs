//! See `mailfront_fuzz::queues::control`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mailfront_fuzz::queues::control(input));
