//! The systemd unit: its exposure, and whether what it leaves the daemon is enough.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test, with its place")]

mod common;

use std::path::Path;
use std::process::{Command, Stdio};

fn systemd_file(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd").join(name)
}

#[test]
fn the_exposure_is_at_most_2_0() {
    if Command::new("systemd-analyze").arg("--version").stdout(Stdio::null()).status().is_err() {
        bartizan_testkit::skip!("systemd-analyze is not installed");
    }
    // The tool looks at no template.
    let folder = tempfile::tempdir().unwrap();
    let instance = folder.path().join("bartizan-pair.service");
    std::fs::copy(systemd_file("bartizan@.service"), &instance).unwrap();
    for unit in [systemd_file("bartizan.service"), instance] {
        let output = Command::new("systemd-analyze")
            .args(["security", "--offline=true", "--threshold=20", "--no-pager"])
            .arg(unit)
            .output()
            .unwrap();
        let text = common::text(&output.stdout);
        assert!(output.status.success(), "{text}{}", common::text(&output.stderr));
        assert!(text.contains("Overall exposure level"), "{text}");
    }
}

/// The pair's unit is the single one's, but for what being a pair needs.
#[test]
fn the_two_units_differ_only_where_they_must() {
    let lines = |name: &str| -> Vec<String> {
        let text = std::fs::read_to_string(systemd_file(name)).unwrap();
        text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    };
    let (single, pair) = (lines("bartizan.service"), lines("bartizan@.service"));
    let only = |these: &[String], those: &[String]| -> Vec<String> {
        these.iter().filter(|line| !those.contains(line)).cloned().collect()
    };
    let keys = |lines: Vec<String>| -> Vec<String> {
        lines.iter().map(|line| line.split('=').next().unwrap().to_owned()).collect()
    };
    assert_eq!(keys(only(&single, &pair)), ["Description", "ExecStartPre", "ExecStart"]);
    let pairs = ["Description", "Conflicts", "ExecStartPre", "ExecStart", "RuntimeDirectoryPreserve"];
    assert_eq!(keys(only(&pair, &single)), pairs);
}

/// What the unit leaves the daemon: an ordinary user with the capabilities it names.
fn as_the_unit_runs_it(arguments: &[&str]) -> Command {
    let unit = std::fs::read_to_string(systemd_file("bartizan.service")).unwrap();
    let line = unit.lines().find_map(|line| line.strip_prefix("AmbientCapabilities=")).unwrap();
    let capabilities: Vec<_> = line.split(' ').map(|name| name.to_lowercase().replace("cap_", "+")).collect();
    let capabilities = capabilities.join(",");
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--no-new-privs"])
        .args([
            "--inh-caps",
            &format!("-all,{capabilities}"),
            "--bounding-set",
            &format!("-all,{capabilities}"),
        ])
        .args(["--ambient-caps", &format!("-all,{capabilities}")])
        .arg(env!("CARGO_BIN_EXE_bartizan"))
        .args(arguments);
    command
}

#[test]
fn with_the_units_capabilities_every_source_of_the_host_is_as_open_as_for_root() {
    if !nix::unistd::geteuid().is_root() {
        bartizan_testkit::skip!("only root can take capabilities away");
    }
    let states = |output: &std::process::Output| {
        let object: serde_json::Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", common::text(&output.stderr)));
        let sources = object["host"].as_array().unwrap();
        sources.iter().map(|s| (s["source"].to_string(), s["state"].to_string())).collect::<Vec<_>>()
    };
    let root = common::output(&["sources", "--json"]);
    let confined = match as_the_unit_runs_it(&["sources", "--json"]).output() {
        Ok(output) => output,
        Err(error) => bartizan_testkit::skip!("setpriv cannot be run: {error}"),
    };
    assert!(!states(&root).is_empty());
    assert_eq!(states(&confined), states(&root));
}

/// The system calls a set of the unit's filter stands for, sets within sets resolved.
fn calls_of(set: &str) -> Vec<String> {
    let output = Command::new("systemd-analyze").args(["syscall-filter", set]).output().unwrap();
    let text = common::text(&output.stdout);
    let words = text.lines().skip(1).map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    words
        .flat_map(|word| if word.starts_with('@') { calls_of(word) } else { vec![word.to_owned()] })
        .collect()
}

/// Calls that the unit refuses, and whose facts are then read elsewhere or told to be unknown: the clock's state, which
/// `ProtectClock=` closes with its setting, and the list of security modules (`lsm_list_modules`, 461), which systemd
/// does not know by name before 256.
const DOES_WITHOUT: [&str; 3] = ["clock_adjtime", "lsm_list_modules", "syscall_0x1cd"];

#[test]
fn the_units_filter_allows_every_system_call_the_daemon_makes() {
    for tool in ["strace", "systemd-analyze"] {
        if Command::new(tool).arg("--version").stdout(Stdio::null()).status().is_err() {
            bartizan_testkit::skip!("{tool} is not installed");
        }
    }
    let unit = std::fs::read_to_string(systemd_file("bartizan.service")).unwrap();
    let mut allowed = std::collections::BTreeSet::new();
    allowed.extend(calls_of("@default"));
    for line in unit.lines().filter_map(|line| line.strip_prefix("SystemCallFilter=")) {
        let (denies, sets) = line.strip_prefix('~').map_or((false, line), |sets| (true, sets));
        for set in sets.split(' ') {
            let calls = if set.starts_with('@') { calls_of(set) } else { vec![set.to_owned()] };
            for call in calls {
                if denies {
                    allowed.remove(&call)
                } else {
                    allowed.insert(call)
                };
            }
        }
    }
    assert!(allowed.contains("read") && !allowed.contains("mount"), "{allowed:?}");
    // What a standby watches the active one with, and ends it by.
    assert!(["pidfd_open", "pidfd_send_signal", "fcntl"].iter().all(|call| allowed.contains(*call)));
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("calls");
    let socket = folder.path().join("metrics.sock");
    // As the unit does it.
    assert!(unit.lines().any(|line| line == "StateDirectory=bartizan"));
    let state = folder.path().join("state");
    let output = Command::new("strace")
        .args(["-f", "-qq", "-e", "signal=none", "-o"])
        .arg(&log)
        .env("STATE_DIRECTORY", &state)
        .arg(env!("CARGO_BIN_EXE_bartizan"))
        .args(["run", "--quiet", "--interval", "100ms", "--duration", "3s", "--socket"])
        .arg(&socket)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", common::text(&output.stderr));
    let calls = std::fs::read_to_string(&log).unwrap();
    let made: std::collections::BTreeSet<_> = calls
        .lines()
        .filter_map(|line| {
            line.split_once(' ')?.1.trim_start().split_once('(').map(|(name, _)| name.to_owned())
        })
        .filter(|name| {
            name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        })
        .collect();
    assert!(made.contains("pread64") || made.contains("read"), "{made:?}");
    assert!(made.contains("fdatasync") && state.join("ledger/logs/host/checkpoint").exists(), "{made:?}");
    let refused: Vec<_> =
        made.difference(&allowed).filter(|call| !DOES_WITHOUT.contains(&call.as_str())).collect();
    assert!(refused.is_empty(), "the unit would refuse {refused:?}");
}
