use super::Multivariate;
use proptest::prelude::*;

const CHANNELS: usize = 8;
const STEP_NS: u64 = 60_000_000_000;

fn at(index: u32) -> u64 {
    u64::from(index) * STEP_NS
}

fn noise(index: u32, channel: u32) -> f64 {
    f64::from((index * 31 + channel).wrapping_mul(2_654_435_761) >> 16) / 65_536.0 - 0.5
}

/// Every channel follows one load, each in its own measure.
fn row(index: u32) -> [f64; CHANNELS] {
    let load = f64::from(index % 500) / 500.0 + 0.2 * noise(index, 99);
    std::array::from_fn(|channel| {
        let channel = u32::try_from(channel).expect("few");
        f64::from(channel + 1) * load + 0.05 * noise(index, channel)
    })
}

fn taught() -> Multivariate {
    let mut detector = Multivariate::new(&[0.0; CHANNELS]);
    (0..6_000).for_each(|index| {
        detector.observe(at(index), &row(index));
    });
    detector
}

#[test]
fn it_names_the_channel_that_the_others_do_not_explain() {
    let mut detector = taught();
    let usual =
        (6_000..6_500).map(|index| detector.observe(at(index), &row(index)).score).fold(0.0, f32::max);
    let mut odd = row(6_500);
    odd[3] += 60.0;
    let verdict = detector.observe(at(6_500), &odd);
    assert!(verdict.score > usual + 0.1, "{usual} {verdict:?}");
    assert_eq!(verdict.channels[0], Some(3));
}

#[test]
fn fewer_channels_than_are_named() {
    let mut detector = Multivariate::new(&[1.0]);
    assert_eq!(detector.observe(0, &[1.0]).channels, [Some(0), None, None]);
    assert_eq!(Multivariate::new(&[]).observe(0, &[1.0]).channels, [None; 3]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn nothing_panics_and_nothing_poisons(
        rows in prop::collection::vec((any::<u64>(), prop::collection::vec(any::<f64>(), 0..CHANNELS + 2)), 0..100)
    ) {
        let mut detector = Multivariate::new(&[0.0; CHANNELS]);
        for (time_ns, row) in rows {
            let verdict = detector.observe(time_ns, &row);
            prop_assert!((0.0..=1.0).contains(&verdict.score), "{verdict:?}");
        }
        for index in 0..2_000 {
            prop_assert!(detector.observe(at(index), &row(index)).score.is_finite());
        }
    }

    /// Powers of two scale without rounding, each channel by its own.
    #[test]
    fn scaling_changes_no_score(powers in prop::array::uniform8(-20i32..20)) {
        let (mut plain, mut scaled) = (Multivariate::new(&[0.0; CHANNELS]), Multivariate::new(&[0.0; CHANNELS]));
        for index in 0..1_500 {
            let values = row(index);
            let multiples: [f64; CHANNELS] = std::array::from_fn(|at| values[at] * 2f64.powi(powers[at]));
            prop_assert_eq!(plain.observe(at(index), &values), scaled.observe(at(index), &multiples));
        }
    }

    #[test]
    fn what_is_no_number_teaches_nothing(channel in 0..CHANNELS) {
        let mut detector = taught();
        let mut gap = row(6_000);
        gap[channel] = f64::NAN;
        let verdict = detector.observe(at(6_000), &gap);
        prop_assert!(verdict.score < 0.5);
    }
}
