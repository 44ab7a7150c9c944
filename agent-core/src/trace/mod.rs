//! Records what the agent saw, and replays it: the same frames through the same detection give the same alerts.
//!
//! [`Recorder`] reads an agent's frame after each tick, from any thread and without slowing the sampler, and writes
//! what has changed. [`TraceReader`] reads a trace back, [`Replay`] feeds it through the frame, the rules and the alert
//! ring of this very crate. [`record_tree`] copies the host's files instead, for when the readers themselves are in
//! question.
//!
//! # File format, version 1
//! Everything is little endian.
//!
//! ```text
//! file    ┌──────────────────────────────┬───────────┬───────────────┐
//!         │ magic "BTZTRACE"           8 │ version 2 │ zero        6 │
//!         ├──────────────────────────────┴───────────┴───────────────┤
//!         │ record, record, ...                                      │
//!         └──────────────────────────────────────────────────────────┘
//! record  ┌───────────┬────────┬────────┬────────────┐
//!         │ length  4 │ kind 1 │ zero 3 │ CRC-32C  4 │   of length, kind, zero and payload
//!         ├───────────┴────────┴────────┴────────────┤
//!         │ payload, `length` bytes                  │   at most 4 MiB
//!         └──────────────────────────────────────────┘
//! ```
//!
//! | kind | record | when |
//! |---|---|---|
//! | 1 | [`Header`] | once, first |
//! | 2 | [`VmRecord`] | a VM appeared, or its description changed |
//! | 3 | [`LabelsRecord`] | the host's devices have other names or rows |
//! | 4 | [`Delta`] | after each tick: the cells that changed since the record before; several when it is much |
//! | 5 | [`End`] | once, last: the recording was ended in order |
//! | 6 | [`ConfigRecord`] | another configuration came into force |
//! | 7 | [`PeriodsRecord`] | sources are read at other intervals |
//!
//! A payload is what `bincode` 2 makes of the record's type with integers of fixed size: fields in order, a list as its
//! length (8 bytes) and its items, a text as its length (8 bytes) and its UTF-8, an option as one byte and its value.
//! Metrics and sources are numbers into the header's lists of names, so that a later version of this crate, with more
//! metrics, reads older traces. A file that ends within a record was torn by a crash: what is before it is good, and
//! the reader says where it ends.

mod error;
mod framing;
mod reader;
mod record;
mod recorder;
mod redact;
mod replay;
mod tree;

pub use error::{RecordError, TraceError};
pub use reader::{Event, Tail, TraceReader};
pub use record::{
    Cell, ConfigRecord, Delta, End, EntityRecord, Header, LabelsRecord, PeriodsRecord, RowDelta, VmRecord,
};
pub use recorder::{Captured, Recorder};
pub use replay::{Replay, Replayed, replay};
pub use tree::{TreeReport, record_tree};

#[doc(hidden)]
pub mod fuzzing;
