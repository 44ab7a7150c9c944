//! Snapshots on the disk: `recovery/state-<sequence>`, the last two.

use super::snapshot::{SNAPSHOT_BYTES_MAX, Snapshot};
use crate::ledger::{Disk, Files, LedgerError};
use std::sync::Arc;

/// Where all that is not the trail itself is kept.
pub const FOLDER: &str = "recovery";
/// So many are kept: one that turns out damaged has another before it.
const KEPT: usize = 2;

fn name(sequence: u64) -> String {
    format!("{FOLDER}/state-{sequence:016x}")
}

fn sequence_of(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("state-").filter(|digits| digits.len() == 16)?;
    u64::from_str_radix(digits, 16).ok().filter(|sequence| format!("{sequence:016x}") == digits)
}

/// Writes a snapshot, durably and in one step, and removes all but the last two.
///
/// Every record below its number must be durable by now: a state must never know more than the trail.
///
/// # Errors
/// When the disk refuses; the snapshots that were there still are. A snapshot that is too large is none.
pub fn save(disk: Arc<dyn Disk>, snapshot: &Snapshot) -> Result<(), LedgerError> {
    let path = name(snapshot.sequence);
    let bytes =
        snapshot.encode().map_err(|what| LedgerError::Damaged { path: path.clone(), offset: 0, what })?;
    let files = Files::new(disk);
    files.make_folder(FOLDER)?;
    let (_, unfinished) = list(&files)?;
    for path in unfinished {
        // One that a crash left behind; it is in nobody's way.
        let _ = files.remove(&path);
    }
    files.put_durably(&path, &bytes)?;
    let (sequences, _) = list(&files)?;
    for old in sequences.iter().rev().skip(KEPT) {
        // One that cannot be removed is in nobody's way, and is tried again the next time.
        let _ = files.remove(&name(*old));
    }
    Ok(())
}

/// The numbers of the snapshots that are there, in order, and the files that a crash kept from becoming one.
fn list(files: &Files) -> Result<(Vec<u64>, Vec<String>), LedgerError> {
    let names = files.list(FOLDER)?;
    let mut sequences: Vec<u64> = names.iter().filter_map(|name| sequence_of(name)).collect();
    sequences.sort_unstable();
    let unfinished = |name: &&String| name.strip_suffix(".tmp").and_then(sequence_of).is_some();
    Ok((sequences, names.iter().filter(unfinished).map(|name| format!("{FOLDER}/{name}")).collect()))
}

/// The newest snapshot that can be used, and why those after it cannot: damaged, or ahead of a trail that ends before
/// `until`, which they then do not belong to.
///
/// # Errors
/// When the folder cannot be listed.
pub(super) fn load(disk: Arc<dyn Disk>, until: u64) -> Result<(Option<Snapshot>, Vec<String>), LedgerError> {
    let files = Files::new(disk);
    let (sequences, _) = list(&files)?;
    let mut refused = Vec::new();
    for sequence in sequences.into_iter().rev() {
        let path = name(sequence);
        let found = files.read(&path, SNAPSHOT_BYTES_MAX as u64).map_err(|error| error.to_string());
        let found = found.and_then(|bytes| {
            let bytes = bytes.ok_or_else(|| format!("{path}: it is gone"))?;
            let snapshot = Snapshot::decode(&bytes);
            snapshot.map_err(|(at, what)| format!("{path} is damaged at byte {at}: {what}"))
        });
        match found {
            Ok(snapshot) if snapshot.sequence != sequence => {
                refused.push(format!("{path}: its name is that of another snapshot"));
            }
            Ok(snapshot) if sequence > until => refused.push(format!(
                "{path}: it knows records below {}, and the trail ends before {until}: it belongs to another trail",
                snapshot.sequence
            )),
            Ok(snapshot) => return Ok((Some(snapshot), refused)),
            Err(error) => refused.push(error),
        }
    }
    Ok((None, refused))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::simulated::SimulatedDisk;

    fn snapshot(sequence: u64) -> Snapshot {
        Snapshot { sequence, wall_ns: 0, parts: Vec::new() }
    }

    #[test]
    fn two_are_kept_and_a_bad_newest_gives_way_to_the_one_before() {
        let disk = SimulatedDisk::new(1, 512);
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        assert_eq!(load(shared.clone(), 9).unwrap(), (None, Vec::new()));
        for sequence in [1, 5, 7] {
            save(shared.clone(), &snapshot(sequence)).unwrap();
        }
        assert!(disk.contents(&name(1)).is_none() && disk.contents(&name(5)).is_some());
        assert_eq!(load(shared.clone(), 9).unwrap(), (Some(snapshot(7)), Vec::new()));
        let (found, refused) = load(shared.clone(), 6).unwrap();
        assert_eq!((found, refused.len()), (Some(snapshot(5)), 1), "ahead of the trail");
        let mut bytes = disk.contents(&name(7)).unwrap();
        bytes[20] ^= 1;
        disk.plant(&name(7), &bytes);
        disk.plant("recovery/state-0000000000000008.tmp", b"half");
        disk.plant("recovery/state-000000000000000a", &snapshot(8).encode().unwrap());
        let (found, refused) = load(shared, 99).unwrap();
        assert_eq!(found, Some(snapshot(5)));
        assert!(
            refused[0].contains("another snapshot") && refused[1].contains("damaged at byte"),
            "{refused:?}"
        );
        save(Arc::new(disk.clone()), &snapshot(9)).unwrap();
        assert!(disk.contents("recovery/state-0000000000000008.tmp").is_none());
    }
}
