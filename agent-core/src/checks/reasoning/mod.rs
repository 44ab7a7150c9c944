//! Rules that must reason, rather than compare one fact with a value: overlaps between VMs, who really wins, who can
//! reach what. Each is a pure function of facts, named in a rule's `code`.

mod host;
mod management;
mod vm_config;
mod vmm;

use super::case::Case;
use super::declared::Truth;

/// A reasoning. An `Err` is an early verdict, so that `?` can be used on facts that are needed.
pub type Reason = fn(&Case<'_>) -> Result<Truth, Truth>;

/// Tables of reasonings, one of each module.
const TABLES: &[&[(&str, Reason)]] = &[host::TABLE, management::TABLE, vm_config::TABLE, vmm::TABLE];

/// The reasoning of a name.
#[must_use]
pub fn find(name: &str) -> Option<Reason> {
    all().find(|(known, _)| *known == name).map(|(_, reason)| *reason)
}

/// Every reasoning.
pub fn all() -> impl Iterator<Item = &'static (&'static str, Reason)> {
    TABLES.iter().flat_map(|table| table.iter())
}
