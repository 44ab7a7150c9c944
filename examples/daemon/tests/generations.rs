//! Configuration generations: a wrong file leaves the last good one in force, at a reload and at a start.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test, with its place")]

mod common;

use bartizan_core::ledger::{Kind, RealDisk, read};
use common::{Daemon, ask, code, output, text};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;

struct Folder {
    folder: tempfile::TempDir,
}

impl Folder {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, config: &str) {
        std::fs::write(self.path("bartizan.toml"), config).unwrap();
    }

    fn arguments(&self) -> Vec<String> {
        let path = |name| self.path(name).to_str().unwrap().to_owned();
        let flags = ["--json", "--quiet", "--no-socket", "--listen", "127.0.0.1:0"].map(str::to_owned);
        let files = ["--config".to_owned(), path("bartizan.toml"), "--ledger".to_owned(), path("state")];
        [&files[..], &flags[..]].concat()
    }

    fn daemon(&self) -> Daemon {
        let arguments = self.arguments();
        Daemon::start(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Starts it to see it refuse.
    fn refused(&self, more: &str) -> (i32, String) {
        let mut arguments = vec!["run".to_owned()];
        arguments.extend(self.arguments());
        arguments.extend((!more.is_empty()).then(|| more.to_owned()));
        let output = output(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        (code(&output), text(&output.stderr))
    }
}

fn records(folder: &Path) -> Vec<Value> {
    let mut all = Vec::new();
    read(Arc::new(RealDisk::new(folder)), 0, |record| {
        if record.kind == Kind::CONFIG {
            all.push(serde_json::from_slice(record.payload).unwrap());
        }
    })
    .unwrap();
    all
}

const ONE: &str = "[checks]\nenabled = false\n";
const TWO: &str = "[checks]\nenabled = false\n[alerts]\nper_rule_per_minute_max = 7\n";
const WRONG: &str = "[checks]\nenabled = maybe\n";

#[test]
fn a_wrong_file_leaves_the_last_good_generation_in_force() {
    let folder = Folder::new();
    folder.write(WRONG);
    let (exit, said) = folder.refused("");
    assert_eq!((exit, said.contains("no earlier generation")), (78, true), "{said}");

    folder.write(ONE);
    let mut daemon = folder.daemon();
    daemon.until("start");
    folder.write(WRONG);
    daemon.signal(Signal::SIGHUP);
    assert_eq!(daemon.until("reload")["successful"], false);
    folder.write(TWO);
    daemon.signal(Signal::SIGHUP);
    assert_eq!(daemon.until("reload")["successful"], true);
    folder.write(WRONG);
    daemon.signal(Signal::SIGHUP);
    assert_eq!(daemon.until("reload")["successful"], false);
    daemon.signal(Signal::SIGKILL);
    drop(daemon);

    // Killed, and started with a wrong file.
    let (exit, said) = folder.refused("--strict-config");
    assert_eq!((exit, said.contains("bartizan.toml:2")), (78, true), "{said}");
    let mut daemon = folder.daemon();
    let fallback = daemon.until("fallback");
    assert_eq!(fallback["generation"], 2);
    assert!(fallback["message"].as_str().unwrap().contains("bartizan.toml:2"), "{fallback}");
    let address = Daemon::address(&daemon.until("start"));
    let metrics = ask(&address, "/metrics", "").body;
    for line in ["bartizan_config_generation 2", "bartizan_config_fallback 1", "bartizan_lease_token 4"] {
        assert!(metrics.contains(&format!("\n{line}\n")), "{line}");
    }
    folder.write(TWO);
    daemon.signal(Signal::SIGHUP);
    daemon.until("reload");
    assert!(ask(&address, "/metrics", "").body.contains("\nbartizan_config_fallback 0\n"));
    assert_eq!(daemon.stop().1, 0);

    let records = records(&folder.path("state"));
    let numbers: Vec<u64> = records.iter().map(|record| record["generation"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [1, 2, 2, 2], "{records:#?}");
    assert_eq!(records[1]["config_sha256"], records[2]["config_sha256"]);
    assert!(
        records[2]["refused"].as_str().unwrap().contains("bartizan.toml:2")
            && records[3]["refused"].is_null()
    );
    assert!(records[1]["who"].as_str().unwrap().starts_with("SIGHUP of process "), "{}", records[1]);

    folder.write(ONE);
    let state = folder.path("state");
    let checked = output(&[
        "check-config",
        folder.path("bartizan.toml").to_str().unwrap(),
        "--ledger",
        state.to_str().unwrap(),
    ]);
    let shown = text(&checked.stdout);
    assert_eq!(code(&checked), 0, "{}", text(&checked.stderr));
    assert!(shown.contains("it differs from generation 2") && shown.contains("\ngeneration 1  2"), "{shown}");

    // A generation that was changed on the disk is not gone back to.
    folder.write(WRONG);
    let kept = state.join("recovery/config-00000002");
    let changed = std::fs::read_to_string(&kept).unwrap().replace("= 7", "= 9000");
    std::fs::write(&kept, changed).unwrap();
    let (exit, said) = folder.refused("");
    assert_eq!((exit, said.contains("somebody changed it")), (78, true), "{said}");
}
