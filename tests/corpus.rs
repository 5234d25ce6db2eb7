//! The bodies of the fuzz targets hold for every seed and for everything a campaign has kept.
#![allow(clippy::expect_used, reason = "a test that cannot be set up fails with the reason")]

use std::fs;

use mailfront_conformance::cases::Cases;
use mailfront_fuzz::{BODIES, seeds};
use mailfront_tests::{repository, transcripts};

#[test]
fn bodies_hold_for_seeds_and_corpora() {
    let cases = Cases::below(&transcripts()).expect("the transcripts");
    for (target, body) in BODIES {
        let seeds = seeds::of(target, &cases);
        assert!(!seeds.is_empty(), "{target} has no seeds");
        seeds.iter().for_each(|seed| body(seed));
        for kept in ["finds", "corpus"] {
            let Ok(folder) = fs::read_dir(repository().join("fuzz").join(kept).join(target)) else {
                continue;
            };
            for entry in folder {
                body(&fs::read(entry.expect("an entry").path()).expect("a file"));
            }
        }
    }
}

/// Pseudo-random bytes: a fixed sequence, so that a failure is repeatable.
fn noise(seed: u64) -> impl Iterator<Item = u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    std::iter::from_fn(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        Some(state.to_le_bytes()[3])
    })
}

#[test]
fn bodies_hold_for_noise() {
    let alphabet = b"\r\n.:<>\"\\@ -+*\0ab\t$~{}";
    for (target, body) in BODIES {
        for seed in 0..2000u64 {
            let length = usize::try_from(seed % 61).expect("small");
            let letters = noise(seed).map(|b| alphabet[usize::from(b) % alphabet.len()]);
            let input: Vec<u8> = if seed % 3 == 0 {
                noise(seed).take(length).collect()
            } else {
                letters.take(length).collect()
            };
            let outcome = std::panic::catch_unwind(|| body(&input));
            assert!(outcome.is_ok(), "{target}: {}", input.escape_ascii());
        }
    }
}
