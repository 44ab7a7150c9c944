//! Chains among two thousand incidents, as two miners find them that nobody of Bartizan wrote. (`tools/test-mining`.)

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

use bartizan_core::learning::{Incident, Pattern, Scope, Settings, mine};
use bartizan_testkit::skip;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

const MINUTE_NS: u64 = 60_000_000_000;

fn next(state: &mut u64) -> u64 {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11
}

/// Noise of thirty causes, and a chain of three that was there forty times.
fn incidents(seed: u64, planted: u64) -> Vec<Incident> {
    let mut state = seed | 1;
    let span_ns = 90 * 1_440 * MINUTE_NS;
    let mut all = Vec::new();
    let mut push = |opened_ns, vm, cause: String| {
        let (tenant, vm) = (String::new(), format!("vm-{vm}"));
        all.push(Incident { opened_ns, tenant, vm, cause });
    };
    for _ in 0..2_000 - 3 * planted {
        let (at, vm, cause) = (next(&mut state) % span_ns, next(&mut state) % 50, next(&mut state) % 30);
        push(at, vm, format!("cause-{cause}"));
    }
    for _ in 0..planted {
        let (at, vm) = (next(&mut state) % span_ns, next(&mut state) % 50);
        for (step, cause) in (0..).zip(["disk-full", "image-stalled", "guest-paused"]) {
            push(at + step * 2 * MINUTE_NS, vm, cause.to_owned());
        }
    }
    all
}

/// Sessions cut as the documentation says, by code of the test's own.
fn sessions(incidents: &[Incident], gap_ns: u64) -> Vec<Vec<String>> {
    let mut by_vm: BTreeMap<&str, Vec<(u64, &str)>> = BTreeMap::new();
    for incident in incidents {
        by_vm.entry(&incident.vm).or_default().push((incident.opened_ns, &incident.cause));
    }
    let mut all = Vec::new();
    for mut events in by_vm.into_values() {
        events.sort_unstable();
        let mut last = None;
        for (at, cause) in events {
            if last.is_none_or(|last| at - last > gap_ns) {
                all.push(Vec::new());
            }
            let session: &mut Vec<String> = all.last_mut().unwrap();
            if !session.iter().any(|known| known == cause) {
                session.push(cause.to_owned());
            }
            last = Some(at);
        }
    }
    all
}

#[test]
fn planted_chains_are_what_other_miners_find() {
    let Ok(python) = std::env::var("BARTIZAN_MINING_PYTHON") else {
        skip!(
            "BARTIZAN_MINING_PYTHON names no Python with mlxtend and prefixspan: tools/test-mining makes one"
        );
    };
    let settings = Settings { support_min: 30, ..Settings::default() };
    for seed in [3, 17, 4_711] {
        for planted in [0, 40] {
            let incidents = incidents(seed, planted);
            let asked = json!({
                "sessions": sessions(&incidents, settings.gap_ns),
                "support": settings.support_min,
                "dependence": settings.dependence_min,
            });
            let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/mining.py");
            let mut child = Command::new(&python)
                .arg(script)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            child.stdin.take().unwrap().write_all(asked.to_string().as_bytes()).unwrap();
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "the other miners failed");
            let theirs: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
            let ours: Vec<(Vec<String>, usize, usize)> = mine(&incidents, &settings)
                .into_iter()
                .filter(|candidate| candidate.scope == Scope::Host)
                .filter_map(|candidate| match candidate.pattern {
                    Pattern::Chain { causes, in_order, .. } => Some((causes, candidate.support, in_order)),
                    _ => None,
                })
                .collect();
            // They tell each pair of a chain and the chain; we tell the chain.
            assert_eq!(theirs.len(), if planted == 0 { 0 } else { 4 }, "seed {seed}: {theirs:?}");
            assert_eq!(ours.len(), usize::from(planted > 0), "seed {seed}: {ours:?}");
            for (causes, support, in_order) in &ours {
                let whole =
                    theirs.iter().find(|found| found["causes"].as_array().unwrap().len() == 3).unwrap();
                assert_eq!(whole["causes"], json!(causes), "seed {seed}: the order");
                assert_eq!((&whole["support"], &whole["in_order"]), (&json!(support), &json!(in_order)));
                for pair in &theirs {
                    let of_ours = |cause: &Value| causes.iter().any(|known| cause == known);
                    assert!(pair["causes"].as_array().unwrap().iter().all(of_ours), "{pair}");
                }
            }
        }
    }
}
