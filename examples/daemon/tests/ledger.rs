//! The daemon's ledger: where it is, what is served of it, full disks, reloads; `bartizan ledger`, and a reader of standard
//! output that does not read.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test, with its place")]

mod common;

use bartizan_core::ledger::{Kind, RealDisk, read};
use common::{Daemon, ask, bartizan, code, output, text};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

fn kinds(dir: &Path) -> Vec<Kind> {
    let mut kinds = Vec::new();
    read(Arc::new(RealDisk::new(dir)), 0, |record| kinds.push(record.kind)).unwrap();
    kinds
}

fn value(body: &str, name: &str) -> f64 {
    let line = body.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}: {body}"));
    line.rsplit_once(' ').unwrap().1.parse().unwrap()
}

#[test]
fn the_folder_is_the_configurations_or_that_of_the_service_and_a_reload_does_not_move_it() {
    let folder = tempfile::tempdir().unwrap();
    let (file, state) = (folder.path().join("c.toml"), folder.path().join("state"));
    let named = folder.path().join("named");
    let write = |ledger: &str| std::fs::write(&file, format!("[ledger]\n{ledger}\n")).unwrap();
    write("checkpoint_interval_s = 1");
    let mut command = bartizan();
    command
        .env("STATE_DIRECTORY", &state)
        .args(["run", "--quiet", "--json", "--no-socket", "--listen", "127.0.0.1:0", "--config"])
        .arg(&file);
    let mut daemon = Daemon::spawn(&mut command);
    let address = Daemon::address(&daemon.until("start"));
    let ledger = state.join("ledger");
    let begin = Instant::now();
    let metrics = || ask(&address, "/metrics?scope=agent", "").body;
    while value(&metrics(), "bartizan_ledger_checkpoints_total") < 2.0 {
        assert!(begin.elapsed() < Duration::from_mins(1), "{}", metrics());
        std::thread::sleep(Duration::from_millis(100));
    }
    let body = metrics();
    assert!(value(&body, "bartizan_ledger_disk_state{state=\"good\"}") > 0.5);
    assert!(value(&body, "bartizan_ledger_appended_records_total") >= 2.0);
    assert!(value(&body, "bartizan_ledger_checkpoint_timestamp_seconds") > 1e9);
    assert!(value(&body, "bartizan_ledger_size_bytes") > 100.0);

    write(&format!("folder = \"{}\"", named.display()));
    daemon.signal(Signal::SIGHUP);
    let refused = daemon.until("reload");
    assert_eq!(refused["successful"], false);
    assert!(refused["message"].as_str().unwrap().contains("restart the service"), "{refused}");
    write("checkpoint_interval_s = 3600\nsize_mib_max = 1");
    daemon.signal(Signal::SIGHUP);
    assert_eq!(daemon.until("reload")["successful"], true);
    let signed = value(&metrics(), "bartizan_ledger_checkpoints_total");
    std::thread::sleep(Duration::from_millis(2_500));
    assert!(
        value(&metrics(), "bartizan_ledger_checkpoints_total") <= signed + 1.0,
        "the new interval is in force"
    );
    daemon.signal(Signal::SIGTERM);
    daemon.until("stop");
    let kinds = kinds(&ledger);
    assert!(kinds.contains(&Kind::CONFIG) && kinds.last() == Some(&Kind::STOP), "{kinds:?}");
    assert!(!named.exists());

    // Named, or switched off.
    write(&format!("folder = \"{}\"", named.display()));
    let once = |more: &[&str]| {
        let mut command = bartizan();
        command.env("STATE_DIRECTORY", &state).args(["run", "--quiet", "--json", "--no-socket"]);
        let done = command.args(["--duration", "500ms", "--config"]).arg(&file).args(more).output().unwrap();
        assert_eq!(code(&done), 0, "{}", text(&done.stderr));
    };
    once(&[]);
    assert!(named.join("segments").exists());
    std::fs::remove_dir_all(&named).unwrap();
    write(&format!("enabled = false\nfolder = \"{}\"", named.display()));
    once(&[]);
    assert!(!named.exists());
    let given = folder.path().join("given");
    once(&["--ledger", given.to_str().unwrap()]);
    assert!(given.join("segments").exists() && !named.exists());
}

