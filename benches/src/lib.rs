//! What the benchmarks share: CPU time of a thread or a process, hot and cold rounds, one table of ratios.
//!
//! Everything is CPU time, not wall time: waiting for a core that somebody else uses is not counted. Rounds of the
//! things compared are interleaved, and ratios are medians of neighbouring rounds, so that noise hits all alike.

pub mod chart;
pub mod cpu;
pub mod evaluate;
pub mod faults;
pub mod http;
pub mod peers;
pub mod poisson;
pub mod report;
pub mod tree;

use std::time::Duration;

/// One thing that is measured.
pub struct Variant<'a> {
    /// Its name in the table.
    pub name: String,
    /// One round of it.
    pub run: Box<dyn FnMut() + 'a>,
}

impl<'a> Variant<'a> {
    /// Names a thing.
    pub fn new(name: impl Into<String>, run: impl FnMut() + 'a) -> Self {
        Self { name: name.into(), run: Box::new(run) }
    }
}

/// How rounds follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Back to back, in batches of so many: everything is in the caches.
    Hot {
        /// Calls in one measurement.
        batch: u32,
    },
    /// One call after a pause: others have had the caches meanwhile, as they have between two ticks.
    Cold {
        /// The pause before each call.
        pause: Duration,
    },
}

impl Mode {
    /// The word in the table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hot { .. } => "hot",
            Self::Cold { .. } => "cold",
        }
    }
}

/// CPU time of each round of one variant, in nanoseconds a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Samples {
    /// The variant's name.
    pub name: String,
    /// A figure a round, in the order of the rounds.
    pub ns: Vec<f64>,
}

impl Samples {
    /// The middle one.
    #[must_use]
    pub fn median_ns(&self) -> f64 {
        median(&self.ns)
    }

    /// The median over the rounds of how many times as much this took as the other.
    #[must_use]
    pub fn times(&self, other: &Self) -> f64 {
        let ratios: Vec<f64> = self.ns.iter().zip(&other.ns).map(|(mine, theirs)| mine / theirs).collect();
        median(&ratios)
    }
}

/// The middle one; not a number when there is none.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

/// Measures all variants, so many rounds each, one after the other in every round.
pub fn compare(mode: Mode, rounds: u32, variants: &mut [Variant]) -> Vec<Samples> {
    let mut samples: Vec<Samples> =
        variants.iter().map(|variant| Samples { name: variant.name.clone(), ns: Vec::new() }).collect();
    for round in 0..=rounds {
        for (variant, samples) in variants.iter_mut().zip(&mut samples) {
            let calls = match mode {
                Mode::Hot { batch } => batch,
                Mode::Cold { pause } => {
                    std::thread::sleep(pause);
                    1
                }
            };
            let before = cpu::thread_ns();
            for _ in 0..calls {
                (variant.run)();
            }
            let spent = cpu::thread_ns() - before;
            // The first round warms up whatever is set up on first use.
            if round > 0 {
                samples.ns.push(cpu::as_f64(spent) / f64::from(calls));
            }
        }
    }
    samples
}

/// Whether the environment asks for a short run.
#[must_use]
pub fn is_quick() -> bool {
    std::env::var_os("BARTIZAN_BENCH_QUICK").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_ratios() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
        assert!(median(&[]).is_nan());
        let a = Samples { name: "a".into(), ns: vec![10.0, 30.0, 20.0] };
        let b = Samples { name: "b".into(), ns: vec![5.0, 10.0, 10.0] };
        assert!((a.times(&b) - 2.0).abs() < 1e-9);
    }

    #[test]
    fn every_variant_is_run_as_often_as_asked() {
        let (mut a, mut b) = (0, 0);
        let mut variants = [Variant::new("a", || a += 1), Variant::new("b", || b += 1)];
        let samples = compare(Mode::Hot { batch: 3 }, 4, &mut variants);
        assert_eq!(samples.iter().map(|samples| samples.ns.len()).collect::<Vec<_>>(), [4, 4]);
        drop(variants);
        assert_eq!((a, b), (15, 15));
    }
}
