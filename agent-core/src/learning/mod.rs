//! What closed incidents teach: bursts, periods and causes that come together, as candidate rules that a person accepts.
//!
//! ```text
//! closed true positives ─▶ sessions ─▶ mine: pairs, bursts, periods ─▶ Candidate ─person─▶ RuleBook ─▶ early Warning
//!                                      (exact nulls, one false-discovery rate)             precision, retirement
//! ```
//! Support alone misses what is rare and serious: a chain that happened five times among ten thousand incidents. Here a
//! pair is found by how much its causes depend on each other (Hellerstein and Ma's mutually dependent events), and kept
//! out by how likely that is by chance.
//!
//! Pure and deterministic: the same incidents give the same candidates, whatever their order.

mod bursts;
mod incident;
mod mine;
mod pairs;
mod periods;
mod rulebook;
mod sessions;
mod stats;

pub use incident::Incident;
pub use mine::{Candidate, Pattern, Scope, Settings, mine};
pub use rulebook::{Record, RuleBook, RuleState, Warning};

#[cfg(test)]
mod tests;
