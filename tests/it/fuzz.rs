//! The short runs of the fuzz targets, without a nightly compiler: every seed, and seeded mutations of each.

use std::path::{Path, PathBuf};

use crate::fuzz_entries::{ALL, Entry};

/// Mutations of each seed.
const MUTATIONS: usize = 400;
/// Runs of bytes that are random altogether.
const RANDOM_RUNS: usize = 300;

#[test]
fn no_bytes_make_a_decoder_fail() {
    // Whose bytes they were, a panic tells by the thread's name.
    std::thread::scope(|threads| {
        for (name, entry) in ALL {
            let thread = std::thread::Builder::new().name(name.to_owned());
            thread.spawn_scoped(threads, move || run(name, entry)).unwrap();
        }
    });
}

fn run(name: &str, entry: Entry) {
    let mut random = fastrand::Rng::with_seed(7);
    let seeds = seeds(name);
    assert!(2 < seeds.len(), "{name} has no seeds");
    entry(&[]);
    for seed in &seeds {
        entry(seed);
        for _ in 0..MUTATIONS {
            entry(&mutated(seed, &seeds, &mut random));
        }
    }
    for _ in 0..RANDOM_RUNS {
        let length = random.usize(..700);
        entry(&(0..length).map(|_| likely_byte(&mut random)).collect::<Vec<_>>());
    }
}

#[test]
fn every_entry_has_its_target() {
    let manifest = std::fs::read_to_string(folder().join("Cargo.toml")).unwrap();
    for (name, _) in ALL {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
        let target = std::fs::read_to_string(folder().join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(target.contains(&format!("entries::{name}(bytes)")), "{name}");
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let folder = folder().join("seeds").join(name);
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|file| std::fs::read(file).unwrap()).collect()
}

/// A few of the things that a fuzzer does.
fn mutated(seed: &[u8], seeds: &[Vec<u8>], random: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..random.usize(1..6) {
        let at = random.usize(..=bytes.len());
        let other = &seeds[random.usize(..seeds.len())];
        match random.u8(..8) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.u32(..8),
            1 if at < bytes.len() => bytes[at] = likely_byte(random),
            2 => bytes.insert(at, likely_byte(random)),
            3 => bytes.truncate(at),
            4 if at < bytes.len() => drop(bytes.drain(at..(at + random.usize(1..9)).min(bytes.len()))),
            // In a text most bytes that are none of its own end it early.
            5 | 6 if !other.is_empty() => {
                let from = random.usize(..other.len());
                let piece = &other[from..(from + random.usize(1..24)).min(other.len())];
                let until = if random.bool() { (at + piece.len()).min(bytes.len()) } else { at };
                bytes.splice(at..until, piece.iter().copied());
            }
            _ => drop(bytes.splice(at..at, other.iter().copied())),
        }
    }
    bytes
}

/// Any byte, those of headers more often.
fn likely_byte(random: &mut fastrand::Rng) -> u8 {
    match random.u8(..6) {
        0 | 1 => 0xFF,
        2 => 0xFD,
        3 => random.u8(..8),
        _ => random.u8(..),
    }
}
