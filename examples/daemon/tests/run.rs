//! `bartizan run` as a service manager and a user see it: lines, signals, reload.

mod common;

use common::{Daemon, ask, bartizan, code, text};
use nix::sys::signal::Signal;
use serde_json::Value;

#[test]
fn without_configuration_it_writes_json_lines_and_ends_with_exact_accounts() {
    let output = bartizan()
        .args(["run", "--no-socket", "--interval", "50ms", "--duration", "600ms"])
        .output()
        .unwrap();
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let lines: Vec<Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.first().unwrap()["type"], "start");
    assert!(lines.iter().filter(|line| line["type"] == "tick").count() >= 2, "{lines:?}");
    let stop = lines.last().unwrap();
    assert_eq!((&stop["type"], &stop["why"]), (&Value::from("stop"), &Value::from("duration")));
    let alerts = |key: &str| stop["alerts"][key].as_u64().unwrap();
    assert_eq!(
        alerts("produced"),
        alerts("delivered") + alerts("suppressed") + alerts("dropped") + alerts("in_flight")
    );
    assert_eq!(alerts("in_flight"), 0, "all that waited was taken before the end");
}

#[test]
fn sigterm_and_sigint_end_it_with_a_summary_and_code_0() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut daemon = Daemon::start(&["--no-socket", "--interval", "50ms"]);
        daemon.until("tick");
        daemon.signal(signal);
        assert_eq!(daemon.until("stop")["why"], "signal");
        assert!(daemon.next().is_none());
    }
}

#[test]
fn quiet_writes_no_samples() {
    let mut daemon = Daemon::start(&["--no-socket", "--quiet", "--interval", "20ms", "--duration", "400ms"]);
    daemon.until("start");
    while let Some(line) = daemon.next() {
        assert_ne!(line["type"], "tick");
    }
}

#[test]
fn a_reload_takes_the_good_and_keeps_the_old_when_the_new_is_bad() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bartizan.toml");
    std::fs::write(&file, "[sampling]\ninterval_ms = 50\n").unwrap();
    let path = file.to_str().unwrap();
    let mut daemon = Daemon::start(&["--config", path, "--no-socket", "--quiet", "--listen", "127.0.0.1:0"]);
    let address = Daemon::address(&daemon.until("start"));
    let value = |name: &str| {
        let body = ask(&address, "/metrics?scope=agent", "").body;
        let line =
            body.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}: {body}"));
        line.to_owned()
    };
    let (success, at, sha) = (
        "bartizan_config_last_reload_successful ",
        "bartizan_config_last_reload_success_timestamp_seconds ",
        "bartizan_config_info{",
    );
    let first = (value(at), value(sha));
    assert!(value(success).ends_with(" 1"));

    std::fs::write(&file, "[sampling]\ninterval_ms = \"often\"\n").unwrap();
    daemon.signal(Signal::SIGHUP);
    let refused = daemon.until("reload");
    assert_eq!(refused["successful"], false);
    assert!(refused["message"].as_str().unwrap().contains(&format!("{path}:2:")), "{refused}");
    assert!(value(success).ends_with(" 0"));
    assert_eq!((value(at), value(sha)), first, "the old one is in force");
    assert_eq!(ask(&address, "/readyz", "").status(), 200, "and sampling goes on");

    std::fs::write(&file, "[sampling]\ninterval_ms = 60\n").unwrap();
    daemon.signal(Signal::SIGHUP);
    assert_eq!(daemon.until("reload")["successful"], true);
    assert!(value(success).ends_with(" 1"));
    assert_ne!(value(at), first.0);
    assert_ne!(value(sha), first.1);
    let (stop, code) = daemon.stop();
    assert_eq!((stop["why"].as_str(), code), (Some("signal"), 0));
}

#[test]
fn two_at_once_do_not_take_each_others_socket() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("metrics.sock");
    let path = socket.to_str().unwrap();
    let mut first = Daemon::start(&["--socket", path, "--quiet"]);
    first.until("start");
    let second = bartizan().args(["run", "--socket", path, "--duration", "1s"]).output().unwrap();
    assert_eq!(code(&second), 69, "{}", text(&second.stderr));
    assert_eq!(common::ask_unix(&socket, "/healthz").status(), 200, "the first still serves");
    first.stop();
    assert!(!socket.exists(), "the socket goes with its daemon");
    // One that was left behind by a crash is replaced.
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let mut third = Daemon::start(&["--socket", path, "--quiet"]);
    third.until("start");
    assert_eq!(common::ask_unix(&socket, "/healthz").status(), 200);
}
