//! From a fault in a real VM to the closed incident: by itself, with a person's word, and with the agent killed in
//! between.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test, with its place")]

mod common;

use bartizan_testkit::cgroup::Cgroup;
use bartizan_testkit::guest::{self, Guest};
use bartizan_testkit::minivmm::{self, MiniVmm};
use bartizan_testkit::skip;
use common::{Daemon, bartizan, code, text};
use serde_json::Value;
use std::path::PathBuf;
use std::process::Output;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_mins(2);

/// A VM that spins in a cgroup of its own, and a daemon's folder.
struct Place {
    folder: tempfile::TempDir,
    cgroup: Cgroup,
    vm: MiniVmm,
}

impl Place {
    /// `None` where there can be no such VM.
    fn new(name: &str, lease_s: u32, approval: &str) -> Option<Self> {
        let cgroup = Cgroup::v1("cpu", name).or_else(|_| Cgroup::v2(name)).ok()?;
        let vm = MiniVmm::builder().name(name).guest(Guest::Command).start().unwrap();
        vm.tell(guest::Command::Spin).unwrap();
        cgroup.add(vm.pid()).unwrap();
        let place = Self { folder: tempfile::tempdir().unwrap(), cgroup, vm };
        let playbooks = place.path("playbooks.d");
        std::fs::create_dir(&playbooks).unwrap();
        let config = format!(
            r#"

[checks]
enabled = false
[incidents]
wait_s = 0
reconcile_s = 1
[sampling]
interval_ms = 100
[response]
enabled = true
playbooks = "{}"
per_hour_max = 1
kill_switch = "{}"
[[rules]]
name = "hog"
summary = "it spins"
metric = "vm_vcpu_run_seconds"
above = 0.03
clear = 0.02
severity = "critical"
"#,
            playbooks.display(),
            place.path("stop").display(),
        );
        std::fs::write(place.path("bartizan.toml"), config).unwrap();
        let playbook = format!(
            r#"
[[playbook]]
id = "slow-down"
title = "A VM that spins is slowed down"
when = {{ causes = ["hog"], severity-min = "critical", vms = ["{name}"] }}
lease-s = {lease_s}
{approval}
closing = {{ verdict = "test", root-cause = "a guest that spins" }}

[[playbook.step]]
do = "throttle-cpu"
percent = 1
"#
        );
        std::fs::write(playbooks.join("hog.toml"), playbook).unwrap();
        Some(place)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn start(&self) -> Daemon {
        let path = |name: &str| self.path(name).to_str().unwrap().to_owned();
        let (config, socket, ledger) = (path("bartizan.toml"), path("socket"), path("ledger"));
        let mut daemon =
            Daemon::start(&["--config", &config, "--quiet", "--socket", &socket, "--ledger", &ledger]);
        daemon.until("start");
        daemon
    }

    fn run(&self, arguments: &[&str]) -> Output {
        bartizan().args(arguments).args(["--socket", self.path("socket").to_str().unwrap()]).output().unwrap()
    }

    fn lines(&self, arguments: &[&str]) -> Vec<Value> {
        let output = self.run(arguments);
        assert_eq!(code(&output), 0, "{}", text(&output.stderr));
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The first response, once it is in this phase.
    fn response(&self, phase: &str) -> Value {
        eventually(&format!("a response that is {phase}"), || {
            let all = self.lines(&["responses", "--all", "--json"]);
            all.into_iter().find(|one| one["id"] == 1 && one["phase"] == phase)
        })
    }

    /// The incident that the first response answers, once it is in this state.
    fn incident(&self, state: &str) -> Value {
        let id = self.lines(&["responses", "--all", "--json"])[0]["incident"].clone();
        eventually(&format!("an incident that is {state}"), || {
            let all = self.lines(&["incidents", "--all", "--json"]);
            all.into_iter().find(|one| one["incident"] == id && one["state"] == state)
        })
    }

    fn limit(&self) -> String {
        self.cgroup
            .read("cpu.cfs_quota_us")
            .or_else(|_| self.cgroup.read("cpu.max"))
            .unwrap()
            .trim()
            .to_owned()
    }
}

fn eventually<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "{what} did not come");
        std::thread::sleep(Duration::from_millis(50));
    }
}

