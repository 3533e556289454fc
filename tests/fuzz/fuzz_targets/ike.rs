#![no_main]
// The laws are in `terrier_wire::fuzzing`; `tests/fuzz_bodies.rs` checks them for real payloads on a stable compiler.
libfuzzer_sys::fuzz_target!(|data: &[u8]| terrier_wire::fuzzing::ike(data));
