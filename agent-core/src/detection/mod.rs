//! Frames become alerts: thresholds, changes, absence, states and baselines, declared as data.
//!
//! ```text
//! rules.toml + Config.rules ─compile─▶ Rule ┐
//! Frame ─Table (rates from counters)────────┴▶ Verdict ─Series (patience)─▶ Step ─speak─▶ Alert
//! ```
//! The language of rules is described in `docs/rules.md`. All memory is set aside when a [`Detector`] is built; the
//! state of a row nobody uses stays untouched. [`Detector::evaluate`] looks at each row that exists once, whatever
//! the number of its rules.
//!
//! What cannot be read neither fires nor resolves: an alert that fires goes on firing, and `absence` rules tell of
//! what has gone silent.

mod baseline;
mod compile;
mod firing;
pub mod forecast;
mod fusion;
mod gone;
mod memory;
mod predict;
mod probe;
mod program;
mod recurrence;
mod rule;
mod series;
mod shipped;
mod speak;
pub mod streaming;
mod table;
mod unusual;
mod window;
mod wording;

pub use memory::{Copy, Memory, Recall};
pub use probe::{Look, Probe};
pub use rule::{About, Direction, GuardConfig, Missing, Of, RuleConfig, RuleError, RuleInfo, RuleKind};
pub use shipped::{SHIPPED_TOML, list, mistakes, shipped};
pub use unusual::WatchStatus;

use crate::alerts::AlertSink;
use crate::config::Config;
use crate::sampling::frame::{Entity, Frame, OutOfMemory, Tick};
use crate::sampling::metrics::Scope;
use crate::sampling::roster::Roster;
use crate::sampling::vm::VmIdentity;
use firing::Firing;
use forecast::Record;
use program::Rule;
use table::Table;
use unusual::Watch;

/// All rules in force, with the state of every series they watch.
pub struct Detector {
    rules: Vec<Rule>,
    tables: Vec<Table>,
    firing: Firing,
    watch: Watch,
    counter_resets: u64,
    probe: Option<Box<Probe>>,
    /// What another process knew of rows that may still appear.
    recall: Option<Box<Recall>>,
}

/// Why a detector could not be built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DetectorError {
    /// A rule makes no sense.
    Rule(RuleError),
    /// The declared limits ask for more memory than there is.
    Memory(OutOfMemory),
}

impl From<RuleError> for DetectorError {
    fn from(error: RuleError) -> Self {
        Self::Rule(error)
    }
}

impl From<OutOfMemory> for DetectorError {
    fn from(error: OutOfMemory) -> Self {
        Self::Memory(error)
    }
}

