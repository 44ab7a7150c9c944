//! Checks of how VMs were asked for, on real VMs: every planted fault is found on the VM that has it, and none on VMs
//! that are as they should be.
//!
//! Ports are opened on the loopback, or inside network namespaces that the tests make.

use bartizan_core::checks::{Board, Checker, Finding, Verdict, vms_of};
use bartizan_core::config::Config;
use bartizan_core::sys::clock::Clock;
use bartizan_testkit::minivmm::MiniVmm;
use bartizan_testkit::netns::Netns;
use bartizan_testkit::qemu::{self, Builder, Qemu};
use bartizan_testkit::shape::Shape;
use bartizan_testkit::{minivmm, skip};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

/// What is found of some VMs, by process, and of the host under 0: each rule with its verdict and reason.
type Found = BTreeMap<i32, BTreeMap<String, (Verdict, String)>>;

/// One full run that knows of no other VMs than these.
fn checked(config: &Config, pids: &[u32]) -> Found {
    let board = Arc::new(Board::new().expect("a board"));
    let mut checker = Checker::new(config, Clock::System, Arc::clone(&board));
    let mut vms = vms_of(config);
    vms.retain(|vm| pids.iter().any(|pid| i32::try_from(*pid) == Ok(vm.id.pid)));
    assert_eq!(vms.len(), pids.len(), "every VM is found");
    checker.set_vms(vms);
    while checker.work(u64::MAX) {}
    let mut found = Found::new();
    for finding in board.findings() {
        let Finding { rule, verdict, subject, .. } = &*finding;
        let of = found.entry(subject.vm().map_or(0, |vm| vm.id.pid)).or_default();
        of.insert(rule.to_string(), (*verdict, finding.reason()));
    }
    found
}

fn config() -> (tempfile::TempDir, Config) {
    let own = tempfile::tempdir().expect("a folder");
    let mut config = Config::default();
    // Rules and waivers of this host's owner are none of this test's.
    config.checks.folder = own.path().join("checks.d").display().to_string();
    config.checks.waivers = own.path().join("waivers").display().to_string();
    (own, config)
}

/// The rules of these groups that fail for a VM.
fn failing<'f>(found: &'f Found, pid: u32, groups: &[&str]) -> BTreeMap<&'f str, &'f str> {
    let of = &found[&i32::try_from(pid).expect("a PID")];
    let ours = of.iter().filter(|(rule, (verdict, _))| {
        *verdict == Verdict::Fail && groups.iter().any(|group| rule.starts_with(group))
    });
    ours.map(|(rule, (_, reason))| (rule.as_str(), reason.as_str())).collect()
}

const GROUPS: [&str; 9] = [
    "vmcfg.",
    "net.",
    "vfio.",
    "usb.",
    "sriov.",
    "vmm.seccomp-args",
    "vmm.tcg-tenant",
    "storage.format-probing",
    "storage.remote-transport",
];

/// What makes a VM as it should be, beside its builder's own: everything in its closed folder.
fn good(name: &str, folder: &Path) -> Builder {
    let disk = folder.join(format!("{name}.raw"));
    fs::File::create(&disk).and_then(|file| file.set_len(1 << 20)).expect("a disk");
    let (disk, folder) = (disk.display().to_string(), folder.display().to_string());
    Qemu::builder()
        .name(name)
        .machine("q35")
        .sandbox()
        .arg("-drive")
        .arg(format!("file={disk},format=raw,if=none,id=d0,throttling.iops-total=500"))
        .arg("-device")
        .arg("virtio-blk-pci,drive=d0")
        .arg("-vnc")
        .arg(format!("unix:{folder}/{name}.vnc"))
        .arg("-serial")
        .arg(format!("unix:{folder}/{name}.serial,server=on,wait=off"))
}

fn closed_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).expect("a mode");
    folder
}

fn missing() -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        return Some("needs root: network namespaces, other users' processes".to_owned());
    }
    qemu::missing()
}

