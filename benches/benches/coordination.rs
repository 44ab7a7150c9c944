//! What a decision costs among many live claims, what finding hidden firewall rules costs, and how both grow.

use bartizan_benches::cpu::{as_f64, thread_ns};
use bartizan_benches::report::{Goal, Report, Row};
use bartizan_benches::{is_quick, median};
use bartizan_core::coordination::firewall::lift::{Fate, Matched};
use bartizan_core::coordination::firewall::pairs::anomalies;
use bartizan_core::coordination::firewall::space::{Cube, Field};
use bartizan_core::coordination::{Action, Arbiter, Claim, Mode, Outcome, Part, Party, ResourcePath, Terms};
use std::hint::black_box;

fn path(text: &str) -> ResourcePath {
    ResourcePath::parse(text).expect("a path")
}

fn uuid(vm: usize) -> String {
    format!("6f1c0000-0000-4000-8000-{vm:012}")
}

/// Four claims a VM, as a busy host has them: a customer's requirement, a quota, a hold, a lease.
fn busy(claims: usize) -> Arbiter {
    let vms = claims / 4;
    let owners = (0..vms).map(|vm| (uuid(vm), format!("tenant-{}", vm % 50))).collect();
    let mut arbiter = Arbiter::new(Terms { owners, ..Terms::default() });
    for vm in 0..vms {
        let tenant = Party::csc("app", format!("tenant-{}", vm % 50));
        let parts = [
            (tenant, "net", Mode::Require, Some("open")),
            (Party::csp("scheduler"), "cpu/quota", Mode::Shared, Some("200")),
            (Party::csn("auditor"), "evidence", Mode::Hold, None),
            (Party::csp("autoscaler"), "power", Mode::Exclusive, None),
        ];
        for (party, part, mode, value) in parts {
            let part = Part::new(path(&format!("vm/{}/{part}", uuid(vm))), mode, value);
            let claim = Claim::new(party, "bench", part, "a benchmark").until(u64::MAX);
            let decision = arbiter.request(claim, 1).expect("a decision").0;
            assert!(matches!(decision.outcome, Outcome::Granted { .. }), "{}", decision.sentence);
        }
    }
    assert_eq!(arbiter.book().len(), vms * 4);
    arbiter
}

/// Median CPU time of one of `calls`, in nanoseconds.
fn measure(rounds: usize, calls: usize, mut call: impl FnMut(usize)) -> f64 {
    let samples: Vec<f64> = (0..rounds)
        .map(|round| {
            let before = thread_ns();
            (0..calls).for_each(|at| call(round * calls + at));
            as_f64(thread_ns() - before) / f64::from(u32::try_from(calls).expect("fits"))
        })
        .collect();
    median(&samples)
}

fn main() {
    let rounds = if is_quick() { 5 } else { 40 };
    let mut report = Report::new("Coordination: CPU time of a decision, and of judging firewall rules");
    for claims in [1_000, 10_000, 60_000] {
        let arbiter = busy(claims);
        // In turn: granted over a customer's requirement, denied by a hold, denied by a quota, nothing in the way.
        let requests: Vec<Claim> = (0..claims / 4)
            .map(|vm| {
                let (name, value) =
                    [("cut-network", None), ("restart", None), ("throttle", Some("50")), ("backup", None)]
                        [vm % 4];
                let action = Action::named(name).expect("an action");
                let target = path(&format!("vm/{}", uuid(vm)));
                action.claim(Party::csp("soc"), "bench", &target, value, "a benchmark").expect("a claim")
            })
            .collect();
        let ns = measure(rounds, requests.len().min(2_000), |at| {
            // Far apart, so that no cache holds what the last one touched.
            let at = at.wrapping_mul(7_919) % requests.len();
            black_box(arbiter.decide(&requests[at]).expect("a decision"));
        });
        let goal = if claims == 10_000 { Goal::AtMost(10.0) } else { Goal::None };
        let (name, mode) = (format!("a decision among {claims} claims"), "cold".into());
        let ratio = Some((ns / 1_000.0, "microseconds"));
        report.push(Row { name, mode, value: ns / 1_000.0, unit: "us", ratio, goal });
    }
    for count in [250_u32, 500, 1_000] {
        let rules: Vec<Matched> = (0..count)
            .map(|at| {
                let port = u128::from(at * 37 % 60_000);
                let cube = Cube::ALL
                    .narrowed(Field::Transport, 6, 6)
                    .and_then(|cube| cube.narrowed(Field::DestinationPort, port, port + 20))
                    .expect("not empty");
                let fate = if at % 3 == 0 { Fate::Drop } else { Fate::Accept };
                Matched { handle: u64::from(at), cubes: vec![cube], exact: true, fate }
            })
            .collect();
        let ns = measure(rounds.min(10), 1, |_| drop(black_box(anomalies(&rules))));
        let (name, mode) = (format!("anomalies of a chain of {count} rules"), "hot".into());
        report.push(Row { name, mode, value: ns / 1e6, unit: "ms", ratio: None, goal: Goal::None });
    }
    report.finish("coordination");
}
