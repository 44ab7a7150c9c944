//! Predictions held against what came of them.
//!
//! A prediction is open until the event comes, or until the latest time it named has passed by as much again. Only one
//! is open at a time: renewing it does not count twice, and what is scored is the first one, which is the one that
//! somebody could have acted on.

use super::Forecast;

/// The score of one kind of prediction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Predictions made.
    pub made: u32,
    /// The event came, while the prediction was open.
    pub came_true: u32,
    /// Of these, so many within the stated interval.
    pub in_interval: u32,
    /// It did not come.
    pub came_to_nothing: u32,
    /// Events that nobody had predicted.
    pub unforeseen: u32,
    /// The times between first prediction and event, added up.
    pub lead_ns_total: u64,
}

impl Record {
    /// The part of the predictions decided so far that came true.
    #[must_use]
    pub fn precision(&self) -> Option<f64> {
        let decided = self.came_true + self.came_to_nothing;
        (decided > 0).then(|| f64::from(self.came_true) / f64::from(decided))
    }

    /// The mean time between a prediction and its event.
    #[must_use]
    pub fn lead_ns_mean(&self) -> Option<u64> {
        self.lead_ns_total.checked_div(u64::from(self.came_true))
    }
}

/// The open prediction about one resource, and the record of those before.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ledger {
    open: Option<(u64, Forecast)>,
    record: Record,
}

impl Ledger {
    /// Notes what is predicted now, and whether what is predicted has just happened (true once an event).
    pub fn note(&mut self, time_ns: u64, forecast: Option<Forecast>, happened: bool) {
        if let Some((made_ns, open)) = self.open {
            let expires_ns = open.latest_ns.saturating_add(open.latest_ns.saturating_sub(made_ns));
            if happened {
                self.record.came_true = self.record.came_true.saturating_add(1);
                let within = (open.earliest_ns..=open.latest_ns).contains(&time_ns);
                self.record.in_interval = self.record.in_interval.saturating_add(u32::from(within));
                let lead_ns = time_ns.saturating_sub(made_ns);
                self.record.lead_ns_total = self.record.lead_ns_total.saturating_add(lead_ns);
                self.open = None;
            } else if time_ns > expires_ns || time_ns < made_ns {
                self.record.came_to_nothing = self.record.came_to_nothing.saturating_add(1);
                self.open = None;
            }
        } else if happened {
            self.record.unforeseen = self.record.unforeseen.saturating_add(1);
        }
        if let (None, Some(forecast), false) = (self.open, forecast, happened) {
            self.open = Some((time_ns, forecast));
            self.record.made = self.record.made.saturating_add(1);
        }
    }

    /// How predictions did so far. `made = came_true + came_to_nothing + open`.
    #[must_use]
    pub const fn record(&self) -> Record {
        self.record
    }

    /// Whether a prediction waits for its event.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.open.is_some()
    }
}
