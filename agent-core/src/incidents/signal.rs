//! What comes in: an alert or a change of a finding, in the words that incidents are made of.

use crate::alerts::{Alert, AlertState, Severity};
use crate::checks::{Change, ChangeKind, Severity as CheckSeverity};
use crate::sampling::discovery::identify::uuid_text;
use crate::sampling::frame::Entity;
use crate::sampling::metrics::Scope;
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// Bytes of a name in a [`Condition`]; what is longer is cut.
pub const NAME_BYTES_MAX: usize = 96;
/// Bytes of a message; what is longer is cut.
pub const MESSAGE_BYTES_MAX: usize = 256;

/// Which stage speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// Detection.
    Alert,
    /// The checks.
    Finding,
}

impl Source {
    /// The lower-case word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Finding => "finding",
        }
    }
}

/// What a condition holds of: the host, or a VM.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Resource {
    /// The VM's UUID, or its name when it tells none; empty for the host.
    pub vm: String,
    /// The VM's name; empty for the host.
    pub name: String,
    /// Whose it is; empty for the host's own, and for VMs whose tenant is not known.
    pub tenant: String,
}

impl Resource {
    /// Whether it is the host.
    #[must_use]
    pub fn is_host(&self) -> bool {
        self.vm.is_empty()
    }

    /// What to call it.
    #[must_use]
    pub fn shown(&self) -> &str {
        if self.is_host() {
            "host"
        } else if self.name.is_empty() {
            &self.vm
        } else {
            &self.name
        }
    }
}

/// The key that signals are one by: who noticed, about what, and the cause.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Condition {
    /// Which stage noticed it.
    pub source: Source,
    /// The rule or the check.
    pub detector: String,
    /// The host or the VM.
    pub resource: Resource,
    /// The part of it: `vcpu 3`, `eth0`; empty for the whole.
    pub part: String,
    /// The metric, or the group of the check.
    pub cause: String,
}

impl Condition {
    /// The same text for the same key, and for no other: its parts are separated by what no part contains.
    pub(super) fn write_key(&self, out: &mut String) {
        out.clear();
        out.push(if self.source == Source::Alert { 'a' } else { 'f' });
        for part in [&self.detector, &self.resource.vm, &self.resource.tenant, &self.part, &self.cause] {
            out.push('\u{1f}');
            out.push_str(part);
        }
    }

    /// Bounded, and without the separator.
    fn tidy(mut self) -> Self {
        let parts = [
            &mut self.detector,
            &mut self.resource.vm,
            &mut self.resource.name,
            &mut self.resource.tenant,
            &mut self.part,
            &mut self.cause,
        ];
        for part in parts {
            cut(part, NAME_BYTES_MAX);
            if part.contains(char::is_control) {
                *part = part.replace(char::is_control, "\u{fffd}");
                cut(part, NAME_BYTES_MAX);
            }
        }
        self
    }
}

/// One thing that was noticed, or that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// Its key.
    pub condition: Condition,
    /// Whether the condition holds or is over.
    pub is_firing: bool,
    /// How bad it is.
    pub severity: Severity,
    /// One sentence for people.
    pub message: String,
}

impl Signal {
    /// A signal whose texts are cut to their bounds.
    #[must_use]
    pub fn new(condition: Condition, is_firing: bool, severity: Severity, message: &str) -> Self {
        let mut message = message.to_owned();
        cut(&mut message, MESSAGE_BYTES_MAX);
        Self { condition: condition.tidy(), is_firing, severity, message }
    }

    /// An alert. `part` says which part of its VM it is about, in words that are the same after a restart: rows are
    /// not. It is not asked about the host's devices, which the alert names itself.
    #[must_use]
    pub fn of_alert(alert: &Alert, part: impl FnOnce(Entity) -> Option<String>) -> Self {
        let scope = alert.entity.scope;
        let is_vm = matches!(scope, Scope::Vm | Scope::Vcpu | Scope::VmNet | Scope::VmDisk);
        let resource = if is_vm {
            let vm = if alert.uuid == [0; 16] { alert.subject.to_string() } else { uuid_text(&alert.uuid) };
            Resource { vm, name: alert.subject.to_string(), tenant: alert.tenant.to_string() }
        } else {
            Resource::default()
        };
        let part = match scope {
            Scope::Vm | Scope::Host => String::new(),
            Scope::Agent => "agent".to_owned(),
            Scope::Vcpu | Scope::VmNet | Scope::VmDisk => {
                part(alert.entity).unwrap_or_else(|| format!("{} {}", scope.name(), alert.entity.row))
            }
            Scope::Cpu | Scope::Node | Scope::Block | Scope::Net => alert.subject.to_string(),
        };
        let condition = Condition {
            source: Source::Alert,
            detector: alert.rule.to_string(),
            resource,
            part,
            cause: alert.metric.metric().name.to_owned(),
        };
        Self::new(condition, alert.state == AlertState::Firing, alert.severity, &alert.message)
    }

    /// A change of a finding: the condition holds while somebody should act on it. `None` for one that is milder than
    /// `severity_min`.
    #[must_use]
    pub fn of_finding(change: &Change, severity_min: CheckSeverity) -> Option<Self> {
        let finding = &change.finding;
        if finding.severity < severity_min {
            return None;
        }
        let resource = finding.subject.vm().map_or_else(Resource::default, |vm| Resource {
            vm: if vm.uuid.is_empty() { vm.name.clone() } else { vm.uuid.clone() },
            name: vm.name.clone(),
            tenant: vm.tenant.clone(),
        });
        let severity = match finding.severity {
            CheckSeverity::Critical => Severity::Critical,
            CheckSeverity::High | CheckSeverity::Medium => Severity::Warning,
            CheckSeverity::Low | CheckSeverity::Info => Severity::Info,
        };
        let condition = Condition {
            source: Source::Finding,
            detector: finding.rule.to_string(),
            resource,
            part: String::new(),
            cause: finding.rule.split('.').next().unwrap_or_default().to_owned(),
        };
        let is_firing = change.kind != ChangeKind::Gone && finding.is_open();
        let mut message = format!("{} is {}", finding.rule, finding.verdict.name());
        if change.kind == ChangeKind::Gone {
            message.push_str(": what it was about is gone");
        } else if let Some(waived) = &finding.waived {
            let _ = write!(message, ", waived by {} until {}", waived.owner, waived.expires);
        } else {
            let _ = write!(message, ": {}", finding.reason());
        }
        Some(Self::new(condition, is_firing, severity, &message))
    }
}

/// Cuts a text to so many bytes, and says so in it.
pub(super) fn cut(text: &mut String, bytes_max: usize) {
    const MARK: &str = "…";
    if text.len() <= bytes_max {
        return;
    }
    let mut end = bytes_max - MARK.len();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text.push_str(MARK);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_and_cannot_forge_another_key() {
        let one = |part: &str, cause: &str| {
            let condition = Condition {
                source: Source::Alert,
                detector: "d".into(),
                resource: Resource::default(),
                part: part.into(),
                cause: cause.into(),
            };
            let mut key = String::new();
            Signal::new(condition, true, Severity::Info, "").condition.write_key(&mut key);
            key
        };
        assert_ne!(one("a\u{1f}b", ""), one("a", "b"));
        assert!(one(&"ä".repeat(500), "").len() < 150);
        let mut text = "ää".to_owned();
        cut(&mut text, 4);
        assert_eq!(text, "ää");
        cut(&mut text, 3);
        assert_eq!(text, "…");
    }
}
