//! How far a rate of rare events may be from what was counted.

/// The exact (Garwood) two-sided interval of a Poisson mean of which `count` events were seen; `error` is the part of such
/// intervals that miss, 0.05 for 95 %.
#[must_use]
pub fn interval(count: u32, error: f64) -> (f64, f64) {
    let least =
        if count == 0 { 0.0 } else { solve(|mean| 1.0 - at_most(count - 1, mean), error / 2.0, count, true) };
    (least, solve(|mean| at_most(count, mean), error / 2.0, count, false))
}

/// Where a probability that rises, or falls, with the mean is `wanted`.
fn solve(probability: impl Fn(f64) -> f64, wanted: f64, count: u32, rises: bool) -> f64 {
    let (mut low, mut high) = (0.0, 20.0 + 4.0 * f64::from(count));
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if (probability(middle) < wanted) == rises {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

/// The probability of at most so many events.
fn at_most(count: u32, mean: f64) -> f64 {
    let mut term = (-mean).exp();
    let mut sum = term;
    for events in 1..=count {
        term *= mean / f64::from(events);
        sum += term;
    }
    sum.min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_those_of_the_tables() {
        // Exact limits at 95 %: F. Garwood, Biometrika 28 (1936).
        for (count, least, most) in
            [(0, 0.0, 3.689), (1, 0.0253, 5.572), (3, 0.6187, 8.767), (10, 4.795, 18.39)]
        {
            let (low, high) = interval(count, 0.05);
            assert!((low - least).abs() < 2e-3 && (high - most).abs() < 5e-3, "{count}: {low} {high}");
        }
    }
}
