//! Predictions held against what came of them.
//!
//! A prediction is open until the event comes, or until the latest time it named has passed by as much again. Only one
//! is open at a time: renewing it does not count twice, and what is scored is the first one, which is the one that
//! somebody could have acted on.

use super::Forecast;
use bytemuck::Zeroable;

/// The score of one kind of prediction, over any number of resources.
///
/// `made = came_true + came_to_nothing + withdrawn` and those that are open still.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Predictions made.
    pub made: u64,
    /// The event came, while the prediction was open.
    pub came_true: u64,
    /// Of these, so many within the stated interval.
    pub in_interval: u64,
    /// It did not come.
    pub came_to_nothing: u64,
    /// What it was about ended first: nobody will know.
    pub withdrawn: u64,
    /// Events that nobody had predicted.
    pub unforeseen: u64,
    /// The times between prediction and event, added up.
    pub lead_ns_total: u64,
}

impl Record {
    /// The part of the predictions decided so far that came true.
    #[must_use]
    pub fn precision(&self) -> Option<f64> {
        share(self.came_true, self.came_true + self.came_to_nothing)
    }

    /// The part of those that came true whose event came within the stated interval.
    #[must_use]
    pub fn coverage(&self) -> Option<f64> {
        share(self.in_interval, self.came_true)
    }

    /// The mean time between a prediction and its event.
    #[must_use]
    pub const fn lead_ns_mean(&self) -> Option<u64> {
        self.lead_ns_total.checked_div(self.came_true)
    }

    /// Predictions that wait for their event.
    #[must_use]
    pub const fn open(&self) -> u64 {
        self.made.saturating_sub(self.came_true + self.came_to_nothing + self.withdrawn)
    }

    /// Adds what another one counted.
    pub const fn add(&mut self, other: &Self) {
        self.made += other.made;
        self.came_true += other.came_true;
        self.in_interval += other.in_interval;
        self.came_to_nothing += other.came_to_nothing;
        self.withdrawn += other.withdrawn;
        self.unforeseen += other.unforeseen;
        self.lead_ns_total = self.lead_ns_total.saturating_add(other.lead_ns_total);
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share needs no more than 53 bits")]
fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// The prediction about one resource that is open, if there is one. All zeroes is none.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Zeroable)]
pub struct Prediction {
    made_ns: u64,
    earliest_ns: u64,
    latest_ns: u64,
    is_open: u64,
}

impl Prediction {
    /// Books a prediction, unless one is open.
    pub const fn book(&mut self, time_ns: u64, forecast: Forecast, record: &mut Record) {
        if self.is_open == 0 {
            let Forecast { earliest_ns, latest_ns, .. } = forecast;
            *self = Self { made_ns: time_ns, earliest_ns, latest_ns, is_open: 1 };
            record.made += 1;
        }
    }

    /// The event came.
    pub fn happened(&mut self, time_ns: u64, record: &mut Record) {
        if !self.is_open() {
            record.unforeseen += 1;
            return;
        }
        self.is_open = 0;
        record.came_true += 1;
        record.in_interval += u64::from((self.earliest_ns..=self.latest_ns).contains(&time_ns));
        let lead_ns = time_ns.saturating_sub(self.made_ns);
        record.lead_ns_total = record.lead_ns_total.saturating_add(lead_ns);
    }

    /// It did not come so far: closes a prediction that has waited long enough.
    pub const fn waits(&mut self, time_ns: u64, record: &mut Record) {
        let grace_ns = self.latest_ns.saturating_sub(self.made_ns);
        let expired = time_ns > self.latest_ns.saturating_add(grace_ns) || time_ns < self.made_ns;
        if self.is_open() && expired {
            self.failed(record);
        }
    }

    /// It will not come any more.
    pub const fn failed(&mut self, record: &mut Record) {
        if self.is_open() {
            self.is_open = 0;
            record.came_to_nothing += 1;
        }
    }

    /// What it was about is no longer there.
    pub const fn withdraw(&mut self, record: &mut Record) {
        if self.is_open() {
            self.is_open = 0;
            record.withdrawn += 1;
        }
    }

    /// Whether it waits for its event.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.is_open != 0
    }

    /// The latest time it named.
    #[must_use]
    pub const fn latest_ns(&self) -> u64 {
        self.latest_ns
    }
}
