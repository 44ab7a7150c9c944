//! What is told is in the ledger first: alerts and changes of findings on their way out.
//!
//! The sampler never waits for a disk, and neither do the checks: what they tell comes through bounded queues, and is
//! appended by whoever takes it out of them. The ledger's own thread makes it durable. It is waited for, but not for
//! long: on a disk that hangs what happened must still be told. Then it leaves before it is durable, is counted
//! ([`Status::left_early`](crate::ledger::Status)), stays queued, and becomes durable when the disk is back.

use crate::alerts::{self, Alert};
use crate::checks::report::json;
use crate::checks::{Change, RuleSet};
use crate::ledger::{Keeper, Kind, PAYLOAD_BYTES_MAX};
use serde_json::{Value, json};
use std::time::Duration;

/// Characters of a payload that is too long for one record.
const CUT_CHARS: usize = 1_024;

/// Appends what is to be told, and waits until it may be.
pub struct Recorder {
    keeper: Keeper,
    hold: Duration,
    /// The last record that is not waited for yet, and how many are to leave with it.
    last: Option<u64>,
    leaving: u64,
}

impl Recorder {
    /// What is told is held back for the disk for so long at most.
    #[must_use]
    pub fn new(keeper: Keeper, hold: Duration) -> Self {
        Self { keeper, hold, last: None, leaving: 0 }
    }

    /// Appends an alert, to its tenant's log; whether there was room for it.
    pub fn alert(&mut self, alert: &Alert) -> bool {
        self.append(Kind::ALERT, alert.tenant.as_str(), &alerts::json::alert(alert))
    }

    /// Appends a change of a finding, to its VM's tenant's log.
    pub fn finding(&mut self, change: &Change, rules: &RuleSet) {
        let tenant = change.finding.subject.vm().map_or("", |vm| &vm.tenant);
        self.append(Kind::FINDING, tenant, &json::change(change, rules));
    }

    /// Appends a record of some kind; whether there was room for it. What is refused is counted by the ledger, and
    /// recorded.
    pub fn append(&mut self, kind: Kind, tenant: &str, payload: &Value) -> bool {
        self.leaving += 1;
        let mut text = payload.to_string();
        if text.len() > PAYLOAD_BYTES_MAX {
            // Evidence may be long: that there was something to record is never lost.
            let cut = text.chars().take(CUT_CHARS).collect::<String>();
            text = json!({ "type": payload["type"], "cut": cut }).to_string();
        }
        let ticket = self.keeper.ledger().append(kind, tenant, text.as_bytes()).ok();
        let is_appended = ticket.is_some();
        self.last = ticket.map(|ticket| ticket.sequence()).or(self.last);
        is_appended
    }

    /// Waits for a record that somebody else appended too, when it settles.
    pub fn wait_for(&mut self, sequence: u64) {
        self.last = Some(self.last.map_or(sequence, |last| last.max(sequence)));
    }

    /// Waits until what was appended is durable, though not for long. It may then be told.
    pub fn settle(&mut self) {
        let leaving = std::mem::take(&mut self.leaving);
        let is_durable = match self.last.take() {
            Some(last) => self.keeper.wait(last, self.hold) == Ok(true),
            None => leaving == 0,
        };
        if !is_durable {
            self.keeper.ledger().left_early(leaving);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::simulated::{Fault, SimulatedDisk};
    use crate::ledger::{Ledger, Sizes, Upkeep, read};
    use crate::sys::clock::Clock;
    use std::sync::Arc;

    fn recorder(disk: &Arc<SimulatedDisk>) -> Recorder {
        let (ledger, _) = Ledger::open(disk.clone(), Sizes::default(), "bartizan/r", Clock::System).unwrap();
        Recorder::new(Keeper::start(ledger, Upkeep::default()).unwrap(), Duration::from_secs(30))
    }

    #[test]
    fn what_may_be_told_is_durable_and_what_left_early_is_counted() {
        let disk = Arc::new(SimulatedDisk::new(1, 512));
        let mut recorder = recorder(&disk);
        recorder.append(Kind::CONFIG, "", &json!({ "type": "config" }));
        recorder.settle();
        let status = recorder.keeper.ledger().status();
        assert_eq!((status.durable, status.left_early), (2, 0));
        disk.fail(1, u64::MAX, Fault::Full);
        for _ in 0..3 {
            recorder.append(Kind::CONFIG, "", &json!({ "type": "config" }));
        }
        recorder.settle();
        assert_eq!(recorder.keeper.ledger().status().left_early, 3, "a full disk holds nothing up");
        disk.mend();
        recorder.append(Kind::CONFIG, "", &json!({ "type": "config" }));
        recorder.settle();
        let status = recorder.keeper.ledger().status();
        assert_eq!((status.left_early, status.waiting() > 1), (3, false));
        assert_eq!(recorder.keeper.stop(true, Duration::from_mins(1)), Some(Ok(())));
        recorder.append(Kind::CONFIG, "", &json!({ "type": "config" }));
        recorder.settle();
        assert_eq!(recorder.keeper.ledger().status().left_early, 4, "nothing is recorded any more");
    }

    #[test]
    fn what_is_too_long_is_cut_and_not_lost() {
        let disk = Arc::new(SimulatedDisk::new(1, 512));
        let mut recorder = recorder(&disk);
        recorder.append(Kind::ALERT, "", &json!({ "type": "alert", "message": "x".repeat(70_000) }));
        recorder.settle();
        let mut told = String::new();
        read(disk, 1, |record| told = String::from_utf8(record.payload.to_vec()).unwrap()).unwrap();
        assert!(told.len() < 2_000 && told.contains("alert") && told.contains("cut"), "{told}");
        assert_eq!(recorder.keeper.stop(true, Duration::from_mins(1)), Some(Ok(())));
    }
}
