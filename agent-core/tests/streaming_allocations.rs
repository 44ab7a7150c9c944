//! The streaming detectors allocate nothing and free nothing once they are made.

use bartizan_core::detection::streaming::{Multivariate, Univariate};
use bartizan_testkit::alloc::{CountingAllocator, count};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const STEP_NS: u64 = 300_000_000_000;

fn sample(index: u32) -> f64 {
    let noise = f64::from(index.wrapping_mul(2_654_435_761) >> 16) / 65_536.0;
    if index % 1_000 < 20 { 900.0 * noise } else { 10.0 + noise }
}

#[test]
fn no_sample_allocates() {
    let mut detector = Univariate::new();
    let (alarms, counts) = count(|| {
        let verdicts =
            (0..20_000u32).map(|index| detector.observe(u64::from(index) * STEP_NS, sample(index)));
        verdicts.filter(bartizan_core::detection::streaming::Verdict::is_alarm).count()
    });
    assert!(alarms > 0, "nothing was found");
    assert!(counts.is_zero(), "{counts:?}");
}

#[test]
fn no_row_allocates() {
    let mut detector = Multivariate::new(&[1.0; 38]);
    let (scores, counts) = count(|| {
        let row = |index: u32| -> [f64; 38] {
            std::array::from_fn(|channel| sample(index) * if channel == 3 { 2.0 } else { 1.0 })
        };
        (0..5_000u32)
            .map(|index| detector.observe(u64::from(index) * STEP_NS, &row(index)).score)
            .fold(0.0, f32::max)
    });
    assert!(scores > 0.0);
    assert!(counts.is_zero(), "{counts:?}");
}
