//! Playbooks: what is done about which incidents, as data.
//!
//! ```toml
//! [[playbook]]
//! id = "cpu-hog"
//! title = "A VM that starves its neighbours is slowed down"
//! when = { causes = ["vm-cpu-*"], severity-min = "critical", signs-min = 2, signs-within-s = 60 }
//! lease-s = 600                     # then it is undone; 0 is until a person says so
//! approval = { within-s = 300, otherwise = "decline" }    # left out: nobody is asked
//! closing = { verdict = "true-positive", root-cause = "a guest that spins" }    # left out: a person closes
//!
//! [[playbook.step]]
//! do = "throttle-cpu"
//! percent = 50
//! timeout-s = 5
//! on-failure = "undo"               # or "stop", "continue"
//! ```

use super::action::Action;
use super::playbook_file::{Mistake, document};
use crate::alerts::Severity;
use crate::checks::pattern::like;
use crate::incidents::Verdict;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Playbooks at most.
pub const PLAYBOOKS_MAX: usize = 256;
/// Steps of one playbook at most.
pub const STEPS_MAX: usize = 16;
/// The longest lease: a week. What should last longer is a change of configuration.
pub const LEASE_S_MAX: u32 = 7 * 86_400;

/// What is done about some incidents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Playbook {
    /// Its name, in every record and message.
    pub id: String,
    /// What it is for, for a person.
    pub title: String,
    /// Which incidents it is for.
    pub when: Trigger,
    /// How long its effects last once all steps are done, in seconds; 0 is until a person ends them.
    pub lease_s: u32,
    /// Who must agree.
    pub approval: Approval,
    /// What is done, in this order; taken back in the reverse.
    pub steps: Vec<Step>,
    /// What is written down when the incident is over and all is taken back. Without it a person closes the incident.
    pub closing: Option<Closing>,
}

/// What is known beforehand of incidents that a playbook is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Closing {
    /// What they are.
    pub verdict: Verdict,
    /// Why they come.
    pub root_cause: String,
}

/// Which incidents a playbook is for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Trigger {
    /// Patterns of causes, with `*` for any text: names of rules and checks.
    pub causes: Vec<String>,
    /// No incident below this.
    #[serde(default)]
    pub severity_min: Severity,
    /// Patterns of tenants; empty is all.
    #[serde(default)]
    pub tenants: Vec<String>,
    /// Patterns of names of VMs; empty is all.
    #[serde(default)]
    pub vms: Vec<String>,
    /// So many different signs of the incident are wanted before anything is done ...
    #[serde(default = "one")]
    pub signs_min: u32,
    /// ... within so many seconds.
    #[serde(default = "minute")]
    pub signs_within_s: u32,
}

const fn one() -> u32 {
    1
}

const fn minute() -> u32 {
    60
}

/// Who must agree before anything is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Approval {
    /// Nobody.
    None,
    /// A person, within a time.
    Asked {
        /// Seconds.
        within_s: u32,
        /// What happens when nobody has answered.
        otherwise: Otherwise,
    },
}

/// What happens when nobody has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Otherwise {
    /// Nothing is done.
    Decline,
    /// It is done as if somebody had agreed.
    Proceed,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What is done.
    pub action: Action,
    /// How long it may take, in seconds; taking it back may take as long again.
    pub timeout_s: u32,
    /// What follows when it fails.
    pub on_failure: OnFailure,
}

/// What follows when a step fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// The steps before it are taken back.
    #[default]
    Undo,
    /// They stay, and no further one is taken.
    Stop,
    /// The next one is taken.
    Continue,
}

/// What a trigger is held against: one incident, as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case<'a> {
    /// The rule or check that opened it.
    pub cause: &'a str,
    /// How bad it is.
    pub severity: Severity,
    /// Whose VM it is about.
    pub tenant: &'a str,
    /// The VM's name.
    pub vm: &'a str,
    /// When each of its different signs was seen last, `CLOCK_REALTIME` nanoseconds.
    pub signs_ns: &'a [i64],
    /// Now, on the same clock.
    pub now_ns: i64,
}

