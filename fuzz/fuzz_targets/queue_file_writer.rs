//! See `mailfront_fuzz::queues::queue_file_writer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mailfront_fuzz::queues::queue_file_writer(input));
