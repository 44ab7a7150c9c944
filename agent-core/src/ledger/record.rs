//! What a record is about, and what the ledger itself records.

use super::error::LedgerError;
use super::merkle::Hash;
use crate::codec;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// What a record is about. Numbers are never used again; those from [`Kind::HOST_FIRST`] on are the embedding host's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(pub u16);

impl Kind {
    /// A run began: [`Start`].
    pub const START: Self = Self(1);
    /// A run ended in order: [`Stop`].
    pub const STOP: Self = Self(2);
    /// An alert.
    pub const ALERT: Self = Self(3);
    /// A finding of a check changed.
    pub const FINDING: Self = Self(4);
    /// An incident changed its state.
    pub const INCIDENT: Self = Self(5);
    /// A decision between proposals.
    pub const DECISION: Self = Self(6);
    /// An action, before it is taken, and how it ended.
    pub const ACTION: Self = Self(7);
    /// The configuration changed.
    pub const CONFIG: Self = Self(8);
    /// A notice to a customer or a partner.
    pub const NOTICE: Self = Self(9);
    /// Records were lost: [`Loss`].
    pub const LOSS: Self = Self(10);
    /// The disk's state changed: [`DiskChange`].
    pub const DISK: Self = Self(11);
    /// Where every tenant's log stands: [`Heads`].
    pub const HEADS: Self = Self(12);
    /// Another key signs from here on; the payload is a signed note (see [`super::keys`]).
    pub const HAND_OVER: Self = Self(13);
    /// Old records were removed: [`Pruned`].
    pub const PRUNED: Self = Self(14);
    /// A tenant's log begins: [`LogBegin`], always the first record of a tenant.
    pub const LOG: Self = Self(15);
    /// A damaged trail was set aside, and this one begins behind it: [`SetAside`].
    pub const SET_ASIDE: Self = Self(16);
    /// How far a receiver of notices has come.
    pub const DELIVERY: Self = Self(17);
    /// A party's claim on a resource changed.
    pub const CLAIM: Self = Self(18);
    /// An agent became the active one, under a fencing token.
    pub const LEASE: Self = Self(20);
    /// The first number that belongs to the embedding host.
    pub const HOST_FIRST: Self = Self(0x8000);

    /// Whether the ledger itself appends such records, rather than whoever has it open.
    #[must_use]
    pub fn is_of_the_ledger(self) -> bool {
        [
            Self::START,
            Self::STOP,
            Self::LOSS,
            Self::DISK,
            Self::HEADS,
            Self::HAND_OVER,
            Self::PRUNED,
            Self::LOG,
        ]
        .contains(&self)
    }

    /// A word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::START => "start",
            Self::STOP => "stop",
            Self::ALERT => "alert",
            Self::FINDING => "finding",
            Self::INCIDENT => "incident",
            Self::DECISION => "decision",
            Self::ACTION => "action",
            Self::CONFIG => "config",
            Self::NOTICE => "notice",
            Self::LOSS => "loss",
            Self::DISK => "disk",
            Self::HEADS => "heads",
            Self::HAND_OVER => "hand-over",
            Self::PRUNED => "pruned",
            Self::LOG => "log",
            Self::SET_ASIDE => "set-aside",
            Self::DELIVERY => "delivery",
            Self::CLAIM => "claim",
            Self::LEASE => "lease",
            kind if kind >= Self::HOST_FIRST => "host",
            _ => "unknown",
        }
    }
}

/// One record, as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its number in the trail, from 0, without gaps.
    pub sequence: u64,
    /// Which run of the agent appended it, from 1.
    pub run: u32,
    /// `CLOCK_REALTIME` in nanoseconds since the epoch; may jump.
    pub wall_ns: i64,
    /// `CLOCK_MONOTONIC` in nanoseconds; grows strictly within a run.
    pub mono_ns: u64,
    /// What it is about.
    pub kind: Kind,
    /// Whose it is; empty for the host's own.
    pub tenant: &'a str,
    /// What was appended, at most [`super::PAYLOAD_BYTES_MAX`] bytes.
    pub payload: &'a [u8],
}

/// A run began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// The version of this crate.
    pub agent_version: String,
    /// How the run before ended.
    pub last: LastRun,
}

