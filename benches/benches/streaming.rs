//! What a sample costs in the streaming detectors, beside the cheapest thing that could be called one: a mean and a
//! deviation that follow, and a division.
//!
//! Hot is one series over and over; cold is one sample for each of many series in turn, as a tick does it, with a
//! state each that no cache holds.

use bartizan_benches::cpu::{as_f64, thread_ns};
use bartizan_benches::report::{Goal, Report, Row};
use bartizan_benches::{is_quick, median};
use bartizan_core::detection::streaming::{Multivariate, Univariate};
use std::hint::black_box;

const STEP_NS: u64 = 300_000_000_000;
const SERIES: usize = 40_000;
const CHANNELS: usize = 38;

fn sample(index: u32) -> f64 {
    f64::from(index % 288).mul_add(0.1, f64::from(index.wrapping_mul(2_654_435_761) >> 16) / 65_536.0)
}

#[derive(Clone, Copy, Default)]
struct Simplest {
    mean: f64,
    deviation: f64,
}

impl Simplest {
    fn observe(&mut self, value: f64) -> f64 {
        let offset = value - self.mean;
        let score = offset.abs() / self.deviation.max(1e-9);
        self.mean += 0.01 * offset;
        self.deviation += 0.01 * (offset.abs() - self.deviation);
        score
    }
}

/// Median CPU time of one of `calls`, in nanoseconds.
fn measure(rounds: usize, calls: u32, mut call: impl FnMut(u32)) -> f64 {
    let mut next = 0;
    let samples: Vec<f64> = (0..rounds)
        .map(|_| {
            let before = thread_ns();
            for _ in 0..calls {
                call(next);
                next += 1;
            }
            as_f64(thread_ns() - before) / f64::from(calls)
        })
        .collect();
    median(&samples)
}

fn main() {
    let rounds = if is_quick() { 20 } else { 100 };
    let mut report = Report::new("Streaming detectors: CPU time of a sample");
    let mut push = |name: &str, mode: &str, value: f64, ratio: Option<(f64, &'static str)>| {
        let (name, mode, unit) = (name.into(), mode.into(), "ns");
        report.push(Row { name, mode, value, unit, ratio, goal: Goal::None });
    };

    let mut simplest = Simplest::default();
    let floor = measure(rounds, 10_000, |index| {
        black_box(simplest.observe(black_box(sample(index))));
    });
    push("mean and deviation", "hot", floor, None);

    let mut detector = Univariate::new();
    let hot = measure(rounds, 10_000, |index| {
        black_box(detector.observe(u64::from(index) * STEP_NS, black_box(sample(index))));
    });
    push("one series", "hot", hot, Some((hot / floor, "mean and deviation")));

    let mut many = vec![Univariate::new(); SERIES];
    let tick = |many: &mut [Univariate], time_ns: u64, value: f64| {
        for detector in many {
            black_box(detector.observe(time_ns, value));
        }
    };
    (0..50).for_each(|index| tick(&mut many, u64::from(index) * STEP_NS, sample(index)));
    let series = f64::from(u32::try_from(SERIES).expect("fits"));
    let cold = measure(rounds.min(20), 1, |index| {
        let index = index + 50;
        tick(&mut many, u64::from(index) * STEP_NS, sample(index));
    }) / series;
    push("40,000 series, a sample each", "cold", cold, Some((cold / floor, "mean and deviation")));

    let mut machine = Multivariate::new(&[1.0; CHANNELS]);
    let row = measure(rounds, 1_000, |index| {
        let load = sample(index);
        let values: [f64; CHANNELS] =
            std::array::from_fn(|channel| load + sample(index ^ u32::try_from(channel).unwrap_or(0)));
        black_box(machine.observe(u64::from(index) * STEP_NS, black_box(&values)));
    });
    let channels = f64::from(u32::try_from(CHANNELS).expect("fits"));
    push("a row of 38 channels, a channel", "hot", row / channels, None);
    report.finish("streaming");
}