#[test]
fn every_planted_fault_is_found_and_none_on_a_good_vm() {
    if let Some(reason) = missing() {
        skip!("{reason}");
    }
    let (closed, (_own, config)) = (closed_folder(), config());
    let open = tempfile::tempdir().expect("a folder");
    fs::set_permissions(open.path(), fs::Permissions::from_mode(0o777)).expect("a mode");
    let netns = Netns::new().expect("a network namespace");
    let world = |name: &str| format!("unix:{},server=on,wait=off", open.path().join(name).display());
    let image = closed.path().join("guessed.img");
    fs::File::create(&image).and_then(|file| file.set_len(1 << 20)).expect("an image");
    let bad = Qemu::builder()
        .name("bad")
        .netns(netns.path())
        .machine("pc-i440fx-2.12,memory-backend=ram")
        .arg("-object")
        .arg("memory-backend-memfd,id=ram,size=16M");
    let bad = [
        ["-qmp", "tcp:0.0.0.0:4444,server=on,wait=off"],
        ["-monitor", &world("hmp")],
        ["-serial", "telnet:0.0.0.0:5555,server=on,wait=off"],
        ["-gdb", "tcp:0.0.0.0:1234"],
        ["-vnc", "0.0.0.0:7,websocket=on"],
        ["-spice", "port=5930,disable-ticketing=on"],
        ["-object", "secret,id=s0,data=not-so-secret"],
        ["-device", "rtl8139,romfile="],
        ["-device", "ES1370"],
        ["-device", "piix3-usb-uhci"],
        ["-cpu", "kvm64,+vmx"],
        ["-netdev", "user,id=u0,hostfwd=tcp:0.0.0.0:2222-:22"],
        ["-drive", &format!("file={},if=virtio", image.display())],
        ["-sandbox", "off"],
    ]
    .iter()
    .flatten()
    .fold(bad, |bad, argument| bad.arg(*argument));
    let bad = bad.start().expect("a bad VM");
    // As a VMM makes it that was started with no umask.
    fs::set_permissions(open.path().join("hmp"), fs::Permissions::from_mode(0o777)).expect("a mode");
    let good = [0, 1].map(|n| good(&format!("good-{n}"), closed.path()).start().expect("a good VM"));
    let found = checked(&config, &[bad.pid(), good[0].pid(), good[1].pid()]);

    let failed = failing(&found, bad.pid(), &GROUPS);
    let planted = [
        ("vmcfg.monitor-not-tcp", "0.0.0.0:4444=qmp"),
        ("vmcfg.control-socket-perms", "hmp"),
        ("vmcfg.serial-network", "0.0.0.0:5555=serial"),
        ("vmcfg.gdbstub-not-tcp", "0.0.0.0:1234=gdb"),
        ("vmcfg.vnc-exposed", "no login"),
        ("vmcfg.vnc-auth", "0.0.0.0:5907"),
        ("vmcfg.vnc-tls", "no tls"),
        ("vmcfg.vnc-websocket", "websocket"),
        ("vmcfg.spice-exposed", "5930"),
        ("vmcfg.spice-ticketing", "no login"),
        ("vmcfg.spice-clipboard", "on"),
        ("vmcfg.spice-file-transfer", "on"),
        ("vmcfg.secrets-on-cmdline", "-object data"),
        ("vmcfg.machine-deprecated", "2"),
        ("vmcfg.memory-shared", "yes"),
        ("vmcfg.legacy-nic", "rtl8139"),
        ("vmcfg.legacy-sound", "ES1370"),
        ("vmcfg.legacy-usb", "piix3-usb-uhci"),
        ("vmcfg.host-forward", "0.0.0.0:2222"),
        ("vmcfg.io-limits", "unlimited"),
        ("storage.format-probing", "guessed"),
        ("vmm.seccomp-args", "off"),
    ];
    for (rule, reason) in planted {
        match failed.get(rule) {
            Some(found) => assert!(found.contains(reason), "{rule}: {found}"),
            None => panic!("{rule} is not found: {:?}", found[&i32::try_from(bad.pid()).unwrap()].get(rule)),
        }
    }
    // Whether the guest could run guests depends on the host.
    let others: Vec<_> = failed
        .keys()
        .filter(|rule| **rule != "vmcfg.nested-exposed" && !planted.iter().any(|(known, _)| known == *rule))
        .collect();
    assert!(others.is_empty(), "found besides: {others:?}");
    for text in failed.values() {
        assert!(!text.contains("not-so-secret"), "{text}");
    }
    for vm in &good {
        assert_eq!(failing(&found, vm.pid(), &GROUPS), BTreeMap::new());
    }
    let of_good = &found[&i32::try_from(good[0].pid()).expect("a PID")];
    for rule in ["vmcfg.monitor-not-tcp", "vmcfg.control-socket-perms", "vmcfg.console-socket-perms"] {
        assert_eq!(of_good[rule].0, Verdict::Pass, "{rule}: {}", of_good[rule].1);
    }
    let unknown: Vec<_> = of_good
        .iter()
        .filter(|(rule, (verdict, _))| {
            *verdict == Verdict::Unknown && GROUPS.iter().any(|group| rule.starts_with(group))
        })
        .collect();
    assert!(unknown.is_empty(), "a good VM is known whole: {unknown:?}");
}

