//! What the records of a trace hold.

use serde::{Deserialize, Serialize};

/// What was recorded, and by whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The version of this crate.
    pub agent_version: String,
    /// The host's name, unless it was not to be told.
    pub host: Option<String>,
    /// When the recording began, `CLOCK_REALTIME` nanoseconds since the epoch.
    pub began_wall_ns: i64,
    /// The configuration in force.
    pub config: ConfigRecord,
    /// The names of the metrics that cells count through.
    pub metrics: Vec<String>,
    /// The names of the sources that stamps count through.
    pub sources: Vec<String>,
}

/// A configuration, whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigRecord {
    /// As TOML.
    pub toml: String,
    /// The SHA-256 of the TOML.
    pub config_sha256: [u8; 32],
}

/// One entity: see [`Entity`](crate::sampling::frame::Entity).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntityRecord {
    /// The number of its scope.
    pub scope: u8,
    /// Its row.
    pub row: u32,
    /// Its generation.
    pub generation: u32,
}

/// A VM and its parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VmRecord {
    /// The VM.
    pub entity: EntityRecord,
    /// The kind of VMM, as the number of [`VmmKind`](crate::sampling::discovery::VmmKind).
    pub vmm: u8,
    /// Its name.
    pub name: String,
    /// Its UUID.
    pub uuid: [u8; 16],
    /// Its tenant.
    pub tenant: String,
    /// The VMM's process.
    pub pid: i32,
    /// When the process started, clock ticks since boot.
    pub start_ticks: u64,
    /// Its vCPUs, interfaces and disks, each with its index, tap or name.
    pub parts: Vec<(EntityRecord, String)>,
}

/// The names of the host's rows; a row without a name holds nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelsRecord {
    /// Logical CPU numbers.
    pub cpus: Vec<Option<u32>>,
    /// NUMA node numbers.
    pub nodes: Vec<Option<u32>>,
    /// Block devices.
    pub block_devices: Vec<Option<String>>,
    /// Network devices.
    pub net_devices: Vec<Option<String>>,
}

/// How often each source is read, from which staleness is worked out; changes with the configuration and when the
/// agent degrades to keep its budget.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeriodsRecord {
    /// Nanoseconds, by the source's position in the header's list.
    pub periods_ns: Vec<u64>,
}

/// What changed in one tick.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta {
    /// The tick's number. A gap to the one before is ticks that were missed.
    pub tick: u64,
    /// `CLOCK_MONOTONIC` nanoseconds.
    pub mono_ns: u64,
    /// `CLOCK_REALTIME` nanoseconds since the epoch.
    pub wall_ns: i64,
    /// Another delta of the same tick follows.
    pub more: bool,
    /// What happened to VMs, in order, and before the rows below were written. In the last delta of a tick only.
    pub events: Vec<VmEvent>,
    /// The rows in which something changed.
    pub rows: Vec<RowDelta>,
}

/// Something that happened to a VM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VmEvent {
    /// 1 watched from now on, 2 watched by a newer plan, 3 watched no longer, 4 the same because its process ended,
    /// 5 no VM: other rules came into force.
    pub what: u8,
    /// The VM's row.
    pub row: u32,
    /// The row's generation.
    pub generation: u32,
}

/// What changed in one row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowDelta {
    /// The number of its scope.
    pub scope: u8,
    /// The row.
    pub row: u32,
    /// The row's generation; 0 when it holds nothing any more. Another one than before means a row that begins anew.
    pub generation: u32,
    /// The cells that changed.
    pub cells: Vec<Cell>,
    /// The sources that were read, and when.
    pub stamps: Vec<(u8, u64)>,
}

/// One cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// The metric's position in the header's list.
    pub metric: u16,
    /// Its value.
    pub value: i64,
    /// The number of its availability.
    pub availability: u8,
}

/// The recording was ended in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Ticks that were recorded.
    pub ticks: u64,
    /// Ticks that passed between two captures and are not in the trace.
    pub ticks_missed: u64,
    /// Events that were lost between two captures.
    pub events_missed: u64,
}

/// A record, with its kind.
pub(super) trait Record {
    const KIND: u8;
}

impl Record for Header {
    const KIND: u8 = 1;
}
impl Record for VmRecord {
    const KIND: u8 = 2;
}
impl Record for LabelsRecord {
    const KIND: u8 = 3;
}
impl Record for Delta {
    const KIND: u8 = 4;
}
impl Record for End {
    const KIND: u8 = 5;
}
impl Record for ConfigRecord {
    const KIND: u8 = 6;
}
impl Record for PeriodsRecord {
    const KIND: u8 = 7;
}

#[cfg(test)]
pub(super) mod sample {
    use super::*;
    use crate::config::{Config, fingerprint};

    pub(crate) fn header() -> Header {
        Header {
            agent_version: "0.1.0".into(),
            host: None,
            began_wall_ns: 5,
            // The defaults.
            config: ConfigRecord { toml: String::new(), config_sha256: fingerprint(&Config::default()) },
            metrics: vec!["host_cpu_user_seconds".into(), "no_longer_known".into()],
            sources: vec!["proc-stat".into()],
        }
    }

    pub(crate) fn delta() -> Delta {
        let cells = vec![
            Cell { metric: 0, value: 77, availability: 1 },
            Cell { metric: 1, value: 78, availability: 1 },
        ];
        let row = RowDelta { scope: 1, row: 0, generation: 1, cells, stamps: vec![(0, 900)] };
        Delta { tick: 1, mono_ns: 1_000, wall_ns: 2_000, rows: vec![row], ..Delta::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{decode, encode};
    use proptest::prelude::*;

    /// If this fails, traces of released versions can no longer be read: raise the format's version instead.
    #[test]
    fn the_bytes_of_a_delta_never_change() {
        let delta = Delta {
            tick: 1,
            mono_ns: 2,
            wall_ns: -3,
            more: true,
            events: vec![VmEvent { what: 4, row: 3, generation: 2 }],
            rows: vec![RowDelta {
                scope: 6,
                row: 5,
                generation: 7,
                cells: vec![Cell { metric: 0x0102, value: -1, availability: 1 }],
                stamps: vec![(9, 0x0A0B)],
            }],
        };
        #[rustfmt::skip]
        let golden = [
            1, 0, 0, 0, 0, 0, 0, 0,
            2, 0, 0, 0, 0, 0, 0, 0,
            0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
            1,
            1, 0, 0, 0, 0, 0, 0, 0,
            4, 3, 0, 0, 0, 2, 0, 0, 0,
            1, 0, 0, 0, 0, 0, 0, 0,
            6, 5, 0, 0, 0, 7, 0, 0, 0,
            1, 0, 0, 0, 0, 0, 0, 0,
            0x02, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1,
            1, 0, 0, 0, 0, 0, 0, 0,
            9, 0x0b, 0x0a, 0, 0, 0, 0, 0, 0,
        ];
        assert_eq!(encode(&delta).unwrap(), golden);
        assert_eq!(decode::<Delta>(&golden), Ok(delta));
    }

    proptest! {
        #[test]
        fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode::<Delta>(&bytes);
            let _ = decode::<Header>(&bytes);
            let _ = decode::<VmRecord>(&bytes);
        }
    }
}
