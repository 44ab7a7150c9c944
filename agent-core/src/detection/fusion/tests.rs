//! The budget is kept, whatever the evidence does; and evidence is as strong as it says.

use super::{Budget, Evidence, SPAN_NS, likelihood, weight_of};
use crate::detection::streaming::math::{exp, ln};
use bytemuck::Zeroable;
use proptest::prelude::*;

const SPANS_PER_WEEK: u32 = 60_480;
const WEEKS: u32 = 12;

/// `xorshift64*`.
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let bits = u16::try_from(self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 48).unwrap_or(0);
        (f32::from(bits) + 0.5) / 65_536.0
    }

    /// One logarithm on average.
    fn exponential(&mut self) -> f32 {
        -ln(self.uniform())
    }
}

/// Alarms a week, after the first two, of episodes whose peaks exceed the usual by what `excess` says; they come once
/// in so many spans.
fn alarms_a_week(per_week: f64, once_in: f32, mut excess: impl FnMut(&mut Random) -> f32) -> f64 {
    let mut budget = Budget::new(per_week);
    let mut random = Random(11);
    let mut alarms = 0u32;
    for span in 0..WEEKS * SPANS_PER_WEEK {
        budget.pass(SPAN_NS, 10);
        if random.uniform() * once_in > 1.0 {
            continue;
        }
        let peak = (super::evidence::BEYOND + excess(&mut random)).min(40.0);
        if peak > budget.threshold() {
            budget.alarm(peak);
            alarms += u32::from(span >= 2 * SPANS_PER_WEEK);
        }
        budget.episode(peak);
    }
    f64::from(alarms) / f64::from(WEEKS - 2)
}

#[test]
fn the_rate_is_what_was_asked_for_and_no_more() {
    type Excess = fn(&mut Random) -> f32;
    let shapes: [(&str, bool, f64, Excess); 4] = [
        ("as the model presumes", true, 1.5, |random| random.exponential()),
        // The threshold is as high as it gets: the greatest strength.
        ("six times as far", false, 1.5, |random| 6.0 * random.exponential()),
        // Of minus a logarithm: far beyond what probabilities do. Then each costs the least, and that is the bound.
        ("a tail that falls as a power", true, 5.0, |random| {
            0.5 * (exp(0.4 * random.exponential()) - 1.0) / 0.4
        }),
        ("mostly nothing, and now and then very much", true, 5.0, |random| {
            if random.uniform() < 0.02 {
                8.0 + 4.0 * random.exponential()
            } else {
                0.5 * random.exponential()
            }
        }),
    ];
    for per_week in [0.5, 1.0, 10.0] {
        for (name, speaks, at_most, excess) in shapes {
            let rate = alarms_a_week(per_week, 50.0, excess);
            assert!(rate <= at_most * per_week + 1.0, "{name}: {rate} alarms a week for {per_week}");
            assert!(
                !speaks || rate >= 0.1 * per_week,
                "{name}: {rate} alarms a week for {per_week}: it hardly speaks"
            );
        }
    }
}

#[test]
fn what_is_always_alarming_is_not_always_told() {
    // Each costs a fifth at least.
    let rate = alarms_a_week(1.0, 50.0, |_| 40.0);
    assert!(rate <= 5.0 + 2.0, "{rate}");
}

#[test]
fn little_is_told_while_little_is_known() {
    let mut budget = Budget::new(1.0);
    budget.pass(SPAN_NS, 50);
    let cautious = budget.threshold();
    for _ in 0..SPANS_PER_WEEK / 50 {
        (0..50).for_each(|_| budget.pass(SPAN_NS, 50));
        budget.episode(super::evidence::BEYOND + 0.8);
    }
    assert!(cautious > 25.0 && budget.threshold() < 15.0, "{cautious} {}", budget.threshold());
    let mut lavish = Budget::new(100.0);
    lavish.adopt(&budget);
    lavish.pass(SPAN_NS, 50);
    assert!(lavish.threshold() < budget.threshold() - 2.0, "another budget, the same knowledge");
}

/// How often sums of signs are as strong as they claim, per sign set: `shared` of a sign is the same in all of them.
fn claimed_and_true(shared: f32, bar: f32) -> (f32, f32) {
    let mut random = Random(5);
    let mut evidence = Evidence::zeroed();
    let (mut beyond, mut judged) = (0.0f32, 0.0f32);
    for span in 0..60_000 {
        let common = random.uniform();
        let total = (0..6)
            .map(|_| weight_of(if random.uniform() < shared { common } else { random.uniform() }))
            .sum();
        if span > 5_000 {
            judged += 1.0;
            beyond += f32::from(u8::from(evidence.strength(total) > bar));
        }
        evidence.learn(total, 6);
    }
    (likelihood(bar), beyond / judged)
}

#[test]
fn strength_is_calibrated_however_much_the_signs_depend_on_each_other() {
    for shared in [0.0, 0.5, 0.9] {
        let (claimed, true_part) = claimed_and_true(shared, 6.0);
        let ratio = true_part / claimed;
        assert!((0.2..3.0).contains(&ratio), "{shared}: {claimed} claimed, {true_part} found");
    }
}

#[test]
fn many_weak_signs_are_stronger_than_one() {
    let mut evidence = Evidence::zeroed();
    let mut random = Random(9);
    for _ in 0..5_000 {
        let total = (0..8).map(|_| weight_of(random.uniform())).sum();
        evidence.learn(total, 8);
    }
    let one = evidence.strength(weight_of(0.01));
    let many = evidence.strength(8 * weight_of(0.01));
    assert!(one < 4.0 && many > 10.0, "{one} {many}");
    assert_eq!(weight_of(0.2), 0, "what is met once in five weighs nothing");
}

proptest! {
    /// Whatever comes, numbers stay numbers.
    #[test]
    fn nothing_poisons_a_budget(steps in prop::collection::vec((any::<u64>(), 0u32..5_000, 0.0f32..1e9), 0..200)) {
        let mut budget = Budget::new(1.0);
        for (elapsed_ns, subjects, peak) in steps {
            budget.pass(elapsed_ns, subjects);
            budget.episode(peak);
            budget.alarm(peak);
            prop_assert!(budget.threshold() > 0.0 && budget.threshold() <= 40.0);
        }
    }

    #[test]
    fn nothing_poisons_evidence(totals in prop::collection::vec(0i32..70_000_000, 0..300)) {
        let mut evidence = Evidence::zeroed();
        for total in totals {
            let strength = evidence.strength(total);
            prop_assert!((0.0..=40.0).contains(&strength));
            evidence.learn(total, 8);
        }
    }
}
