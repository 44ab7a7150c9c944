//! What fires now: so that it is resolved when it is over, also when what it was about vanishes.

use super::Detector;
use super::gone::Departed;
use super::program::{Rule, Sight, Test};
use super::recurrence::Recurrences;
use super::series::{ANNOUNCED, BEFORE, Step};
use super::speak::{Because, Subject, fires, resolves};
use crate::alerts::{Alert, AlertSink};
use crate::sampling::frame::{Entity, Frame, OutOfMemory, Tick};
use crate::sampling::roster::Roster;
use crate::sampling::vm::VmIdentity;

/// One series that fires, or did so until this tick.
#[derive(Clone, Copy, Debug)]
struct Entry {
    rule: u16,
    entity: Entity,
    /// The VM it belongs to.
    vm: Option<Entity>,
    since_ns: u64,
}

/// See the module's documentation. No list here ever grows beyond what was set aside.
#[derive(Debug)]
pub(super) struct Firing {
    entries: Vec<Entry>,
    departed: Vec<Departed>,
    recurrences: Recurrences,
    per_minute_max: u32,
}

impl Firing {
    pub(super) const BYTES_PER_SERIES: usize = size_of::<Entry>();
    pub(super) const BYTES_PER_VM: usize = size_of::<Departed>() + Recurrences::BYTES_PER_VM;

    pub(super) fn new(series: usize, vms: usize, per_minute_max: u32) -> Result<Self, OutOfMemory> {
        let recurrences = Recurrences::new(vms)?;
        let mut firing = Self { entries: Vec::new(), departed: Vec::new(), recurrences, per_minute_max };
        firing
            .entries
            .try_reserve_exact(series)
            .map_err(|_| OutOfMemory { bytes: series * Self::BYTES_PER_SERIES })?;
        firing
            .departed
            .try_reserve_exact(vms)
            .map_err(|_| OutOfMemory { bytes: vms * Self::BYTES_PER_VM })?;
        Ok(firing)
    }

    /// Drops what is over, and resolves what vanished.
    pub(super) fn sweep(
        &mut self,
        rules: &mut [Rule],
        tick: Tick,
        frame: &Frame,
        roster: &Roster,
        sink: &mut AlertSink,
    ) {
        self.entries.retain(|entry| {
            if !entry.is_alive(rules) {
                return false;
            }
            let entity = entry.entity;
            if frame.entity(entity.scope, entity.row) == Some(entity) {
                return true;
            }
            entry.end(rules, &Subject::new(entity, roster), Because::Gone, tick, sink);
            false
        });
        self.departed.retain(|departed| {
            let rule = &rules[usize::from(departed.rule)];
            let waits = tick.mono_ns.saturating_sub(departed.last_ns) < rule.patience.clear_ns;
            if !waits {
                sink.push(departed.resolves(rule, None, tick));
            }
            waits
        });
    }

    /// What another process found firing goes on.
    pub(super) fn take_back(&mut self, index: usize, entity: Entity, since_ns: u64, roster: &Roster) {
        if self.entries.len() < self.entries.capacity() {
            let rule = u16::try_from(index).unwrap_or(u16::MAX);
            self.entries.push(Entry { rule, entity, vm: roster.vm_of(entity).map(|(vm, _)| vm), since_ns });
        }
    }

    /// Acts on what a rule saw in a row.
    #[expect(clippy::too_many_arguments, reason = "one rule, one row, and where to put what follows")]
    pub(super) fn step(
        &mut self,
        rule: &mut Rule,
        index: usize,
        entity: Entity,
        sight: &Sight,
        tick: Tick,
        roster: &Roster,
        sink: &mut AlertSink,
    ) {
        let row = entity.row as usize;
        match sight.step {
            Step::Stay if !rule.is_unsaid(row) => {}
            // Still so, and not told of yet: told as soon as the limit allows it.
            Step::Stay => {
                if rule.limiter.admit(tick.mono_ns, self.per_minute_max) {
                    announce(rule, entity, sight, tick, roster, sink);
                }
            }
            Step::Fire => {
                let vm = roster.vm_of(entity).map(|(vm, _)| vm);
                let entry = Entry {
                    rule: u16::try_from(index).unwrap_or(u16::MAX),
                    entity,
                    vm,
                    since_ns: rule.series[row].since_ns,
                };
                debug_assert!(self.entries.len() < self.entries.capacity(), "one entry a series");
                self.entries.push(entry);
                if rule.limiter.admit(tick.mono_ns, self.per_minute_max) {
                    announce(rule, entity, sight, tick, roster, sink);
                } else {
                    sink.suppress();
                }
            }
            Step::Resolve => {
                let since_ns = rule.series[row].since_ns;
                let held_back = rule.is_held_back(row);
                rule.series[row].quiet();
                if held_back {
                    sink.suppress();
                } else {
                    let subject = Subject::new(entity, roster);
                    sink.push(resolves(rule, &subject, since_ns, Because::Over, Some(sight), tick));
                }
            }
        }
    }

    /// Resolves everything that fires about a VM that leaves.
    pub(super) fn vm_left(
        &mut self,
        rules: &mut [Rule],
        vm: Entity,
        identity: &VmIdentity,
        tick: Tick,
        roster: &Roster,
        sink: &mut AlertSink,
    ) {
        self.entries.retain(|entry| {
            if entry.vm != Some(vm) || !entry.is_alive(rules) {
                return true;
            }
            let subject = Subject::of_vm(entry.entity, identity, roster);
            entry.end(rules, &subject, Because::Gone, tick, sink);
            false
        });
    }

