//! At the end of a tick: which subjects' signs are more than the budget tolerates, and what is told of them.

use super::slot::Slot;
use super::{EXTRAORDINARY_NS, SILENT_BLOCKS, SWEPT_PER_TICK, WINDOW_NS, Watch};
use crate::alerts::AlertSink;
use crate::detection::firing::Firing;
use crate::detection::fusion::{SPAN_NS, likelihood};
use crate::detection::program::{Memory, Rule, Sight, Test};
use crate::detection::series::Step;
use crate::detection::speak::{Sign, part};
use crate::sampling::availability::Availability;
use crate::sampling::frame::{Entity, Frame, Tick};
use crate::sampling::metrics::Scope;
use crate::sampling::roster::Roster;

/// An episode is over after so many quiet spans.
const EPISODE_OVER_SPANS: u16 = 3;
/// What is told is over after so long without unusual evidence.
const CLEAR_NS: u64 = 60_000_000_000;

/// What the signs about a subject come to.
struct Weighed {
    /// Without what most VMs show.
    strength: f32,
    /// Signs that weigh anything.
    signs: u32,
    /// The weightiest one.
    foremost: u32,
    /// It is seen on so many of so many.
    shown_by: Option<(u32, u32)>,
}

impl Watch {
    /// Draws the conclusions of a tick. Allocates nothing.
    pub(in crate::detection) fn conclude(
        &mut self,
        rules: &mut [Rule],
        firing: &mut Firing,
        tick: Tick,
        frame: &Frame,
        roster: &Roster,
        sink: &mut AlertSink,
    ) {
        self.sweep(rules, frame, tick);
        self.pass(tick);
        while let Some(subject) = self.touched.pop() {
            self.decide(subject as usize, rules, firing, tick, roster, sink);
        }
    }

    /// Time passes for the budget, for what is common, and for the count of those without room.
    fn pass(&mut self, tick: Tick) {
        if self.passed_ns == 0 {
            (self.passed_ns, self.window_ns) = (tick.mono_ns, tick.mono_ns);
        }
        let elapsed_ns = tick.mono_ns.saturating_sub(self.passed_ns);
        if elapsed_ns >= SPAN_NS {
            self.passed_ns = tick.mono_ns;
            self.budget.pass(elapsed_ns, self.subjects_watched);
            self.common_total = self.commons.iter_mut().map(crate::detection::fusion::Common::judge).sum();
            // The host is judged by what is common even when none of its own series was.
            self.touch(self.subjects.len() - 1);
        }
        if tick.mono_ns.saturating_sub(self.window_ns) >= WINDOW_NS {
            self.window_ns = tick.mono_ns;
            self.window ^= 1;
            self.refused_before = std::mem::take(&mut self.refused);
        }
    }

    /// Gives back the slots of rows that ended, and silences those that are read no longer: a few slots at a time.
    fn sweep(&mut self, rules: &mut [Rule], frame: &Frame, tick: Tick) {
        for _ in 0..SWEPT_PER_TICK.min(self.pool.fresh()) {
            self.swept = self.swept % self.pool.fresh() + 1;
            let number = self.swept;
            let Some(slot) = self.pool.slot(number) else { continue };
            let rule = &mut rules[usize::from(slot.rule)];
            let (Test::Unusual(habit), Memory::Slots(places)) = (&rule.test, &mut rule.memory) else {
                continue;
            };
            let row = slot.row;
            let here = frame.entity(rule.scope, row);
            if here != Some(Entity { scope: rule.scope, row, generation: slot.generation }) {
                places[row as usize] = 0;
                self.leave(number);
            } else if slot.weight > 0
                && tick.mono_ns.saturating_sub(slot.judged_ns) > habit.every_ns.saturating_mul(SILENT_BLOCKS)
            {
                self.weigh(number, 0);
            }
        }
    }

