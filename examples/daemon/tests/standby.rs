//! A standby takes over from an agent that was killed: within a second, with nothing lost and nothing done twice.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test, with its place")]

mod common;

use bartizan_core::ledger::{Kind, LastRun, RealDisk, Start, decode, read};
use bartizan_core::recovery::lease::Watcher;
use bartizan_testkit::guest::Guest;
use bartizan_testkit::minivmm::{self, MiniVmm};
use bartizan_testkit::proc::wait_until;
use common::{Daemon, code, output, text};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A condition that is always there, one that a test makes and ends, and no others.
const CONFIG: &str = r#"
[checks]
enabled = false
[[rules]]
name = "always"
metric = "host_memory_available_bytes"
above = 0
[[rules]]
name = "vm-held"
kind = "state"
metric = "vm_state"
is = [2]
for_s = 0
clear_for_s = 0
"#;

fn daemon(folder: &Path, more: &[&str]) -> Daemon {
    let (config, ledger) = (folder.join("bartizan.toml"), folder.join("state"));
    if !config.exists() {
        std::fs::write(&config, CONFIG).unwrap();
    }
    let mut arguments = vec!["--config", config.to_str().unwrap(), "--ledger", ledger.to_str().unwrap()];
    arguments.extend(["--json", "--quiet", "--no-socket", "--interval", "100ms"]);
    arguments.extend(more);
    Daemon::start(&arguments)
}

/// Everything in the trail: its kind, and its payload as JSON where it is.
fn trail(folder: &Path) -> Vec<(Kind, Value, Vec<u8>)> {
    let mut all = Vec::new();
    read(Arc::new(RealDisk::new(&folder.join("state"))), 0, |record| {
        let json = serde_json::from_slice(record.payload).unwrap_or(Value::Null);
        all.push((record.kind, json, record.payload.to_vec()));
    })
    .unwrap();
    all
}

/// The next alert of a rule about something; everything that was said is noted.
fn until_alert(daemon: &mut Daemon, rule: &str, subject: &str, state: &str, said: &mut Vec<Value>) -> Value {
    loop {
        let line = daemon.until("alert");
        said.push(line.clone());
        if line["rule"] == rule
            && line["state"] == state
            && (subject.is_empty() || line["subject"] == subject)
        {
            return line;
        }
    }
}

