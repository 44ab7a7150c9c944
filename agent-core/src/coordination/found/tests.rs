use super::*;
use crate::config::Roots;
use std::fs;

struct Recorded(tempfile::TempDir);

impl Recorded {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["proc", "sys", "etc", "run", "usr/lib"] {
            fs::create_dir_all(folder.path().join(name)).expect("folders");
        }
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
            fs::write(path, text).expect("a file");
        }
        Self(folder)
    }

    fn look(&self) -> Host {
        look(&Config { roots: Roots::below(self.0.path()), ..Config::default() })
    }
}

fn sentences(host: &Host) -> Vec<String> {
    host.conflicts.iter().map(|conflict| format!("{} {}", conflict.class.code(), conflict.sentence)).collect()
}

#[test]
fn sysctls_who_wins_who_is_without_effect_and_what_runs() {
    let recorded = Recorded::new(&[
        (
            "usr/lib/sysctl.d/50-default.conf",
            "vm.swappiness = 60\nkernel.sysrq = 16\nnet.core.rmem = 1 2 3\n",
        ),
        ("etc/sysctl.d/60-hypervisor.conf", "vm.swappiness = 1\nnet.core.rmem = 1\t2 3\n"),
        ("proc/sys/vm/swappiness", "10\n"),
        ("proc/sys/kernel/sysrq", "16\n"),
    ]);
    let host = recorded.look();
    assert_eq!(
        sentences(&host),
        [
            "C2 vm/swappiness is 10 in the running kernel, and /etc/sysctl.d/60-hypervisor.conf:1 sets it to 1 at boot: \
             somebody set it since, or it was never applied",
            "C5 /usr/lib/sysctl.d/50-default.conf:1 sets vm/swappiness = 60, without effect: \
             /etc/sysctl.d/60-hypervisor.conf:1, read later, sets it to 1",
        ]
    );
    let swappiness: Vec<_> = host
        .claims
        .iter()
        .filter(|claim| claim.parts[0].path.as_str() == "host/sysctl/vm/swappiness")
        .collect();
    assert_eq!(swappiness.len(), 1);
    assert_eq!((&*swappiness[0].party.name, swappiness[0].parts[0].given()), ("hypervisor", Some("1")));
    assert!(
        host.unknown.iter().any(|(what, why)| what == "nftables" && why.contains("not recorded")),
        "{:?}",
        host.unknown
    );
}

#[test]
fn drop_ins_that_disagree_and_one_that_is_not_read() {
    let at = "system/libvirtd.service.d";
    let recorded = Recorded::new(&[
        (
            &format!("etc/systemd/{at}/10-limits.conf"),
            "[Service]\nMemoryMax=4G\nTasksMax=5\nEnvironment=A=1\n",
        ),
        (&format!("usr/lib/systemd/{at}/10-limits.conf"), "[Service]\nMemoryMax=1G\n"),
        (
            &format!("usr/lib/systemd/{at}/90-vendor.conf"),
            "[Service]\nMemoryMax=8G\nTasksMax=5\nEnvironment=A=2\n",
        ),
    ]);
    let host = recorded.look();
    assert_eq!(
        sentences(&host),
        [
            "C5 /usr/lib/systemd/system/libvirtd.service.d/10-limits.conf is not read: \
             /etc/systemd/system/libvirtd.service.d/10-limits.conf has the same name and goes before it",
            "C5 /etc/systemd/system/libvirtd.service.d/10-limits.conf:2 sets MemoryMax=4G for libvirtd.service, without \
             effect: /usr/lib/systemd/system/libvirtd.service.d/90-vendor.conf:2, read later, sets it to \"8G\"",
        ]
    );
}

#[test]
fn two_managers_of_the_firewall_legacy_tables_and_two_security_modules() {
    let recorded = Recorded::new(&[
        ("etc/systemd/system/multi-user.target.wants/firewalld.service", ""),
        ("etc/systemd/system/sysinit.target.wants/nftables.service", ""),
        ("etc/systemd/system/multi-user.target.wants/ufw.service", ""),
        ("etc/ufw/ufw.conf", "ENABLED=no\n"),
        ("proc/net/ip_tables_names", "filter\nnat\n"),
        ("sys/kernel/security/lsm", "capability,apparmor,selinux"),
        ("etc/selinux/config", "SELINUX=enforcing\n"),
        ("proc/77/comm", "falco\n"),
    ]);
    let host = recorded.look();
    let told = sentences(&host);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].starts_with("C7 apparmor and selinux are in force together"), "{}", told[0]);
    assert!(told[1].starts_with("C7 firewalld, nftables are all enabled"), "{}", told[1]);
    let has = |path: &str| host.claims.iter().any(|claim| claim.parts[0].path.as_str() == path);
    for path in
        ["host/iptables/ip/nat", "host/lsm/apparmor", "host/unit/falco", "host/unit/firewalld.service"]
    {
        assert!(has(path), "{path}: {:?}", host.claims);
    }
    let other = Recorded::new(&[
        ("sys/kernel/security/lsm", "capability,apparmor"),
        ("etc/selinux/config", "SELINUX=enforcing\n"),
    ]);
    assert!(sentences(&other.look())[0].contains("asks for SELinux (enforcing), and apparmor is in force"));
}

#[test]
fn what_cannot_be_read_is_told_and_found_claims_go_into_a_book() {
    let empty = tempfile::tempdir().expect("a folder");
    let host = look(&Config { roots: Roots::below(empty.path()), ..Config::default() });
    assert!(host.conflicts.is_empty() && host.unknown.len() >= 3, "{:?}", host.unknown);
    let recorded = Recorded::new(&[
        ("etc/sysctl.d/a.conf", "kernel.sysrq = 1\n"),
        ("proc/net/ip_tables_names", "nat\n"),
    ]);
    let mut arbiter = crate::coordination::Arbiter::default();
    let claims = recorded.look().claims;
    assert_eq!(arbiter.observe(&claims, &[], 1).expect("valid").changes.len(), claims.len());
    assert!(claims.len() >= 2);
}
