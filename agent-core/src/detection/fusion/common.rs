//! What most VMs of a host show at the same time is not about any of them: it belongs to the host.

use crate::detection::streaming::Tail;
use bytemuck::Zeroable;

/// Fewer VMs are no majority of anything.
const WATCHED_MIN: u32 = 4;
const ELEVATED_MIN: u32 = 3;
/// The mean weight is told apart in steps of an eighth of a logarithm.
const WEIGHT_UNITS: f32 = 1_024.0 / 8.0;
/// Before the mean was seen so often, nothing is said of it.
const LEARNED_MIN: u16 = 60;

/// One rule's sign over all VMs. All zeroes is nobody watched.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub(in crate::detection) struct Common {
    weight: i64,
    watched: u32,
    elevated: u32,
    /// The series that weighed most when it was last heard of, counted from 1.
    pub(in crate::detection) foremost: u32,
    foremost_weight: i32,
    /// What the last span came to: the weight it has for the host.
    pub(in crate::detection) told: i32,
    tail: Tail,
}

impl Common {
    /// A series is watched from now on, or no longer.
    pub(in crate::detection) fn enter(&mut self) {
        self.watched += 1;
    }

    /// A series that weighed so much is watched no longer.
    pub(in crate::detection) fn leave(&mut self, weight: i32) {
        self.watched -= 1;
        self.elevated -= u32::from(weight > 0);
        self.weight -= i64::from(weight);
        self.foremost = 0;
    }

    /// A series weighs something else now.
    pub(in crate::detection) fn change(&mut self, series: u32, before: i32, after: i32) {
        self.elevated -= u32::from(before > 0);
        self.elevated += u32::from(after > 0);
        self.weight += i64::from(after) - i64::from(before);
        if after >= self.foremost_weight || self.foremost == series || self.foremost == 0 {
            (self.foremost, self.foremost_weight) = (series, after);
        }
    }

    /// Whether most VMs show it now.
    pub(in crate::detection) const fn is_common(&self) -> bool {
        self.watched >= WATCHED_MIN && self.elevated >= ELEVATED_MIN && 2 * self.elevated >= self.watched
    }

    /// On how many of how many series it is seen.
    pub(in crate::detection) const fn shown_by(&self) -> (u32, u32) {
        (self.elevated, self.watched)
    }

    /// To be called every span: how unusual the mean over all VMs is, and what that weighs for the host.
    pub(in crate::detection) fn judge(&mut self) -> i32 {
        self.told = 0;
        if self.watched < WATCHED_MIN {
            return 0;
        }
        #[expect(clippy::cast_precision_loss, reason = "a mean weight is at most some ten thousand units")]
        let mean = (self.weight / i64::from(self.watched)) as f32 / WEIGHT_UNITS;
        let learned = self.tail.counted() >= LEARNED_MIN;
        let probability = self.tail.probability(mean);
        if learned && self.is_common() {
            self.told = super::weight_of(probability);
        }
        self.told
    }
}