/// `BARTIZAN_KILLS` sets another number of kills.
#[test]
fn takeover_within_a_second_loses_nothing_and_does_nothing_twice() {
    if let Some(missing) = minivmm::missing() {
        bartizan_testkit::skip!("{missing}");
    }
    let kills: usize =
        std::env::var("BARTIZAN_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(10);
    let folder = tempfile::tempdir().unwrap();
    let name = format!("held-{}", std::process::id());
    let vms: Vec<MiniVmm> = (0..3)
        .map(|at| MiniVmm::builder().name(format!("{name}-{at}")).guest(Guest::Idle).start().unwrap())
        .collect();
    let held = format!("{name}-0");
    let send = |signal| {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(vms[0].pid()).unwrap());
        nix::sys::signal::kill(pid, signal).unwrap();
    };
    let mut said = Vec::new();
    let mut active = daemon(folder.path(), &[]);
    until_alert(&mut active, "always", "", "firing", &mut said);
    let mut took_ms = Vec::new();
    let mut firing: Option<Value> = None;
    for kill in 0..kills {
        let mut standby = daemon(folder.path(), &["--standby"]);
        assert_eq!(standby.until("standby")["active_pid"], active.pid().as_raw());
        // It prepares itself once it knows whom it stands by; then it waits.
        let prepared = || is_waiting(standby.pid().as_raw());
        assert!(wait_until(Duration::from_secs(20), prepared));
        match firing.take() {
            None => {
                send(Signal::SIGSTOP);
                firing = Some(until_alert(&mut active, "vm-held", &held, "firing", &mut said));
            }
            Some(fired) => {
                send(Signal::SIGCONT);
                let resolved = until_alert(&mut active, "vm-held", &held, "resolved", &mut said);
                assert_eq!(
                    resolved["id"], fired["id"],
                    "kill {kill}: fired by one process, resolved by another"
                );
            }
        }
        // At any moment.
        std::thread::sleep(Duration::from_millis(37 * (u64::try_from(kill).unwrap() % 9)));
        let began = Instant::now();
        active.signal(Signal::SIGKILL);
        let takeover = standby.until("takeover");
        took_ms.push(began.elapsed().as_secs_f64() * 1e3);
        assert_eq!(takeover["from_pid"], active.pid().as_raw());
        assert_eq!(takeover["token"], kill + 2, "tokens only grow");
        assert!(takeover["vms"].as_u64().unwrap() >= 3, "{takeover}");
        // What the killed one had still said.
        while let Some(line) = active.next() {
            if line["type"] == "alert" {
                said.push(line);
            }
        }
        active = standby;
    }
    send(Signal::SIGCONT);
    let (stop, exit) = stop(active, &mut said);
    assert_eq!(exit, 0);

    took_ms.sort_by(f64::total_cmp);
    println!(
        "{kills} kills: full sample after {:.0} ms (median), {:.0} ms (longest)",
        took_ms[kills / 2],
        took_ms[kills - 1]
    );
    assert!(took_ms[kills - 1] <= 1_000.0, "{took_ms:?} ms");

    let trail = trail(folder.path());
    let alerts: Vec<&Value> =
        trail.iter().filter(|(kind, ..)| *kind == Kind::ALERT).map(|(_, alert, _)| alert).collect();
    // Nothing said is missing, no number was given twice, and none of two processes told the same.
    let mut numbers = BTreeSet::new();
    let mut states: HashMap<&str, Vec<&str>> = HashMap::new();
    for alert in &alerts {
        assert!(numbers.insert(alert["sequence"].as_u64().unwrap()), "{alert} has a number of another one");
        states.entry(alert["id"].as_str().unwrap()).or_default().push(alert["state"].as_str().unwrap());
    }
    for (id, states) in &states {
        assert!(["firing", "firing,resolved"].contains(&&states.join(",")[..]), "{id}: {states:?}");
    }
    for line in &said {
        assert!(alerts.contains(&line), "said and not recorded: {line}");
    }
    let always = alerts.iter().filter(|alert| alert["rule"] == "always").count();
    assert_eq!(always, 1, "what goes on firing is told once, whoever watches");
    let own = |alert: &&&Value| alert["rule"] == "vm-held" && alert["subject"] == held.as_str();
    assert!(alerts.iter().filter(own).count() >= kills, "one for each kill");

    let accounts = |name: &str| stop["alerts"][name].as_u64().unwrap();
    assert_eq!(accounts("delivered"), alerts.len() as u64, "exact, over all {kills} kills");
    let sum = ["delivered", "suppressed", "dropped", "in_flight"].map(accounts).iter().sum::<u64>();
    assert_eq!(accounts("produced"), sum);
    let cut = |(kind, _, payload): &&(Kind, Value, Vec<u8>)| {
        *kind == Kind::START && matches!(decode::<Start>(payload).unwrap().last, LastRun::Cut { .. })
    };
    assert_eq!(trail.iter().filter(cut).count(), kills, "every kill is told by the run that follows");
    let state = folder.path().join("state");
    assert_eq!(code(&output(&["verify", state.to_str().unwrap()])), 2, "whole, and without a key not proven");
}

