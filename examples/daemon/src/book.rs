//! Which alerts fire now.

use crate::serve::State;
use bartizan_core::alerts::{Alert, AlertState, Severity};
use bartizan_core::sampling::discovery::VmInfo;
use bartizan_core::sampling::frame::Entity;
use std::collections::HashMap;

/// More alerts than this that fire at once are counted in the accounts, but no longer kept one by one.
const ACTIVE_MAX: usize = 16_384;

/// The alerts that fire, by their id.
#[derive(Default)]
pub struct Book {
    active: HashMap<u64, Alert>,
    /// Those that a process before told of, of which only this is known.
    carried: HashMap<u64, Severity>,
}

/// Alerts that fire, counted by entity.
#[derive(Default)]
pub struct Counts(HashMap<Entity, [u32; 3]>);

impl Counts {
    /// How many fire about a VM or a part of it: info, warning, critical.
    #[must_use]
    pub fn about(&self, vm: &VmInfo) -> [u32; 3] {
        let mut total = [0; 3];
        for entity in vm.parts().chain([vm.entity]) {
            for (sum, count) in total.iter_mut().zip(self.0.get(&entity).copied().unwrap_or_default()) {
                *sum += count;
            }
        }
        total
    }
}

impl Book {
    /// Alerts that a process before told of and that go on firing, by their ids.
    pub fn carry(&mut self, open: impl Iterator<Item = (u64, Severity)>) {
        self.carried.extend(open);
    }

    /// Takes note of an alert.
    pub fn note(&mut self, alert: &Alert) {
        self.carried.remove(&alert.id);
        match alert.state {
            AlertState::Firing if self.active.len() < ACTIVE_MAX => {
                self.active.insert(alert.id, *alert);
            }
            AlertState::Firing => {}
            AlertState::Resolved => {
                self.active.remove(&alert.id);
            }
        }
    }

    /// The agent was made anew: it will say again what fires.
    pub fn clear(&mut self) {
        self.active.clear();
        self.carried.clear();
    }

    /// How many fire about each entity: info, warning, critical.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for alert in self.active.values() {
            counts.0.entry(alert.entity).or_insert([0; 3])[alert.severity as usize - 1] += 1;
        }
        counts
    }

    /// What fires, the worst and then the newest first.
    #[must_use]
    pub fn active(&self) -> Vec<&Alert> {
        let mut active: Vec<_> = self.active.values().collect();
        active.sort_by_key(|alert| (std::cmp::Reverse(alert.severity), std::cmp::Reverse(alert.sequence)));
        active
    }

    /// Tells the numbers to whoever serves them.
    pub fn publish(&self, state: &State) {
        for severity in [Severity::Info, Severity::Warning, Severity::Critical] {
            let carried = self.carried.values().filter(|carried| **carried == severity).count();
            let count = carried + self.active.values().filter(|alert| alert.severity == severity).count();
            state.set_alerts_active(severity, u64::try_from(count).unwrap_or(u64::MAX));
        }
    }
}
