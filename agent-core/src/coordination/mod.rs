//! Parties that do not get in each other's way: who claims what of this host and its VMs, which claims are in conflict,
//! and who prevails, by which rule.
//!
//! ```text
//! request ─▶ Claim ─▶ Arbiter ─decision─▶ Change (recorded) ─▶ Step (done)
//! host ────▶ found ─▶ Claim ──▲   └────▶ survey ─▶ Conflict (told)
//! ```
//! * A **claim** says what a party wants of resources, until when, and why; an **action** is the claim that its effects
//!   make ([`effects`]), so which actions collide is data.
//! * The **book** is a fold over the records of changes: what lives after a restart is what they add up to.
//! * A **decision** names the rule that made it ([`Rule`]). Requests of one epoch are decided as if they had come at once.
//! * What a resource is follows from the claims in force; when the last of them ends it is what it was before. So nothing
//!   is undone under somebody who wants it so, and undoing does not depend on the order.
//!
//! Pure: time and requests are handed in, records and steps handed out. [`found`] is the exception: it reads the host,
//! through the facts of [`crate::checks`].

mod arbiter;
mod book;
mod change;
mod claim;
mod collision;
mod conflict;
mod decide;
mod drift;
pub mod effects;
mod error;
pub mod firewall;
pub mod found;
mod index;
mod party;
mod path;
pub mod policy;
mod survey;
mod terms;

pub use arbiter::{Answer, Arbiter, Step};
pub use book::{Book, Live};
pub use change::{Change, End};
pub use claim::{Claim, Mode, Origin, Part, Token};
pub use conflict::{Class, Conflict, Rule, Side};
pub use decide::{Decision, Outcome};
pub use drift::Drift;
pub use effects::{Action, OnDeath};
pub use error::ClaimError;
pub use party::{Contract, Owners, Party, Role};
pub use path::ResourcePath;
pub use survey::survey;
pub use terms::Terms;

#[cfg(test)]
mod decide_tests;
#[cfg(test)]
mod properties_tests;
