//! What damps: a penalty that decays, for conditions that come and go; and a rate, for those that are many. Whole
//! numbers only, so that a replay comes to the same.

use serde::{Deserialize, Serialize};

/// What one beginning of a condition adds to its penalty.
const PENALTY_EACH: u32 = 1_000;
/// A penalty never grows beyond this, so that the calm after a long storm does not take for ever.
const PENALTY_MAX: u32 = 12_000;

/// The penalty of one condition: halves every half-life, as that of a route does in RFC 2439.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Penalty {
    value: u32,
    at_ns: i64,
}

impl Penalty {
    /// What is left of it.
    pub(super) fn at(self, now_ns: i64, half_life_ns: i64) -> u32 {
        // A clock that was set back takes nothing away.
        let elapsed = now_ns.saturating_sub(self.at_ns).max(0);
        let half_life = half_life_ns.max(1);
        let halvings = elapsed / half_life;
        if halvings >= 31 {
            return 0;
        }
        let value = self.value >> halvings;
        // Between two halvings along the chord.
        let gone = i128::from(value / 2) * i128::from(elapsed % half_life) / i128::from(half_life);
        value - u32::try_from(gone).unwrap_or(0)
    }

    /// The first time at which no more than `low` is left of it.
    pub(super) fn falls_to(self, low: u32, half_life_ns: i64) -> i64 {
        let half_life = half_life_ns.max(1);
        for halvings in 0..31 {
            let begin = self.at_ns.saturating_add(half_life.saturating_mul(halvings));
            let value = self.value >> halvings;
            if value <= low {
                return begin;
            }
            // Falls to half along a chord.
            let falls = i128::from(value / 2);
            if falls > 0 && value - value / 2 <= low {
                let wanted = i128::from(value - low) * i128::from(half_life);
                let after = wanted.div_euclid(falls) + i128::from(wanted.rem_euclid(falls) != 0);
                return begin.saturating_add(i64::try_from(after).unwrap_or(half_life).min(half_life));
            }
        }
        self.at_ns.saturating_add(half_life.saturating_mul(31))
    }

    /// After one more beginning.
    pub(super) fn raised(self, now_ns: i64, half_life_ns: i64) -> Self {
        let value = (self.at(now_ns, half_life_ns) + PENALTY_EACH).min(PENALTY_MAX);
        Self { value, at_ns: now_ns }
    }
}

/// A token bucket, kept as the one time at which it will be full again (the generic cell rate algorithm).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Bucket {
    full_at_ns: i64,
}

/// So many at once, and so many a minute on average.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    pub(super) per_minute: u32,
    pub(super) burst: u32,
}

impl Rate {
    fn each_ns(self) -> i64 {
        60_000_000_000 / i64::from(self.per_minute.max(1))
    }
}

impl Bucket {
    /// Whether there is a token.
    pub(super) fn admits(self, now_ns: i64, rate: Rate) -> bool {
        self.debt_ns(now_ns, rate) + rate.each_ns() <= i64::from(rate.burst.max(1)) * rate.each_ns()
    }

    /// After one token was taken.
    pub(super) fn taken(self, now_ns: i64, rate: Rate) -> Self {
        Self { full_at_ns: now_ns.saturating_add(self.debt_ns(now_ns, rate) + rate.each_ns()) }
    }

    /// Whether it is as good as new.
    pub(super) fn is_full(self, now_ns: i64) -> bool {
        self.full_at_ns <= now_ns
    }

    /// Never more than a whole bucket, whatever was done to the clock.
    fn debt_ns(self, now_ns: i64, rate: Rate) -> i64 {
        let whole = i64::from(rate.burst.max(1)) * rate.each_ns();
        self.full_at_ns.saturating_sub(now_ns).clamp(0, whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn a_penalty_halves_every_half_life() {
        let half = 300 * SECOND;
        let penalty = Penalty::default().raised(0, half).raised(0, half).raised(0, half);
        assert_eq!(penalty.at(0, half), 3_000);
        assert_eq!(penalty.at(half, half), 1_500);
        assert_eq!(penalty.at(2 * half, half), 750);
        assert_eq!(penalty.at(half / 2, half), 2_250);
        assert_eq!(penalty.at(-half, half), 3_000, "a clock that was set back takes nothing away");
        assert_eq!(penalty.at(i64::MAX, half), 0);
    }

    proptest! {
        #[test]
        fn a_penalty_never_grows_by_itself(times in prop::collection::vec(0i64..10_000, 0..20), later in 0i64..100_000) {
            let half = 300;
            let mut penalty = Penalty::default();
            let mut now = 0;
            for step in times {
                now += step;
                penalty = penalty.raised(now, half);
                prop_assert!(penalty.value <= PENALTY_MAX);
            }
            prop_assert!(penalty.at(now + later, half) <= penalty.value);
            prop_assert!(penalty.at(now + later + 1, half) <= penalty.at(now + later, half));
        }

        #[test]
        fn it_falls_when_it_is_said_to(raised in 1u32..15, low in 1u32..5_000, half in 1i64..1_000_000) {
            let mut penalty = Penalty::default();
            for _ in 0..raised {
                penalty = penalty.raised(7, half);
            }
            let at = penalty.falls_to(low, half);
            prop_assert!(penalty.at(at, half) <= low, "{penalty:?} {at}");
            prop_assert!(at <= 7 || penalty.at(at - 1, half) > low, "{penalty:?} {at}");
        }

        /// Never more than the burst and what the rate allows, whatever the times.
        #[test]
        fn a_bucket_keeps_to_its_rate(steps in prop::collection::vec(0i64..3 * SECOND, 1..200)) {
            let rate = Rate { per_minute: 60, burst: 5 };
            let (mut bucket, mut now, mut taken) = (Bucket::default(), 0, 0);
            for step in steps {
                now += step;
                if bucket.admits(now, rate) {
                    bucket = bucket.taken(now, rate);
                    taken += 1;
                }
            }
            prop_assert!(taken <= 5 + now / SECOND, "{taken} in {now}");
        }
    }

    #[test]
    fn a_clock_that_is_set_back_empties_a_bucket_at_most() {
        let rate = Rate { per_minute: 60, burst: 2 };
        let bucket = Bucket::default().taken(1_000 * SECOND, rate);
        assert!(!bucket.admits(0, rate), "the debt is a whole bucket");
        assert!(bucket.taken(0, rate).admits(2 * SECOND, rate), "and is worked off at the rate");
    }
}
