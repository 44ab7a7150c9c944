//! A value's last few minutes, thinned out: how much it changed within a window.

use bytemuck::Zeroable;
use serde::{Deserialize, Serialize};

/// Samples kept: the window's begin and seven between it and now.
const SLOTS: usize = 9;

/// The settings of a `change` rule.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) within_ns: u64,
    pub(super) relative: bool,
    /// A value that falls began anew.
    pub(super) counter: bool,
}

/// Samples at least an eighth of the window apart, oldest first. All zeroes is "nothing seen".
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable, Serialize, Deserialize)]
pub(super) struct Window {
    at_ns: [u64; SLOTS],
    value: [f64; SLOTS],
    last: f64,
    length: u64,
}

impl Window {
    pub(super) const fn has_seen(&self) -> bool {
        self.length > 0
    }

    /// Whether it can be one that saw samples: stamps in order, values that are numbers.
    pub(super) fn is_sound(&self) -> bool {
        let length = usize::try_from(self.length).unwrap_or(usize::MAX);
        length <= SLOTS
            && self.at_ns[..length].is_sorted()
            && self.last.is_finite()
            && self.value[..length].iter().all(|value| value.is_finite())
    }

    /// The largest fall and the largest rise from a sample within the window to this one: at most and at least 0.
    pub(super) fn change(&mut self, at_ns: u64, value: f64, by: &Span) -> (f64, f64) {
        let length = usize::try_from(self.length).unwrap_or(SLOTS).min(SLOTS);
        let begun_anew = by.counter && length > 0 && value < self.last;
        self.last = value;
        let expired = self.at_ns[..length].iter().take_while(|at| at_ns - **at > by.within_ns).count();
        let expired = if begun_anew { length } else { expired };
        self.at_ns.copy_within(expired..length, 0);
        self.value.copy_within(expired..length, 0);
        let mut length = length - expired;

        let changes = self.value[..length].iter().map(|before| {
            let change = value - before;
            if by.relative && *before != 0.0 { change / before.abs() } else { change }
        });
        let (fall, rise) =
            changes.fold((0.0_f64, 0.0_f64), |(fall, rise), change| (fall.min(change), rise.max(change)));

        let spacing_ns = by.within_ns / (SLOTS as u64 - 1);
        if length == 0 || at_ns - self.at_ns[length - 1] >= spacing_ns {
            if length == SLOTS {
                self.at_ns.copy_within(1.., 0);
                self.value.copy_within(1.., 0);
                length -= 1;
            }
            self.at_ns[length] = at_ns;
            self.value[length] = value;
            length += 1;
        }
        self.length = length as u64;
        (fall, rise)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BY: Span = Span { within_ns: 80, relative: false, counter: false };

    #[test]
    fn it_sees_a_rise_until_the_rise_has_left_the_window() {
        let mut window = Window::zeroed();
        assert_eq!(window.change(100, 5.0, &BY), (0.0, 0.0));
        assert_eq!(window.change(110, 7.0, &BY), (0.0, 2.0));
        assert_eq!(window.change(150, 7.0, &BY), (0.0, 2.0));
        assert_eq!(window.change(180, 7.0, &BY), (0.0, 2.0));
        assert_eq!(window.change(181, 7.0, &BY), (0.0, 0.0));
        assert_eq!(window.change(200, 1.0, &BY), (-6.0, 0.0));
    }

    #[test]
    fn a_slow_drift_adds_up_over_the_window_only() {
        let mut window = Window::zeroed();
        for step in 0..1_000u32 {
            let (_, rise) = window.change(1 + u64::from(step), f64::from(step), &BY);
            assert!(rise <= 80.0);
            assert!(step < 100 || rise >= 70.0, "{rise}");
        }
    }

    #[test]
    fn a_counter_that_begins_anew_has_not_changed() {
        let by = Span { counter: true, ..BY };
        let mut window = Window::zeroed();
        window.change(100, 5_000.0, &by);
        assert_eq!(window.change(110, 3.0, &by), (0.0, 0.0));
        assert_eq!(window.change(120, 4.0, &by), (0.0, 1.0));
    }

    #[test]
    fn relative_changes_are_shares_of_where_they_began() {
        let by = Span { relative: true, ..BY };
        let mut window = Window::zeroed();
        window.change(100, 200.0, &by);
        assert_eq!(window.change(110, 300.0, &by), (0.0, 0.5));
        assert_eq!(window.change(120, 100.0, &by), (-2.0 / 3.0, 0.0));
    }

    proptest! {
        #[test]
        fn changes_are_finite_and_on_their_side(samples in prop::collection::vec((0u64..40, -1e15f64..1e15), 0..300)) {
            let mut window = Window::zeroed();
            let mut at_ns = 1;
            for (gap, value) in samples {
                at_ns += gap;
                let (fall, rise) = window.change(at_ns, value, &BY);
                prop_assert!(fall <= 0.0 && rise >= 0.0 && fall.is_finite() && rise.is_finite());
            }
        }
    }
}