/// How a run ended, as the next one found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LastRun {
    /// There was none.
    None,
    /// In order: its last record is a [`Stop`].
    Clean,
    /// By a crash, a kill or a loss of power.
    Cut {
        /// Bytes that were not durable yet and were cut off. No acknowledged record is among them.
        torn_bytes: u64,
    },
}

/// A run ended in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// Records this run appended, this one not counted.
    pub appended: u64,
    /// Records this run refused because the queue was full.
    pub refused: u64,
}

/// Records were refused because the queue was full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// How many since the last such record.
    pub refused: u64,
    /// How many in this run.
    pub refused_total: u64,
}

/// The disk's state changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskChange {
    /// 0 good, 1 full, 2 read-only, 3 failing.
    pub state: u8,
    /// The system's error number; 0 when good.
    pub errno: i32,
}

/// Where every tenant's log stands, without telling anyone which tenants there are: see [`super::heads`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heads {
    /// The root of the tree over the tenants' heads.
    pub root: Hash,
    /// Leaves of that tree, padding included: a power of two, at least 64.
    pub width: u64,
}

/// Old records were removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pruned {
    /// The first record that is still there.
    pub first: u64,
}

/// A tenant's log begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogBegin {
    /// The id that stands for the tenant where others may look.
    pub id: Hash,
}

/// A damaged trail was set aside; the second record of the one that begins behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetAside {
    /// The name that the damaged ledger's folder has since, beside this one.
    pub folder: String,
    /// Its origin.
    pub origin: String,
    /// The file that is damaged, below its folder.
    pub path: String,
    /// Where in it, in bytes.
    pub offset: u64,
    /// What is wrong there.
    pub what: String,
    /// The number of the record after the last good one before the damage.
    pub next: u64,
    /// Leaves of the host's log up to there, and the root of its tree: its last good head.
    pub tree_size: u64,
    /// See `tree_size`.
    pub root: Hash,
    /// Leaves that the last checkpoint on the disk covers; 0 when there is none that can be read.
    pub signed_size: u64,
}

/// The bytes of one of the types above.
pub(super) fn encode<T: Serialize>(payload: &T) -> Vec<u8> {
    // Only what is longer than 4 MiB is refused; the types above have a few dozen bytes.
    codec::encode(payload).unwrap_or_default()
}

/// One of the types above, out of a record's payload.
///
/// # Errors
/// [`LedgerError::Record`] when the bytes are not of it.
pub fn decode<T: DeserializeOwned>(payload: &[u8]) -> Result<T, LedgerError> {
    codec::decode(payload).map_err(|_| LedgerError::Record("the payload is not what its kind says"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// If this fails, ledgers of released versions can no longer be read: raise the format's version instead.
    #[test]
    fn the_bytes_of_payloads_never_change() {
        let start = Start { agent_version: "1.2".into(), last: LastRun::Cut { torn_bytes: 9 } };
        let golden = [3, 0, 0, 0, 0, 0, 0, 0, b'1', b'.', b'2', 2, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(encode(&start), golden);
        assert_eq!(decode::<Start>(&golden), Ok(start));
        assert_eq!(
            encode(&Stop { appended: 1, refused: 2 }),
            [1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]
        );
        assert_eq!(encode(&DiskChange { state: 1, errno: 28 }), [1, 28, 0, 0, 0]);
        let aside = SetAside {
            folder: "l.damaged-1".into(),
            origin: "o".into(),
            path: "p".into(),
            offset: 5,
            what: "w".into(),
            next: 6,
            tree_size: 7,
            root: [8; 32],
            signed_size: 9,
        };
        let bytes = encode(&aside);
        assert_eq!(decode::<SetAside>(&bytes), Ok(aside));
        assert_eq!(
            (bytes.len(), &bytes[..9], &bytes[bytes.len() - 8..]),
            (110, &[11, 0, 0, 0, 0, 0, 0, 0, b'l'][..], &[9, 0, 0, 0, 0, 0, 0, 0][..])
        );
        let heads = encode(&Heads { root: [7; 32], width: 4 });
        assert_eq!((&heads[..32], &heads[32..]), (&[7; 32][..], &[4, 0, 0, 0, 0, 0, 0, 0][..]));
    }
}
