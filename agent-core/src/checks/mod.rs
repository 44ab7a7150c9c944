//! Is each VM really isolated, and is this host really configured as promised?
//!
//! ```text
//! host ─providers─▶ Fact (value, source, availability) ─▶ rule (when, runtime, persisted) ─▶ Finding ─▶ Board
//!                     ▲ read again when its path, VM or time says so        declared in rules/*.toml
//! ```
//! * A **fact** is read once, with where it was read and whether it could be. Rules never read files.
//! * A **rule** compares facts (data, in TOML) or reasons over them (code in [`reasoning`], declared the same way).
//! * A **verdict** is never open: what could not be read is *unknown*, with the reason. The running host and what it
//!   will be after the next start are judged apart.
//! * Which facts a rule saw is noted while it looks: that is its evidence, and what makes it look again.

pub mod baseline;
pub mod board;
mod by_subject;
pub mod case;
pub mod checker;
pub mod declared;
mod dependencies;
pub mod fact;
pub mod facts;
pub mod finding;
pub mod host;
pub mod judge;
pub mod parse;
pub mod pattern;
pub mod reasoning;
pub mod report;
mod rules_files;
pub mod vm;
pub mod waiver;
mod watch;

pub use board::{Board, Change, ChangeKind};
pub use checker::{Checker, run_once};
pub use declared::{Rule, RuleSet, Scope, Severity};
pub use fact::{Fact, Unavailable, Value};
pub use finding::{Finding, Outcome, Subject, Verdict};
pub use rules_files::{Loading, SHIPPED, rules, shipped};

pub use vm::{Vm, VmId, vms_of};
