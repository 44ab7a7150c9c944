//! What is served over HTTP, judged by Prometheus' own tools and by clients that mean no good.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test, with its place")]

mod common;

use common::{Daemon, answer, ask};
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

fn serving() -> (Daemon, String) {
    let mut daemon =
        Daemon::start(&["--no-socket", "--quiet", "--interval", "100ms", "--listen", "127.0.0.1:0"]);
    let address = Daemon::address(&daemon.until("start"));
    (daemon, address)
}

const OPENMETRICS: &str = "Accept: application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.3\r\n";

/// What promtool has to say about an exposition; `None` when there is no promtool.
fn promtool(exposition: &str) -> Option<String> {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    promtool.stdin.take().unwrap().write_all(exposition.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let complaints = common::text(&output.stdout) + &common::text(&output.stderr);
    assert_eq!(output.status.success(), complaints.is_empty(), "{complaints}");
    Some(complaints)
}

#[test]
fn promtool_accepts_every_line() {
    let ledger = tempfile::tempdir().unwrap();
    let arguments = ["--no-socket", "--quiet", "--listen", "127.0.0.1:0", "--ledger"];
    let mut daemon = Daemon::start(&[&arguments[..], &[ledger.path().to_str().unwrap()]].concat());
    let address = Daemon::address(&daemon.until("start"));
    let body = loop {
        let body = ask(&address, "/metrics", "").body;
        // The last of the ledger's families: there once it was signed.
        if body.contains("bartizan_ledger_checkpoint_timestamp_seconds") {
            break body;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    };
    let Some(complaints) = promtool(&body) else {
        bartizan_testkit::skip!("promtool (Debian package prometheus) is not installed");
    };
    assert_eq!(complaints, "");
}

#[test]
fn promtool_accepts_every_metric_of_the_table_whatever_this_machine_has() {
    let table: Vec<serde_json::Value> =
        serde_json::from_slice(&common::output(&["metrics", "--json"]).stdout).unwrap();
    let mut exposition = String::new();
    for metric in &table {
        let kind = metric["kind"].as_str().unwrap();
        let suffix = if kind == "counter" { "_total" } else { "" };
        let name = format!("bartizan_{}{suffix}", metric["name"].as_str().unwrap());
        let help = metric["help"].as_str().unwrap();
        let _ = writeln!(exposition, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} 1");
    }
    let Some(complaints) = promtool(&exposition) else {
        bartizan_testkit::skip!("promtool (Debian package prometheus) is not installed");
    };
    assert_eq!(complaints, "");
}

#[test]
fn openmetrics_ends_in_eof_and_has_no_series_twice() {
    let (_daemon, address) = serving();
    let answer = ask(&address, "/metrics", OPENMETRICS);
    assert!(answer.head.contains("application/openmetrics-text; version=1.0.0"), "{}", answer.head);
    assert!(answer.body.ends_with("# EOF\n"));
    assert_eq!(answer.body.matches("# EOF").count(), 1);
    let series = answer
        .body
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.rsplit_once(' ').unwrap().0);
    let mut seen = std::collections::HashSet::new();
    for name in series {
        assert!(seen.insert(name), "{name} twice");
    }
    assert!(seen.contains("bartizan_agent_ticks_total"), "{}", answer.body);
    assert!(!ask(&address, "/metrics", "").body.contains("# EOF"), "the older format knows no end");
}

#[test]
fn what_has_no_value_is_left_out_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("proc")).unwrap();
    let root = folder.path().to_str().unwrap();
    let mut daemon = Daemon::start(&[
        "--root",
        root,
        "--no-socket",
        "--quiet",
        "--interval",
        "50ms",
        "--listen",
        "127.0.0.1:0",
    ]);
    let address = Daemon::address(&daemon.until("start"));
    let body = ask(&address, "/metrics?scope=host", "").body;
    assert!(
        !body.contains("\nbartizan_host_cpu_user_seconds_total "),
        "a host with no files has no CPU time: {body}"
    );
    let counted =
        body.lines().find(|line| line.starts_with("bartizan_unavailable{source=\"proc-stat\"")).unwrap();
    let (_, count) = counted.rsplit_once(' ').unwrap();
    assert!(count.parse::<u64>().unwrap() > 0, "{counted}");
}

