//! Where a daemon records what it tells, and what it keeps of it.

use crate::ledger::note::Verifier;
use crate::ledger::{Keep, Upkeep};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// The ledger of a daemon. A library's is opened by its host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ledger {
    /// Whether anything is recorded at all.
    pub enabled: bool,
    /// The ledger's folder: an absolute path. Empty: the folder `ledger` in the state directory that systemd sets aside
    /// for the service; where there is none, nothing is recorded.
    pub folder: PathBuf,
    /// How often all logs are signed, also when nothing happens, in seconds: 1 to 86,400.
    pub checkpoint_interval_s: u32,
    /// The oldest records go while all of them take more than this, in MiB; 0 keeps them.
    pub size_mib_max: u32,
    /// Records that are older go, in days; 0 keeps them.
    pub age_days_max: u32,
    /// What is set aside on the disk, and given back when it is full so that this can be recorded, in KiB.
    pub reserve_kib: u32,
    /// Public keys of witnesses, `name+id+base64`. Where there are any, only records go that are covered by a checkpoint
    /// that all of them have cosigned.
    pub witnesses: Vec<String>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            enabled: true,
            folder: PathBuf::new(),
            checkpoint_interval_s: 60,
            size_mib_max: 1_024,
            age_days_max: 0,
            reserve_kib: 256,
            witnesses: Vec::new(),
        }
    }
}

impl Ledger {
    /// What is done for the ledger while it is open.
    #[must_use]
    pub fn upkeep(&self) -> Upkeep {
        const DAY_NS: u64 = 86_400_000_000_000;
        let witnesses: Vec<_> = self.witnesses.iter().filter_map(|key| witness(key)).collect();
        let limit = |value: u32, unit: u64| if value == 0 { u64::MAX } else { u64::from(value) * unit };
        let keep = Keep {
            bytes: limit(self.size_mib_max, 1 << 20),
            age_ns: limit(self.age_days_max, DAY_NS),
            // A key that cannot be read lets nothing go, rather than everything.
            cosigned_only: !self.witnesses.is_empty(),
        };
        Upkeep {
            checkpoint_every: Duration::from_secs(self.checkpoint_interval_s.max(1).into()),
            keep: (self.size_mib_max > 0 || self.age_days_max > 0).then_some(keep),
            witnesses: if witnesses.len() == self.witnesses.len() { witnesses } else { Vec::new() },
        }
    }
}

/// The public key of a witness; `None` for what is none.
pub(super) fn witness(text: &str) -> Option<Verifier> {
    Verifier::parse(text).filter(|key| key.is_witness)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn what_is_kept_is_what_the_numbers_say() {
        let default = Ledger::default().upkeep();
        let keep = default.keep.expect("a limit");
        assert_eq!((keep.bytes, keep.age_ns, keep.cosigned_only), (1 << 30, u64::MAX, false));
        assert_eq!(default.checkpoint_every, Duration::from_mins(1));
        let all = Ledger { size_mib_max: 0, age_days_max: 0, ..Ledger::default() };
        assert_eq!(all.upkeep().keep, None);
        let aged = Ledger { size_mib_max: 0, age_days_max: 90, ..Ledger::default() };
        assert_eq!(
            aged.upkeep().keep.map(|keep| (keep.bytes, keep.age_ns / 3_600_000_000_000)),
            Some((u64::MAX, 2_160))
        );
    }

    #[test]
    fn with_a_witness_only_what_it_cosigned_may_go() {
        let key = Verifier { name: "w.example".into(), key: [7; 32], is_witness: true };
        let text = format!("[ledger]\nwitnesses = [\"{key}\"]\n");
        let upkeep = Config::from_toml(&text, None).expect("valid").ledger.upkeep();
        assert_eq!(upkeep.witnesses, std::slice::from_ref(&key));
        assert!(upkeep.keep.is_some_and(|keep| keep.cosigned_only));
        let log = Verifier { is_witness: false, ..key };
        for wrong in [log.to_string(), "nonsense".to_owned()] {
            let text = format!("[ledger]\nwitnesses = [\"{wrong}\"]\n");
            let said = Config::from_toml(&text, None).expect_err("no witness").to_string();
            assert!(said.starts_with("configuration:2:14: `ledger.witnesses`"), "{said}");
        }
        let said =
            Config::from_toml("[ledger]\nfolder = \"var/x\"\n", None).expect_err("relative").to_string();
        assert!(
            said.starts_with("configuration:2:10: `ledger.folder` is \"var/x\"; an absolute path"),
            "{said}"
        );
    }
}
