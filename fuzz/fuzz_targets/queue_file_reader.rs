//! See `mailfront_fuzz::queues::queue_file_reader`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mailfront_fuzz::queues::queue_file_reader(input));
