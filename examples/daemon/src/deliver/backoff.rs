//! How long to wait before the next attempt.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(250);
/// Nobody is waited for longer than this between two attempts.
pub const WAIT_MAX: Duration = Duration::from_secs(30);

/// The wait before attempt `failures + 1`: doubled with every failure up to [`WAIT_MAX`], of which between half and
/// all, as `random` has it, so that agents that failed together do not come back together.
#[must_use]
pub fn wait(failures: u32, random: u64) -> Duration {
    let doubled = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(16));
    let half = doubled.min(WAIT_MAX) / 2;
    let nanos = u64::try_from(half.as_nanos()).unwrap_or(u64::MAX).max(1);
    half + Duration::from_nanos(random % nanos)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_grows_to_its_bound_and_never_beyond(failures in any::<u32>(), random in any::<u64>()) {
            let whole = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(WAIT_MAX);
            let wait = wait(failures, random);
            prop_assert!(wait >= whole / 2 && wait <= whole, "{wait:?} of {whole:?}");
        }
    }
}
