//! What mining closed incidents costs, and how it grows.

use bartizan_benches::cpu::{as_f64, thread_ns};
use bartizan_benches::is_quick;
use bartizan_benches::report::{Goal, Report, Row};
use bartizan_core::learning::{Incident, Settings, mine};
use std::hint::black_box;

fn next(state: &mut u64) -> u64 {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11
}

/// Incidents of 200 causes on 1,000 VMs of 50 tenants over a year, with one chain for every fifty.
fn incidents(count: u64) -> Vec<Incident> {
    let year_ns = 365 * 86_400_000_000_000;
    let mut state = 7;
    let mut all = Vec::new();
    while (all.len() as u64) < count {
        let (at, vm) = (next(&mut state) % year_ns, next(&mut state) % 1_000);
        let chain = next(&mut state).is_multiple_of(50);
        for step in 0..if chain { 3 } else { 1 } {
            let cause =
                if chain { format!("chain-{step}") } else { format!("cause-{}", next(&mut state) % 200) };
            all.push(Incident {
                opened_ns: at + step * 60_000_000_000,
                tenant: format!("tenant-{}", vm % 50),
                vm: format!("vm-{vm}"),
                cause,
            });
        }
    }
    all
}

fn main() {
    let rounds = if is_quick() { 1 } else { 5 };
    let mut report = Report::new("Learning: CPU time of mining closed incidents");
    for count in [10_000, 30_000, 100_000] {
        let incidents = incidents(count);
        let mut samples = Vec::new();
        let mut found = 0;
        for _ in 0..rounds {
            let before = thread_ns();
            found = black_box(mine(&incidents, &Settings::default())).len();
            samples.push(as_f64(thread_ns() - before) / 1e9);
        }
        let value = bartizan_benches::median(&samples);
        let goal = if count == 100_000 { Goal::AtMost(5.0) } else { Goal::None };
        let (name, mode) = (format!("{count} incidents, {found} candidates"), "hot".into());
        report.push(Row { name, mode, value, unit: "s", ratio: Some((value, "seconds")), goal });
    }
    report.finish("learning");
}
