//! Many weak signs about one subject, a VM or the host, become one strong one; and how strong it must be to be told
//! follows from how often somebody wants to be told for nothing.
//!
//! ```text
//! series ─▶ p ─▶ weight beyond one in ten ─┐
//! series ─▶ p ─▶ weight                    ├─ sum ─▶ Evidence: this subject's own quiet time ─▶ strength ─▶ Budget
//! series ─▶ p ─▶ weight                    ┘                                                    (-ln p)     alarms a week
//!                     └─ Common: what most VMs show at once is taken from them and given to the host
//! ```
//! Everything is a few counters of fixed size, and a sample costs a few additions.

mod budget;
mod common;
mod evidence;

pub(super) use budget::Budget;
pub(super) use common::Common;
pub(super) use evidence::{Evidence, SPAN_NS, in_logarithms, likelihood, weight_of};

#[cfg(test)]
mod tests;
