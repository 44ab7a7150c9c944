//! A rule as the hot side uses it: names looked up, units turned, memory set aside.

use super::baseline::{Baseline, Tolerance};
use super::compile::GAP_PERIODS;
use super::forecast::Record;
use super::predict::{self, Course, Heartbeat, Prospect};
use super::rule::{Missing, RuleKind};
use super::series::{ANNOUNCED, Patience, SEEN, Series, Step, Verdict};
use super::speak::Sign;
use super::table::{Table, nanoseconds};
use super::unusual::Habit;
use super::window::{Span, Window};
use super::wording::Quantity;
use crate::alerts::Severity;
use crate::sampling::availability::Availability;
use crate::sampling::frame::{Entity, Frame, OutOfMemory, Tick, zeroed};
use crate::sampling::metrics::{MetricId, Scope, Source};
use crate::sampling::roster::Roster;
use crate::sys::zeroed::Zeroed;
use arrayvec::{ArrayString, ArrayVec};

/// Metrics a rule may add up.
pub(super) const TERMS_MAX: usize = 12;
/// Values a `state` rule may name.
pub(super) const STATES_MAX: usize = 16;

/// What a rule looks at: a sum, divided by another one if that is not empty.
#[derive(Clone, Debug, Default)]
pub(super) struct Expression {
    /// Places in the table's row.
    pub(super) sum: ArrayVec<u16, TERMS_MAX>,
    pub(super) over: ArrayVec<u16, TERMS_MAX>,
    /// Whether the sum is one of rates.
    pub(super) rate: bool,
    pub(super) over_rate: bool,
}

/// How a rule judges.
#[derive(Clone, Debug)]
pub(super) enum Test {
    /// Infinite where there is no level.
    Threshold {
        above: f64,
        below: f64,
        clear_above: f64,
        clear_below: f64,
    },
    Change {
        above: f64,
        below: f64,
        span: Span,
    },
    Absence(Missing),
    State {
        values: ArrayVec<i64, STATES_MAX>,
        /// Whether these are the good ones.
        good: bool,
    },
    Baseline(Tolerance),
    Exhaustion(Prospect),
    Standstill(predict::Patience),
    Gone(Option<Recurrence>),
    Unusual(Habit),
    UnusualTogether,
}

/// A VM's end is told only when it is the so manieth within a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Recurrence {
    pub(super) times: usize,
    pub(super) within_ns: u64,
}

/// A condition that must hold besides.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    pub(super) place: GuardPlace,
    pub(super) above: f64,
    pub(super) below: f64,
    pub(super) is: ArrayVec<i64, STATES_MAX>,
}

/// Where a guard's metric is.
#[derive(Clone, Debug)]
pub(super) enum GuardPlace {
    /// In the same row: its place, and whether its rate is meant.
    Row(u16, bool),
    /// Of the VM that the row belongs to.
    Vm(MetricId),
    /// Of the host.
    Host(MetricId),
}

/// One compiled rule.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) name: ArrayString<48>,
    pub(super) summary: ArrayString<64>,
    pub(super) kind: RuleKind,
    pub(super) severity: Severity,
    pub(super) scope: Scope,
    /// The first metric of the sum.
    pub(super) metric: MetricId,
    pub(super) quantity: Quantity,
    pub(super) expression: Expression,
    pub(super) test: Test,
    pub(super) guard: Option<Guard>,
    pub(super) patience: Patience,
    /// What it looks at is read from these: a bit for each [`Source`].
    pub(super) sources: u64,
    /// Equal for rules that may take over each other's state.
    pub(super) identity: u64,
    pub(super) series: Zeroed<Series>,
    pub(super) memory: Memory,
    pub(super) limiter: Limiter,
    /// How its predictions did.
    pub(super) record: Record,
}

/// What a rule remembers of each row besides its state.
#[derive(Debug, Default)]
pub(super) enum Memory {
    #[default]
    None,
    Windows(Zeroed<Window>),
    Baselines(Zeroed<Baseline>),
    Courses(Zeroed<Course>),
    Heartbeats(Zeroed<Heartbeat>),
    /// Where each row's detector is; 0 is nowhere. See [`super::unusual`].
    Slots(Zeroed<u32>),
}

/// New alerts of a rule within a minute.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Limiter {
    begun_ns: u64,
    count: u32,
}

