//! Incidents from first sign to closed, told to real servers that fail, are restarted and forget.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test, with its place")]

mod common;

use common::{Daemon, bartizan, code, text};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_mins(1);

/// A server that keeps what is posted, and answers with a status that the test sets.
struct Server {
    port: u16,
    status: Arc<AtomicU16>,
    /// The status it was answered with, and what was posted.
    posted: Arc<Mutex<Vec<(u16, Value)>>>,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        listener.set_nonblocking(true).unwrap();
        let (status, stop) = (Arc::new(AtomicU16::new(200)), Arc::new(AtomicBool::new(false)));
        let posted = Arc::new(Mutex::new(Vec::new()));
        let (answered, kept, stopped) = (Arc::clone(&status), Arc::clone(&posted), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            while !stopped.load(SeqCst) {
                let Ok((mut stream, _)) = listener.accept() else {
                    std::thread::sleep(Duration::from_millis(5));
                    continue;
                };
                stream.set_nonblocking(false).unwrap();
                stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
                let mut bytes = Vec::new();
                let body = loop {
                    let mut buffer = [0; 4096];
                    match stream.read(&mut buffer) {
                        Ok(0) | Err(_) => break None,
                        Ok(count) => bytes.extend_from_slice(&buffer[..count]),
                    }
                    if let Some(body) = whole_body(&bytes) {
                        break Some(body);
                    }
                };
                if let Some(body) = body {
                    let status = answered.load(SeqCst);
                    kept.lock().unwrap().push((status, serde_json::from_slice(&body).unwrap()));
                    let _ = write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n");
                }
            }
        });
        Self { port, status, posted, stop, thread: Some(thread) }
    }

    /// Every notice that was answered with 200: incident and number.
    fn acknowledged(&self) -> BTreeSet<(u64, u64)> {
        let posted = self.posted.lock().unwrap();
        let good = posted.iter().filter(|(status, _)| *status == 200);
        good.flat_map(|(_, body)| body.as_array().unwrap())
            .map(|one| (one["incident"].as_u64().unwrap(), one["number"].as_u64().unwrap()))
            .collect()
    }

    fn attempts(&self) -> usize {
        self.posted.lock().unwrap().len()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, SeqCst);
        let _ = self.thread.take().map(std::thread::JoinHandle::join);
    }
}

fn whole_body(bytes: &[u8]) -> Option<Vec<u8>> {
    let text = String::from_utf8_lossy(bytes);
    let (head, _) = text.split_once("\r\n\r\n")?;
    let length: usize = head.lines().find_map(|line| line.strip_prefix("Content-Length: "))?.parse().ok()?;
    let body = &bytes[head.len() + 4..];
    (body.len() >= length).then(|| body[..length].to_vec())
}

/// A folder with a configuration, a ledger and a socket.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A host with rules that always fire, each on a condition of its own, and nothing else.
    fn configure(&self, rules: &[&str], deliver: &str) {
        // By cause, so that each is an incident of its own.
        let metric_of = |rule: &str| match rule {
            "second" => "host_memory_available_bytes",
            "third" => "host_memory_cached_bytes",
            _ => "host_memory_total_bytes",
        };
        let mut text = format!(
            "[checks]\nenabled = false\n[incidents]\nwait_s = 0\nreconcile_s = 1\n[sampling]\ninterval_ms = 50\n{deliver}\n"
        );
        let rule = |rule: &&str| {
            let metric = metric_of(rule);
            format!(
                "[[rules]]\nname = \"{rule}\"\nsummary = \"it is there\"\nmetric = \"{metric}\"\nabove = 0\nseverity = \"critical\"\n"
            )
        };
        text += &rules.iter().map(rule).collect::<Vec<_>>().concat();
        std::fs::write(self.path("bartizan.toml"), text).unwrap();
    }

    fn start(&self) -> Daemon {
        let path = |name: &str| self.path(name).to_str().unwrap().to_owned();
        let mut daemon = Daemon::start(&[
            "--config",
            &path("bartizan.toml"),
            "--quiet",
            "--socket",
            &path("socket"),
            "--ledger",
            &path("ledger"),
        ]);
        daemon.until("start");
        daemon
    }

    fn run(&self, arguments: &[&str]) -> Output {
        bartizan().args(arguments).args(["--socket", self.path("socket").to_str().unwrap()]).output().unwrap()
    }

    fn incidents(&self) -> Vec<Value> {
        let output = self.run(&["incidents", "--all", "--json"]);
        assert_eq!(code(&output), 0, "{}", text(&output.stderr));
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The incident of a rule, once it is there and as wanted.
    fn incident(&self, rule: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        eventually(&format!("an incident of {rule}"), || {
            self.incidents().into_iter().find(|one| one["detector"] == rule && wanted(one))
        })
    }

    fn metric(&self, line: &str) -> u64 {
        let body = common::ask_unix(&self.path("socket"), "/metrics?scope=agent").body;
        let found = body.lines().find_map(|one| one.strip_prefix(line));
        found.unwrap_or_else(|| panic!("{line}: {body}")).trim().parse().unwrap()
    }
}

