//! How strong evidence must be to be told, from how many alarms a week are tolerated.
//!
//! * **A model looks ahead.** Times of evidence beyond the usual (*episodes*) are counted, and by how much they exceed it
//!   at most: an exponential tail, which is the extreme-value theorem's for a wide class of distributions. The strength
//!   that is passed as often as is tolerated follows. Both numbers are taken at the upper end of what they may be, and
//!   begin with a cautious presumption: while little is known, only the plain is told.
//! * **A controller looks back.** Every alarm raises the threshold by its *price*, and time lowers it by as many logarithms
//!   as alarms are tolerated in it, never below the model's. An alarm just above the threshold costs one logarithm; one so
//!   strong that the model calls it impossible costs a fifth, so that a host on which much truly happens does not fall
//!   silent. Whatever the evidence does, what is paid in any time is no more than
//!   `per_week · weeks + (STRENGTH_MAX - threshold at the beginning) + 1`.

use super::evidence::{BEYOND, STRENGTH_MAX};
use crate::detection::streaming::math::{exp, ln, narrow};

/// Episodes are forgotten in so long.
const MEMORY_WEEKS: f64 = 4.0;
const WEEK_NS: f64 = 604_800e9;
/// What is presumed before anything is known: as if so many episodes had been seen ...
const PRESUMED: f64 = 10.0;
/// ... that exceeded by so many logarithms ...
const PRESUMED_EXCESS: f64 = 2.0;
/// ... and came so often a week and subject: one in fifty spans, five spans long.
const PRESUMED_PER_WEEK: f64 = 240.0;
/// The least that an alarm costs.
const PRICE_MIN: f32 = 0.2;
/// The upper end of what may be: so many standard errors.
const ERRORS: f64 = 2.0;

/// The threshold, and what it follows from.
#[derive(Clone, Copy, Debug)]
pub(in crate::detection) struct Budget {
    per_week: f64,
    weeks: f64,
    episodes: f64,
    excess: f64,
    raised: f64,
    /// The mean excess that the model goes by.
    mean_excess: f32,
    threshold: f32,
    alarms: u64,
}

impl Budget {
    /// A budget of so many alarms a week.
    pub(in crate::detection) fn new(per_week: f64) -> Self {
        Self {
            per_week,
            weeks: 0.0,
            episodes: 0.0,
            excess: 0.0,
            raised: 0.0,
            mean_excess: 1.0,
            threshold: STRENGTH_MAX,
            alarms: 0,
        }
    }

    /// Takes over what another one learned.
    pub(in crate::detection) fn adopt(&mut self, old: &Self) {
        *self = Self { per_week: self.per_week, ..*old };
    }

    /// Time passes, with so many subjects watched.
    pub(in crate::detection) fn pass(&mut self, elapsed_ns: u64, subjects: u32) {
        #[expect(clippy::cast_precision_loss, reason = "a time may be off by a microsecond in decades")]
        let weeks = elapsed_ns as f64 / WEEK_NS;
        let kept = (1.0 - weeks / MEMORY_WEEKS).max(0.0);
        self.weeks = self.weeks * kept + weeks;
        self.episodes *= kept;
        self.excess *= kept;
        self.raised = (self.raised - self.per_week * weeks).max(0.0);

        let episodes = self.episodes + PRESUMED;
        let presumed_weeks = PRESUMED / (PRESUMED_PER_WEEK * f64::from(subjects.max(1)));
        let rate = (episodes + ERRORS * episodes.sqrt()) / (self.weeks + presumed_weeks);
        let excess = (self.excess + PRESUMED * PRESUMED_EXCESS) / episodes * (1.0 + ERRORS / episodes.sqrt());
        let logarithms = ln(narrow((rate / self.per_week).clamp(1.0, 1e30)));
        self.mean_excess = narrow(excess).max(0.1);
        let model = BEYOND + self.mean_excess * logarithms;
        self.threshold = (model + narrow(self.raised)).min(STRENGTH_MAX);
    }

    /// Evidence from this strength on is told.
    pub(in crate::detection) const fn threshold(&self) -> f32 {
        self.threshold
    }

    /// An episode is over whose greatest strength was this. What was told counts no more than what is just not told:
    /// what truly happened is no sample of quiet time.
    pub(in crate::detection) fn episode(&mut self, peak: f32) {
        self.episodes += 1.0;
        self.excess += f64::from((peak.min(self.threshold) - BEYOND).max(0.0));
    }

    /// An alarm of this strength was told.
    pub(in crate::detection) fn alarm(&mut self, strength: f32) {
        let beyond = (strength - self.threshold).max(0.0);
        let price = exp(-beyond / self.mean_excess).max(PRICE_MIN);
        self.alarms += 1;
        self.raised += f64::from(price);
        self.threshold = (self.threshold + price).min(STRENGTH_MAX);
    }

    /// Alarms since the beginning.
    pub(in crate::detection) const fn alarms(&self) -> u64 {
        self.alarms
    }
}
