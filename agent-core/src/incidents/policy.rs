//! How signals are judged. It is recorded when a run begins, so that a replay judges by the same.

use super::signal::{Condition, Source};
use crate::checks::pattern::like;
use serde::{Deserialize, Serialize};

const SECOND_NS: i64 = 1_000_000_000;
/// Inhibitions there may be: each is a bit of a key's masks.
pub const INHIBITIONS_MAX: usize = 32;

/// How signals are judged, and how much is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Keys that are remembered. When all are in use the one that has been quiet longest makes room; when all fire,
    /// signals about others are dropped.
    pub keys_max: u32,
    /// Incidents in memory, closed ones too. The one that was closed first makes room; when none is closed, signals
    /// that would open another are dropped.
    pub incidents_max: u32,
    /// Silences at a time.
    pub silences_max: u32,
    /// Tenants with a rate of their own; those beyond share one.
    pub tenants_max: u32,
    /// Bytes of evidence attached to an incident.
    pub evidence_bytes_max: u32,
    /// What conditions of one incident have in common, beside the stage that noticed them and the tenant.
    pub group_by: Vec<GroupBy>,
    /// Which conditions hold back which.
    pub inhibitions: Vec<Inhibition>,
    /// How long what changes about an incident is gathered before it is told; a critical one is told at once.
    pub wait_ns: i64,
    /// Half-life of the penalty of a condition that comes and goes. Each beginning adds 1,000.
    pub flap_half_life_ns: i64,
    /// From this penalty on it is flapping: what it does is no longer told.
    pub flap_high: u32,
    /// It flaps until the penalty has fallen to this.
    pub flap_low: u32,
    /// Conditions of one tenant that may begin in a minute, on average.
    pub rate_per_minute: u32,
    /// And at once.
    pub rate_burst: u32,
    /// An incident that nobody took on and that has been over for this long is closed for want of data; 0 is never.
    pub close_after_ns: i64,
}

/// What conditions of one incident have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GroupBy {
    /// The host or the VM.
    Vm,
    /// The metric, or the group of the check.
    Cause,
    /// The rule or the check.
    Detector,
}

/// While a condition that matches `source` holds, those that match `target` are held back. A condition that matches
/// both is not held back by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inhibition {
    /// Rules or checks, as patterns in which `*` stands for anything.
    pub source: Vec<String>,
    /// The same, of what is held back. Only conditions of VMs are.
    pub target: Vec<String>,
}

/// Which conditions. What is empty matches anything; `*` in a pattern stands for any text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matcher {
    /// The stage.
    pub source: Option<Source>,
    /// The tenant.
    pub tenant: String,
    /// The VM's UUID or name; `host` for the host.
    pub vm: String,
    /// The rule or the check.
    pub detector: String,
    /// The cause.
    pub cause: String,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            keys_max: 65_536,
            incidents_max: 1_024,
            silences_max: 256,
            tenants_max: 1_024,
            evidence_bytes_max: 8_192,
            group_by: vec![GroupBy::Vm, GroupBy::Cause],
            inhibitions: shipped(),
            wait_ns: 10 * SECOND_NS,
            flap_half_life_ns: 300 * SECOND_NS,
            flap_high: 3_000,
            flap_low: 1_000,
            rate_per_minute: 60,
            rate_burst: 120,
            close_after_ns: 7 * 86_400 * SECOND_NS,
        }
    }
}

impl From<&crate::config::incidents::Incidents> for Policy {
    fn from(config: &crate::config::incidents::Incidents) -> Self {
        Self {
            keys_max: config.keys_max,
            incidents_max: config.incidents_max,
            wait_ns: i64::from(config.wait_s) * SECOND_NS,
            rate_per_minute: config.per_tenant_per_minute_max,
            rate_burst: config.per_tenant_per_minute_max * 2,
            close_after_ns: i64::from(config.close_after_h) * 3_600 * SECOND_NS,
            ..Self::default()
        }
    }
}

