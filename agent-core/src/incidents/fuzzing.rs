//! The reader of records and snapshots, as the fuzz targets call it: whatever the bytes, it must come back.

use super::{Event, Incidents};

/// Records, each behind its length in two bytes: what is taken leaves a state whose accounts balance and that can be
/// saved and restored.
///
/// # Panics
/// When it does not: that is what the fuzzer looks for.
pub fn records(data: &[u8]) {
    let mut incidents = Incidents::new();
    let mut rest = data;
    while let Some((length, behind)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_le_bytes(*length)).min(behind.len());
        let (payload, next) = behind.split_at(length);
        if incidents.replay(payload).is_ok() {
            assert!(incidents.accounts().balances());
        }
        rest = next;
    }
    if let Ok(bytes) = incidents.snapshot() {
        let again = Incidents::restore(&bytes).map(|again| again.snapshot());
        assert_eq!(again, Ok(Ok(bytes)), "a snapshot has one form");
    }
    let _ = Incidents::restore(data);
    let _ = Event::decode(data);
}