#[test]
fn health_and_readiness_answer() {
    let (_daemon, address) = serving();
    assert_eq!(ask(&address, "/healthz", "").status(), 200);
    assert_eq!(ask(&address, "/readyz", "").status(), 200);
    assert_eq!(ask(&address, "/nowhere", "").status(), 404);
    assert_eq!(ask(&address, "/metrics?scope=nothing", "").status(), 400);
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.write_all(b"DELETE /metrics HTTP/1.1\r\n\r\n").unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let refused = answer(&bytes);
    assert_eq!(refused.status(), 405);
    assert!(refused.head.contains("Allow: GET, HEAD"), "{}", refused.head);
}

#[test]
fn clients_that_dawdle_are_shown_the_door_and_others_still_served() {
    let (_daemon, address) = serving();
    // More than are served at a time, each with half a request.
    let mut dawdlers: Vec<TcpStream> = (0..24)
        .map(|_| {
            let mut stream = TcpStream::connect(&address).unwrap();
            stream.write_all(b"GET /metrics HTTP/1.1\r\nX: ").unwrap();
            stream
        })
        .collect();
    assert_eq!(ask(&address, "/healthz", "").status(), 200, "served once the first dawdlers were let go");
    let mut bytes = Vec::new();
    dawdlers[0].read_to_end(&mut bytes).unwrap();
    assert_eq!(answer(&bytes).status(), 408);
}

#[test]
fn a_request_that_comes_byte_by_byte_is_answered() {
    let (_daemon, address) = serving();
    let mut stream = TcpStream::connect(&address).unwrap();
    for byte in b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" {
        stream.write_all(&[*byte]).unwrap();
    }
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    assert_eq!(answer(&bytes).body, "alive\n");
}

/// A Prometheus of our own, ended when dropped.
struct Prometheus(Child);

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_real_prometheus_scrapes_it() {
    if Command::new("prometheus")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_err()
    {
        bartizan_testkit::skip!("prometheus is not installed");
    }
    let (_daemon, address) = serving();
    let folder = tempfile::tempdir().unwrap();
    let mut config = "global: {scrape_interval: 200ms, scrape_timeout: 200ms}\nscrape_configs:\n".to_owned();
    let _ = writeln!(config, "- {{job_name: bartizan, static_configs: [{{targets: ['{address}']}}]}}");
    let file = folder.path().join("prometheus.yml");
    std::fs::write(&file, config).unwrap();
    // A port that was free a moment ago; should another process take it meanwhile, Prometheus ends and says so.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let web = format!("127.0.0.1:{port}");
    let mut prometheus = Prometheus(
        Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={web}"))
            .stdout(Stdio::null())
            .stderr(Stdio::from(std::fs::File::create(folder.path().join("log")).unwrap()))
            .spawn()
            .unwrap(),
    );
    let query = |expression: &str| {
        let stream = TcpStream::connect(&web).ok()?;
        let answer =
            common::ask_on(stream, &format!("/api/v1/query?query={expression}"), "Connection: close\r\n");
        let object: serde_json::Value = serde_json::from_str(&answer.body).ok()?;
        object["data"]["result"][0]["value"][1].as_str()?.parse::<f64>().ok()
    };
    let scraped = bartizan_testkit::proc::wait_until(std::time::Duration::from_mins(1), || {
        assert!(
            prometheus.0.try_wait().unwrap().is_none(),
            "prometheus ended: {}",
            std::fs::read_to_string(folder.path().join("log")).unwrap_or_default()
        );
        query("up").is_some_and(|up| up > 0.0) && query("bartizan_agent_ticks_total").is_some()
    });
    let log = || std::fs::read_to_string(folder.path().join("log")).unwrap_or_default();
    assert!(scraped, "not scraped: {}", log());
    assert!(query("bartizan_agent_ticks_total").unwrap() >= 1.0);
    assert!(query("scrape_samples_scraped").unwrap() > 10.0);
}