#[test]
fn a_full_disk_is_said_served_and_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
        .arg(folder.path())
        .stderr(Stdio::null())
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        bartizan_testkit::skip!("no file system can be mounted here");
    }
    let _unmount = Unmount(folder.path());
    let ledger = folder.path().join("ledger");
    let arguments = ["--quiet", "--json", "--no-socket", "--listen", "127.0.0.1:0", "--interval", "50ms"];
    let mut daemon = Daemon::start(&[&arguments[..], &["--ledger", ledger.to_str().unwrap()]].concat());
    let address = Daemon::address(&daemon.until("start"));
    let ballast = folder.path().join("ballast");
    let filled = Command::new("dd")
        .args(["if=/dev/zero", "bs=4k", &format!("of={}", ballast.display())])
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(!filled.success(), "the disk is full");
    // Each reload is recorded, once more each checkpoint: in the end the zeros that were set aside are used up.
    let begin = Instant::now();
    let mut full = None;
    while full.is_none() {
        assert!(begin.elapsed() < Duration::from_mins(2), "it never said so");
        daemon.signal(Signal::SIGHUP);
        loop {
            let line = daemon.next().expect("it runs");
            match line["type"].as_str() {
                Some("ledger") => full = Some(line),
                Some("reload") => break,
                _ => {}
            }
        }
    }
    let full = full.unwrap();
    assert_eq!(full["disk"], "full", "{full}");
    let body = ask(&address, "/metrics?scope=agent", "").body;
    assert!(value(&body, "bartizan_ledger_disk_state{state=\"full\"}") > 0.5);
    assert_eq!(ask(&address, "/readyz", "").status(), 200, "sampling goes on");
    std::fs::remove_file(&ballast).unwrap();
    let back = daemon.until("ledger");
    assert_eq!((&back["disk"], &back["refused"]), (&"good".into(), &0.into()), "{back}");
    daemon.signal(Signal::SIGTERM);
    daemon.until("stop");
    let kinds = kinds(&ledger);
    assert!(kinds.iter().filter(|kind| **kind == Kind::DISK).count() >= 2, "{kinds:?}");
    assert_eq!(kinds.last(), Some(&Kind::STOP));
}

struct Unmount<'a>(&'a Path);

impl Drop for Unmount<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0).status();
    }
}

#[test]
fn a_ledger_is_looked_into_and_a_damaged_one_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("ledger");
    let path = dir.to_str().unwrap();
    let run = ["run", "--quiet", "--json", "--no-socket", "--duration", "1s", "--ledger", path];
    assert_eq!(code(&output(&run)), 0);
    let key = output(&["ledger", "key", path]);
    assert_eq!(code(&key), 0);
    let key = text(&key.stdout).trim().to_owned();
    assert_eq!(code(&output(&["verify", path, "--key", &key])), 0);

    let shown = text(&output(&["ledger", "show", path]).stdout);
    assert!(shown.lines().next().unwrap().contains("start") && shown.contains("config_sha256"), "{shown}");
    let json = text(&output(&["ledger", "cat", path, "--json", "--kind", "start"]).stdout);
    let start: Value = serde_json::from_str(json.trim()).unwrap();
    assert_eq!((&start["record"], &start["payload"]["last_run"]), (&0.into(), &"none".into()));
    let two = text(&output(&["ledger", "show", path, "-n", "2", "--from", "1", "--tenant", ""]).stdout);
    assert_eq!(two.lines().count(), 2);

    let leaf = folder.path().join("leaf");
    let proof = output(&["ledger", "prove", path, "1", "--leaf", leaf.to_str().unwrap()]);
    assert_eq!(code(&proof), 0, "{}", text(&proof.stderr));
    check_proof(&proof.stdout, &std::fs::read(&leaf).unwrap());
    assert_eq!(code(&output(&["ledger", "prove", path, "999"])), 64);
    assert_eq!(code(&output(&["ledger", "set-aside", path])), 64, "nothing is damaged");
    for command in ["key", "show", "set-aside"] {
        assert_eq!(code(&output(&["ledger", command, "/no/such/ledger"])), 66, "{command}");
    }

    let segment = dir.join("segments/0000000000000000.btzl");
    let mut bytes = std::fs::read(&segment).unwrap();
    let at = bytes.windows(13).position(|window| window == b"config_sha256").unwrap();
    bytes[at] ^= 1;
    std::fs::write(&segment, &bytes).unwrap();
    let refused = output(&run);
    assert_eq!(code(&refused), 65);
    assert!(text(&refused.stderr).contains("bartizan ledger set-aside"), "{}", text(&refused.stderr));
    assert_eq!(code(&output(&["ledger", "show", path])), 65);
    let aside = output(&["ledger", "set-aside", path, "--json"]);
    assert_eq!(code(&aside), 0, "{}", text(&aside.stderr));
    let told: Value = serde_json::from_slice(&aside.stdout).unwrap();
    assert_eq!((&told["folder"], &told["next"]), (&"ledger.damaged-1".into(), &1.into()), "{told}");
    let kept = folder.path().join("ledger.damaged-1/segments/0000000000000000.btzl");
    assert_eq!(std::fs::read(kept).unwrap(), bytes);
    assert_eq!(code(&output(&run)), 0, "and it runs again");
    assert_eq!(code(&output(&["verify", path, "--key", &key])), 0, "by the same key");
    let shown = text(&output(&["ledger", "show", path, "--kind", "set-aside", "--json"]).stdout);
    let record: Value = serde_json::from_str(shown.trim()).unwrap();
    assert_eq!((&record["record"], &record["payload"]["offset"]), (&1.into(), &told["offset"]));
}

