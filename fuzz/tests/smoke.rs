//! A bounded, deterministic run of every fuzz target: seeds, mutated seeds and noise.

use bartizan_fuzz::TARGETS;
use std::path::Path;

/// Inputs per target. `BARTIZAN_FUZZ_RUNS` sets another number.
const RUNS: usize = 3_000;
const LENGTH_MAX: usize = 4_096;

/// `xorshift64*`: the same inputs on every machine.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % (bound.max(1) as u64)).unwrap_or(0)
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[3]
    }
}

/// Files in `seeds/<target>/`.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths.into_iter().filter_map(|path| std::fs::read(path).ok()).collect()
}

fn mutated(seed: &[u8], noise: &mut Noise) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=noise.below(8) {
        let at = noise.below(bytes.len());
        match noise.below(6) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << noise.below(8),
            1 if !bytes.is_empty() => bytes[at] = noise.byte(),
            2 => bytes.truncate(at),
            3 => bytes.insert(at.min(bytes.len()), noise.byte()),
            4 if !bytes.is_empty() => {
                bytes.remove(at);
            }
            _ => {
                let end = (at + noise.below(64)).min(bytes.len());
                let copy = bytes[at.min(end)..end].to_vec();
                bytes.extend_from_slice(&copy);
            }
        }
    }
    bytes.truncate(LENGTH_MAX.max(seed.len()));
    bytes
}

#[test]
fn every_target_survives_seeds_mutations_and_noise() {
    let runs = std::env::var("BARTIZAN_FUZZ_RUNS").ok().and_then(|n| n.parse().ok()).unwrap_or(RUNS);
    for (name, target) in TARGETS {
        let mut noise = Noise(0x9E37_79B9_7F4A_7C15);
        let seeds = seeds(name);
        for seed in &seeds {
            target(seed);
        }
        for run in 0..runs {
            let input = if seeds.is_empty() || run % 4 == 0 {
                let length = noise.below(LENGTH_MAX);
                (0..length).map(|_| noise.byte()).collect()
            } else {
                mutated(&seeds[noise.below(seeds.len())], &mut noise)
            };
            target(&input);
        }
        println!("{name}: {} seeds, {runs} inputs", seeds.len());
    }
}
