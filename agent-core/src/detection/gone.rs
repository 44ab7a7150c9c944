//! VMs whose process ended: told at once, resolved when the VM comes back or after a while.

use super::program::{Recurrence, Rule, Test};
use super::speak::{Subject, begin, blank};
use super::wording::Duration;
use crate::alerts::{Alert, AlertState};
use crate::sampling::frame::Tick;
use crate::sampling::vm::VmIdentity;
use std::fmt::Write;

/// One VM that is gone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Departed {
    pub(super) rule: u16,
    pub(super) subject: Subject,
    pub(super) since_ns: u64,
    /// When it ended last.
    pub(super) last_ns: u64,
}

impl Departed {
    /// Whether a VM that came is this one: the same UUID, or without UUIDs the same name.
    pub(super) fn is(&self, identity: &VmIdentity) -> bool {
        let gone = &self.subject.vm;
        if gone.uuid == [0; 16] && identity.uuid == [0; 16] {
            !gone.name.is_empty() && gone.name == identity.name
        } else {
            gone.uuid == identity.uuid
        }
    }

    pub(super) fn fires(&self, rule: &Rule, tick: Tick) -> Alert {
        let mut message = begin(&self.subject);
        let _ = match rule.test {
            Test::Gone(Some(Recurrence { times, within_ns })) => {
                write!(message, "its process ended {times} times within {}", Duration(within_ns))
            }
            _ => write!(message, "its process {} is gone", self.subject.vm.pid),
        };
        Alert { message: message.into_inner(), ..blank(rule, &self.subject, self.since_ns, tick) }
    }

    /// `back` is the process of the VM that came back.
    pub(super) fn resolves(&self, rule: &Rule, back: Option<i32>, tick: Tick) -> Alert {
        let mut message = begin(&self.subject);
        let after = Duration(tick.mono_ns.saturating_sub(self.since_ns));
        let _ = match back {
            Some(pid) => write!(message, "back as process {pid} after {after}"),
            None if matches!(rule.test, Test::Gone(Some(_))) => {
                let still = Duration(tick.mono_ns.saturating_sub(self.last_ns));
                write!(message, "has not ended again for {still}")
            }
            None => write!(message, "not back after {after}; no longer waited for"),
        };
        Alert {
            state: AlertState::Resolved,
            message: message.into_inner(),
            ..blank(rule, &self.subject, self.since_ns, tick)
        }
    }
}
