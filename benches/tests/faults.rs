//! Faults in real VMs are told by the agent as shipped: the short form of what `faults` does in full.

use bartizan_testkit::{qemu, skip};
use std::process::Command;

#[test]
fn what_needs_nothing_learned_is_told_within_a_minute() {
    if let Some(reason) = qemu::missing() {
        skip!("{reason}");
    }
    if !nix::unistd::geteuid().is_root() {
        skip!("the agent must read other users' VMs");
    }
    let run = Command::new(env!("CARGO_BIN_EXE_faults")).arg("--short").output().expect("faults runs");
    let (said, problem) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{said}\n{problem}");
    for rule in ["vm-device-storm", "vm-stopped", "vm-standstill", "vm-crash-loop"] {
        assert!(said.contains(&format!("`{rule}`")), "{rule} is missing: {said}");
    }
}
