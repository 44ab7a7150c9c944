//! Back in a known state after a crash: a sink while the agent runs, a source only when it starts.
//!
//! ```text
//! running   Participants ── take ──▶ Snapshot ── save ──▶ recovery/state-…      (temporary name, sync, rename, sync)
//! starting  recovery/state-… ── restore ──▶ Participants ◀── replay ── the ledger's records behind the snapshot
//! ```
//! A snapshot belongs to one place in the trail: every record below its number is in it, none from it on, and all those
//! below are durable before it is written. So the restored state is always that of the acknowledged prefix: the snapshot
//! only saves time, and knows what no record tells (a learned baseline). The last two are kept. One that is damaged, or
//! belongs to another trail, gives way to the one before and a longer replay; a participant whose version changed begins
//! cold, with the reason recorded, and the agent starts all the same.
//!
//! [`lease`] lets a standby take over, and keeps two from being active at once. [`safe_state`] says what each mechanism
//! does while no agent runs.

pub mod generations;
pub mod lease;
mod participant;
mod restore;
pub mod safe_state;
mod snapshot;
mod store;

#[doc(hidden)]
pub mod fuzzing;

pub use participant::{Participant, take};
pub use restore::{Cold, Restored, restore};
pub use snapshot::{NAME_BYTES_MAX, PARTS_MAX, Part, SNAPSHOT_BYTES_MAX, Snapshot};
pub use store::{FOLDER, save};
