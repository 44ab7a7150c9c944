//! The trace reader, as the fuzz targets call it: whatever the bytes, it must come back.

use super::framing;
use super::record::{Cell, ConfigRecord, Delta, EntityRecord, Header, RowDelta, VmEvent, VmRecord};
use super::replay::Replay;
use super::{TraceReader, redact};
use crate::config::{Config, Limits};
use std::io::Read;

/// A whole file.
pub fn trace(data: &[u8]) {
    let Ok(mut reader) = TraceReader::new(data) else { return };
    while let Ok(Some(_)) = reader.next_event() {}
}

/// Records whose checksums fit but whose contents are noise.
pub fn replay(data: &[u8]) {
    let mut bytes = Vec::new();
    let mut write = || {
        framing::write_file_head(&mut bytes)?;
        framing::write(&mut bytes, &header())?;
        for noise in data.chunks(32) {
            let (vms, deltas) = noise.split_at(noise.len() / 2);
            framing::write(&mut bytes, &vm(vms))?;
            framing::write(&mut bytes, &delta(&mut &*deltas))?;
        }
        Ok::<(), super::RecordError>(())
    };
    if write().is_err() {
        return;
    }
    let Ok(mut replay) = Replay::new(bytes.as_slice(), Some(&small())) else { return };
    while let Ok(Some(_)) = replay.next_tick() {}
}

/// Few rows of each kind, so that noise meets some and misses others.
fn small() -> Config {
    let limits = Limits {
        vms: 3,
        vcpus: 3,
        vm_nics: 3,
        vm_disks: 3,
        cpus: 3,
        nodes: 3,
        block_devices: 3,
        net_devices: 3,
        alerts: 8,
        series: 16,
        history_ticks: 0,
    };
    Config { limits, ..Config::default() }
}

fn header() -> Header {
    Header {
        agent_version: String::new(),
        host: None,
        began_wall_ns: 0,
        config: ConfigRecord { toml: String::new(), config_sha256: [0; 32] },
        metrics: vec!["vm_state".into(), "host_processes_running".into(), "unknown".into()],
        sources: vec!["task-stat".into()],
    }
}

/// A command line.
pub fn redact(data: &[u8]) {
    let redacted = redact::command_line(data);
    assert!(redacted.len() <= 9 * data.len() + 9);
}

fn delta(noise: &mut &[u8]) -> Delta {
    let mut byte = || {
        let mut one = [0];
        let _ = noise.read(&mut one);
        one[0]
    };
    let cells = (0..byte() % 3)
        .map(|_| Cell { metric: u16::from(byte() % 4), value: i64::from(byte()), availability: byte() })
        .collect();
    let row = RowDelta {
        scope: byte() % 12,
        row: u32::from(byte() % 4),
        generation: u32::from(byte() % 3),
        cells,
        stamps: vec![(byte() % 2, u64::from(byte()))],
    };
    let event = VmEvent { what: byte() % 7, row: u32::from(byte() % 4), generation: u32::from(byte() % 3) };
    Delta {
        tick: u64::from(byte()),
        more: byte() > 200,
        events: vec![event],
        rows: vec![row],
        ..Delta::default()
    }
}

fn vm(noise: &[u8]) -> VmRecord {
    let at = |index: usize| noise.get(index).copied().unwrap_or(0);
    let entity = |index| EntityRecord {
        scope: at(index) % 12,
        row: u32::from(at(index + 1) % 4),
        generation: u32::from(at(index + 2) % 3),
    };
    VmRecord {
        entity: entity(0),
        vmm: at(3),
        name: String::from_utf8_lossy(noise).into_owned(),
        uuid: [0; 16],
        tenant: String::new(),
        pid: 1,
        start_ticks: 0,
        parts: vec![(entity(4), String::new()), (entity(7), String::new())],
    }
}