impl std::fmt::Display for DetectorError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rule(error) => error.fmt(f),
            Self::Memory(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for DetectorError {}

impl Detector {
    /// Compiles the shipped rules and the configured ones, and sets aside the memory for all their rows.
    ///
    /// # Errors
    /// When a rule makes no sense, or the memory is not to be had.
    pub fn build(config: &Config) -> Result<Self, DetectorError> {
        let (mut rules, wanted) = shipped::in_force(config)?;
        let mut tables = Vec::new();
        let mut series = 0;
        for (scope, metrics) in Scope::ALL.into_iter().zip(wanted) {
            let of_scope = |rule: &Rule| rule.scope == scope && !matches!(rule.test, program::Test::Gone(_));
            let Some(first) = rules.iter().position(of_scope) else { continue };
            let last = rules.iter().rposition(of_scope).map_or(first, |last| last + 1);
            let rows = config.limits.rows(scope);
            for rule in &mut rules[first..last] {
                rule.reserve(rows)?;
            }
            series += rows * (last - first);
            tables.push(Table::new(scope, rows, metrics, first..last)?);
        }
        let firing =
            Firing::new(series, config.limits.rows(Scope::Vm), config.alerts.per_rule_per_minute_max)?;
        let watch = Watch::new(config, &rules)?;
        Ok(Self { rules, tables, firing, watch, counter_resets: 0, probe: None, recall: None })
    }

    /// The memory that [`Detector::build`] sets aside; what no entity ever uses stays untouched.
    ///
    /// # Errors
    /// When a rule makes no sense.
    pub fn bytes(config: &Config) -> Result<usize, RuleError> {
        let (rules, wanted) = shipped::in_force(config)?;
        let of_rules = rules
            .iter()
            .filter(|rule| !matches!(rule.test, program::Test::Gone(_)))
            .map(|rule| config.limits.rows(rule.scope) * (rule.bytes_per_row() + Firing::BYTES_PER_SERIES));
        let of_tables = Scope::ALL
            .into_iter()
            .zip(&wanted)
            .map(|(scope, metrics)| Table::bytes(config.limits.rows(scope), metrics.len()));
        let of_watch = config.limits.series as usize * Watch::BYTES_PER_SERIES
            + (config.limits.rows(Scope::Vm) + 1) * Watch::BYTES_PER_SUBJECT;
        Ok(of_rules.chain(of_tables).sum::<usize>()
            + of_watch
            + config.limits.rows(Scope::Vm) * Firing::BYTES_PER_VM)
    }

    /// Looks at a frame and pushes what it finds. Allocates nothing.
    pub fn evaluate(&mut self, tick: Tick, frame: &Frame, roster: &Roster, sink: &mut AlertSink) {
        if let Some(probe) = &mut self.probe {
            probe.looks.clear();
            probe.evidence = None;
        }
        self.rules.iter_mut().for_each(|rule| rule.keep_pace(frame));
        self.firing.sweep(&mut self.rules, tick, frame, roster, sink);
        for at in 0..self.tables.len() {
            for entity in frame.entities(self.tables[at].scope) {
                let table = &mut self.tables[at];
                let row = entity.row as usize;
                if table.generations[row] != entity.generation {
                    table.reset(entity);
                    let rules = table.rules.clone();
                    for index in rules.clone() {
                        self.watch.reset(&mut self.rules[index], index, row);
                        self.rules[index].reset(row);
                    }
                    self.recall_row(rules, entity, tick, roster, sink);
                }
                let table = &mut self.tables[at];
                self.counter_resets += table.load(frame, entity);
                for index in table.rules.clone() {
                    let rule = &mut self.rules[index];
                    if let program::Test::Unusual(_) = rule.test {
                        self.watch.observe(rule, index, entity, table, frame, roster, tick);
                        continue;
                    }
                    if let Some(sight) = rule.judge(tick, entity, table, frame, roster) {
                        if let Some(probe) = self.probe.as_mut().filter(|probe| probe.is_about(rule, entity))
                        {
                            probe.see(rule, &sight);
                        }
                        self.firing.step(rule, index, entity, &sight, tick, roster, sink);
                    }
                }
            }
        }
        self.watch.conclude(&mut self.rules, &mut self.firing, tick, frame, roster, sink);
        if let Some(probe) = &mut self.probe {
            let mut rules = self.rules.iter().filter(|rule| rule.kind == RuleKind::UnusualTogether);
            if rules.any(|rule| rule.name.as_str() == probe.rule()) {
                self.watch.show(&self.rules, roster, tick, probe);
            }
        }
    }

    /// Looks closely at one rule in one row from now on: [`Detector::probe`] then tells what was seen in each tick. For
    /// recordings: it allocates.
    pub fn look_at(&mut self, rule: &str, entity: Entity) {
        let name = arrayvec::ArrayString::from(rule).unwrap_or_default();
        self.probe = Some(Box::new(Probe::new(name, entity)));
    }

    /// What was seen in the last tick, where it was looked closely.
    #[must_use]
    pub fn probe(&self) -> Option<&Probe> {
        self.probe.as_deref()
    }

    /// A VM is watched from now on: one that was gone may be back.
    pub fn vm_entered(&mut self, identity: &VmIdentity, tick: Tick, sink: &mut AlertSink) {
        self.firing.vm_entered(&self.rules, identity, tick, sink);
    }

    /// A VM is watched no longer; to be called while it and its parts are still in the roster. `exited` says that its
    /// process ended, which `gone` rules tell of.
    pub fn vm_left(
        &mut self,
        entity: Entity,
        identity: &VmIdentity,
        exited: bool,
        tick: Tick,
        roster: &Roster,
        sink: &mut AlertSink,
    ) {
        self.firing.vm_left(&mut self.rules, entity, identity, tick, roster, sink);
        self.watch.vm_left(entity);
        for rule in self.rules.iter_mut().filter(|rule| rule.scope == Scope::Vm) {
            rule.withdraw(entity.row as usize);
        }
        if exited {
            self.firing.vm_exited(&mut self.rules, entity, identity, tick, roster, sink);
        }
    }

    /// Takes the place of another detector: rules that did not change go on where they were; what fires by a rule
    /// that did is resolved. Allocates nothing.
    pub fn take_over(&mut self, old: &mut Self, tick: Tick, roster: &Roster, sink: &mut AlertSink) {
        self.counter_resets += old.counter_resets;
        self.probe = old.probe.take();
        self.recall = old.recall.take();
        for table in &mut self.tables {
            if let Some(old) = old.tables.iter_mut().find(|old| old.scope == table.scope) {
                table.adopt(old);
            }
        }
        self.watch.adopt(&mut old.watch, |index| Firing::heir(&self.rules, old.rules.get(index)?));
        self.firing.take_over(&mut self.rules, old, tick, roster, sink);
    }

    /// Counters that were seen to go backwards; no rate was made of them.
    #[must_use]
    pub const fn counter_resets(&self) -> u64 {
        self.counter_resets
    }

    /// What detection of the unusual comes to.
    #[must_use]
    pub fn watch_status(&self) -> WatchStatus {
        self.watch.status()
    }

    /// Alerts that fire now, those that were held back included.
    #[must_use]
    pub fn firing(&self) -> usize {
        self.firing.count(&self.rules)
    }

    /// How the predictions of each rule that makes any came out.
    pub fn predictions(&self) -> impl Iterator<Item = (&str, RuleKind, &Record)> {
        let predicts = |rule: &&Rule| matches!(rule.kind, RuleKind::Exhaustion | RuleKind::Standstill);
        self.rules.iter().filter(predicts).map(|rule| (rule.name.as_str(), rule.kind, &rule.record))
    }

    /// The rules in force.
    pub fn rules(&self) -> impl Iterator<Item = (&str, RuleKind, Scope)> {
        self.rules.iter().map(|rule| (rule.name.as_str(), rule.kind, rule.scope))
    }
}

#[cfg(test)]
mod tests;
