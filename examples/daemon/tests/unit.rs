//! The systemd unit: its exposure, and whether what it leaves the daemon is enough.

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
    let output = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--threshold=20", "--no-pager"])
        .arg(systemd_file("bartizan.service"))
        .output()
        .unwrap();
    let text = common::text(&output.stdout);
    assert!(output.status.success(), "{text}{}", common::text(&output.stderr));
    assert!(text.contains("Overall exposure level"), "{text}");
}