impl Limiter {
    /// Whether one more may be sent; counts it if so.
    pub(super) fn admit(&mut self, now_ns: u64, per_minute_max: u32) -> bool {
        const MINUTE_NS: u64 = 60_000_000_000;
        if now_ns.saturating_sub(self.begun_ns) >= MINUTE_NS || self.begun_ns == 0 {
            *self = Self { begun_ns: now_ns, count: 0 };
        }
        let admitted = self.count < per_minute_max;
        self.count += u32::from(admitted);
        admitted
    }
}

/// What a rule saw in a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sight<'s> {
    pub(super) step: Step,
    pub(super) observed: f64,
    pub(super) expected_min: f64,
    pub(super) expected_max: f64,
    /// `exhaustion`: how much there is now; what is observed is the time that is left.
    pub(super) present: f64,
    /// `absence` of a value: why it cannot be read.
    pub(super) availability: Availability,
    /// How likely it is in quiet time; 1 where nothing is known of that.
    pub(super) tail_probability: f64,
    /// The weightiest of the signs that are told together.
    pub(super) sign: Option<&'s Sign>,
}

impl Sight<'_> {
    /// Nothing but a value.
    pub(super) const fn of(observed: f64) -> Self {
        Self {
            step: Step::Stay,
            observed,
            expected_min: f64::NEG_INFINITY,
            expected_max: f64::INFINITY,
            present: 0.0,
            availability: Availability::Ok,
            tail_probability: 1.0,
            sign: None,
        }
    }
}

/// A set of sources is a number's bits.
const _: () = assert!(Source::COUNT <= 64);

impl Rule {
    /// Sources are read less often on a host with many VMs, or when the agent costs too much: what follows each other
    /// is further apart then.
    pub(super) fn keep_pace(&mut self, frame: &Frame) {
        let (mut left, mut slowest_ns) = (self.sources, None);
        while left != 0 {
            let period_ns = frame.period_ns(Source::ALL[left.trailing_zeros() as usize]);
            left &= left - 1;
            // One that nobody has set is read by nobody.
            slowest_ns = slowest_ns.max((period_ns < u64::MAX).then_some(period_ns));
        }
        if let Some(period_ns) = slowest_ns {
            self.patience.gap_max_ns = period_ns.saturating_mul(GAP_PERIODS);
        }
    }

    /// Sets aside the state of so many rows.
    pub(super) fn reserve(&mut self, rows: usize) -> Result<(), OutOfMemory> {
        self.series = zeroed(rows)?;
        self.memory = match self.test {
            Test::Change { .. } => Memory::Windows(zeroed(rows)?),
            Test::Baseline(_) => Memory::Baselines(zeroed(rows)?),
            Test::Exhaustion(_) => Memory::Courses(zeroed(rows)?),
            Test::Standstill(_) => Memory::Heartbeats(zeroed(rows)?),
            Test::Unusual(_) => Memory::Slots(zeroed(rows)?),
            _ => Memory::None,
        };
        Ok(())
    }

    /// The bytes that [`Rule::reserve`] sets aside per row.
    pub(super) const fn bytes_per_row(&self) -> usize {
        size_of::<Series>()
            + match self.test {
                Test::Change { .. } => size_of::<Window>(),
                Test::Baseline(_) => size_of::<Baseline>(),
                Test::Exhaustion(_) => size_of::<Course>(),
                Test::Standstill(_) => size_of::<Heartbeat>(),
                Test::Unusual(_) => size_of::<u32>(),
                _ => 0,
            }
    }

    /// When the row's last sample was read.
    pub(super) fn series_at_ns(&self, entity: Entity) -> u64 {
        self.series.get(entity.row as usize).map_or(0, |series| series.at_ns)
    }

    /// Begins a row anew.
    pub(super) fn reset(&mut self, row: usize) {
        self.series[row] = bytemuck::Zeroable::zeroed();
        match &mut self.memory {
            // `Watch` gives slots back when it sees another generation.
            Memory::None | Memory::Slots(_) => {}
            Memory::Windows(windows) => windows[row] = bytemuck::Zeroable::zeroed(),
            Memory::Baselines(baselines) => baselines[row] = bytemuck::Zeroable::zeroed(),
            Memory::Courses(courses) => {
                courses[row].withdraw(&mut self.record);
                courses[row] = bytemuck::Zeroable::zeroed();
            }
            Memory::Heartbeats(heartbeats) => {
                heartbeats[row].withdraw(&mut self.record);
                heartbeats[row] = bytemuck::Zeroable::zeroed();
            }
        }
    }