macro_rules! place {
    ($name:expr, $lease_s:expr, $approval:expr) => {{
        if let Some(reason) = minivmm::missing() {
            skip!("{reason}");
        }
        let Some(place) = Place::new($name, $lease_s, $approval) else {
            skip!("no cgroup with a cpu controller can be made");
        };
        place
    }};
}

#[test]
fn a_vm_that_spins_is_slowed_down_and_its_incident_closed_without_a_person() {
    let place = place!("bartizan-answer", 3, "");
    let before = place.limit();
    let daemon = place.start();
    place.response("holding");
    assert_ne!(place.limit(), before);
    place.incident("contained");
    // What is wrong ends, and so does what was done about it.
    place.vm.tell(guest::Command::Idle).unwrap();
    place.response("complete");
    assert_eq!(place.limit(), before, "the lease is over");
    let incident = place.incident("closed");
    assert_eq!(incident["closure"]["verdict"], "test");
    assert!(incident["closure"]["response"].as_str().unwrap().contains("throttle-cpu"), "{incident}");
    assert_eq!(daemon.stop().1, 0);

    // All of it is in the ledger, before it happened.
    let ledger = place.path("ledger");
    let shown = bartizan().args(["ledger", "show", "--json"]).arg(&ledger).output().unwrap();
    assert_eq!(code(&shown), 0, "{}", text(&shown.stderr));
    let kinds: Vec<String> = text(&shown.stdout)
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["kind"].as_str().unwrap().to_owned())
        .collect();
    let first = |kind: &str| {
        kinds.iter().position(|one| one == kind).unwrap_or_else(|| panic!("no {kind}: {kinds:?}"))
    };
    assert!(first("alert") < first("action"), "{kinds:?}");
    assert!(first("action") < first("claim"), "a claim is made for a response that was proposed");
}

#[test]
fn nothing_is_done_until_a_person_agrees_and_a_person_ends_it() {
    let place = place!("bartizan-ask", 0, "approval = { within-s = 600, otherwise = \"decline\" }");
    let before = place.limit();
    let daemon = place.start();
    place.response("asked");
    assert_eq!(place.limit(), before);
    let asked = text(&place.run(&["responses"]).stdout);
    assert!(asked.contains("asked") && asked.contains("throttle-cpu"), "{asked}");
    let refused = place.run(&["response", "end", "1"]);
    assert_eq!(code(&refused), 64, "nothing is in force: {}", text(&refused.stdout));
    assert_eq!(code(&place.run(&["response", "approve", "1", "--by", "ann"])), 0);
    let holding = place.response("holding");
    assert!(holding["until"].is_null(), "{holding}");
    assert_ne!(place.limit(), before);
    assert_eq!(code(&place.run(&["response", "end", "1", "--why", "it was a test"])), 0);
    place.response("complete");
    assert_eq!(place.limit(), before);
    assert_eq!(daemon.stop().1, 0);
}

#[test]
fn an_agent_that_is_killed_takes_up_what_it_had_begun() {
    let place = place!("bartizan-killed", 20, "");
    let before = place.limit();
    let daemon = place.start();
    place.response("holding");
    let limited = place.limit();
    daemon.signal(nix::sys::signal::Signal::SIGKILL);
    drop(daemon);
    assert_eq!(place.limit(), limited, "it stays while no agent is there");
    let daemon = place.start();
    place.response("holding");
    assert_eq!(place.limit(), limited);
    place.response("complete");
    assert_eq!(place.limit(), before, "the next agent took it back");
    let all = place.lines(&["responses", "--all", "--json"]);
    assert_eq!(all.iter().filter(|one| one["phase"] != "not-done").count(), 1, "done once: {all:?}");
    assert_eq!(daemon.stop().1, 0);
}

#[test]
fn a_wrong_playbook_is_refused_with_its_line() {
    let place = place!("bartizan-wrong", 1, "aproval = {}");
    let config = place.path("bartizan.toml");
    let output = bartizan().args(["check-config"]).arg(&config).output().unwrap();
    assert_eq!(code(&output), 78);
    let said = text(&output.stderr);
    assert!(said.contains("hog.toml:7: unknown key `aproval`; did you mean `approval`?"), "{said}");
}