impl Trigger {
    /// Whether something is to be done about an incident.
    #[must_use]
    pub fn is_met(&self, case: &Case<'_>) -> bool {
        let since_ns = case.now_ns.saturating_sub(i64::from(self.signs_within_s) * 1_000_000_000);
        let is_like = |patterns: &[String], text: &str| {
            patterns.is_empty() || patterns.iter().any(|pattern| like(pattern, text))
        };
        let signs = case.signs_ns.iter().filter(|sign_ns| **sign_ns >= since_ns).count();
        self.causes.iter().any(|pattern| like(pattern, case.cause))
            && case.severity >= self.severity_min
            && is_like(&self.tenants, case.tenant)
            && is_like(&self.vms, case.vm)
            && u32::try_from(signs).unwrap_or(u32::MAX) >= self.signs_min
    }
}

/// Reads the playbooks of one file. One that is wrong keeps the whole file from being used: a response that is half of
/// what somebody wrote is worse than none.
///
/// # Errors
/// Every mistake with its line.
pub fn parse(file: &Path, text: &str) -> Result<Vec<Playbook>, Vec<Mistake>> {
    document(file, text)
}

impl Playbook {
    /// What is wrong with it, and at which of its keys.
    pub(super) fn mistake(&self) -> Option<(&'static str, String)> {
        let name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if self.id.is_empty() || self.id.len() > 64 || !self.id.bytes().all(name) {
            return Some(("id", "an id has 1 to 64 lower-case letters, digits and dashes".to_owned()));
        }
        if self.when.causes.is_empty() || self.when.signs_min == 0 {
            return Some((
                "when",
                "`causes` names at least one pattern, `signs-min` is at least 1".to_owned(),
            ));
        }
        if self.lease_s > LEASE_S_MAX {
            return Some(("lease-s", format!("a lease lasts at most {LEASE_S_MAX} seconds, a week")));
        }
        if self.steps.is_empty() || self.steps.len() > STEPS_MAX {
            return Some(("step", format!("a playbook has 1 to {STEPS_MAX} steps")));
        }
        if self.closing.as_ref().is_some_and(|closing| closing.root_cause.trim().is_empty()) {
            return Some(("closing", "`root-cause` says why such incidents come".to_owned()));
        }
        let freeze = self.steps.iter().position(|step| step.action == Action::Freeze);
        let asks_monitor = |action: &Action| {
            matches!(action, Action::Pause | Action::DumpMemory { .. } | Action::CopyDisks { .. })
        };
        if let Some(at) = freeze
            && self.steps[at..].iter().any(|step| asks_monitor(&step.action))
        {
            let text = "a frozen VMM answers no monitor: `pause`, `dump-memory` and `copy-disks` belong before `freeze`";
            return Some(("step", text.to_owned()));
        }
        let restart = self.steps.iter().position(|step| matches!(step.action, Action::Restart { .. }));
        if restart.is_some_and(|at| at != 0 || self.steps.len() > 1) {
            return Some(("step", "`restart` stands alone: the VM it is for is no more".to_owned()));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trigger() -> Trigger {
        Trigger {
            causes: vec!["vm-cpu-*".into()],
            severity_min: Severity::Warning,
            tenants: vec!["acme".into()],
            vms: vec!["web-*".into()],
            signs_min: 2,
            signs_within_s: 60,
        }
    }

    #[test]
    fn a_trigger_wants_all_it_names() {
        let second = 1_000_000_000;
        let case = Case {
            cause: "vm-cpu-steal",
            severity: Severity::Critical,
            tenant: "acme",
            vm: "web-1",
            signs_ns: &[100 * second, 130 * second],
            now_ns: 140 * second,
        };
        assert!(trigger().is_met(&case));
        assert!(!trigger().is_met(&Case { cause: "vm-disk", ..case.clone() }));
        assert!(!trigger().is_met(&Case { severity: Severity::Info, ..case.clone() }));
        assert!(!trigger().is_met(&Case { tenant: "other", ..case.clone() }));
        assert!(!trigger().is_met(&Case { vm: "db-1", ..case.clone() }));
        assert!(!trigger().is_met(&Case { signs_ns: &[130 * second], ..case.clone() }), "one sign");
        assert!(!trigger().is_met(&Case { now_ns: 170 * second, ..case }), "the first is too old");
    }
}