    /// What the row was about is no longer there: nobody will know what would have come of a prediction.
    pub(super) fn withdraw(&mut self, row: usize) {
        match &mut self.memory {
            Memory::Courses(courses) => courses[row].withdraw(&mut self.record),
            Memory::Heartbeats(heartbeats) => heartbeats[row].withdraw(&mut self.record),
            Memory::None | Memory::Windows(_) | Memory::Baselines(_) | Memory::Slots(_) => {}
        }
    }

    /// Takes over everything an equal rule knows.
    pub(super) fn adopt(&mut self, old: &mut Self) {
        std::mem::swap(&mut self.series, &mut old.series);
        std::mem::swap(&mut self.memory, &mut old.memory);
        self.limiter = old.limiter;
        self.record = old.record;
    }

    /// Judges the row that the table has loaded. `None` when there is nothing new to judge.
    pub(super) fn judge(
        &mut self,
        tick: Tick,
        entity: Entity,
        table: &Table,
        frame: &Frame,
        roster: &Roster,
    ) -> Option<Sight<'static>> {
        let row = entity.row as usize;
        if let Test::Absence(Missing::Value) = self.test {
            return self.judge_missing(tick, row, table);
        }
        let (value, at_ns) = self.expression.sample(table)?;
        let series = &mut self.series[row];
        if at_ns <= series.at_ns {
            return None;
        }
        // Without the guard the sample is not taken: a later one will count the time that passed.
        let guarded = match &self.guard {
            Some(guard) => guard.holds(entity, table, frame, roster)?,
            None => true,
        };
        let elapsed_ns = series.advance(at_ns, &self.patience)?;
        let mut sight = Sight { present: value, ..Sight::of(value) };
        let mut began_ns = 0;
        let mut forecast = None;
        let verdict = match (&self.test, &mut self.memory) {
            (Test::Threshold { above, below, clear_above, clear_below }, _) => {
                (sight.expected_min, sight.expected_max) = (*below, *above);
                if value > *above || value < *below {
                    Verdict::Bad
                } else if value <= *clear_above && value >= *clear_below {
                    Verdict::Good
                } else {
                    Verdict::Between
                }
            }
            (Test::Change { above, below, span }, Memory::Windows(windows)) => {
                let (fall, rise) = windows[row].change(at_ns, value, span);
                (sight.expected_min, sight.expected_max) = (*below, *above);
                sight.observed = if fall < *below { fall } else { rise };
                verdict(rise > *above || fall < *below)
            }
            (Test::Baseline(tolerance), Memory::Baselines(baselines)) => {
                let (verdict, min, max) = baselines[row].judge(value, elapsed_ns, tolerance);
                (sight.expected_min, sight.expected_max) = (min, max);
                verdict
            }
            (Test::Exhaustion(prospect), Memory::Courses(courses)) => {
                let (verdict, seen) = courses[row].judge(at_ns, value, prospect, &mut self.record);
                forecast = seen;
                let left = |at: u64| nanoseconds(at.saturating_sub(at_ns)) * 1e-9;
                let times = seen.map_or((0.0, 0.0, 0.0), |seen| {
                    (left(seen.expected_ns), left(seen.earliest_ns), left(seen.latest_ns))
                });
                (sight.observed, sight.expected_min, sight.expected_max) = times;
                verdict
            }
            (Test::Standstill(patience), Memory::Heartbeats(heartbeats)) => {
                let pause = heartbeats[row].judge(at_ns, value, patience, &mut self.record);
                sight.observed = nanoseconds(pause.length_ns) * 1e-9;
                sight.expected_max = pause.usual_s_max;
                began_ns = pause.length_ns;
                pause.verdict
            }
            (Test::Absence(_), _) => {
                let before = std::mem::replace(&mut series.last, value.to_bits());
                let moved = before != value.to_bits();
                // The first sample has nothing before it to have moved from.
                series.flags |= if moved && series.flags & FIRST != 0 { SEEN } else { FIRST };
                began_ns = elapsed_ns;
                verdict(!moved && series.flags & SEEN != 0)
            }
            (Test::State { values, good }, _) => {
                let stored = table.reading(*self.expression.sum.first()?).value;
                verdict(values.contains(&stored) != *good)
            }
            // `reserve` gave each kind its memory; without it there is nothing to say.
            (
                Test::Change { .. }
                | Test::Baseline(_)
                | Test::Exhaustion(_)
                | Test::Standstill(_)
                | Test::Gone(_)
                | Test::Unusual(_)
                | Test::UnusualTogether,
                _,
            ) => return None,
        };
        let verdict = if guarded { verdict } else { Verdict::Good };
        sight.step = series.step(verdict, elapsed_ns, began_ns, &self.patience);
        if sight.step == Step::Fire {
            match (&self.test, &mut self.memory, forecast) {
                (Test::Exhaustion(_), Memory::Courses(courses), Some(forecast)) => {
                    courses[row].book(at_ns, forecast, &mut self.record);
                }
                (Test::Standstill(patience), Memory::Heartbeats(heartbeats), _) => {
                    heartbeats[row].book(at_ns, patience, &mut self.record);
                }
                _ => {}
            }
        }
        if let Test::Absence(_) = self.test {
            sight.observed = nanoseconds(at_ns.saturating_sub(series.since_ns)) * 1e-9;
        }
        Some(sight)
    }

    fn judge_missing(&mut self, tick: Tick, row: usize, table: &Table) -> Option<Sight<'static>> {
        let series = &mut self.series[row];
        let elapsed_ns = series.advance(tick.mono_ns, &self.patience)?;
        let slots = self.expression.sum.iter().chain(&self.expression.over);
        let worst = slots.map(|slot| table.reading(*slot).availability).max_by_key(|state| match state {
            Availability::Ok => 0,
            Availability::Pending => 1,
            Availability::Unsupported | Availability::Denied => 2,
            Availability::Stale | Availability::Gone | Availability::Error => 3,
        })?;
        let verdict = match worst {
            Availability::Ok => {
                series.flags |= SEEN;
                Verdict::Good
            }
            Availability::Pending => Verdict::Between,
            // Closed by decision, not by accident: the source's report says so.
            Availability::Unsupported | Availability::Denied => Verdict::Good,
            _ => verdict(series.flags & SEEN != 0),
        };
        let step = series.step(verdict, elapsed_ns, elapsed_ns, &self.patience);
        let silent_s = nanoseconds(tick.mono_ns.saturating_sub(series.since_ns)) * 1e-9;
        Some(Sight { step, availability: worst, ..Sight::of(silent_s) })
    }

    /// Whether the row fires but was held back.
    pub(super) fn is_held_back(&self, row: usize) -> bool {
        self.series[row].is_firing() && !self.series[row].is_announced()
    }

    /// Whether the row fires and this process has not said so.
    pub(super) fn is_unsaid(&self, row: usize) -> bool {
        self.series[row].is_firing() && self.series[row].flags & ANNOUNCED == 0
    }
}