    /// Tells of a VM whose process ended.
    pub(super) fn vm_exited(
        &mut self,
        rules: &mut [Rule],
        vm: Entity,
        identity: &VmIdentity,
        tick: Tick,
        roster: &Roster,
        sink: &mut AlertSink,
    ) {
        self.recurrences.note(identity, tick.mono_ns);
        for (index, rule) in (0u16..).zip(rules.iter_mut()) {
            let Test::Gone(recurrence) = rule.test else { continue };
            if let Some(by) = recurrence {
                if self.recurrences.count(identity, tick.mono_ns, by.within_ns) < by.times {
                    continue;
                }
                let told = |departed: &&mut Departed| departed.rule == index && departed.is(identity);
                if let Some(departed) = self.departed.iter_mut().find(told) {
                    departed.last_ns = tick.mono_ns;
                    continue;
                }
            }
            if !rule.limiter.admit(tick.mono_ns, self.per_minute_max) {
                sink.suppress();
                continue;
            }
            let subject = Subject::of_vm(vm, identity, roster);
            let departed = Departed { rule: index, subject, since_ns: tick.mono_ns, last_ns: tick.mono_ns };
            sink.push(departed.fires(rule, tick));
            if self.departed.len() < self.departed.capacity() {
                self.departed.push(departed);
            } else {
                // No room to wait for its return: said at once, so that no alert is left open.
                sink.push(departed.resolves(rule, None, tick));
            }
        }
    }

    /// Resolves the alert of a VM that is back.
    pub(super) fn vm_entered(
        &mut self,
        rules: &[Rule],
        identity: &VmIdentity,
        tick: Tick,
        sink: &mut AlertSink,
    ) {
        self.departed.retain(|departed| {
            let rule = &rules[usize::from(departed.rule)];
            // One that ends again and again comes back each time: that is no cure.
            let back = matches!(rule.test, Test::Gone(None)) && departed.is(identity);
            if back {
                sink.push(departed.resolves(rule, Some(identity.pid), tick));
            }
            !back
        });
    }

    /// Where an older rule is among the new ones, unless it changed.
    pub(super) fn heir(rules: &[Rule], old: &Rule) -> Option<usize> {
        let same = |new: &Rule| new.identity == old.identity && new.series.len() == old.series.len();
        rules.iter().position(same)
    }

    /// Takes over what fires by rules that did not change, and resolves the rest.
    pub(super) fn take_over(
        &mut self,
        rules: &mut [Rule],
        old: &mut Detector,
        tick: Tick,
        roster: &Roster,
        sink: &mut AlertSink,
    ) {
        for entry in &old.firing.entries {
            if !entry.is_alive(&old.rules) {
                continue;
            }
            match Self::heir(rules, &old.rules[usize::from(entry.rule)]) {
                Some(index) if self.entries.len() < self.entries.capacity() => {
                    self.entries.push(Entry { rule: u16::try_from(index).unwrap_or(u16::MAX), ..*entry });
                }
                _ => {
                    let subject = Subject::new(entry.entity, roster);
                    entry.end(&mut old.rules, &subject, Because::Rules, tick, sink);
                }
            }
        }
        old.firing.entries.clear();
        for departed in &old.firing.departed {
            let rule = &old.rules[usize::from(departed.rule)];
            let kept = Self::heir(rules, rule).filter(|_| self.departed.len() < self.departed.capacity());
            match kept.and_then(|index| u16::try_from(index).ok()) {
                Some(index) => self.departed.push(Departed { rule: index, ..*departed }),
                None => sink.push(departed.resolves(rule, None, tick)),
            }
        }
        old.firing.departed.clear();
        self.recurrences.adopt(&mut old.firing.recurrences);
        for old in &mut old.rules {
            if let Some(index) = Self::heir(rules, old) {
                rules[index].adopt(old);
            }
        }
    }

    /// How many fire now.
    pub(super) fn count(&self, rules: &[Rule]) -> usize {
        self.entries.iter().filter(|entry| entry.is_alive(rules)).count() + self.departed.len()
    }
}

/// Sends the alert that fires.
fn announce(
    rule: &mut Rule,
    entity: Entity,
    sight: &Sight,
    tick: Tick,
    roster: &Roster,
    sink: &mut AlertSink,
) {
    let series = &mut rule.series[entity.row as usize];
    let is_repeat = series.flags & BEFORE != 0;
    series.flags = series.flags & !BEFORE | ANNOUNCED;
    let since_ns = series.since_ns;
    sink.push(Alert { is_repeat, ..fires(rule, &Subject::new(entity, roster), since_ns, sight, tick) });
}

impl Entry {
    /// Whether the series still fires since then.
    fn is_alive(&self, rules: &[Rule]) -> bool {
        let series = &rules[usize::from(self.rule)].series[self.entity.row as usize];
        series.is_firing() && series.since_ns == self.since_ns
    }

    /// Resolves it without a sample.
    fn end(&self, rules: &mut [Rule], subject: &Subject, because: Because, tick: Tick, sink: &mut AlertSink) {
        let rule = &mut rules[usize::from(self.rule)];
        let row = self.entity.row as usize;
        let held_back = rule.is_held_back(row);
        rule.series[row].quiet();
        if held_back {
            sink.suppress();
        } else {
            sink.push(resolves(rule, subject, self.since_ns, because, None, tick));
        }
    }
}
