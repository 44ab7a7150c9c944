//! Real VMs: found, alerted about, recorded and replayed; and what 256 of them cost.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test, with its place")]

mod common;

use bartizan_testkit::guest::Guest;
use bartizan_testkit::herd::Herd;
use bartizan_testkit::minivmm::{self, MiniVmm};
use bartizan_testkit::proc::{rss_kib, wait_until};
use common::{Daemon, code, output, text};
use serde_json::Value;
use std::time::Duration;

#[test]
fn a_vm_is_listed_watched_and_its_end_alerted_once() {
    if let Some(missing) = minivmm::missing() {
        bartizan_testkit::skip!("{missing}");
    }
    let name = format!("alerted-{}", std::process::id());
    let vm = MiniVmm::builder().name(&name).vcpus(2).guest(Guest::Idle).start().unwrap();
    let listed = output(&["vms", "--json"]);
    let vms: Vec<Value> = serde_json::from_slice(&listed.stdout).unwrap();
    let found = vms.iter().find(|vm| vm["name"] == name.as_str()).unwrap_or_else(|| panic!("{vms:?}"));
    assert_eq!(found["vcpus"], 2);
    assert_eq!(found["values"]["state"], "running");

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bartizan.toml");
    // Other tests' VMs come and go on the same host: their ends must not use up the rate limit of ours.
    std::fs::write(&file, "[alerts]\nper_rule_per_minute_max = 10000\n").unwrap();
    let mut daemon = Daemon::start(&[
        "--config",
        file.to_str().unwrap(),
        "--no-socket",
        "--quiet",
        "--interval",
        "100ms",
        "--duration",
        "90s",
        "--listen",
        "127.0.0.1:0",
    ]);
    let address = Daemon::address(&daemon.until("start"));
    let label = format!("vm=\"{name}\"");
    assert!(
        wait_until(Duration::from_secs(20), || {
            let body = common::ask(&address, "/metrics?scope=vm&scope=vcpu", "").body;
            body.lines().any(|l| l.starts_with("bartizan_vm_cpu_user_seconds_total{") && l.contains(&label))
                && body
                    .lines()
                    .any(|l| l.starts_with("bartizan_vcpu_run_seconds_total{") && l.contains(&label))
        }),
        "the VM's values are served"
    );
    vm.kill9();
    let alert = loop {
        let alert = daemon.until("alert");
        if alert["subject"] == name.as_str() && alert["rule"] == "vm-gone" {
            break alert;
        }
    };
    assert_eq!((&alert["state"], &alert["scope"]), (&Value::from("firing"), &Value::from("vm")));
    assert!(
        wait_until(Duration::from_secs(20), || {
            !common::ask(&address, "/metrics?scope=vm", "").body.contains(&label)
        }),
        "what is gone is no longer served"
    );
    let (stop, code) = daemon.stop();
    assert_eq!(code, 0);
    assert_eq!(stop["alerts"]["dropped"], 0);
}

#[test]
fn a_recording_is_replayed_to_the_same_alerts_every_time() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    let path = trace.to_str().unwrap();
    let recorded = output(&["record", "--out", path, "--interval", "50ms", "--duration", "1s"]);
    assert_eq!(code(&recorded), 0, "{}", text(&recorded.stderr));
    let replayed = output(&["replay", "--json", path]);
    assert_eq!(code(&replayed), 0, "{}", text(&replayed.stderr));
    let lines = text(&replayed.stdout);
    let summary: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!((&summary["type"], &summary["end"]), (&Value::from("replayed"), &Value::from("complete")));
    assert!(summary["ticks"].as_u64().unwrap() > 1, "{summary}");
    assert_eq!(text(&output(&["replay", "--json", path]).stdout), lines, "bit-identical");

    // What other settings would have said, and what there is to explain.
    let tuned = output(&["tune", "--json", path]);
    assert_eq!(code(&tuned), 0, "{}", text(&tuned.stderr));
    let rows: Vec<Value> =
        text(&tuned.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 5, "as it was, and four budgets");
    assert_eq!((&rows[0]["setting"], &rows[0]["later_s"]), (&Value::from("as it was"), &rows[1]["later_s"]));
    let nonsense = output(&["tune", "--set", "nonsense=1", path]);
    assert_eq!(code(&nonsense), 78, "{}", text(&nonsense.stderr));
    assert_eq!(code(&output(&["tune", "--set", "nonsense", path])), 64);
    let listed = output(&["explain-alert", path]);
    assert_eq!(code(&listed), 0, "{}", text(&listed.stderr));
    assert_eq!(code(&output(&["explain-alert", "--alert", "100000", path])), 64);
    assert_eq!(code(&output(&["explain-alert", "/nonexistent/trace"])), 66);

    let again = output(&["record", "--out", path, "--duration", "1s"]);
    assert_eq!(code(&again), 73, "an existing trace is never written over: {}", text(&again.stderr));
    let mut bytes = std::fs::read(&trace).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&trace, &bytes).unwrap();
    let damaged = output(&["replay", path]);
    assert_eq!(code(&damaged), 65, "{}", text(&damaged.stderr));
    assert!(text(&damaged.stderr).contains("damaged at byte"), "{}", text(&damaged.stderr));
    assert_eq!(code(&output(&["replay", "/nonexistent/trace"])), 66);
}

