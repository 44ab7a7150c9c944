//! Keeps the agent within its CPU budget: measures what it costs over a minute, and leaves things out, a step at a
//! time, in a fixed order.
//!
//! | step | what is left out |
//! |---|---|
//! | 0 | nothing |
//! | 1 | slow sources (interrupts, NUMA, thermal, memory maps, ...) are read three times less often |
//! | 2 | monitors (QMP, Firecracker, Cloud Hypervisor) are no longer asked |
//! | 3 | everything of VMs is read every 2nd tick; exits are still noticed in every tick |
//! | 4 | everything of VMs is read every 3rd tick |
//!
//! A step up needs a whole minute above the budget, a step down [`CALM_NS`] below half of it. When a step down had to
//! be taken back, the next one waits twice as long. No factor is above 3, which is what staleness and rates bear.

use crate::config::Config;
use std::collections::VecDeque;

const SECOND_NS: u64 = 1_000_000_000;
/// The time over which the cost is averaged.
const WINDOW_NS: u64 = 60 * SECOND_NS;
/// Time between two samples of the cost.
pub(super) const SAMPLE_NS: u64 = 5 * SECOND_NS;
/// Time below half of the budget before a step down.
const CALM_NS: u64 = 5 * WINDOW_NS;
/// The longest that time becomes.
const CALM_MAX_NS: u64 = 64 * WINDOW_NS;
/// The last step.
pub(super) const STEP_MAX: u8 = 4;

/// The configuration as a step leaves it.
pub(super) fn degraded(config: &Config, step: u8) -> Config {
    let mut config = config.clone();
    if step >= 1 {
        config.sampling.slow_every_ticks = config.sampling.slow_every_ticks.max(1).saturating_mul(3);
    }
    if step >= 2 {
        config.sampling.monitor_every_ticks = 0;
    }
    config
}

/// How many ticks a VM waits between two samples at a step.
pub(super) const fn vm_every_ticks(step: u8) -> u8 {
    match step {
        0..=2 => 1,
        3 => 2,
        _ => 3,
    }
}

pub(super) struct Budget {
    /// When, and all CPU time used until then, in nanoseconds; the oldest is a window old.
    samples: VecDeque<(u64, u64)>,
    step: u8,
    /// Since when the cost has been below half of the budget.
    calm_since_ns: Option<u64>,
    calm_needed_ns: u64,
    /// The last change was a step down.
    stepped_down: bool,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self {
            samples: VecDeque::new(),
            step: 0,
            calm_since_ns: None,
            calm_needed_ns: CALM_NS,
            stepped_down: false,
        }
    }

    /// When the next sample is due.
    pub(super) fn next_deadline_ns(&self) -> u64 {
        self.samples.back().map_or(0, |(at_ns, _)| at_ns + SAMPLE_NS)
    }

    /// The step in force.
    pub(super) fn step(&self) -> u8 {
        self.step
    }

    /// The cost over the window, in millionths of a core.
    pub(super) fn cost_ppm(&self) -> u64 {
        let (Some((from_ns, cpu_from)), Some((to_ns, cpu_to))) = (self.samples.front(), self.samples.back())
        else {
            return 0;
        };
        cpu_to.saturating_sub(*cpu_from).saturating_mul(1_000_000) / to_ns.saturating_sub(*from_ns).max(1)
    }

    /// Takes a sample if one is due; returns whether another step is in force now. A budget of 0 is none.
    pub(super) fn note(&mut self, now_ns: u64, cpu_ns: u64, budget_permille: u32) -> bool {
        if now_ns < self.next_deadline_ns() {
            return false;
        }
        self.samples.push_back((now_ns, cpu_ns));
        while self.samples.get(1).is_some_and(|(at_ns, _)| now_ns - at_ns >= WINDOW_NS) {
            self.samples.pop_front();
        }
        let budget_ppm = u64::from(budget_permille) * 1_000;
        let step = self.step;
        if budget_ppm == 0 {
            self.step = 0;
        } else if self.window_is_full(now_ns) {
            self.judge(now_ns, budget_ppm);
        }
        if self.step == step {
            return false;
        }
        // What was measured before the change says nothing about the time after it.
        self.samples.clear();
        self.samples.push_back((now_ns, cpu_ns));
        self.calm_since_ns = None;
        true
    }

    fn window_is_full(&self, now_ns: u64) -> bool {
        self.samples.front().is_some_and(|(from_ns, _)| now_ns - from_ns >= WINDOW_NS)
    }

    fn judge(&mut self, now_ns: u64, budget_ppm: u64) {
        let cost_ppm = self.cost_ppm();
        if cost_ppm > budget_ppm && self.step < STEP_MAX {
            if self.stepped_down {
                self.calm_needed_ns = (self.calm_needed_ns * 2).min(CALM_MAX_NS);
            }
            self.step += 1;
            self.stepped_down = false;
        } else if self.step > 0 && cost_ppm * 2 < budget_ppm {
            let since_ns = *self.calm_since_ns.get_or_insert(now_ns);
            if now_ns - since_ns >= self.calm_needed_ns {
                self.step -= 1;
                self.stepped_down = true;
            }
        } else {
            self.calm_since_ns = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs for a while at a cost; returns the steps that came into force.
    fn run(budget: &mut Budget, clock: &mut (u64, u64), seconds: u64, permille: u64) -> Vec<u8> {
        let mut steps = Vec::new();
        for _ in 0..seconds {
            clock.0 += SECOND_NS;
            clock.1 += SECOND_NS * permille / 1_000;
            if budget.note(clock.0, clock.1, 50) {
                steps.push(budget.step());
            }
        }
        steps
    }

    #[test]
    fn a_minute_above_the_budget_is_one_step_and_the_last_is_the_last() {
        let (mut budget, mut clock) = (Budget::new(), (0, 0));
        assert_eq!(run(&mut budget, &mut clock, 59, 80), [0u8; 0]);
        assert_eq!(run(&mut budget, &mut clock, 10, 80), [1]);
        assert_eq!(budget.cost_ppm(), 80_000);
        assert_eq!(run(&mut budget, &mut clock, 600, 80), [2, 3, 4]);
    }

    #[test]
    fn a_short_burst_is_no_step() {
        let (mut budget, mut clock) = (Budget::new(), (0, 0));
        run(&mut budget, &mut clock, 60, 10);
        assert_eq!(run(&mut budget, &mut clock, 10, 200), [0u8; 0]);
        assert_eq!(run(&mut budget, &mut clock, 120, 10), [0u8; 0]);
    }

    #[test]
    fn it_recovers_slowly_and_more_slowly_when_it_was_wrong() {
        let (mut budget, mut clock) = (Budget::new(), (0, 0));
        run(&mut budget, &mut clock, 70, 80);
        assert_eq!(budget.step(), 1);
        assert_eq!(run(&mut budget, &mut clock, 300, 40), [0u8; 0], "between half and all: stays");
        assert_eq!(run(&mut budget, &mut clock, 400, 10), [0]);
        assert_eq!(run(&mut budget, &mut clock, 70, 80), [1]);
        assert_eq!(run(&mut budget, &mut clock, 400, 10), [0u8; 0], "twice as long now");
        assert_eq!(run(&mut budget, &mut clock, 400, 10), [0]);
    }

    #[test]
    fn no_budget_is_no_limit() {
        let mut budget = Budget::new();
        for second in 0..200 {
            assert!(!budget.note(second * SECOND_NS, second * SECOND_NS, 0));
        }
        assert_eq!(budget.step(), 0);
    }
}
