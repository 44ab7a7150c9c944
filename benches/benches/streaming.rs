//! What a sample costs in the streaming detectors, beside the cheapest thing that could be called one: a mean and a
//! deviation that follow, and a division.
//!
//! Hot is one series over and over; cold is one sample for each of many series in turn, as a tick does it, with a
//! state each that no cache holds.
//!
//! Beside it, reference implementations of other streaming detectors in Python, on the same samples, where the
//! interpreter that `BARTIZAN_DETECTORS_PYTHON` names has them (`pip install river rrcf`).

use bartizan_benches::cpu::{as_f64, thread_ns};
use bartizan_benches::report::{Goal, Report, Row};
use bartizan_benches::{is_quick, median};
use bartizan_core::detection::streaming::{Multivariate, Univariate};
use std::hint::black_box;
use std::io::Write as _;
use std::process::{Command, Stdio};

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

/// Nanoseconds a sample of the reference implementations; why not, where they are not to be had.
fn peers() -> Result<Vec<(String, f64)>, String> {
    const SAMPLES: u32 = 1_000;
    let python = std::env::var_os("BARTIZAN_DETECTORS_PYTHON")
        .ok_or("BARTIZAN_DETECTORS_PYTHON names no interpreter")?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tools/compare_detectors.py");
    let mut command = Command::new(python);
    command.args([script, "--cost"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let mut input = child.stdin.take().ok_or("no standard input")?;
    for index in 0..SAMPLES {
        writeln!(input, "{}", sample(index)).map_err(|error| error.to_string())?;
    }
    drop(input);
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!("{script}: {}", output.status));
    }
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let row =
        |line: &str| line.split_once(' ').and_then(|(name, ns)| Some((name.to_owned(), ns.parse().ok()?)));
    lines.lines().map(|line| row(line).ok_or_else(|| format!("not understood: {line}"))).collect()
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
    match peers() {
        Ok(peers) => {
            for (name, ns) in peers {
                push(&format!("{name} in Python"), "hot", ns, Some((ns / hot, "one series")));
            }
        }
        Err(problem) => eprintln!("other detectors were not measured: {problem}"),
    }
    report.finish("streaming");
}