/// `absence`: a first sample was seen.
const FIRST: u32 = 8;

fn verdict(bad: bool) -> Verdict {
    if bad { Verdict::Bad } else { Verdict::Good }
}

impl Expression {
    /// The value and the newest stamp in it; `None` when any part of it cannot be trusted.
    pub(super) fn sample(&self, table: &Table) -> Option<(f64, u64)> {
        let sum = |slots: &[u16], rate| {
            slots.iter().try_fold((0.0, 0), |(sum, at_ns), slot| {
                let (value, read_at_ns) = if rate { table.rate(*slot) } else { table.value(*slot) }?;
                Some((sum + value, read_at_ns.max(at_ns)))
            })
        };
        let (value, at_ns) = sum(&self.sum, self.rate)?;
        if self.over.is_empty() {
            return Some((value, at_ns));
        }
        let (over, over_at_ns) = sum(&self.over, self.over_rate)?;
        let ratio = if over > 0.0 {
            value / over
        } else if self.over_rate && value == 0.0 {
            // Nothing of either happened: no request, no latency.
            0.0
        } else {
            return None;
        };
        Some((ratio, at_ns.max(over_at_ns)))
    }
}

impl Guard {
    /// Whether the condition holds; `None` when it cannot be read.
    pub(super) fn holds(
        &self,
        entity: Entity,
        table: &Table,
        frame: &Frame,
        roster: &Roster,
    ) -> Option<bool> {
        let (stored, value) = match &self.place {
            GuardPlace::Row(slot, rate) => {
                let (value, _) = if *rate { table.rate(*slot) } else { table.value(*slot) }?;
                (table.reading(*slot).value, value)
            }
            GuardPlace::Vm(metric) => elsewhere(frame, roster.vm_of(entity)?.0, *metric)?,
            GuardPlace::Host(metric) => elsewhere(frame, Entity::HOST, *metric)?,
        };
        Some(if self.is.is_empty() {
            value > self.above || value < self.below
        } else {
            self.is.contains(&stored)
        })
    }
}

fn elsewhere(frame: &Frame, entity: Entity, metric: MetricId) -> Option<(i64, f64)> {
    let stored = frame.read(entity, metric).ok()?;
    Some((stored, super::table::float(stored) * metric.metric().unit.scale()))
}
