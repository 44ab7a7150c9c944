//! What may change a verdict, and what must not.

use super::{Univariate, Verdict};
use proptest::prelude::*;

const STEP_NS: u64 = 300_000_000_000;
const START_NS: u64 = 1_700_000_000_000_000_000;

fn noise(index: u32) -> f64 {
    f64::from(index.wrapping_mul(2_654_435_761) >> 16) / 65_536.0 - 0.5
}

/// A day's rise and fall with noise: multiples of 1/16, so that shifts and powers of two are exact.
fn daily(index: u32) -> f64 {
    let hour = f64::from(index % 288) / 12.0;
    ((40.0 + 10.0 * (hour - 12.0).abs() + 8.0 * noise(index)) * 16.0).round() / 16.0
}

fn time(index: u32) -> u64 {
    START_NS + u64::from(index) * STEP_NS
}

fn run(values: impl IntoIterator<Item = f64>) -> Vec<Verdict> {
    let mut detector = Univariate::new();
    values.into_iter().zip(0..).map(|(value, index)| detector.observe(time(index), value)).collect()
}

fn alarms(verdicts: &[Verdict]) -> Vec<usize> {
    (0..verdicts.len()).filter(|index| verdicts[*index].is_alarm()).collect()
}

/// Two weeks of the usual, then something else.
fn with_fault(fault: impl Fn(u32, f64) -> f64) -> Vec<Verdict> {
    run((0..4_600).map(|index| if index < 4_032 { daily(index) } else { fault(index, daily(index)) }))
}

#[test]
fn faults_of_every_kind_are_seen_soon() {
    type Fault = fn(u32, f64) -> f64;
    let faults: [(&str, Fault); 5] = [
        ("a step", |_, usual| usual + 150.0),
        ("a fall", |_, usual| usual - 150.0),
        ("noise", |index, usual| usual + 300.0 * noise(index ^ 0x5555)),
        ("a standstill", |_, _| 77.0),
        ("another day's shape", |index, _| daily(index + 144)),
    ];
    for (name, fault) in faults {
        let found = alarms(&with_fault(fault)).into_iter().find(|index| *index >= 4_032);
        assert!(found.is_some_and(|index| index < 4_032 + 200), "{name}: {found:?}");
    }
}

#[test]
fn the_usual_is_quiet() {
    let usual = alarms(&with_fault(|_, usual| usual));
    assert!(usual.iter().filter(|index| **index > 1_500).count() <= 3, "{usual:?}");
}

#[test]
fn the_expected_range_holds_what_comes_and_since_tells_when_it_began() {
    let verdicts = with_fault(|_, usual| usual + 150.0);
    let held = (2_000..4_032u32).filter(|index| {
        let (low, high) = verdicts[*index as usize].expected;
        (low..=high).contains(&daily(*index))
    });
    assert!(held.count() > 1_800);
    let alarm = alarms(&verdicts).into_iter().find(|index| *index >= 4_032).expect("an alarm");
    let since_ns = verdicts[alarm].since_ns.expect("it has begun");
    assert!((time(4_000)..=time(4_060)).contains(&since_ns), "{}", (since_ns - START_NS) / STEP_NS);
    assert!(verdicts[alarm].tail_probability < 0.01);
}

#[test]
fn its_size() {
    assert!(size_of::<Univariate>() <= 784, "{} bytes", size_of::<Univariate>());
}

#[test]
fn what_is_no_number_leaves_no_trace() {
    let plain = run((0..3_000).map(daily));
    let mut detector = Univariate::new();
    for (index, expected) in (0..3_000).zip(&plain) {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(!detector.observe(time(index), value).is_alarm());
        }
        assert_eq!(detector.observe(time(index), daily(index)), *expected);
    }
}

fn any_value() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => -1e3f64..1e3,
        1 => any::<f64>(),
        1 => prop::sample::select(vec![0.0, f64::MAX, f64::MIN, f64::NAN, f64::INFINITY, f64::MIN_POSITIVE, -0.0]),
    ]
}

