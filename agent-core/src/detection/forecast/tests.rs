use super::{Exhaustion, Forecast, Outlook, Prediction, Progress, Record};
use proptest::prelude::*;

const SECOND_NS: u64 = 1_000_000_000;
const WINDOW_NS: u64 = 160 * SECOND_NS;
const HORIZON_NS: u64 = 3_600 * SECOND_NS;

fn noise(index: u64) -> f64 {
    f64::from(u32::try_from(index % 100_000).expect("fits").wrapping_mul(2_654_435_761) >> 16) / 65_536.0
        - 0.5
}

fn float(number: u64) -> f64 {
    f64::from(u32::try_from(number).expect("fits"))
}

fn last(values: impl Fn(u64) -> f64, limit: f64, samples: u64) -> Option<Forecast> {
    let mut trend = Exhaustion::default();
    let by = Outlook::new(WINDOW_NS, HORIZON_NS);
    (0..samples).fold(None, |_, second| trend.observe(second * SECOND_NS, values(second), limit, by))
}

#[test]
fn a_leak_is_told_with_the_time_that_is_left() {
    // Full at 1,000: after 2,000 seconds.
    let forecast = last(|second| float(second) * 0.5 + noise(second), 1_000.0, 600).expect("a trend");
    assert!((forecast.earliest_ns..=forecast.latest_ns).contains(&(2_000 * SECOND_NS)), "{forecast:?}");
    assert!(forecast.expected_ns.abs_diff(2_000 * SECOND_NS) < 60 * SECOND_NS, "{forecast:?}");
    // The same, falling to nothing.
    let falling = last(|second| 1_000.0 - float(second) * 0.5 + noise(second), 0.0, 600).expect("a trend");
    assert!(falling.expected_ns.abs_diff(2_000 * SECOND_NS) < 60 * SECOND_NS, "{falling:?}");
}

#[test]
fn what_is_no_trend_is_not_told() {
    assert_eq!(last(|second| 50.0 * noise(second), 1_000.0, 600), None, "noise");
    assert_eq!(last(|second| float(second % 60), 1_000.0, 600), None, "a saw-tooth");
    assert_eq!(last(|second| -float(second), 1_000.0, 600), None, "away from the limit");
    assert_eq!(last(|second| float(second) * 0.01, 1_000.0, 600), None, "beyond the horizon");
    assert_eq!(last(float, 1_000.0, 100), None, "less than a window");
    assert_eq!(last(|second| if second < 500 { 0.0 } else { 300.0 }, 1_000.0, 600), None, "a step");
}

#[test]
fn a_counter_that_stops_is_suspected_more_and_more() {
    let mut progress = Progress::default();
    for step in 0..100u64 {
        assert!(progress.observe(step * SECOND_NS, float(step / 2)) < 2.0);
    }
    let suspicions: Vec<f64> = (100..140u64).map(|step| progress.observe(step * SECOND_NS, 49.0)).collect();
    assert!(suspicions.is_sorted());
    assert!(suspicions[3] < 5.0 && suspicions[30] > 8.0, "{suspicions:?}");
    assert!(progress.observe(141 * SECOND_NS, 50.0) < f64::EPSILON, "it moves again");
    assert!(progress.observe(142 * SECOND_NS, 0.0) < f64::EPSILON, "it began anew");
}

fn forecast(earliest_ns: u64, latest_ns: u64) -> Forecast {
    Forecast { earliest_ns, expected_ns: u64::midpoint(earliest_ns, latest_ns), latest_ns }
}

#[test]
fn predictions_are_scored() {
    let (mut prediction, mut record) = (Prediction::default(), Record::default());
    prediction.book(10, forecast(90, 110), &mut record);
    prediction.waits(20, &mut record);
    prediction.book(20, forecast(95, 105), &mut record);
    prediction.happened(100, &mut record);
    prediction.book(200, forecast(300, 400), &mut record);
    prediction.waits(600, &mut record);
    assert!(prediction.is_open(), "as long again as it named is waited for");
    prediction.waits(601, &mut record);
    prediction.happened(800, &mut record);
    prediction.book(900, forecast(950, 990), &mut record);
    prediction.happened(940, &mut record);
    prediction.book(1_000, forecast(1_100, 1_200), &mut record);
    prediction.withdraw(&mut record);
    assert_eq!((record.made, record.came_true, record.in_interval, record.withdrawn), (4, 2, 1, 1));
    assert_eq!((record.came_to_nothing, record.unforeseen, record.open()), (1, 1, 0));
    assert_eq!((record.coverage(), record.lead_ns_mean()), (Some(0.5), Some(65)));
    assert!((record.precision().expect("decided") - 2.0 / 3.0).abs() < 1e-9);
    assert_eq!(Record::default().precision(), None, "nothing is claimed of nothing");
}