fn check_proof(proof: &[u8], leaf: &[u8]) {
    use bartizan_core::ledger::checkpoint::Checkpoint;
    use bartizan_core::ledger::{merkle::leaf_hash, proof::is_included, prove};
    let (index, hashes, note) = prove::parse(proof).unwrap();
    let checkpoint = Checkpoint::parse(&note.text).unwrap();
    let is = |leaf: &[u8]| is_included(&leaf_hash(leaf), index, checkpoint.size, &checkpoint.root, &hashes);
    assert!(is(leaf) && !is(&leaf[1..]));
}

/// Nobody reads what it writes: it goes on, and says exactly what was not read.
#[test]
fn a_reader_that_does_not_read_stops_nothing() {
    let mut command = bartizan();
    command
        .args(["run", "--no-socket", "--listen", "127.0.0.1:0", "--interval", "10ms"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    // The first line has the address; nothing more is read for now.
    let mut first = Vec::new();
    while first.last() != Some(&b'\n') {
        let mut byte = [0];
        out.read_exact(&mut byte).unwrap();
        first.push(byte[0]);
    }
    let address = Daemon::address(&serde_json::from_slice(&first).unwrap());
    let begin = Instant::now();
    let metrics = || ask(&address, "/metrics?scope=agent", "").body;
    while value(&metrics(), "bartizan_output_dropped_lines_total") < 10.0 {
        assert!(begin.elapsed() < Duration::from_mins(4), "nothing is dropped");
        std::thread::sleep(Duration::from_millis(200));
    }
    let ticks = value(&metrics(), "bartizan_agent_ticks_total");
    std::thread::sleep(Duration::from_millis(500));
    assert!(value(&metrics(), "bartizan_agent_ticks_total") > ticks, "it goes on");
    // Read to the end while it is asked to end.
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    let reading = std::thread::spawn(move || {
        let mut rest = String::new();
        out.read_to_string(&mut rest).unwrap();
        rest
    });
    std::thread::sleep(Duration::from_millis(500));
    let dropped = value(&metrics(), "bartizan_output_dropped_lines_total");
    nix::sys::signal::kill(pid, Signal::SIGTERM).unwrap();
    assert!(child.wait().unwrap().success());
    let rest = reading.join().unwrap();
    let lines: Vec<Value> = rest.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: f64 =
        lines.iter().filter_map(|line| (line["type"] == "dropped").then(|| line["lines"].as_f64())?).sum();
    assert!((told - dropped).abs() < 0.5, "{told} were told, {dropped} dropped");
    assert_eq!(lines.last().unwrap()["type"], "stop");
}
