//! How likely something is by chance: tails of the hypergeometric and the binomial distribution, and the procedure of
//! Benjamini and Hochberg.

/// Logarithms of factorials, each worked out once.
pub(super) struct LnFactorials(Vec<f64>);

impl LnFactorials {
    pub(super) fn up_to(most: usize) -> Self {
        let mut all = Vec::with_capacity(most + 1);
        let mut sum = 0.0;
        all.push(sum);
        for n in 1..=most {
            sum += as_f64(n).ln();
            all.push(sum);
        }
        Self(all)
    }

    fn of(&self, n: usize) -> f64 {
        self.0.get(n).copied().unwrap_or(f64::INFINITY)
    }

    fn ln_choose(&self, n: usize, k: usize) -> f64 {
        if k > n { f64::NEG_INFINITY } else { self.of(n) - self.of(k) - self.of(n - k) }
    }

    /// Fisher's exact test, one-sided: of `total` sessions `a` have one cause and `b` another. How likely is it that at
    /// least `both` have both, were each cause dealt out by chance?
    pub(super) fn together(&self, total: usize, a: usize, b: usize, both: usize) -> f64 {
        let all = self.ln_choose(total, b);
        let mut sum = 0.0;
        for k in both..=a.min(b) {
            let term = (self.ln_choose(a, k) + self.ln_choose(total - a, b - k) - all).exp();
            sum += term;
            // Behind its peak each term is smaller than the one before, and soon too small to matter.
            if term < sum * 1e-16 && k > both + 1 {
                break;
            }
        }
        sum.min(1.0)
    }

    /// At least `k` of `n` independent events that each have probability `p`.
    pub(super) fn at_least(&self, n: usize, k: usize, p: f64) -> f64 {
        if k == 0 || p >= 1.0 {
            return 1.0;
        }
        let (hit, miss) = (p.ln(), (-p).ln_1p());
        let mut sum = 0.0;
        for i in k..=n {
            let term = as_f64(n - i).mul_add(miss, as_f64(i).mul_add(hit, self.ln_choose(n, i))).exp();
            sum += term;
            if term < sum * 1e-16 && as_f64(i) > as_f64(n) * p {
                break;
            }
        }
        sum.min(1.0)
    }
}

/// Which of some tests are discoveries, so that of all discoveries at most a share of `rate` is expected to be false. Of
/// `tests` in all those not in the list found nothing.
pub(super) fn discoveries(p_values: &[f64], tests: usize, rate: f64) -> Vec<bool> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let passes = |rank: usize| p_values[order[rank]] <= rate * as_f64(rank + 1) / as_f64(tests.max(1));
    let count = (0..order.len()).rev().find(|rank| passes(*rank)).map_or(0, |rank| rank + 1);
    let mut found = vec![false; p_values.len()];
    for at in &order[..count] {
        found[*at] = true;
    }
    found
}

/// Counts of incidents are far below 2^52.
#[allow(clippy::cast_precision_loss, reason = "counts of incidents are far below 2^52")]
pub(super) const fn as_f64(n: usize) -> f64 {
    n as f64
}

/// Times as floating point, where a microsecond more or less does not matter.
#[allow(clippy::cast_precision_loss, reason = "a microsecond more or less does not matter")]
pub(super) const fn ns_as_f64(ns: u64) -> f64 {
    ns as f64
}

/// The value below which so many thousandths of a sorted list are.
pub(super) fn quantile(sorted: &[u64], permille: usize) -> u64 {
    let at = (sorted.len().saturating_sub(1) * permille).div_ceil(1_000);
    sorted.get(at).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_are_those_of_textbooks() {
        let ln = LnFactorials::up_to(100);
        // Fisher's lady who tasted tea: all four of eight by chance, 1 in 70; three or more, 17 in 70.
        assert!((ln.together(8, 4, 4, 4) - 1.0 / 70.0).abs() < 1e-12);
        assert!((ln.together(8, 4, 4, 3) - 17.0 / 70.0).abs() < 1e-12);
        assert!((ln.together(8, 4, 4, 0) - 1.0).abs() < 1e-12);
        // Ten coins: at least nine heads, 11 in 1,024.
        assert!((ln.at_least(10, 9, 0.5) - 11.0 / 1_024.0).abs() < 1e-12);
        assert!((ln.at_least(10, 0, 0.5) - 1.0).abs() < 1e-12 && ln.at_least(3, 4, 0.5).abs() < 1e-12);
    }

    #[test]
    fn benjamini_and_hochberg_step_up() {
        // The third alone would have to be below 0.0375, and the last, below 0.05, carries all.
        assert_eq!(discoveries(&[0.01, 0.02, 0.03, 0.04], 4, 0.05), [true; 4]);
        assert_eq!(discoveries(&[0.04, 0.01, 0.9], 3, 0.05), [false, true, false]);
        assert_eq!(discoveries(&[0.01], 10, 0.05), [false], "tests that found nothing count");
        assert_eq!(discoveries(&[], 0, 0.05), Vec::<bool>::new());
    }
}
