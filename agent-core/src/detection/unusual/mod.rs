//! Rules of kind `unusual` and `unusual-together`: every series has a detector of its own, all signs about one VM or
//! about the host are weighed together, and what is told follows from how many alarms a week are tolerated.
//!
//! The detectors live in one pool of `limits.series` slots; a series gets its slot with its first sample and gives it
//! back when its VM leaves, when its row is used anew, or when its row ends. Who finds no slot is counted.

mod decide;
mod pool;
mod show;
mod slot;
mod subject;

pub(super) use slot::Habit;

use super::fusion::{Budget, Common};
use super::program::{Memory, Rule, Test};
use super::rule::RuleKind;
use super::table::Table;
use crate::config::Config;
use crate::sampling::frame::{Entity, Frame, OutOfMemory, Tick, zeroed};
use crate::sampling::metrics::Scope;
use crate::sampling::roster::Roster;
use crate::sys::zeroed::Zeroed;
use bytemuck::Zeroable;
use pool::Pool;
use subject::Subject;

/// Who found no slot is counted anew in each window: the slowest source is read once in it.
const WINDOW_NS: u64 = 60_000_000_000;
/// A series that was not heard of for so many of its blocks says nothing any more.
const SILENT_BLOCKS: u64 = 6;
/// So long after an alarm its VM's samples are no examples of the usual; what lasts longer becomes usual.
const EXTRAORDINARY_NS: u64 = 3_600_000_000_000;
/// So many slots are looked after in each tick.
const SWEPT_PER_TICK: u32 = 64;
/// In a rule's places: no slot was free when it was asked for, in an even or an odd window.
const REFUSED: [u32; 2] = [u32::MAX - 1, u32::MAX];
const NO_RULE: u16 = u16::MAX;

/// Everything that rules of these kinds remember.
pub(super) struct Watch {
    pool: Pool,
    /// One for each VM's row; the last is the host.
    subjects: Zeroed<Subject>,
    /// Subjects one of whose series was judged in this tick; its capacity is theirs.
    touched: Vec<u32>,
    /// One for each rule.
    commons: Box<[Common]>,
    /// Where the rules of an older watch are now; used while one takes over.
    heirs: Box<[u16]>,
    /// The `unusual-together` rules about VMs and about the host.
    tellers: [Option<u16>; 2],
    budget: Budget,
    /// What all that is common weighs for the host.
    common_total: i32,
    /// Subjects of which a series is watched.
    subjects_watched: u32,
    warming: u32,
    passed_ns: u64,
    window_ns: u64,
    window: usize,
    refused: u32,
    refused_before: u32,
    swept: u32,
    /// Alarms of VMs that were not told because most VMs showed the same.
    pub(super) left_to_host: u64,
}

/// What detection of the unusual comes to, for the agent's own metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct WatchStatus {
    /// Series that have a detector.
    pub series: u32,
    /// Of these, those that only learn yet.
    pub series_warming: u32,
    /// Series that found no room: `limits.series` is too small.
    pub series_refused: u32,
    /// Evidence must be this strong to be told: minus the natural logarithm of its probability.
    pub threshold: f32,
    /// Alarms told.
    pub alarms: u64,
    /// Alarms of VMs that belonged to the host.
    pub left_to_host: u64,
}

impl WatchStatus {
    /// The threshold, in millionths.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 40")]
    pub fn threshold_ppm(&self) -> u64 {
        (f64::from(self.threshold.max(0.0)) * 1e6) as u64
    }
}

impl Watch {
    pub(super) const BYTES_PER_SERIES: usize = Pool::BYTES_PER_SLOT;
    pub(super) const BYTES_PER_SUBJECT: usize = size_of::<Subject>() + size_of::<u32>();

    pub(super) fn new(config: &Config, rules: &[Rule]) -> Result<Self, OutOfMemory> {
        let vms = config.limits.rows(Scope::Vm);
        let teller = |scope| {
            let told = |rule: &Rule| rule.kind == RuleKind::UnusualTogether && rule.scope == scope;
            rules.iter().position(told).and_then(|index| u16::try_from(index).ok())
        };
        Ok(Self {
            pool: Pool::new(config.limits.series as usize)?,
            subjects: zeroed(vms + 1)?,
            touched: Vec::with_capacity(vms + 1),
            commons: vec![Common::zeroed(); rules.len()].into(),
            heirs: vec![NO_RULE; usize::from(u16::MAX / 32)].into(),
            tellers: [teller(Scope::Vm), teller(Scope::Host)],
            budget: Budget::new(config.detection.false_alarms_per_host_week),
            common_total: 0,
            subjects_watched: 0,
            warming: 0,
            passed_ns: 0,
            window_ns: 0,
            window: 0,
            refused: 0,
            refused_before: 0,
            swept: 0,
            left_to_host: 0,
        })
    }