/// What is wrong with the host as a whole shows in its VMs: one incident is enough. What tells of an attack on a VM is
/// never among the targets.
fn shipped() -> Vec<Inhibition> {
    let list = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    let one = |source: &[&str], target: &[&str]| Inhibition { source: list(source), target: list(target) };
    vec![
        one(
            &["host-cpu-saturated", "host-pressure-cpu", "host-steal"],
            &["vcpu-wait", "vcpu-starved", "vm-stalled", "vm-emulator-busy", "vm-silent"],
        ),
        one(
            &["host-memory-exhausted", "host-pressure-memory*", "host-swap-storm"],
            &["vm-memory-swapped", "vm-memory-unusual", "vm-stalled", "vm-silent", "vcpu-wait"],
        ),
        one(
            &["host-lockup", "host-hung-tasks", "host-kernel-oops", "agent-blind"],
            &["vcpu-*", "vm-stalled", "vm-blocked", "vm-silent", "vm-guest-failed", "vmdisk-latency"],
        ),
        one(&["host-pressure-io", "block-latency"], &["vmdisk-latency", "vm-blocked", "vm-stalled"]),
        one(&["net-drops", "net-errors", "host-conntrack-*"], &["vmnet-drops"]),
    ]
}

impl Policy {
    /// The inhibitions that a condition sets off, and those that hold it back, a bit each.
    pub(super) fn masks(&self, condition: &Condition) -> (u32, u32) {
        let any = |patterns: &[String]| patterns.iter().any(|pattern| like(pattern, &condition.detector));
        let (mut source, mut target) = (0, 0);
        for (bit, inhibition) in self.inhibitions.iter().take(INHIBITIONS_MAX).enumerate() {
            source |= u32::from(any(&inhibition.source)) << bit;
            target |= u32::from(!condition.resource.is_host() && any(&inhibition.target)) << bit;
        }
        (source, target)
    }

    /// Conditions with the same text belong to one incident.
    pub(super) fn group(&self, condition: &Condition) -> String {
        let mut text = format!("{}\u{1f}{}", condition.source.name(), condition.resource.tenant);
        for by in &self.group_by {
            text.push('\u{1f}');
            text.push_str(match by {
                GroupBy::Vm => &condition.resource.vm,
                GroupBy::Cause => &condition.cause,
                GroupBy::Detector => &condition.detector,
            });
        }
        text
    }
}

impl Matcher {
    /// Whether it matches a condition.
    #[must_use]
    pub fn matches(&self, condition: &Condition) -> bool {
        let is = |pattern: &String, text: &str| pattern.is_empty() || like(pattern, text);
        let resource = &condition.resource;
        let vm = if resource.is_host() {
            is(&self.vm, "host")
        } else {
            is(&self.vm, &resource.vm) || is(&self.vm, &resource.name)
        };
        self.source.is_none_or(|source| source == condition.source)
            && is(&self.tenant, &resource.tenant)
            && vm
            && is(&self.detector, &condition.detector)
            && is(&self.cause, &condition.cause)
    }

    /// Whether it matches whatever there is.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        let any = |pattern: &String| pattern.bytes().all(|byte| byte == b'*');
        self.source.is_none() && any(&self.tenant) && any(&self.vm) && any(&self.detector) && any(&self.cause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incidents::signal::Resource;

    #[test]
    fn shipped_inhibitions_name_rules_that_are_there_and_never_hold_an_attack_back() {
        let rules: Vec<_> =
            crate::detection::shipped().unwrap().iter().map(|rule| rule.name.clone()).collect();
        let policy = Policy::default();
        assert!(policy.inhibitions.len() <= INHIBITIONS_MAX);
        for pattern in policy.inhibitions.iter().flat_map(|one| one.source.iter().chain(&one.target)) {
            assert!(rules.iter().any(|rule| like(pattern, rule)), "{pattern}");
        }
        for attack in ["vm-traced", "vm-device-fuzzing", "vm-exit-storm", "vm-gone", "vmnet-packet-flood"] {
            let vm = Resource { vm: "u".into(), ..Resource::default() };
            let condition = Condition {
                source: Source::Alert,
                detector: attack.into(),
                resource: vm,
                part: String::new(),
                cause: String::new(),
            };
            assert_eq!(policy.masks(&condition).1, 0, "{attack}");
        }
    }
}
