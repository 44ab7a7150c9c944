//! What a rule sees in a row, tick by tick, for whoever explains its alerts. Nobody does so on a host: this is for
//! recordings, and the only part of detection that may allocate while it judges.

use super::program::{Rule, Sight};
use super::wording::{Quantity, Shown};
use crate::sampling::frame::Entity;
use crate::sampling::metrics::MetricId;
use arrayvec::ArrayString;

/// One value, and what was expected in its place.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// The rule, or the sign that an `unusual-together` rule weighs.
    pub rule: ArrayString<48>,
    /// The few words for it.
    pub summary: ArrayString<64>,
    /// Which part of the VM or which device: "vCPU 3"; empty for the whole.
    pub part: ArrayString<64>,
    /// The metric.
    pub metric: MetricId,
    /// What was seen.
    pub observed: f64,
    /// The lower end of what was expected; negative infinity when there is none.
    pub expected_min: f64,
    /// The upper end; infinity when there is none.
    pub expected_max: f64,
    /// How much it weighs among the signs, in natural logarithms; 0 for rules that weigh nothing.
    pub weight: f32,
    quantity: Quantity,
}

impl Look {
    /// A value of this kind, with its unit, for people.
    #[must_use]
    pub fn show(&self, value: f64) -> String {
        Shown { value, quantity: self.quantity, help: self.metric.metric().help }.to_string()
    }

    pub(super) fn new(rule: &Rule, part: ArrayString<64>, seen: (f64, f64, f64), weight: f32) -> Self {
        let (observed, expected_min, expected_max) = seen;
        Self {
            rule: rule.name,
            summary: rule.summary,
            part,
            metric: rule.metric,
            observed,
            expected_min,
            expected_max,
            weight,
            quantity: rule.quantity,
        }
    }
}

/// What is looked at closely, and what was seen in the last tick.
#[derive(Clone, Debug)]
pub struct Probe {
    rule: ArrayString<48>,
    entity: Entity,
    pub(super) last_ns: u64,
    /// What was seen, one for each sign; empty when nothing was judged.
    pub looks: Vec<Look>,
    /// How strong the signs are together, and from which strength they are told.
    pub evidence: Option<(f32, f32)>,
}

impl Probe {
    pub(super) fn new(rule: ArrayString<48>, entity: Entity) -> Self {
        Self { rule, entity, last_ns: 0, looks: Vec::new(), evidence: None }
    }

    pub(super) fn is_about(&self, rule: &Rule, entity: Entity) -> bool {
        self.entity == entity && self.rule == rule.name
    }

    pub(super) const fn entity(&self) -> Entity {
        self.entity
    }

    pub(super) fn rule(&self) -> &str {
        &self.rule
    }

    pub(super) fn see(&mut self, rule: &Rule, sight: &Sight) {
        let seen = (sight.observed, sight.expected_min, sight.expected_max);
        self.looks.push(Look::new(rule, ArrayString::new_const(), seen, 0.0));
    }
}