    /// Looks at the row that the table has loaded, by an `unusual` rule.
    #[expect(clippy::too_many_arguments, reason = "one rule, one row, and where it is found")]
    pub(super) fn observe(
        &mut self,
        rule: &mut Rule,
        index: usize,
        entity: Entity,
        table: &Table,
        frame: &Frame,
        roster: &Roster,
        tick: Tick,
    ) {
        let (Test::Unusual(habit), Memory::Slots(places)) = (&rule.test, &mut rule.memory) else { return };
        let row = entity.row as usize;
        let place = &mut places[row];
        let Some((value, at_ns)) = rule.expression.sample(table) else { return };
        let series = &mut rule.series[row];
        if at_ns <= series.at_ns {
            return;
        }
        let guarded = match &rule.guard {
            Some(guard) => guard.holds(entity, table, frame, roster),
            None => Some(true),
        };
        let Some(guarded) = guarded else { return };
        let Some(elapsed_ns) = series.advance(at_ns, &rule.patience) else { return };
        if self.pool.slot(*place).is_none_or(|slot| slot.rule as usize != index || slot.row != entity.row) {
            *place = match self.enter(index, entity, roster, at_ns, habit) {
                Entered::As(number) => number,
                Entered::NoRoom => {
                    self.refused += u32::from(*place != REFUSED[self.window]);
                    REFUSED[self.window]
                }
                Entered::Nowhere => 0,
            };
            return;
        }
        let number = *place;
        let Some(slot) = self.pool.slot_mut(number) else { return };
        // While the condition does not hold nothing is seen.
        let elapsed_ns = if guarded { elapsed_ns } else { 0 };
        let Some(mean) = slot.take(value, elapsed_ns, at_ns, habit.every_ns) else { return };
        let was_warming = slot.is_warming();
        let told_ns = self.subjects[slot.subject as usize].told_ns;
        let told = told_ns > 0 && tick.mono_ns.saturating_sub(told_ns) < EXTRAORDINARY_NS;
        let weight = slot.judge(mean, at_ns, u64::try_from(tick.wall_ns).unwrap_or(0), habit, told);
        self.warming -= u32::from(was_warming && !slot.is_warming());
        self.weigh(number, weight);
    }

    /// A series weighs something else now.
    fn weigh(&mut self, number: u32, weight: i32) {
        let Some(slot) = self.pool.slot_mut(number) else { return };
        let before = std::mem::replace(&mut slot.weight, weight);
        let (rule, subject) = (usize::from(slot.rule), slot.subject);
        if subject as usize + 1 < self.subjects.len() {
            self.commons[rule].change(number, before, weight);
        }
        self.subjects[subject as usize].total += weight - before;
        self.touch(subject as usize);
    }

    /// A subject is to be judged at the end of the tick.
    fn touch(&mut self, index: usize) {
        let subject = &mut self.subjects[index];
        if std::mem::replace(&mut subject.touched, 1) == 0 {
            self.touched.push(u32::try_from(index).unwrap_or(u32::MAX));
        }
    }

    fn enter(&mut self, rule: usize, entity: Entity, roster: &Roster, at_ns: u64, habit: &Habit) -> Entered {
        let host = self.subjects.len() - 1;
        let (index, generation) = match entity.scope {
            Scope::Vm | Scope::Vcpu | Scope::VmNet | Scope::VmDisk => match roster.vm_of(entity) {
                Some((vm, _)) => (vm.row as usize, vm.generation),
                None => return Entered::Nowhere,
            },
            _ => (host, 1),
        };
        let subject = &mut self.subjects[index];
        if subject.generation != generation {
            // Whoever was here has left, and took all slots along.
            *subject = Subject::zeroed();
            subject.generation = generation;
        }
        let is_first = subject.first == 0;
        let Some((number, slot)) = self.pool.acquire(&mut subject.first) else { return Entered::NoRoom };
        slot.rule = u16::try_from(rule).unwrap_or(NO_RULE);
        (slot.row, slot.generation) = (entity.row, entity.generation);
        slot.subject = u32::try_from(index).unwrap_or(u32::MAX);
        slot.stagger(number, at_ns, habit.every_ns);
        subject.signs += 1;
        self.warming += 1;
        self.subjects_watched += u32::from(is_first);
        if index != host {
            self.commons[rule].enter();
        }
        Entered::As(number)
    }

