//! See `mailfront_fuzz::queues::envelope`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mailfront_fuzz::queues::envelope(input));
