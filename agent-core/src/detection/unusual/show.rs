//! What the signs about a subject are, for whoever explains an alert.

use super::Watch;
use crate::detection::fusion::in_logarithms;
use crate::detection::probe::{Look, Probe};
use crate::detection::program::Rule;
use crate::detection::speak::part;
use crate::sampling::frame::{Entity, Tick};
use crate::sampling::metrics::Scope;
use crate::sampling::roster::Roster;

impl Watch {
    /// Adds the signs that were judged since the last tick, and what they come to.
    pub(in crate::detection) fn show(&self, rules: &[Rule], roster: &Roster, tick: Tick, probe: &mut Probe) {
        let entity = probe.entity();
        let host = self.subjects.len() - 1;
        let index = if entity.scope == Scope::Vm { entity.row as usize } else { host };
        let Some(subject) =
            self.subjects.get(index).filter(|subject| subject.generation == entity.generation)
        else {
            return;
        };
        let common = self.commons.iter().filter(|common| index == host && common.told > 0);
        let common = common.filter_map(|common| Some((common.told, self.pool.slot(common.foremost)?)));
        let own = self.pool.of_subject(subject.first).map(|(_, slot)| (slot.weight, slot));
        for (weight, slot) in own.chain(common).filter(|(_, slot)| slot.judged_ns > probe.last_ns) {
            let rule = &rules[usize::from(slot.rule)];
            let row = Entity { scope: rule.scope, row: slot.row, generation: slot.generation };
            probe.looks.push(Look::new(rule, part(row, roster), slot.last(), in_logarithms(weight)));
        }
        let total = subject.total + if index == host { self.common_total } else { 0 };
        probe.evidence = Some((subject.evidence.strength(total), self.budget.threshold()));
        probe.last_ns = tick.mono_ns;
    }
}