fn eventually<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "{what} did not come");
        std::thread::sleep(Duration::from_millis(30));
    }
}

#[test]
fn from_first_sign_to_closed_with_what_is_refused_said() {
    let place = Place::new();
    let file = place.path("out.jsonl");
    let deliver = format!(
        "[[deliver]]\nname = \"f\"\nto = \"file\"\nformat = \"native\"\nurl = \"file:{}\"",
        file.display()
    );
    place.configure(&["always"], &deliver);
    let daemon = place.start();
    let incident = place.incident("always", |one| one["firing"] == true);
    let id = incident["incident"].to_string();
    let refused = |arguments: &[&str], part: &str| {
        let output = place.run(arguments);
        assert_eq!(code(&output), 64, "{}", text(&output.stdout));
        assert!(text(&output.stderr).contains(part), "{}", text(&output.stderr));
    };
    let works = |arguments: &[&str]| {
        let output = place.run(arguments);
        assert_eq!(code(&output), 0, "{}", text(&output.stderr));
        text(&output.stdout)
    };
    refused(&["incident", "contain", &id, "-n", "x"], "next comes acknowledged (ack)");
    refused(&["incident", "ack", "999"], "no incident 999");
    works(&["incident", "ack", &id, "--by", "alice"]);
    refused(&["incident", "contain", &id], "what was done");
    works(&["incident", "contain", &id, "-n", "nothing spreads"]);
    works(&["incident", "recover", &id, "-n", "memory is there"]);
    let close =
        ["incident", "close", &id, "--root-cause", "a test", "--outcome", "fine", "--verdict", "test"];
    refused(&[&close[..], &["--response", " "]].concat(), "the response must be said");
    works(&[&close[..], &["--response", "none"]].concat());
    let shown = works(&["incident", "show", &id]);
    for part in ["closed", "a test", "host_memory_total_bytes", "evidence"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    refused(&["silence", "add", "--for", "1h", "--reason", "x"], "everything");
    works(&["silence", "add", "--for", "1h", "--reason", "x", "--vm", "web-*"]);
    assert!(works(&["silence", "list"]).contains("vm=web-*"));
    works(&["silence", "end", "1"]);
    works(&["incident", "reopen", &id, "-n", "it was not over"]);
    let again = place.incident("always", |one| one["state"] == "open");
    assert_eq!((&again["reopened"], &again["note"]), (&1.into(), &"it was not over".into()));

    // On TCP there are none, and neither for whoever asks for what there is not.
    let answer = common::ask_unix(&place.path("socket"), "/incidents/x");
    assert_eq!(answer.status(), 400, "{}", answer.body);
    // All of it was told, in order, with the evidence when it opened.
    let told = eventually("all notices", || {
        let lines = std::fs::read_to_string(&file).ok()?;
        let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        // What else this machine has to say is not looked at.
        let lines: Vec<Value> = lines.filter(|one| one["incident"] == incident["incident"]).collect();
        (lines.last()?["changes"] == serde_json::json!(["reopened"])).then_some(lines)
    });
    let states: Vec<_> = told.iter().map(|one| one["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["open", "acknowledged", "contained", "recovered", "closed", "open"]);
    assert!(!told[0]["evidence"].as_array().unwrap().is_empty());
    assert!(told[1]["by"].as_str().unwrap().starts_with("alice"));
    daemon.stop();
}

#[test]
fn what_a_webhook_missed_it_gets_after_kills_of_the_agent_and_failures_of_its_own() {
    let place = Place::new();
    let server = Server::start();
    let deliver = |port: u16| {
        format!(
            "[[deliver]]\nname = \"hook\"\nto = \"webhook\"\nformat = \"native\"\nurl = \"http://127.0.0.1:{port}/x\""
        )
    };
    place.configure(&["first"], &deliver(server.port));
    // It fails, and the agent is killed meanwhile.
    server.status.store(503, SeqCst);
    let daemon = place.start();
    let incident = place.incident("first", |one| one["firing"] == true);
    let id = incident["incident"].as_u64().unwrap();
    eventually("an attempt", || (server.attempts() > 0).then_some(()));
    assert_eq!(
        place.metric("bartizan_deliver_notices_delivered_total{receiver=\"hook\",kind=\"webhook\"}"),
        0
    );
    assert!(place.metric("bartizan_deliver_notices_in_flight{receiver=\"hook\",kind=\"webhook\"}") > 0);
    daemon.signal(Signal::SIGKILL);
    drop(daemon);
    assert!(server.acknowledged().is_empty());

    // What fired is over while no agent runs; another begins.
    place.configure(&["second", "third"], &deliver(server.port));
    server.status.store(200, SeqCst);
    let daemon = place.start();
    place.incident("first", |one| one["firing"] == false);
    place.incident("second", |one| one["firing"] == true);
    eventually("the first notice and the end", || {
        let got = server.acknowledged();
        let ended =
            server.posted.lock().unwrap().iter().flat_map(|(_, body)| body.as_array().unwrap().clone()).any(
                |one| {
                    one["incident"] == id
                        && one["firing"] == false
                        && one["message"].as_str().unwrap().contains("not seen again")
                },
            );
        (got.contains(&(id, 1)) && ended).then_some(())
    });
    // Nothing is missing: each incident's notices are numbered from 1 without a gap.
    let got = server.acknowledged();
    for incident in got.iter().map(|(incident, _)| *incident).collect::<BTreeSet<_>>() {
        let numbers: Vec<u64> = got.iter().filter(|one| one.0 == incident).map(|one| one.1).collect();
        assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "incident {incident}");
    }
    let account = |name: &str| {
        let kind = if name == "in_flight" { "" } else { "_total" };
        place.metric(&format!("bartizan_deliver_notices_{name}{kind}{{receiver=\"hook\",kind=\"webhook\"}}"))
    };
    eventually("accounts that balance with nothing in flight", || {
        (account("in_flight") == 0 && account("produced") == account("delivered")).then_some(())
    });
    assert_eq!(account("delivered"), got.len() as u64, "and they go back to before the kill");
    daemon.stop();

    // A third run has nothing to say again.
    let before = server.attempts();
    let daemon = place.start();
    place.incident("second", |one| one["firing"] == true);
    std::thread::sleep(Duration::from_millis(500));
    let posted = server.posted.lock().unwrap();
    let again = posted[before..].iter().flat_map(|(_, body)| body.as_array().unwrap());
    let again: Vec<_> = again
        .filter(|one| got.contains(&(one["incident"].as_u64().unwrap(), one["number"].as_u64().unwrap())))
        .collect();
    assert!(again.is_empty(), "{again:?}");
    drop(posted);
    daemon.stop();
}

#[test]
fn what_a_receiver_refuses_for_good_is_dropped_and_counted_and_the_rest_goes_on() {
    let place = Place::new();
    let server = Server::start();
    server.status.store(400, SeqCst);
    let deliver = format!(
        "[[deliver]]\nname = \"hook\"\nto = \"webhook\"\nurl = \"http://127.0.0.1:{}/\"",
        server.port
    );
    place.configure(&["first"], &deliver);
    let daemon = place.start();
    eventually("it to be given up", || {
        let dropped =
            place.metric("bartizan_deliver_notices_dropped_total{receiver=\"hook\",kind=\"webhook\"}");
        (dropped > 0).then_some(())
    });
    server.status.store(204, SeqCst);
    let id = place.incident("first", |_| true)["incident"].to_string();
    assert_eq!(code(&place.run(&["incident", "ack", &id])), 0);
    eventually("the next to be delivered", || {
        let delivered =
            place.metric("bartizan_deliver_notices_delivered_total{receiver=\"hook\",kind=\"webhook\"}");
        (delivered > 0).then_some(())
    });
    let posted = server.posted.lock().unwrap();
    let (_, events) = posted.last().unwrap();
    assert_eq!(events[0]["class_uid"], 2004, "OCSF is what is sent when nothing else is said");
    drop(posted);
    daemon.stop();
}

#[test]
fn syslog_gets_rfc_5424_by_datagram_and_by_counted_octets() {
    let place = Place::new();
    let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    udp.set_read_timeout(Some(PATIENCE)).unwrap();
    let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let deliver = format!(
        "[[deliver]]\nname = \"u\"\nto = \"syslog\"\nurl = \"udp://{}\"\n[[deliver]]\nname = \"t\"\nto = \"syslog\"\nurl = \"tcp://{}\"",
        udp.local_addr().unwrap(),
        tcp.local_addr().unwrap()
    );
    place.configure(&["first"], &deliver);
    let daemon = place.start();
    let mut buffer = [0; 4096];
    let count = udp.recv(&mut buffer).unwrap();
    let message = text(&buffer[..count]);
    let fields: Vec<&str> = message.splitn(8, ' ').collect();
    // Facility 13, severity critical; version 1.
    assert_eq!(fields[0], "<106>1", "{message}");
    assert!(fields[1].ends_with('Z') && fields[3] == "bartizan" && fields[5] == "incident", "{message}");
    assert!(fields[6].starts_with("[bartizan@32473") && message.contains("state=\"open\""), "{message}");
    assert!(message.contains("] \u{feff}"), "{message}");

    let (mut stream, _) = tcp.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut bytes = vec![0; 4096];
    let count = stream.read(&mut bytes).unwrap();
    let counted = text(&bytes[..count]);
    let (length, rest) = counted.split_once(' ').unwrap();
    assert!(rest.len() >= length.parse::<usize>().unwrap() && rest.starts_with("<106>1 "), "{counted}");
    daemon.stop();
}

/// A real Alertmanager, ended when it is dropped.
struct Alertmanager {
    child: Child,
    port: u16,
    folder: PathBuf,
}

impl Alertmanager {
    fn start(folder: &Path, port: u16) -> Option<Self> {
        std::fs::create_dir_all(folder).unwrap();
        let config = folder.join("alertmanager.yml");
        std::fs::write(&config, "route:\n  receiver: none\nreceivers:\n- name: none\n").unwrap();
        let child = Command::new("prometheus-alertmanager")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--cluster.listen-address=")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        Some(Self { child, port, folder: folder.to_owned() })
    }

    /// Alerts it knows: what of them, and whether they are active.
    fn alerts(&self) -> Option<Vec<(String, bool)>> {
        let stream = std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok()?;
        let answer = common::ask_on(stream, "/api/v2/alerts?active=true", "Connection: close\r\n");
        if answer.status() != 200 {
            return None;
        }
        let alerts: Value = serde_json::from_str(&answer.body).ok()?;
        let one = |alert: &Value| {
            let name = alert["labels"]["alertname"].as_str().unwrap().to_owned();
            (name, alert["status"]["state"] == "active")
        };
        Some(alerts.as_array()?.iter().map(one).collect())
    }

    fn fires(&self, rule: &str) -> bool {
        self.alerts().is_some_and(|alerts| alerts.iter().any(|(name, active)| name == rule && *active))
    }

    fn kill(mut self) -> (PathBuf, u16) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        (self.folder.clone(), self.port)
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_real_alertmanager_that_forgets_is_told_again_and_learns_of_what_ended_unseen() {
    let place = Place::new();
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let Some(alertmanager) = Alertmanager::start(&place.path("am"), port) else {
        bartizan_testkit::skip!("prometheus-alertmanager (Debian) is not installed");
    };
    let deliver = format!(
        "[[deliver]]\nname = \"am\"\nto = \"alertmanager\"\nurl = \"http://127.0.0.1:{port}\"\nrepeat_s = 1"
    );
    place.configure(&["first", "second"], &deliver);
    let daemon = place.start();
    let both = |alertmanager: &Alertmanager| {
        (alertmanager.fires("first") && alertmanager.fires("second")).then_some(())
    };
    eventually("both alerts", || both(&alertmanager));

    // It is killed, and has forgotten: it is told again without anything new.
    let (folder, port) = alertmanager.kill();
    let alertmanager = Alertmanager::start(&folder, port).unwrap();
    eventually("both alerts again", || both(&alertmanager));

    // The agent is killed; one of the conditions ends while it is away.
    daemon.signal(Signal::SIGKILL);
    drop(daemon);
    place.configure(&["first"], &deliver);
    let (folder, port) = alertmanager.kill();
    let daemon = place.start();
    place.incident("second", |one| one["firing"] == false);
    // Alertmanager was away all the time, and comes back empty.
    let alertmanager = Alertmanager::start(&folder, port).unwrap();
    eventually("the one that holds", || alertmanager.fires("first").then_some(()));
    eventually("its acknowledgement of both", || {
        (place.metric("bartizan_deliver_notices_in_flight{receiver=\"am\",kind=\"alertmanager\"}") == 0)
            .then_some(())
    });
    assert!(!alertmanager.fires("second"), "it is over");
    assert_eq!(code(&place.run(&["incidents"])), 0);
    daemon.stop();
}