#[test]
fn a_port_on_the_loopback_is_found_and_so_is_one_that_no_option_asked_for() {
    if let Some(reason) = missing() {
        skip!("{reason}");
    }
    let (_own, config) = config();
    let free = || {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a socket");
        socket.local_addr().expect("an address").port()
    };
    let vm = Qemu::builder()
        .name("loopback")
        .arg("-qmp")
        .arg(format!("tcp:127.0.0.1:{},server=on,wait=off", free()))
        .start()
        .expect("a VM");
    let found = checked(&config, &[vm.pid()]);
    let failed = failing(&found, vm.pid(), &["vmcfg."]);
    assert!(failed["vmcfg.monitor-not-tcp"].contains("127.0.0.1"), "{failed:?}");
    assert!(!failed.contains_key("vmcfg.listener-explained"), "{failed:?}");

    // A block export that is opened while the VM runs.
    let mut qmp = vm.qmp().expect("QMP");
    let port = free().to_string();
    let address = serde_json::json!({"type": "inet", "data": {"host": "127.0.0.1", "port": &port}});
    qmp.execute("nbd-server-start", &serde_json::json!({ "addr": address })).expect("an export");
    let found = checked(&config, &[vm.pid()]);
    let failed = failing(&found, vm.pid(), &["vmcfg."]);
    assert!(failed["vmcfg.listener-explained"].contains(&port), "{failed:?}");
}

#[test]
fn taps_on_a_bridge_of_a_network_namespace() {
    if let Some(reason) = missing() {
        skip!("{reason}");
    }
    let (closed, (own, mut config)) = (closed_folder(), config());
    let netns = Netns::new().expect("a network namespace");
    netns.ip(&["link", "add", "br0", "type", "bridge", "stp_state", "1"]).expect("a bridge");
    netns.ip(&["link", "set", "br0", "up"]).expect("a bridge");
    netns.ip(&["addr", "add", "10.9.8.1/24", "dev", "br0"]).expect("an address");
    for tap in ["tap0", "tap1", "tap2", "tap3"] {
        netns.add_tap(tap).expect("a tap");
        netns.ip(&["link", "set", tap, "master", "br0"]).expect("a port");
    }
    for tap in ["tap2", "tap3"] {
        let guarded =
            ["link", "set", tap, "type", "bridge_slave", "isolated", "on", "guard", "on", "locked", "on"];
        netns.ip(&guarded).expect("a port of its own");
    }
    let start =
        |name: &str, tap: &str| good(name, closed.path()).tap(tap).netns(netns.path()).start().expect("a VM");
    let vms = [start("a", "tap0"), start("b", "tap1"), start("c", "tap2"), start("d", "tap3")];
    let pids = vms.each_ref().map(|vm| vm.pid());
    let sys = own.path().join("sys");
    fs::create_dir(&sys).expect("a folder");
    config.roots.sys.clone_from(&sys);
    let look = || {
        // `/sys/class/net` is of the namespace in which it was mounted.
        unshare(CloneFlags::CLONE_NEWNS).expect("a mount namespace");
        let none = None::<&str>;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).expect("private mounts");
        mount(Some("sysfs"), &sys, Some("sysfs"), MsFlags::empty(), none).expect("sysfs");
        checked(&config, &pids)
    };
    let found = netns.run(look).expect("a look around");
    let failed = |number: usize| failing(&found, pids[number], &["net."]);
    for number in [0, 1] {
        let failed = failed(number);
        assert!(failed["net.tap-antispoof"].contains("none"), "{failed:?}");
        assert!(failed["net.bpdu-guard"].contains("open"), "{failed:?}");
        assert!(failed["net.port-isolated"].contains("on br0"), "{failed:?}");
    }
    for number in [2, 3] {
        let failed = failed(number);
        assert!(!failed.contains_key("net.tap-antispoof"), "{failed:?}");
        assert!(!failed.contains_key("net.bpdu-guard"), "{failed:?}");
    }
    assert!(!failed(0)["net.port-isolated"].contains("tap0 reaches tap0"));
    // Two isolated ports do not reach each other; an isolated and an open one do.
    assert!(!failed(2)["net.port-isolated"].contains("tap3"), "{:?}", failed(2));
    assert!(failed(2)["net.port-isolated"].contains("tap1"), "{:?}", failed(2));
    let host = &found[&0];
    assert_eq!(host["net.bridge-host-address"].0, Verdict::Pass, "{:?}", host["net.bridge-host-address"]);
    assert_eq!(host["net.input-default-drop"].0, Verdict::Fail, "{:?}", host["net.input-default-drop"]);
}

