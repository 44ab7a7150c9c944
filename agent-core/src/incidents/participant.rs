//! Incidents come back at a start: from a snapshot and the records behind it, or from all records.

use super::{Event, Incidents};
use crate::ledger::{Kind, Record};
use crate::recovery::Participant;

/// Incidents that are being restored.
#[derive(Debug, Default)]
pub struct Returning {
    /// As far as they are known.
    pub incidents: Incidents,
    /// Why they do not follow from the records, if they do not: a run then begins afresh
    /// ([`Incidents::begin_afresh`]).
    pub broken: Option<String>,
}

impl Participant for Returning {
    fn name(&self) -> &'static str {
        "incidents"
    }

    fn version(&self) -> u32 {
        1
    }

    fn snapshot(&self) -> Result<Vec<u8>, String> {
        self.incidents.snapshot()
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.incidents = Incidents::restore(bytes).map_err(|corrupt| corrupt.what)?;
        Ok(())
    }

    fn replay(&mut self, record: &Record) {
        if record.kind != Kind::INCIDENT {
            return;
        }
        match self.incidents.replay(record.payload) {
            // A run that began afresh does not need what was before.
            Ok(Event::Began { afresh_from: Some(_), .. }) => self.broken = None,
            Err(corrupt) if self.broken.is_none() => {
                self.broken = Some(format!("record {}: {}", record.sequence, corrupt.what));
            }
            Ok(_) | Err(_) => {}
        }
    }

    fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::Severity;
    use crate::incidents::{Condition, Evidence, Outside, Policy, Resource, Signal, Source};
    use crate::ledger::simulated::SimulatedDisk;
    use crate::ledger::{Keep, Ledger, Sizes};
    use crate::recovery::{restore, save, take};
    use crate::sys::clock::Clock;
    use std::sync::Arc;

    struct Trail(Ledger);

    impl Outside for Trail {
        fn record(&mut self, tenant: &str, payload: &[u8]) -> Result<(), String> {
            self.0.append(Kind::INCIDENT, tenant, payload).map(drop).map_err(|error| error.to_string())
        }

        fn evidence(&mut self, _: &Condition) -> Vec<Evidence> {
            Vec::new()
        }
    }

    fn offer(incidents: &mut Incidents, trail: &mut Trail, vm: &str, at_ns: i64) {
        let condition = Condition {
            source: Source::Alert,
            detector: "vcpu-wait".into(),
            resource: Resource { vm: vm.into(), name: vm.into(), tenant: "acme".into() },
            part: String::new(),
            cause: "vcpu_wait_seconds".into(),
        };
        incidents.offer(&Signal::new(condition, true, Severity::Critical, "waits"), at_ns, trail);
        incidents.tick(at_ns, trail);
    }

    #[test]
    fn they_return_from_a_snapshot_when_the_records_before_it_are_gone_and_say_so_when_they_cannot() {
        let disk = Arc::new(SimulatedDisk::new(1, 512));
        // Small segments, so that the first can be removed.
        let sizes = Sizes { segment_bytes: 16 * 1_024, ..Sizes::default() };
        let open = || Ledger::open(disk.clone(), sizes, "bartizan/test", Clock::System).expect("a ledger").0;
        let mut trail = Trail(open());
        let mut live = Returning::default();
        live.incidents.begin(Policy::default(), 1, &mut trail).expect("recorded");
        for number in 0..100 {
            offer(&mut live.incidents, &mut trail, &format!("web-{number}"), 2 + number);
            trail.0.flush().expect("durable");
        }
        let snapshot = take(&trail.0, 0, &[&live]).expect("a snapshot");
        for number in 100..110 {
            offer(&mut live.incidents, &mut trail, &format!("web-{number}"), 2 + number);
        }
        trail.0.checkpoint().expect("signed");
        let keep = Keep { bytes: 48 * 1_024, age_ns: u64::MAX, cosigned_only: false };
        assert!(trail.0.prune(keep, 0).expect("pruned") > 0);
        trail.0.stop().expect("in order");
        drop(trail);

        let until = open().status().next;
        let mut without = Returning::default();
        restore(disk.clone(), until, &mut [&mut without]).expect("readable");
        assert!(without.broken.is_some(), "the first records are gone");
        save(disk.clone(), &snapshot).expect("saved");
        let mut with = Returning::default();
        restore(disk.clone(), until, &mut [&mut with]).expect("readable");
        assert_eq!(with.broken, None);
        assert_eq!(with.incidents.snapshot(), live.incidents.snapshot(), "bit for bit");
    }
}
