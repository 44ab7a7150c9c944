//! Rules about what soon will be: `exhaustion` and `standstill`. Every prediction that became an alert is booked, and
//! held against what came of it.

use super::forecast::{Exhaustion, Forecast, Outlook, Prediction, Progress, Record};
use super::series::Verdict;
use bytemuck::Zeroable;

/// The settings of an `exhaustion` rule.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prospect {
    /// Where the resource is used up.
    pub(super) level: f64,
    /// It falls to the level, rather than rising to it.
    pub(super) falls: bool,
    pub(super) outlook: Outlook,
}

/// One resource of an `exhaustion` rule. All zeroes is "nothing seen".
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub(super) struct Course {
    trend: Exhaustion,
    prediction: Prediction,
    /// 1 once it was seen short of the level: reaching it is an event from then on.
    short: u64,
}

impl Course {
    /// Takes a sample and settles what it decides. While the resource is used up nothing is predicted, and it is not
    /// over either.
    pub(super) fn judge(
        &mut self,
        at_ns: u64,
        value: f64,
        by: &Prospect,
        record: &mut Record,
    ) -> (Verdict, Option<Forecast>) {
        let reached = if by.falls { value <= by.level } else { value >= by.level };
        let forecast = self.trend.observe(at_ns, value, by.level, by.outlook);
        if reached {
            if std::mem::replace(&mut self.short, 0) == 1 {
                self.prediction.happened(at_ns, record);
            }
            return (Verdict::Between, None);
        }
        self.short = 1;
        self.prediction.waits(at_ns, record);
        (if forecast.is_some() { Verdict::Bad } else { Verdict::Good }, forecast)
    }

    /// Books what was told.
    pub(super) const fn book(&mut self, at_ns: u64, forecast: Forecast, record: &mut Record) {
        self.prediction.book(at_ns, forecast, record);
    }

    /// The resource is no longer there.
    pub(super) const fn withdraw(&mut self, record: &mut Record) {
        self.prediction.withdraw(record);
    }
}

/// The settings of a `standstill` rule.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// Powers of ten.
    pub(super) suspicion: f64,
    /// What is still after so long did stop.
    pub(super) horizon_ns: u64,
}

/// One counter of a `standstill` rule. All zeroes is "nothing seen".
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub(super) struct Heartbeat {
    progress: Progress,
    prediction: Prediction,
}

/// What a `standstill` rule sees of a counter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pause {
    pub(super) verdict: Verdict,
    pub(super) length_ns: u64,
    /// How long a pause would not have been told, in seconds.
    pub(super) usual_s_max: f64,
}

impl Heartbeat {
    /// Takes a reading and settles what it decides.
    pub(super) fn judge(&mut self, at_ns: u64, value: f64, by: &Patience, record: &mut Record) -> Pause {
        let suspicion = self.progress.observe(at_ns, value);
        let pause_ns = self.progress.pause_ns(at_ns);
        if pause_ns == 0 {
            self.prediction.failed(record);
        } else if self.prediction.is_open() && at_ns >= self.prediction.latest_ns() {
            self.prediction.happened(at_ns, record);
        }
        let verdict = if suspicion >= by.suspicion { Verdict::Bad } else { Verdict::Good };
        Pause { verdict, length_ns: pause_ns, usual_s_max: self.progress.pause_s(by.suspicion) }
    }

    /// Books that it was told.
    pub(super) const fn book(&mut self, at_ns: u64, by: &Patience, record: &mut Record) {
        let settled_ns = at_ns.saturating_add(by.horizon_ns);
        let forecast = Forecast { earliest_ns: settled_ns, expected_ns: settled_ns, latest_ns: settled_ns };
        self.prediction.book(at_ns, forecast, record);
    }

    /// The counter is no longer there.
    pub(super) const fn withdraw(&mut self, record: &mut Record) {
        self.prediction.withdraw(record);
    }
}
