//! Guard rails: how much may be done by itself, and to whom never.
//!
//! They hold for what is begun; what is in force is never taken back because of them, since a half-made response is
//! worse than either. A kill switch stops everything that is not begun yet, and a person can end the rest.

use super::action::Target;
use crate::checks::pattern::like;
use crate::config::response::Response as Rails;
use crate::sampling::discovery::identify::uuid_text;
const HOUR_NS: i64 = 3_600_000_000_000;

/// What the rails are held against.
#[derive(Clone, Debug)]
pub struct Situation<'a> {
    /// The VM that something is to be done to.
    pub target: &'a Target,
    /// Whether it hurts the VM.
    pub is_disruptive: bool,
    /// VMs on this host.
    pub vms: usize,
    /// UUIDs and PIDs of VMs on which something is in force already.
    pub acted_on: &'a [(i32, u64)],
    /// When responses were begun lately, `CLOCK_REALTIME` nanoseconds.
    pub begun_ns: &'a [i64],
    /// Whether the kill switch is set, or cannot be told.
    pub killed: bool,
    /// Now, on the same clock.
    pub now_ns: i64,
}

/// The rails at work.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    /// As the host's owner declares them.
    pub rails: Rails,
}

impl Guard {
    /// Whether a response may be begun.
    ///
    /// # Errors
    /// One sentence that says which rail forbids it.
    pub fn judge(&self, situation: &Situation<'_>) -> Result<(), String> {
        let rails = &self.rails;
        if !rails.enabled {
            return Err(
                "responses are switched off ([response] enabled = false): this is what would be done"
                    .to_owned(),
            );
        }
        if situation.killed {
            return Err(format!("the kill switch {} is set", rails.kill_switch.display()));
        }
        if let Some(pattern) = self.protects(situation.target) {
            return Err(format!("the VM is protected by `{pattern}`"));
        }
        if let Some(window) = rails.quiet.iter().find(|window| window.holds(situation.now_ns)) {
            let (from, to) = (String::from(window.from), String::from(window.to));
            return Err(format!("nothing is begun between {from} and {to} UTC"));
        }
        let recent =
            situation.begun_ns.iter().filter(|begun_ns| situation.now_ns - **begun_ns < HOUR_NS).count();
        if count(recent) >= rails.per_hour_max {
            return Err(format!(
                "{recent} responses were begun within an hour; {} are allowed",
                rails.per_hour_max
            ));
        }
        if situation.is_disruptive {
            self.judge_blast_radius(situation)?;
        }
        Ok(())
    }

    fn judge_blast_radius(&self, situation: &Situation<'_>) -> Result<(), String> {
        let this = (situation.target.pid, situation.target.start_ticks);
        let mut others: Vec<_> = situation.acted_on.iter().filter(|vm| **vm != this).collect();
        others.sort();
        others.dedup();
        let with_this = others.len() + 1;
        let share =
            situation.vms.saturating_mul(usize::try_from(self.rails.vms_percent_max).unwrap_or(0)) / 100;
        let share = share.max(1);
        if count(with_this) > self.rails.vms_max || with_this > share {
            return Err(format!(
                "{with_this} of {} VMs would be acted on at a time; at most {} and {} % are allowed, {} of them",
                situation.vms,
                self.rails.vms_max,
                self.rails.vms_percent_max,
                share.min(usize::try_from(self.rails.vms_max).unwrap_or(usize::MAX)),
            ));
        }
        Ok(())
    }

    /// The pattern that protects a VM.
    #[must_use]
    pub fn protects(&self, target: &Target) -> Option<&str> {
        let uuid = uuid_text(&target.uuid);
        let names = [target.name.as_str(), uuid.as_str(), target.tenant.as_str()];
        let is_named = |pattern: &&String| names.iter().any(|name| !name.is_empty() && like(pattern, name));
        self.rails.protected.iter().find(is_named).map(String::as_str)
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::LazyLock;

    static TARGET: LazyLock<Target> = LazyLock::new(|| Target {
        name: "vm-1".into(),
        tenant: "acme".into(),
        pid: 1,
        start_ticks: 7,
        ..Target::default()
    });

    fn guard(change: impl FnOnce(&mut Rails)) -> Guard {
        let mut rails = Rails { enabled: true, ..Rails::default() };
        change(&mut rails);
        Guard { rails }
    }

    fn judge<'a>(guard: &Guard, change: impl FnOnce(&mut Situation<'a>)) -> Result<(), String> {
        let mut situation = Situation {
            target: &TARGET,
            is_disruptive: true,
            vms: 100,
            acted_on: &[],
            begun_ns: &[],
            killed: false,
            now_ns: 1_000 * HOUR_NS,
        };
        change(&mut situation);
        guard.judge(&situation)
    }

    #[test]
    fn nothing_is_done_unless_it_is_switched_on() {
        assert!(judge(&Guard::default(), |_| ()).unwrap_err().contains("switched off"));
        assert_eq!(judge(&guard(|_| ()), |_| ()), Ok(()));
    }

    #[test]
    fn each_rail_stops_it() {
        let hour = [999 * HOUR_NS + 1; 12];
        assert!(judge(&guard(|_| ()), |now| now.killed = true).unwrap_err().contains("kill switch"));
        assert!(judge(&guard(|_| ()), |now| now.begun_ns = &hour).unwrap_err().contains("12 responses"));
        assert_eq!(judge(&guard(|_| ()), |now| now.begun_ns = &hour[..11]), Ok(()));
        assert_eq!(judge(&guard(|_| ()), |now| now.begun_ns = &[999 * HOUR_NS; 12]), Ok(()), "an hour ago");
        for pattern in ["vm-1", "acme", "*"] {
            let guard = guard(|rails| rails.protected = vec![pattern.to_owned()]);
            assert!(judge(&guard, |_| ()).unwrap_err().contains("protected"), "{pattern}");
        }
        assert_eq!(judge(&guard(|rails| rails.protected = vec!["vm-2".to_owned()]), |_| ()), Ok(()));
    }

    #[test]
    fn the_blast_radius_counts_each_vm_once_and_lets_one_through() {
        let others = [(2, 7), (3, 7), (2, 7)];
        assert_eq!(judge(&guard(|_| ()), |now| now.acted_on = &others), Ok(()), "three of a hundred");
        let four = [(2, 7), (3, 7), (4, 7)];
        assert!(judge(&guard(|_| ()), |now| now.acted_on = &four).unwrap_err().contains("4 of 100"));
        let again = [(2, 7), (3, 7), (1, 7)];
        assert_eq!(judge(&guard(|_| ()), |now| now.acted_on = &again), Ok(()), "this one already");
        let few = judge(&guard(|_| ()), |now| (now.vms, now.acted_on) = (5, &others[..1]));
        assert!(few.unwrap_err().contains("2 of 5"));
        assert_eq!(judge(&guard(|_| ()), |now| now.vms = 1), Ok(()));
        assert_eq!(
            judge(&guard(|_| ()), |now| (now.is_disruptive, now.acted_on) = (false, &four)),
            Ok(()),
            "telling somebody hurts nobody"
        );
    }
}
