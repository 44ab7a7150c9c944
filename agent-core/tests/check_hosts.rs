//! Recorded hosts, as whole: what each rule of the host's own side says of them.
//!
//! A host is a text in `hosts/NAME.tree` (its form: `bartizan_testkit::tree`), and beside it `NAME.verdicts` says what
//! every rule of some groups comes to. After a change that was meant, `BARTIZAN_BLESS=1 cargo test --test check_hosts`
//! writes these tables anew; look at what changed before it is kept.

use bartizan_core::checks::{Checker, Verdict, run_once};
use bartizan_core::config::{Config, Roots};
use bartizan_core::sys::clock::{Clock, Hands};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Groups whose rules are looked at.
const GROUPS: [&str; 5] = ["access", "audit", "mgmt", "patch", "time"];
/// 2026-11-26 12:00:00 UTC.
const NOON_S: i64 = 1_795_694_400;

struct Host {
    checker: Checker,
    _folder: tempfile::TempDir,
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hosts").join(name)
}

impl Host {
    fn recorded(name: &str) -> Self {
        let folder = bartizan_testkit::tree::recorded(&file(&format!("{name}.tree"))).expect("a host");
        let config = Config { roots: Roots::below(folder.path()), ..Config::default() };
        let hands = Arc::new(Hands::default());
        hands.wall_ns.store(NOON_S * 1_000_000_000, Relaxed);
        let checker = run_once(&config, Clock::Manual(hands)).expect("a run");
        Self { checker, _folder: folder }
    }

    /// A line for each finding: the rule, the VM if it is about one, the verdict.
    fn table(&self) -> String {
        let mut lines = Vec::new();
        for finding in self.checker.board().findings() {
            let group = finding.rule.split('.').next().unwrap_or_default();
            if GROUPS.contains(&group) {
                let vm = finding.subject.vm().map_or_else(String::new, |vm| format!(" {}", vm.name));
                lines.push(format!("{}{vm} {}\n", finding.rule, finding.verdict.name()));
            }
        }
        lines.sort_unstable();
        lines.concat()
    }

    fn reason(&self, rule: &str) -> (Verdict, String) {
        let findings = self.checker.board().findings();
        let finding = findings.iter().find(|finding| &*finding.rule == rule).expect(rule);
        (finding.verdict, finding.reason())
    }
}

/// Compares with what was committed, or writes it anew.
fn as_committed(name: &str, host: &Host) {
    let (path, found) = (file(&format!("{name}.verdicts")), host.table());
    if std::env::var_os("BARTIZAN_BLESS").is_some() {
        return std::fs::write(&path, found).expect("a table");
    }
    let wanted = std::fs::read_to_string(&path).expect("a table");
    let mut differences = String::new();
    for line in found.lines().filter(|line| !wanted.lines().any(|known| known == *line)) {
        let rule = line.split(' ').next().unwrap_or_default();
        let _ = writeln!(differences, "+ {line}: {}", host.reason(rule).1);
    }
    for line in wanted.lines().filter(|line| !found.lines().any(|known| known == *line)) {
        let _ = writeln!(differences, "- {line}");
    }
    assert!(differences.is_empty(), "{name}\n{differences}");
}

/// Files of the trees belong to accounts of their own.
fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

#[test]
fn a_rhel_host_with_libvirt_and_selinux() {
    if !is_root() {
        bartizan_testkit::skip!("a recorded host's owners can be laid out by root alone");
    }
    let host = Host::recorded("rhel9-libvirt-selinux");
    as_committed("rhel9-libvirt-selinux", &host);
    for (rule, verdict, part) in [
        ("mgmt.display-vnc", Verdict::Fail, "vnc_listen is 0.0.0.0"),
        ("mgmt.qemu-require-confined", Verdict::Pass, ""),
        ("access.ssh-password", Verdict::Fail, "Match Address 10.20.0.0/16=yes"),
        ("access.ssh-ciphers", Verdict::Pass, ""),
        ("patch.kernel-newest", Verdict::Fail, "5.14.0-503.11.1.el9_5.x86_64"),
        ("patch.security-pending", Verdict::Unknown, "rpm"),
        ("patch.repo-trust", Verdict::Fail, "[vendor] gpgcheck=0"),
        ("audit.immutable", Verdict::Unknown, "not recorded"),
        ("mgmt.libvirt-tcp-closed", Verdict::Pass, ""),
    ] {
        let (found, reason) = host.reason(rule);
        assert!(found == verdict && reason.contains(part), "{rule}: {found:?} {reason}");
    }
}

#[test]
fn a_debian_host_with_libvirt_and_apparmor_as_it_should_be() {
    if !is_root() {
        bartizan_testkit::skip!("a recorded host's owners can be laid out by root alone");
    }
    let host = Host::recorded("debian12-libvirt-apparmor");
    as_committed("debian12-libvirt-apparmor", &host);
    assert!(!host.table().contains(" fail\n"), "{}", host.table());
}

#[test]
fn an_ubuntu_host_with_firecracker_in_jails() {
    if !is_root() {
        bartizan_testkit::skip!("a recorded host's owners can be laid out by root alone");
    }
    let host = Host::recorded("ubuntu-firecracker-jailer");
    as_committed("ubuntu-firecracker-jailer", &host);
    for (rule, verdict, part) in [
        ("mgmt.libvirt-tcp-closed", Verdict::NotApplicable, "libvirt.installed"),
        ("patch.kernel-newest", Verdict::Pass, ""),
        ("patch.security-pending", Verdict::Fail, "linux-image-6.8.0-49-generic"),
        ("access.sudo-nopasswd", Verdict::Fail, "ubuntu: ALL"),
    ] {
        let (found, reason) = host.reason(rule);
        assert!(found == verdict && reason.contains(part), "{rule}: {found:?} {reason}");
    }
}
