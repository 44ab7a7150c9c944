//! What soon will be: when a resource is used up, and whether something that should progress has stopped.
//!
//! * [`Exhaustion`] follows the trend of a resource and says within which time it will be used up; it says nothing
//!   while that is too uncertain to act on.
//! * [`Progress`] turns the time since a counter last moved into a suspicion, by the intervals at which it moves.
//! * [`Prediction`] and [`Record`] hold every prediction against what came: precision and lead are measured, not claimed.
//!
//! All states are of one fixed size, nothing is allocated, and the arithmetic is the same on every machine.

mod exhaustion;
mod ledger;
mod progress;

pub use exhaustion::{Exhaustion, Forecast, Outlook};
pub use ledger::{Prediction, Record};
pub use progress::Progress;

#[expect(clippy::cast_precision_loss, reason = "a time may be off by a microsecond in decades")]
fn seconds(ns: u64) -> f64 {
    ns as f64 * 1e-9
}

/// A time from now, saturating.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, and is not negative")]
fn nanoseconds(seconds: f64) -> u64 {
    (seconds.max(0.0) * 1e9) as u64
}

#[cfg(test)]
mod tests;