fn wild_value() -> impl Strategy<Value = f64> {
    prop_oneof![
        -1e6f64..1e6,
        prop::sample::select(vec![0.0, 1e6, f64::NAN, f64::INFINITY, f64::NEG_INFINITY])
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever comes, whenever: verdicts stay in their ranges.
    #[test]
    fn nothing_panics(samples in prop::collection::vec((any::<u64>(), any_value()), 0..400)) {
        let mut detector = Univariate::new();
        for (time_ns, value) in samples {
            let verdict = detector.observe(time_ns, value);
            prop_assert!((0.0..=1.0).contains(&verdict.score), "{verdict:?}");
            prop_assert!(verdict.tail_probability > 0.0 && verdict.tail_probability <= 1.0);
            prop_assert!(verdict.expected.0 <= verdict.expected.1, "{verdict:?}");
        }
    }

    /// Powers of two scale without rounding: every score is the same, to the bit.
    #[test]
    fn scaling_changes_no_score(power in -20i32..20, seed in 0u32..1_000_000) {
        let scale = 2f64.powi(power);
        let series = |index: u32| if index == 1_800 { 900.0 } else { daily(index ^ seed) };
        let plain = run((0..2_500).map(series));
        let scaled = run((0..2_500).map(|index| series(index) * scale));
        for (plain, scaled) in plain.iter().zip(&scaled) {
            prop_assert_eq!(plain.score.to_bits(), scaled.score.to_bits());
            prop_assert_eq!(plain.tail_probability.to_bits(), scaled.tail_probability.to_bits());
        }
    }

    /// A shift only changes roundings.
    #[test]
    fn shifting_changes_no_alarm(shift in -1_000i32..1_000) {
        let series = |index: u32| if index == 1_800 { 900.0 } else { daily(index) };
        let plain = run((0..2_500).map(series));
        let shifted = run((0..2_500).map(|index| series(index) + f64::from(shift)));
        prop_assert_eq!(alarms(&plain), alarms(&shifted));
    }

    /// The state is all there is: a copy goes on as the original does.
    #[test]
    fn a_copy_goes_on_alike(cut in 1u32..3_000) {
        let mut detector = Univariate::new();
        (0..cut).for_each(|index| {
            detector.observe(time(index), daily(index));
        });
        let mut copy = detector;
        for index in cut..cut + 200 {
            prop_assert_eq!(detector.observe(time(index), daily(index)), copy.observe(time(index), daily(index)));
        }
    }

    /// Gaps, repeated stamps and clocks set back do not alarm by themselves.
    #[test]
    fn a_jump_of_the_clock_is_no_anomaly(jump in -7i64..7) {
        let level = |index: u32| 50.0 + 4.0 * noise(index);
        let mut detector = Univariate::new();
        let mut raised = 0;
        for index in 0..3_000 {
            let moved = if index >= 2_000 { jump * 86_400_000_000_000 } else { 0 };
            let verdict = detector.observe(time(index).saturating_add_signed(moved), level(index));
            raised += u32::from((2_000..2_050).contains(&index) && verdict.is_alarm());
        }
        prop_assert_eq!(raised, 0);
    }
}

proptest! {
    // Many samples each.
    #![proptest_config(ProptestConfig::with_cases(8))]

    /// After any beginning, with any stamps, the usual is learnt all the same.
    #[test]
    fn nothing_poisons(samples in prop::collection::vec((any::<u64>(), wild_value()), 0..400)) {
        let mut detector = Univariate::new();
        for (time_ns, value) in samples {
            detector.observe(time_ns, value);
        }
        for index in 0..20_000 {
            let verdict = detector.observe(time(index), daily(index));
            prop_assert!(verdict.score.is_finite() && verdict.expected.0.is_finite());
        }
        let (low, high) = detector.observe(time(20_000), daily(20_000)).expected;
        prop_assert!(low > -2_000.0 && high < 2_000.0, "{low} {high}");
    }
}