    /// Takes a series' slot back.
    fn leave(&mut self, number: u32) {
        let Some(slot) = self.pool.slot(number) else { return };
        let (rule, index, weight) = (usize::from(slot.rule), slot.subject as usize, slot.weight);
        self.warming -= u32::from(slot.is_warming());
        let host = self.subjects.len() - 1;
        let subject = &mut self.subjects[index];
        subject.total -= weight;
        subject.signs -= 1;
        if index != host {
            self.commons[rule].leave(weight);
        }
        self.pool.release(number, &mut subject.first);
        self.subjects_watched -= u32::from(subject.first == 0);
    }

    /// A row of a rule is begun anew: to be called before its place is used again.
    pub(super) fn reset(&mut self, rule: &mut Rule, index: usize, row: usize) {
        let Memory::Slots(places) = &mut rule.memory else { return };
        let number = std::mem::replace(&mut places[row], 0);
        if self.pool.slot(number).is_some_and(|slot| slot.rule as usize == index && slot.row as usize == row)
        {
            self.leave(number);
        }
    }

    /// A VM is watched no longer.
    pub(super) fn vm_left(&mut self, vm: Entity) {
        let Some(subject) = self.subjects.get(vm.row as usize) else { return };
        if subject.generation != vm.generation {
            return;
        }
        while self.subjects[vm.row as usize].first != 0 {
            self.leave(self.subjects[vm.row as usize].first);
        }
        let touched = self.subjects[vm.row as usize].touched;
        self.subjects[vm.row as usize] = Subject { touched, ..Subject::zeroed() };
    }

    /// Takes over what an older watch knows; `heir` tells where its rules are now.
    pub(super) fn adopt(&mut self, old: &mut Self, heir: impl Fn(usize) -> Option<usize>) {
        self.budget.adopt(&old.budget);
        self.left_to_host += old.left_to_host;
        if self.pool.capacity() != old.pool.capacity() || self.subjects.len() != old.subjects.len() {
            return;
        }
        for (index, new) in self.heirs.iter_mut().enumerate().take(old.commons.len()) {
            *new = heir(index).and_then(|index| u16::try_from(index).ok()).unwrap_or(NO_RULE);
        }
        // What no rule watches any more goes, with the rules' old numbers; the others get their new ones.
        for number in 1..=old.pool.fresh() {
            let Some(slot) = old.pool.slot(number) else { continue };
            if self.heirs.get(usize::from(slot.rule)).is_none_or(|new| *new == NO_RULE) {
                old.leave(number);
            }
        }
        std::mem::swap(&mut self.pool, &mut old.pool);
        std::mem::swap(&mut self.subjects, &mut old.subjects);
        std::mem::swap(&mut self.touched, &mut old.touched);
        (self.subjects_watched, self.warming) = (old.subjects_watched, old.warming);
        (self.passed_ns, self.window_ns) = (old.passed_ns, old.window_ns);
        for (before, new) in self.heirs.iter().enumerate().take(old.commons.len()) {
            if let Some(common) = self.commons.get_mut(usize::from(*new)) {
                *common = old.commons[before];
            }
        }
        for number in 1..=self.pool.fresh() {
            if let Some(slot) = self.pool.slot_mut(number) {
                slot.rule = self.heirs[usize::from(slot.rule)];
            }
        }
    }

    /// What it comes to.
    pub(super) fn status(&self) -> WatchStatus {
        WatchStatus {
            series: self.pool.used,
            series_warming: self.warming,
            series_refused: self.refused_before.max(self.refused),
            threshold: self.budget.threshold(),
            alarms: self.budget.alarms(),
            left_to_host: self.left_to_host,
        }
    }
}

enum Entered {
    As(u32),
    NoRoom,
    /// Its VM is not known.
    Nowhere,
}
