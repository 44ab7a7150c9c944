//! One rule on one row: quiet, pending, firing.
//!
//! Time is counted only between two samples that follow each other closely: what was not seen neither fires nor
//! resolves. A gap pauses both clocks.

use bytemuck::Zeroable;
use serde::{Deserialize, Serialize};

/// What a sample says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The rule's condition holds.
    Bad,
    /// It does not hold, but it is not over either: between the level that fires and the one that clears.
    Between,
    /// It is over.
    Good,
}

/// What follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing.
    Stay,
    /// The condition has held long enough.
    Fire,
    /// It has been over long enough.
    Resolve,
}

/// The state of one rule on one row. All zeroes is "nothing seen".
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable, Serialize, Deserialize)]
pub(super) struct Series {
    /// When the last sample was read; 0 is never.
    pub(super) at_ns: u64,
    /// When the condition began.
    pub(super) since_ns: u64,
    /// Pending: how long the condition was seen to hold. Firing: how long it was seen to be over.
    counted_ns: u64,
    /// `absence`: the last value. Bits of an `f64`.
    pub(super) last: u64,
    phase: u32,
    pub(super) flags: u32,
}

const QUIET: u32 = 0;
const PENDING: u32 = 1;
const FIRING: u32 = 2;

/// `absence`: it was seen to move, or to be readable.
pub(super) const SEEN: u32 = 1;
/// The alert was sent, not held back.
pub(super) const ANNOUNCED: u32 = 2;

/// A process before sent the alert, and this one has not repeated it yet.
pub(super) const BEFORE: u32 = 16;

/// How long a condition must hold, or be over.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_field_names, reason = "the unit belongs to each name")]
pub(super) struct Patience {
    pub(super) fire_ns: u64,
    pub(super) clear_ns: u64,
    /// Two samples further apart than this do not follow each other.
    pub(super) gap_max_ns: u64,
}

impl Series {
    pub(super) const fn is_firing(&self) -> bool {
        self.phase == FIRING
    }

    /// Firing, and told, be it by a process before.
    pub(super) const fn is_announced(&self) -> bool {
        self.is_firing() && self.flags & (ANNOUNCED | BEFORE) != 0
    }

    /// Its alert that began then was told by a process before.
    pub(super) fn told(&mut self, since_ns: u64) {
        if !self.is_firing() || self.since_ns != since_ns {
            (self.phase, self.since_ns, self.counted_ns) = (FIRING, since_ns, 0);
        }
        self.flags = self.flags & !ANNOUNCED | BEFORE;
    }

    /// Whatever it says, no alert of it was told.
    pub(super) fn untold(&mut self) {
        self.flags &= !(ANNOUNCED | BEFORE);
    }

    /// The clock that stamps are read from began anew. When what fires began is kept: it is a part of its name.
    pub(super) fn forget_times(&mut self) {
        self.at_ns = 0;
        if !self.is_firing() {
            (self.since_ns, self.counted_ns, self.phase) = (0, 0, QUIET);
        }
    }

    /// Ends whatever was going on.
    pub(super) fn quiet(&mut self) {
        self.phase = QUIET;
        self.counted_ns = 0;
        self.flags &= !(ANNOUNCED | BEFORE);
    }

    /// Fires now, whatever its samples said.
    pub(super) fn fire(&mut self, since_ns: u64, at_ns: u64) {
        (self.phase, self.since_ns, self.at_ns, self.counted_ns) = (FIRING, since_ns, at_ns, 0);
    }

    /// Takes the stamp of a sample; `None` when it is none that was not judged already, else the time since the one
    /// before, or 0 when that does not count.
    pub(super) fn advance(&mut self, at_ns: u64, patience: &Patience) -> Option<u64> {
        if at_ns <= self.at_ns {
            return None;
        }
        let elapsed_ns = if self.at_ns == 0 { 0 } else { at_ns - self.at_ns };
        self.at_ns = at_ns;
        Some(if elapsed_ns <= patience.gap_max_ns { elapsed_ns } else { 0 })
    }

