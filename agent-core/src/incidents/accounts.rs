//! What became of every signal.

use serde::{Deserialize, Serialize};

/// `produced = delivered + suppressed + dropped + in flight`, at every instant and across restarts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accounts {
    /// Signals that came, and those that were made here: held back before and let go, or over unseen.
    pub produced: u64,
    /// Told, as part of a notice.
    pub delivered: u64,
    /// Held back on purpose.
    pub suppressed: Suppressed,
    /// Lost: no room for another key or incident, or the ledger did not take them.
    pub dropped: u64,
    /// Gathered, and told with the incident's next notice.
    pub in_flight: u64,
}

/// Signals that were held back, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suppressed {
    /// They said what was known.
    pub deduplicated: u64,
    /// What is wrong with the host explains them.
    pub inhibited: u64,
    /// Their condition comes and goes.
    pub flapping: u64,
    /// Somebody silenced them.
    pub silenced: u64,
    /// There were too many of that tenant.
    pub rate_limited: u64,
}

/// Why a signal is held back, where that ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Hold {
    /// What is wrong with the host explains it.
    Inhibited,
    /// Its condition comes and goes.
    Flapping,
    /// Somebody silenced it.
    Silenced,
    /// There are too many of that tenant.
    RateLimited,
}

impl Hold {
    /// The lower-case word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Inhibited => "inhibited",
            Self::Flapping => "flapping",
            Self::Silenced => "silenced",
            Self::RateLimited => "rate-limited",
        }
    }
}

impl Suppressed {
    /// All of them.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.deduplicated + self.inhibited + self.flapping + self.silenced + self.rate_limited
    }

    pub(super) fn of(&mut self, hold: Hold) -> &mut u64 {
        match hold {
            Hold::Inhibited => &mut self.inhibited,
            Hold::Flapping => &mut self.flapping,
            Hold::Silenced => &mut self.silenced,
            Hold::RateLimited => &mut self.rate_limited,
        }
    }
}

impl Accounts {
    /// Whether they balance.
    #[must_use]
    pub const fn balances(&self) -> bool {
        self.produced == self.delivered + self.suppressed.total() + self.dropped + self.in_flight
    }
}