#[test]
fn a_recorded_host_is_looked_at_as_if_it_were_this_one() {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("host");
    let path = tree.to_str().unwrap();
    let recorded = output(&["record", "--tree", path]);
    assert_eq!(code(&recorded), 0, "{}", text(&recorded.stderr));
    let shown = output(&["--root", path, "show", "host_memory_total_bytes", "--json"]);
    let value = |output: &std::process::Output| {
        serde_json::from_slice::<Value>(&output.stdout).unwrap()["value"].as_f64().unwrap()
    };
    let live = output(&["show", "host_memory_total_bytes", "--json"]);
    assert!((value(&shown) - value(&live)).abs() < 1.0);
}

/// What is promised of the daemon as it ships.
const RSS_MAX_KIB: u64 = 24 * 1024;
/// Of a build for debugging, whose code alone takes 10 MiB, only the memory that is its own is judged.
const PRIVATE_MAX_KIB: u64 = 18 * 1024;

/// Private resident memory of a process.
fn private_kib(pid: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn resident_memory_stays_below_24_mib_with_256_vms_while_scraped() {
    let herd = Herd::builder(256).threads(6).start().unwrap();
    let members = herd.members().len() as u64;
    // What checks take besides is promised, and tested, apart.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bartizan.toml");
    std::fs::write(&file, "[checks]\nenabled = false\n").unwrap();
    let config = file.to_str().unwrap();
    let mut daemon = Daemon::start(&[
        "--config",
        config,
        "--no-socket",
        "--quiet",
        "--interval",
        "200ms",
        "--listen",
        "127.0.0.1:0",
    ]);
    let address = Daemon::address(&daemon.until("start"));
    let watched = || {
        let body = common::ask(&address, "/metrics?scope=agent", "").body;
        let line = body.lines().find_map(|line| line.strip_prefix("bartizan_agent_vms "));
        line.map_or(0, |count| count.parse::<u64>().unwrap())
    };
    assert!(
        wait_until(Duration::from_mins(1), || watched() >= members),
        "{} of {members} watched",
        watched()
    );
    for _ in 0..3 {
        let answer = common::ask(&address, "/metrics", "");
        assert_eq!(answer.status(), 200);
        assert!(answer.body.lines().count() > 10_000, "{} lines", answer.body.lines().count());
    }
    let pid = daemon.pid().as_raw();
    let (rss, private) = (rss_kib(u32::try_from(pid).unwrap()).unwrap(), private_kib(pid));
    let vms = watched().max(members);
    println!("with {vms} VMs: {rss} KiB resident, {private} KiB of it private");
    // Other tests' VMs on the same host are watched too, and cost their share.
    let allowed = |kib: u64| kib * vms / members;
    assert!(private <= allowed(PRIVATE_MAX_KIB), "{private} KiB private with {vms} VMs");
    assert!(cfg!(debug_assertions) || rss <= allowed(RSS_MAX_KIB), "{rss} KiB resident with {vms} VMs");
}