proptest! {
    /// Straight lines are met exactly, whatever their slope and where they begin.
    #[test]
    fn straight_lines_are_met(slope in 0.5f64..50.0, start in -1e4f64..1e4, left in 100.0f64..1_000.0) {
        let limit = start + slope * (600.0 + left);
        let forecast = last(|second| start + slope * float(second), limit, 600).expect("a trend");
        let expected_ns = super::nanoseconds(600.0 + left);
        prop_assert!(forecast.expected_ns.abs_diff(expected_ns) < SECOND_NS, "{forecast:?} {expected_ns}");
    }

    #[test]
    fn nothing_panics_and_intervals_are_in_order(
        samples in prop::collection::vec((any::<u64>(), any::<f64>(), any::<f64>()), 0..100),
        window_ns in any::<u64>(),
        sorted in any::<bool>(),
    ) {
        let mut samples = samples;
        if sorted {
            samples.sort_by_key(|(time_ns, ..)| *time_ns);
        }
        let (mut trend, mut progress) = (Exhaustion::default(), Progress::default());
        let (mut prediction, mut record) = (Prediction::default(), Record::default());
        let by = Outlook::new(window_ns, u64::MAX);
        for (time_ns, value, limit) in samples {
            let forecast = trend.observe(time_ns, value, limit, by);
            if let Some(forecast) = forecast {
                prop_assert!(time_ns <= forecast.earliest_ns);
                prop_assert!(forecast.earliest_ns <= forecast.expected_ns);
                prop_assert!(forecast.expected_ns <= forecast.latest_ns);
            }
            let suspicion = progress.observe(time_ns, value);
            prop_assert!(suspicion >= 0.0 && suspicion.is_finite());
            if value > limit {
                prediction.happened(time_ns, &mut record);
            } else {
                prediction.waits(time_ns, &mut record);
            }
            if let Some(forecast) = forecast {
                prediction.book(time_ns, forecast, &mut record);
            }
            prop_assert_eq!(record.open(), u64::from(prediction.is_open()));
        }
    }

    /// Thinning out makes a trend of the same samples, however they come: repeated ones change nothing.
    #[test]
    fn repeated_samples_change_nothing(times in 1usize..4) {
        let (mut once, mut often) = (Exhaustion::default(), Exhaustion::default());
        let by = Outlook::new(WINDOW_NS, HORIZON_NS);
        for second in 0..400 {
            let value = float(second) * 2.0 + noise(second);
            let expected = once.observe(second * SECOND_NS, value, 1_500.0, by);
            for _ in 0..times {
                prop_assert_eq!(often.observe(second * SECOND_NS, value, 1_500.0, by), expected);
            }
        }
    }

    /// A counter that moves at any steady pace is never suspected.
    #[test]
    fn nothing_is_suspected_of_what_keeps_its_pace(pace in 1u64..50) {
        let mut progress = Progress::default();
        for step in 0..400u64 {
            prop_assert!(progress.observe(step * SECOND_NS, float(step / pace)) < 3.0);
        }
    }
}

/// Leaks of many sizes under noise: how often the interval holds the truth, with how much lead.
#[test]
fn stated_intervals_hold_the_truth() {
    let (mut told, mut held) = (0, 0);
    for seed in 0..300u64 {
        let slope = 0.5 + float(seed % 10) * 0.3;
        let limit = slope * 900.0;
        let values = |second: u64| slope * float(second) + 20.0 * noise(second * 7 + seed * 1_009);
        let Some(forecast) = last(values, limit, 700) else { continue };
        told += 1;
        held += u32::from((forecast.earliest_ns..=forecast.latest_ns).contains(&(900 * SECOND_NS)));
    }
    assert!(told > 200, "{told}");
    assert!(f64::from(held) / f64::from(told) > 0.85, "{held} of {told}");
}
