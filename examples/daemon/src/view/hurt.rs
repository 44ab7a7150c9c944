//! What hurts a VM most: the order in which an operator wants to see them.
//!
//! Each reason has points; the VM's score is their sum. 100 points are "this VM does not work", so that a VM that
//! is stopped stands above one that is slow, and one that is slow above one that is merely busy.
//!
//! | reason | points |
//! |---|---|
//! | stopped, frozen or zombie | 100 |
//! | blocked in the kernel | 40 |
//! | a critical, a warning, an info alert that fires | 50, 20, 5 each, 100 at most |
//! | the worst vCPU waits for a CPU | 100 × share of time |
//! | throttled by its cgroup | 100 × share of time |
//! | waits for memory | 100 × share of time |
//! | waits for I/O | 50 × share of time |

use super::model::VmView;

/// How much, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Hurt {
    /// The points of all reasons.
    pub score: f64,
    /// The reason with the most points; empty when nothing hurts.
    pub reason: &'static str,
}

/// Below so many points a reason is noise, and not named.
const NAMED_FROM: f64 = 1.0;

impl Hurt {
    /// The score of a VM.
    #[must_use]
    pub fn of(vm: &VmView) -> Self {
        let state = match vm.state {
            Some(2..=4) => 100.0,
            Some(5) => 40.0,
            _ => 0.0,
        };
        let [info, warning, critical] = vm.alerts.map(f64::from);
        let share = |value: Option<f64>, points: f64| value.unwrap_or(0.0).clamp(0.0, 1.0) * points;
        let reasons = [
            (state, vm.state_name()),
            ((critical * 50.0 + warning * 20.0 + info * 5.0).min(100.0), "alert"),
            (share(vm.wait, 100.0), "cpu wait"),
            (share(vm.throttled, 100.0), "throttled"),
            (share(vm.pressure_memory, 100.0), "memory"),
            (share(vm.pressure_io, 50.0), "io wait"),
        ];
        let score = reasons.iter().map(|(points, _)| points).sum();
        // The first of equals: states come before what they cause.
        let worst =
            reasons.iter().fold((0.0, ""), |worst, reason| if reason.0 > worst.0 { *reason } else { worst });
        Self { score, reason: if worst.0 >= NAMED_FROM { worst.1 } else { "" } }
    }
}

/// What hurts more comes first; of equals, what uses more CPU; then by name, so that rows do not jump about.
#[must_use]
pub fn order(a: &VmView, b: &VmView) -> std::cmp::Ordering {
    // Whole points only: noise below a point must not reorder the screen every second.
    let points = |vm: &VmView| vm.hurt.score.round();
    let cpu = |vm: &VmView| (vm.cpu_cores.unwrap_or(0.0) * 20.0).round();
    points(b)
        .total_cmp(&points(a))
        .then_with(|| cpu(b).total_cmp(&cpu(a)))
        .then_with(|| a.vm.name.cmp(&b.vm.name))
        .then_with(|| a.vm.pid.cmp(&b.vm.pid))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::model::tests::vm;

    #[test]
    fn a_stopped_vm_stands_above_a_slow_one_and_a_slow_one_above_a_busy_one() {
        let stopped = VmView { state: Some(2), ..vm("stopped") };
        let slow = VmView { wait: Some(0.6), ..vm("slow") };
        let busy = VmView { cpu_cores: Some(8.0), ..vm("busy") };
        let hurts = [&stopped, &slow, &busy].map(Hurt::of);
        assert!(hurts[0].score > hurts[1].score && hurts[1].score > hurts[2].score, "{hurts:?}");
        assert_eq!(hurts.map(|hurt| hurt.reason), ["stopped", "cpu wait", ""]);
    }

    #[test]
    fn alerts_count_but_do_not_outweigh_a_dead_vm() {
        let noisy = VmView { alerts: [9, 9, 9], ..vm("noisy") };
        assert_eq!(Hurt::of(&noisy), Hurt { score: 100.0, reason: "alert" });
    }
}
