//! Alerts leave the agent through one bounded ring whose accounts always balance.

mod accounting;
pub mod json;
mod recovered;
mod ring;
pub mod severity;

pub use accounting::Accounting;
pub use recovered::Recovered;
pub use ring::{AlertReader, AlertSink, ring};
pub use severity::Severity;

use crate::sampling::frame::Entity;
use crate::sampling::metrics::MetricId;
use arrayvec::ArrayString;

/// Whether the condition began or ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum AlertState {
    /// The condition holds.
    Firing = 1,
    /// The condition of an earlier alert with the same `id` no longer holds.
    Resolved = 2,
}

/// One alert, of fixed size: it is copied, never allocated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alert {
    /// The same for the firing and the resolving of one condition.
    pub id: u64,
    /// The same for all alerts of one rule about one thing (a VM with its process and a part of it, a device), also
    /// after a restart of the agent.
    pub series: u64,
    /// Counts all alerts produced, from 1, also across restarts that are recovered from; a gap is a loss, and is accounted for.
    pub sequence: u64,
    /// A process before told this already, and it goes on: for those who keep what fires, to be told nobody else. It has
    /// no number and is in no accounts.
    pub is_repeat: bool,
    /// Began or ended.
    pub state: AlertState,
    /// How bad it is.
    pub severity: Severity,
    /// The rule that spoke.
    pub rule: ArrayString<48>,
    /// What it is about.
    pub entity: Entity,
    /// The VM it is about, or the device or CPU of the host; empty for the host as a whole.
    pub subject: ArrayString<64>,
    /// The VM's UUID; zero when there is none.
    pub uuid: [u8; 16],
    /// The VM's tenant; empty when unknown.
    pub tenant: ArrayString<32>,
    /// The metric that was looked at.
    pub metric: MetricId,
    /// What was seen, in the exported unit (a rate is per second).
    pub observed: f64,
    /// Lower end of what was expected; negative infinity when there is none.
    pub expected_min: f64,
    /// Upper end of what was expected; infinity when there is none.
    pub expected_max: f64,
    /// How likely what was seen is in quiet time, by what was learnt of that; 1 where the rule has learnt nothing.
    pub tail_probability: f64,
    /// How many signs speak for it; 1 for rules that look at one thing.
    pub signs: u32,
    /// When the condition began, `CLOCK_MONOTONIC` nanoseconds.
    pub since_mono_ns: u64,
    /// When the alert was made, `CLOCK_REALTIME` nanoseconds since the epoch.
    pub at_wall_ns: i64,
    /// The number of the tick that made it.
    pub tick: u64,
    /// One sentence for people.
    pub message: ArrayString<192>,
}
