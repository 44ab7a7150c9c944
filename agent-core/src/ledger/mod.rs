//! The one durable store of the agent: an append-only trail of everything that matters, which survives a loss of power
//! and cannot be changed unnoticed.
//!
//! A record is numbered by [`Ledger::append`], which waits for nothing, and is durable once [`Ticket::wait`] has
//! returned: whoever waits first makes one `fdatasync` for all who appended meanwhile. Nothing that was acknowledged is
//! lost, whatever happens to the power, and a disk that is full, failing or read-only is told ([`Status`], and a record)
//! and used again as soon as it is back.
//!
//! # Files
//! ```text
//! segments/0000000000000000.btzl   the trail, cut into files named by the number of their first record
//! logs/                            what was signed: see `log`
//! keys/                            see `keys`
//! reserve                          zeros, given back when the disk is full so that this can be recorded
//! lock                             held by the one process that writes
//! ```
//!
//! # Segment, version 1
//! Everything is little endian. A segment's head says all that is needed to go on behind it, so older segments may be
//! removed, and opening reads the last one alone.
//!
//! ```text
//! head    ┌───────────────────────┬───────────┬─────────────────┬───────────────┐
//!  0      │ magic "BTZLEDGR"    8 │ version 2 │ origin length 2 │ head length 4 │
//!         ├───────────────────────┴─┬─────────┴─────────────┬───┴──┬────────────┤
//! 16      │ first sequence        8 │ monotonic ns before 8 │ run 4│ logs     4 │   run: of the record before
//!         ├─────────────────────────┼───────────────────────┴──────┴────────────┤
//! 40      │ salt                 16 │ public key of the signer               32 │
//!         ├─────────────────────────┴───────────────────────────────────────────┤
//! 88      │ origin; then for each log, sorted by tenant:                        │
//!         │   tenant length 1, tenant, blinded id 32, size 8,                   │
//!         │   roots of its complete subtrees, 32 each, the largest first        │
//!         ├────────────┬────────────────────────────────────────────────────────┘
//!         │ CRC-32C  4 │   of everything before
//!         └────────────┘
//! record  ┌────────────────┬──────────┬─────────────┬────────────────────┐
//!  0      │ magic "BTZR" 4 │ length 4 │ sequence  8 │ place in its batch 4│  length: of the whole record
//!         ├───────────┬────┴──────────┼────────┬────┴──┬─────────────────┘
//! 20 leaf │ version 1 │ tenant length 1│ kind 2 │ run 4 │
//!         ├───────────┴─┬─────────────┴┬───────┴───────┴──┐
//! 28      │ wall ns   8 │ monotonic ns 8│ payload length 4 │
//!         ├─────────────┴──────────────┴──────────────────┤
//! 48      │ tenant, payload                                │
//!         ├────────────┬───────────────────────────────────┘
//!         │ CRC-32C  4 │   of the salt and everything before
//!         └────────────┘
//! ```
//!
//! The bytes from 20 to the checksum are the record's *leaf*: what the transparency log hashes. What is before them
//! numbers the record among those of all tenants, and no tenant is to learn from its own how many others have.
//!
//! A batch is written only once the one before it is durable, and every record says its place in its batch. So a record
//! that makes no sense is the torn end of the trail, to be cut off, unless one of a later batch follows: then it was
//! durable once and is *damaged*, which is told with its offset and never skipped. Zeros behind the last record were set
//! aside; a segment in whose place another one came has none.

mod aside;
mod base64;
pub mod checkpoint;
mod commit;
mod cursor;
mod disk;
mod error;
mod frame;
pub mod heads;
mod keeper;
pub mod keys;
mod log;
pub mod merkle;
pub mod note;
pub mod proof;
pub mod prove;
mod record;
mod recover;
mod seal;
mod segment;
mod status;
mod store;
mod tiles;
mod trail;
pub mod verify;

pub use aside::{AsideError, set_aside};
pub use commit::{Ledger, Opened, Ticket};
pub use cursor::Cursor;
pub(crate) use disk::Files;
pub use disk::{Disk, DiskFile, RealDisk};
pub use error::LedgerError;
pub use frame::{PAYLOAD_BYTES_MAX, TENANT_BYTES_MAX};
pub use keeper::{Keeper, Rounds, Upkeep};
pub use record::{
    DiskChange, Heads, Kind, LastRun, LogBegin, Loss, Pruned, Record, SetAside, Start, Stop, decode,
};
pub use seal::{Keep, UNSIGNED_MAX};
pub use status::{Health, Status};
pub use store::Sizes;
pub use trail::{leaves, read};

#[doc(hidden)]
pub mod fuzzing;
#[doc(hidden)]
pub mod simulated;

#[cfg(test)]
mod commit_tests;

#[cfg(test)]
mod verify_tests;