/// CPU time a process of one thread has used.
fn cpu_ns(pid: i32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

/// Whether a process waits and does nothing: a standby that is prepared.
fn is_waiting(pid: i32) -> bool {
    let before = cpu_ns(pid);
    std::thread::sleep(Duration::from_millis(200));
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit(") ").next().unwrap().starts_with('S') && cpu_ns(pid) == before
}

fn stop(mut daemon: Daemon, said: &mut Vec<Value>) -> (Value, i32) {
    daemon.signal(Signal::SIGTERM);
    loop {
        let line = daemon.next().expect("a summary");
        match line["type"].as_str() {
            Some("stop") => return (line, daemon.wait()),
            Some("alert") => said.push(line),
            _ => {}
        }
    }
}

#[test]
fn one_that_is_stopped_is_not_taken_over_from_unless_it_is_known_to_be_dead() {
    let folder = tempfile::tempdir().unwrap();
    let mut active = daemon(folder.path(), &[]);
    active.until("start");
    let second =
        output(&["run", "--quiet", "--no-socket", "--ledger", folder.path().join("state").to_str().unwrap()]);
    assert_eq!((code(&second), text(&second.stderr).contains("--standby")), (69, true));

    // It may not be killed: then nobody takes over, and when it goes on it is still the one.
    let mut patient = daemon(folder.path(), &["--standby", "--fence-after", "0s"]);
    patient.until("standby");
    active.signal(Signal::SIGSTOP);
    std::thread::sleep(Duration::from_secs(3));
    let watcher = Watcher::open(&folder.path().join("state")).unwrap();
    let holder = watcher.holder().unwrap().unwrap();
    assert_eq!(
        (i32::try_from(holder.pid).unwrap(), watcher.is_held().unwrap()),
        (active.pid().as_raw(), true)
    );
    let beat = watcher.beat().unwrap();
    active.signal(Signal::SIGCONT);
    assert!(wait_until(Duration::from_secs(5), || watcher.beat().unwrap() != beat), "it goes on");
    assert_eq!(watcher.holder().unwrap().unwrap().token, 1);
    let (_, exit) = patient_end(patient);
    assert_eq!(exit, 0, "a standby that is not needed ends in order");

    // It may be: it is killed first, and its end is waited for.
    let mut standby = daemon(folder.path(), &["--standby", "--fence-after", "1s"]);
    standby.until("standby");
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(watcher.holder().unwrap().unwrap().token, 1, "one that samples is left alone");
    active.signal(Signal::SIGSTOP);
    let takeover = standby.until("takeover");
    assert_eq!((&takeover["from_pid"], &takeover["token"]), (&active.pid().as_raw().into(), &2.into()));
    assert_eq!(active.killed_by(), Some(9), "and could not have appended anything any more");
    let (_, exit) = standby.stop();
    assert_eq!(exit, 0);
}

fn patient_end(daemon: Daemon) -> (Option<Value>, i32) {
    let mut daemon = daemon;
    daemon.signal(Signal::SIGTERM);
    (daemon.next(), daemon.wait())
}

#[test]
fn who_lost_its_lease_ends_at_once_and_records_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut active = daemon(folder.path(), &[]);
    active.until("start");
    let before = trail(folder.path()).len();
    std::fs::remove_file(folder.path().join("state/recovery/lease")).unwrap();
    while active.next().is_some() {}
    assert_eq!(active.wait(), 69);
    assert!(active.complaints().contains("fenced off"));
    let after = trail(folder.path());
    assert!(
        after[before..].iter().all(|(kind, ..)| *kind == Kind::ALERT),
        "no stop record: {:?}",
        after.last()
    );
    // The next one begins as after any other death.
    let mut next = daemon(folder.path(), &[]);
    next.until("start");
    assert_eq!(next.stop().1, 0);
    let token =
        trail(folder.path()).iter().rev().find(|(kind, ..)| *kind == Kind::LEASE).unwrap().1["token"].clone();
    assert_eq!(token, 2, "the ledger knows the last token, though its file is gone");
}

#[test]
fn a_standby_costs_next_to_nothing_while_it_waits() {
    let folder = tempfile::tempdir().unwrap();
    let mut active = daemon(folder.path(), &[]);
    active.until("start");
    let mut standby = daemon(folder.path(), &["--standby"]);
    standby.until("standby");
    let pid = standby.pid().as_raw();
    assert!(wait_until(Duration::from_secs(20), || is_waiting(pid)));
    let before = cpu_ns(pid);
    std::thread::sleep(Duration::from_secs(5));
    let cpu_ppm = (cpu_ns(pid) - before) / 5_000;
    let smaps = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let anonymous = smaps.lines().find_map(|line| line.strip_prefix("Anonymous:")).unwrap();
    let kib: u64 = anonymous.trim().trim_end_matches(" kB").parse().unwrap();
    println!("a standby: {cpu_ppm} ppm of a core, {kib} KiB of its own");
    assert!(cpu_ppm < 1_000, "{cpu_ppm} ppm of a core");
    assert!(kib < 8 * 1_024, "{kib} KiB");
}
