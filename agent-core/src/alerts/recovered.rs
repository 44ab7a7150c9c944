//! The accounts of alerts, kept across a restart: what was produced is at every instant what was delivered, suppressed,
//! dropped or in flight, also when a process before was killed.

use super::Accounting;
use crate::codec;
use crate::ledger::{Kind, Record};
use crate::recovery::Participant;
use serde::Deserialize;

/// The accounts as of a place in the trail.
///
/// Alerts are recorded in the moment they are delivered, each with its number; so what was delivered after a snapshot is
/// known to the last one. What a process had produced and not delivered when it was killed is lost with it, and counted
/// as dropped, as far as a later number tells that it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    accounts: Accounting,
}

impl Recovered {
    /// The accounts as of now: every alert that counts as delivered was appended.
    pub fn take(&mut self, accounts: Accounting) {
        self.accounts = accounts;
    }

    /// What the next process goes on from: whatever is not known to have been delivered or suppressed was dropped.
    #[must_use]
    pub fn settled(&self) -> Accounting {
        let Accounting { produced, delivered, suppressed, .. } = self.accounts;
        Accounting { dropped: produced - delivered - suppressed, in_flight: 0, ..self.accounts }
    }
}

/// The payload of an `alert` record: JSON with at least this.
#[derive(Deserialize)]
struct Told {
    sequence: u64,
}

impl Participant for Recovered {
    fn name(&self) -> &'static str {
        "alert-accounts"
    }

    fn version(&self) -> u32 {
        1
    }

    fn snapshot(&self) -> Result<Vec<u8>, String> {
        let Accounting { produced, delivered, suppressed, dropped, in_flight } = self.accounts;
        codec::encode(&[produced, delivered, suppressed, dropped, in_flight])
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), String> {
        let [produced, delivered, suppressed, dropped, in_flight] = codec::decode(bytes)?;
        let sum = [delivered, suppressed, dropped, in_flight].into_iter().try_fold(0, u64::checked_add);
        if sum != Some(produced) {
            return Err("its accounts do not balance".to_owned());
        }
        self.accounts = Accounting { produced, delivered, suppressed, dropped, in_flight };
        Ok(())
    }

    fn replay(&mut self, record: &Record) {
        if record.kind != Kind::ALERT {
            return;
        }
        let Ok(told) = serde_json::from_slice::<Told>(record.payload) else { return };
        let accounts = &mut self.accounts;
        accounts.delivered = accounts.delivered.saturating_add(1);
        // Its number counts all that were produced before it.
        let least = accounts.delivered.saturating_add(accounts.suppressed).saturating_add(accounts.dropped);
        accounts.produced = accounts.produced.max(told.sequence).max(least);
        accounts.in_flight = accounts.produced - least;
    }

    fn reset(&mut self) {
        self.accounts = Accounting::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::ring;
    use proptest::prelude::*;

    fn told(sequence: u64) -> Vec<u8> {
        format!(r#"{{"type":"alert","sequence":{sequence},"state":"firing"}}"#).into_bytes()
    }

    fn replay(recovered: &mut Recovered, payload: &[u8]) {
        let record =
            Record { sequence: 0, run: 1, wall_ns: 0, mono_ns: 0, kind: Kind::ALERT, tenant: "", payload };
        recovered.replay(&record);
    }

    #[test]
    fn what_was_in_flight_when_the_process_was_killed_is_counted_as_dropped() {
        let mut recovered = Recovered::default();
        recovered.take(Accounting { produced: 10, delivered: 5, suppressed: 1, dropped: 1, in_flight: 3 });
        let bytes = recovered.snapshot().unwrap();
        recovered.reset();
        recovered.restore(&bytes).unwrap();
        replay(&mut recovered, &told(8));
        replay(&mut recovered, &told(13));
        replay(&mut recovered, b"not an alert");
        let settled = recovered.settled();
        assert_eq!(
            settled,
            Accounting { produced: 13, delivered: 7, suppressed: 1, dropped: 5, in_flight: 0 }
        );
        let (mut sink, reader) = ring(4).unwrap();
        sink.go_on_from(settled);
        sink.suppress();
        assert_eq!(reader.accounting(), Accounting { produced: 14, suppressed: 2, ..settled });
        let wrong = codec::encode(&[1u64, 1, 1, 0, 0]).unwrap();
        assert!(recovered.restore(&wrong).is_err() && recovered.restore(&bytes[1..]).is_err());
    }

    proptest! {
        /// Whatever the records say: the accounts balance, and no delivered alert is forgotten.
        #[test]
        fn the_accounts_balance(start in prop::array::uniform4(0u64..1_000), numbers in prop::collection::vec(any::<u64>(), 0..50)) {
            let [delivered, suppressed, dropped, in_flight] = start;
            let mut recovered = Recovered::default();
            recovered.take(Accounting { produced: start.iter().sum(), delivered, suppressed, dropped, in_flight });
            for number in &numbers {
                replay(&mut recovered, &told(*number));
                prop_assert!(recovered.accounts.balances());
            }
            prop_assert!(recovered.settled().balances());
            prop_assert_eq!(recovered.settled().delivered, delivered + numbers.len() as u64);
        }
    }
}