#[test]
fn the_packet_filter_is_seen_as_it_is() {
    if let Some(reason) = missing() {
        skip!("{reason}");
    }
    let netns = Netns::new().expect("a network namespace");
    let nft = |rules: &str| {
        let mut command = std::process::Command::new("nft");
        command.arg(rules);
        netns.enter(&mut command).expect("nft");
        command.output().is_ok_and(|output| output.status.success())
    };
    if !nft("add table inet filter") {
        skip!("no nft, or a kernel without nftables");
    }
    let (_own, config) = config();
    let look = || netns.run(|| checked(&config, &[])).expect("a look around").remove(&0).expect("a host");
    let before = look();
    assert_eq!(before["net.input-default-drop"].0, Verdict::Fail, "{:?}", before["net.input-default-drop"]);
    assert!(nft("add chain inet filter input { type filter hook input priority 0; policy drop; }"));
    assert!(nft("add rule inet filter input ct state established,related accept"));
    let after = look();
    assert_eq!(after["net.input-default-drop"].0, Verdict::Pass, "{:?}", after["net.input-default-drop"]);
    assert!(nft("add rule inet filter input accept"));
    let open = look();
    assert_eq!(open["net.input-default-drop"].0, Verdict::Fail, "{:?}", open["net.input-default-drop"]);
}

#[test]
fn emulators_and_microvms_started_badly() {
    if let Some(reason) = minivmm::missing() {
        skip!("{reason}");
    }
    let (_own, config) = config();
    let emulated = MiniVmm::builder().without_kvm().name("emulated").start().expect("a VMM");
    let fire = MiniVmm::builder().shape(Shape::Firecracker).name("fn-1").arg("--no-seccomp");
    let fire = fire.start().expect("a VMM");
    let cloud = MiniVmm::builder().shape(Shape::CloudHypervisor).name("ch-1");
    let cloud = cloud.arguments(["--seccomp", "log", "--disk", "path=/vm.img"]).start().expect("a VMM");
    let found = checked(&config, &[emulated.pid(), fire.pid(), cloud.pid()]);
    let failed = |pid| failing(&found, pid, &GROUPS);
    assert!(failed(emulated.pid()).contains_key("vmm.tcg-tenant"), "{:?}", failed(emulated.pid()));
    assert!(failed(fire.pid())["vmm.seccomp-args"].contains("seccomp=off"));
    assert!(failed(cloud.pid())["vmm.seccomp-args"].contains("seccomp=log"));
    assert!(failed(cloud.pid())["storage.format-probing"].contains("/vm.img=guessed"));
    assert!(!failed(fire.pid()).contains_key("vmm.tcg-tenant"));
}
