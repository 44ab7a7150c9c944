//! Exact accounts of alerts.

/// What became of the alerts that were produced. Always `produced = delivered + suppressed + dropped + in_flight`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accounting {
    /// Made by detection.
    pub produced: u64,
    /// Handed to a consumer.
    pub delivered: u64,
    /// Held back on purpose: a rate limit.
    pub suppressed: u64,
    /// Lost because the ring was full.
    pub dropped: u64,
    /// Waiting in the ring.
    pub in_flight: u64,
}

impl Accounting {
    /// Whether the accounts balance.
    #[must_use]
    pub const fn balances(&self) -> bool {
        self.produced == self.delivered + self.suppressed + self.dropped + self.in_flight
    }
}