    /// Counts a verdict that has held for `elapsed_ns` up to the sample at `at_ns`. When the condition begins,
    /// `began_ns` of that time belong to it already.
    pub(super) fn step(
        &mut self,
        verdict: Verdict,
        elapsed_ns: u64,
        began_ns: u64,
        patience: &Patience,
    ) -> Step {
        if self.phase == FIRING {
            if verdict != Verdict::Good {
                self.flags &= !CLEARING;
                self.counted_ns = 0;
                return Step::Stay;
            }
            self.counted_ns = if self.flags & CLEARING == 0 { 0 } else { self.counted_ns + elapsed_ns };
            self.flags |= CLEARING;
            if self.counted_ns < patience.clear_ns {
                return Step::Stay;
            }
            self.flags &= !CLEARING;
            return Step::Resolve;
        }
        if verdict != Verdict::Bad {
            self.phase = QUIET;
            return Step::Stay;
        }
        if self.phase == QUIET {
            self.phase = PENDING;
            self.counted_ns = began_ns;
            self.since_ns = self.at_ns.saturating_sub(began_ns);
        } else {
            self.counted_ns += elapsed_ns;
        }
        if self.counted_ns < patience.fire_ns {
            return Step::Stay;
        }
        self.phase = FIRING;
        self.counted_ns = 0;
        Step::Fire
    }
}

/// Firing, and the last sample was good.
const CLEARING: u32 = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PATIENCE: Patience = Patience { fire_ns: 3, clear_ns: 2, gap_max_ns: 5 };

    fn run(steps: &[(u64, Verdict)]) -> Vec<Step> {
        let mut series = Series::zeroed();
        steps
            .iter()
            .map(|(at_ns, verdict)| match series.advance(*at_ns, &PATIENCE) {
                Some(elapsed_ns) => match series.step(*verdict, elapsed_ns, 0, &PATIENCE) {
                    Step::Resolve => {
                        series.quiet();
                        Step::Resolve
                    }
                    step => step,
                },
                None => Step::Stay,
            })
            .collect()
    }

    #[test]
    fn it_fires_after_its_time_and_resolves_after_the_other() {
        use {Step::*, Verdict::*};
        let steps = [(1, Bad), (2, Bad), (3, Bad), (4, Bad), (5, Good), (6, Good), (7, Good), (8, Good)];
        assert_eq!(run(&steps), [Stay, Stay, Stay, Fire, Stay, Stay, Resolve, Stay]);
    }

    #[test]
    fn between_the_levels_it_neither_goes_on_pending_nor_resolves() {
        use {Step::*, Verdict::*};
        assert_eq!(run(&[(1, Bad), (3, Between), (5, Bad), (7, Bad)]), [Stay; 4]);
        let fired = [(1, Bad), (4, Bad), (5, Good), (6, Between), (7, Good), (8, Good), (9, Good)];
        assert_eq!(run(&fired), [Stay, Fire, Stay, Stay, Stay, Stay, Resolve]);
    }

    #[test]
    fn a_gap_counts_for_neither_and_a_stamp_seen_before_is_no_sample() {
        use {Step::*, Verdict::*};
        assert_eq!(run(&[(1, Bad), (100, Bad), (102, Bad), (103, Bad)]), [Stay, Stay, Stay, Fire]);
        assert_eq!(run(&[(1, Bad), (1, Bad), (1, Bad), (0, Bad)]), [Stay; 4]);
    }

    proptest! {
        /// Fire and Resolve alternate, whatever comes.
        #[test]
        fn firing_and_resolving_alternate(stamps in prop::collection::vec((0u64..50, 0u8..3), 0..200)) {
            let steps: Vec<_> = stamps
                .into_iter()
                .scan(0, |at, (gap, verdict)| {
                    *at += gap;
                    Some((*at, [Verdict::Bad, Verdict::Between, Verdict::Good][usize::from(verdict)]))
                })
                .collect();
            let mut firing = false;
            for step in run(&steps) {
                match step {
                    Step::Fire => prop_assert!(!std::mem::replace(&mut firing, true)),
                    Step::Resolve => prop_assert!(std::mem::replace(&mut firing, false)),
                    Step::Stay => {}
                }
            }
        }
    }
}