    fn decide(
        &mut self,
        index: usize,
        rules: &mut [Rule],
        firing: &mut Firing,
        tick: Tick,
        roster: &Roster,
        sink: &mut AlertSink,
    ) {
        let is_host = index + 1 == self.subjects.len();
        self.subjects[index].touched = 0;
        if self.subjects[index].signs == 0 && !is_host {
            return;
        }
        let all = self.subjects[index].total + if is_host { self.common_total } else { 0 };
        let strength = self.subjects[index].evidence.strength(all);
        let weighed = if strength > 0.0 { Some(self.weighed(index, is_host, all)) } else { None };
        let row = if is_host { 0 } else { index };
        let teller = self.tellers[usize::from(is_host)].map(usize::from);
        let is_firing = teller.is_some_and(|teller| rules[teller].series[row].is_firing());
        if !is_firing {
            // Also when its rule was replaced meanwhile.
            self.subjects[index].told_ns = 0;
        }
        self.learn(index, all, strength, weighed.as_ref(), tick);
        let Some(teller) = teller else { return };

        let subject = &mut self.subjects[index];
        let entity = if is_host {
            Entity::HOST
        } else {
            let row = u32::try_from(row).unwrap_or(0);
            Entity { scope: Scope::Vm, row, generation: subject.generation }
        };
        let Some(weighed) = weighed else {
            subject.crossed_ns = 0;
            if !is_firing {
                return;
            }
            if subject.calm_ns == 0 {
                subject.calm_ns = tick.mono_ns;
            } else if tick.mono_ns.saturating_sub(subject.calm_ns) >= CLEAR_NS {
                (subject.calm_ns, subject.resolved_ns) = (0, tick.mono_ns);
                let sight = Sight { step: Step::Resolve, ..Sight::of(0.0) };
                firing.step(&mut rules[teller], teller, entity, &sight, tick, roster, sink);
            }
            return;
        };
        subject.calm_ns = 0;
        let threshold = self.budget.threshold();
        if !is_firing && weighed.strength <= threshold {
            subject.crossed_ns = 0;
            if strength > threshold && subject.left == 0 {
                // It would have been told, were it not that most VMs show the same.
                subject.left = 1;
                self.left_to_host += 1;
                sink.suppress();
            }
            return;
        }
        let Some(slot) = self.pool.slot(weighed.foremost) else { return };
        let by = &rules[usize::from(slot.rule)];
        let Test::Unusual(habit) = by.test else { return };
        if !is_firing && subject.crossed_ns == 0 {
            subject.crossed_ns = tick.mono_ns;
        }
        // One more block, in which it shows whether others see it too.
        if !is_firing && tick.mono_ns.saturating_sub(subject.crossed_ns) < habit.every_ns {
            return;
        }
        let sign = sign(slot, by, &weighed, is_host, roster);
        let (observed, expected_min, expected_max) = slot.last();
        let sight = Sight {
            present: 0.0,
            step: if is_firing { Step::Stay } else { Step::Fire },
            observed,
            expected_min,
            expected_max,
            availability: Availability::Ok,
            tail_probability: f64::from(likelihood(weighed.strength)),
            sign: Some(&sign),
        };
        if !is_firing {
            let since_ns = slot.since_ns.max(subject.resolved_ns + 1);
            rules[teller].series[row].fire(since_ns, tick.mono_ns);
            self.budget.alarm(weighed.strength);
            self.subjects[index].told_ns = tick.mono_ns;
        }
        firing.step(&mut rules[teller], teller, entity, &sight, tick, roster, sink);
    }

    /// Learns what is usual for a subject, and counts its episodes.
    fn learn(&mut self, index: usize, all: i32, strength: f32, weighed: Option<&Weighed>, tick: Tick) {
        let subject = &mut self.subjects[index];
        if let Some(weighed) = weighed {
            subject.peak = subject.peak.max(weighed.strength);
        }
        if tick.mono_ns.saturating_sub(subject.learned_ns) < SPAN_NS {
            return;
        }
        subject.learned_ns = tick.mono_ns;
        let told_for_ns = tick.mono_ns.saturating_sub(subject.told_ns);
        if subject.told_ns == 0 || told_for_ns >= EXTRAORDINARY_NS {
            subject.evidence.learn(all, subject.signs);
        }
        if strength > 0.0 {
            subject.quiet_spans = 0;
            return;
        }
        subject.quiet_spans = subject.quiet_spans.saturating_add(1);
        if subject.quiet_spans == EPISODE_OVER_SPANS {
            if subject.peak > 0.0 {
                self.budget.episode(subject.peak);
            }
            (subject.peak, subject.left) = (0.0, 0);
        }
    }

    /// What a subject's signs come to, without what most VMs show.
    fn weighed(&self, index: usize, is_host: bool, all: i32) -> Weighed {
        let subject = &self.subjects[index];
        let mut weighed = Weighed { strength: 0.0, signs: 0, foremost: 0, shown_by: None };
        let mut total = all;
        let mut greatest = 0;
        for (number, slot) in self.pool.of_subject(subject.first) {
            if slot.weight == 0 {
                continue;
            }
            if !is_host && self.commons[usize::from(slot.rule)].is_common() {
                total -= slot.weight;
                continue;
            }
            weighed.signs += 1;
            if slot.weight > greatest {
                (greatest, weighed.foremost) = (slot.weight, number);
            }
        }
        for common in self.commons.iter().filter(|common| is_host && common.told > 0) {
            weighed.signs += 1;
            if common.told > greatest && self.pool.slot(common.foremost).is_some() {
                (greatest, weighed.foremost) = (common.told, common.foremost);
                weighed.shown_by = Some(common.shown_by());
            }
        }
        weighed.strength = subject.evidence.strength(total);
        weighed
    }
}

fn sign(slot: &Slot, by: &Rule, weighed: &Weighed, is_host: bool, roster: &Roster) -> Sign {
    let entity = Entity { scope: by.scope, row: slot.row, generation: slot.generation };
    Sign {
        summary: by.summary,
        quantity: by.quantity,
        metric: by.metric,
        // One example of many VMs need not be named.
        part: if is_host && weighed.shown_by.is_some() {
            arrayvec::ArrayString::new_const()
        } else {
            part(entity, roster)
        },
        signs: weighed.signs,
        shown_by: weighed.shown_by,
    }
}
