//! Monitors against real QEMUs: what they say, and what happens when they are frozen or held by somebody else.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

use bartizan_core::config::{Config, KvmTierChoice};
use bartizan_core::engine::Agent;
use bartizan_core::sampling::availability::Availability;
use bartizan_core::sampling::discovery::{DiskInfo, VmInfo, VmmKind};
use bartizan_core::sampling::frame::Entity;
use bartizan_core::sampling::metrics::{MetricId, Scope, Source, vcpu, vm, vmdisk};
use bartizan_core::sampling::monitors::Monitors;
use bartizan_core::sampling::vm::Delivery;
use bartizan_core::sys::clock::Clock;
use bartizan_testkit::guest::Guest;
use bartizan_testkit::qemu::{self, Qemu};
use bartizan_testkit::{proc, skip};
use nix::poll::{PollFd, PollFlags, poll};
use serde_json::json;

fn start(name: &str) -> Qemu {
    let vm = Qemu::builder().name(name).qmp_sockets(2).disk_mib(8);
    vm.arg("-device").arg("virtio-balloon-pci").start().unwrap()
}

fn info(qemu: &Qemu, row: u32) -> VmInfo {
    let entity = |scope, row| Entity { scope, row, generation: 1 };
    VmInfo {
        entity: entity(Scope::Vm, row),
        vmm: VmmKind::Qemu,
        name: qemu.name().into(),
        uuid: [0; 16],
        tenant: String::new(),
        pid: i32::try_from(qemu.pid()).unwrap(),
        start_ticks: 0,
        cgroup: String::new(),
        libvirt: false,
        vcpus: Vec::new(),
        other_threads: Vec::new(),
        nics: Vec::new(),
        disks: vec![DiskInfo {
            entity: entity(Scope::VmDisk, 100 + row),
            name: "found by its file".into(),
            path: Some(qemu.disks()[0].clone()),
        }],
        monitor: Some(qemu.qmp_path(0).to_owned()),
        metrics_file: None,
        debugfs_name: None,
        sources: Vec::new(),
    }
}

/// Monitors on the real clock, asked every 50 ms so that a test need not wait.
struct World {
    monitors: Monitors,
    deliveries: Vec<Delivery>,
}

impl World {
    fn new(vms: &[&VmInfo]) -> Self {
        let mut config = Config::default();
        config.sampling.interval_ms = 50;
        config.sampling.monitor_every_ticks = 1;
        let mut monitors = Monitors::new(&config).unwrap();
        for info in vms {
            monitors.attach(info, Clock::System.mono_ns());
        }
        Self { monitors, deliveries: Vec::new() }
    }

    /// Drives the monitors until one has said this of a metric, and forgets what was said before.
    fn wait_for(&mut self, row: u32, metric: MetricId, wanted: impl Fn(Result<i64, Availability>) -> bool) {
        self.deliveries.clear();
        for _ in 0..2_000 {
            let mut set = [PollFd::new(self.monitors.fd(), PollFlags::POLLIN)];
            let _ = poll(&mut set, 10u8).unwrap();
            self.monitors.advance(Clock::System.mono_ns(), &mut self.deliveries);
            if self.value(row, metric).is_some_and(&wanted) {
                return;
            }
        }
        panic!("{} of row {row} is {:?}", metric.metric().name, self.value(row, metric));
    }

    fn value(&self, row: u32, metric: MetricId) -> Option<Result<i64, Availability>> {
        let of = |delivery: &Delivery| {
            delivery.values.iter().rev().find(|v| v.0 == row && v.1 == metric).map(|v| v.2)
        };
        self.deliveries.iter().rev().find_map(of)
    }

    fn reason(&self, info: &VmInfo) -> String {
        self.monitors.reports(info.entity)[0].reason.clone()
    }
}

#[test]
fn what_is_delivered_is_what_qmp_says() {
    if let Some(reason) = qemu::missing() {
        skip!("{reason}");
    }
    let qemu = start("values");
    let mut client = bartizan_testkit::qmp::Qmp::connect(qemu.qmp_path(1)).unwrap();
    // Accounted as if the guest had asked.
    for command in ["aio_read 0 65536", "aio_write 4096 512", "aio_flush"] {
        let line = format!("qemu-io disk0 \"{command}\"");
        client.execute("human-monitor-command", &json!({ "command-line": line })).unwrap();
    }
    let info = info(&qemu, 0);
    let mut world = World::new(&[&info]);
    world.wait_for(100, vmdisk::READ, |value| value == Ok(65_536));
    assert_eq!(world.value(0, vm::MONITOR_STATE), Some(Ok(1)));
    assert_eq!(world.value(0, vm::RUN_STATE), Some(Ok(1)));
    assert_eq!(world.value(0, vm::BALLOON_ACTUAL), Some(Ok(16 << 20)));

    let stats = client.execute("query-blockstats", &json!({})).unwrap();
    let disk = stats.as_array().unwrap().iter().find(|disk| disk["device"] == "disk0").unwrap();
    let mut compared = 0;
    for (field, metric) in [
        ("rd_bytes", vmdisk::READ),
        ("wr_bytes", vmdisk::WRITTEN),
        ("rd_operations", vmdisk::READS),
        ("wr_operations", vmdisk::WRITES),
        ("flush_operations", vmdisk::FLUSHES),
        ("rd_total_time_ns", vmdisk::READ_TIME),
        ("wr_total_time_ns", vmdisk::WRITE_TIME),
        ("failed_rd_operations", vmdisk::READS_FAILED),
        ("invalid_rd_operations", vmdisk::READS_INVALID),
        ("wr_highest_offset", vmdisk::HIGHEST_OFFSET),
    ] {
        let wanted = disk["stats"][field].as_i64().unwrap();
        assert_eq!(world.value(100, metric), Some(Ok(wanted)), "{field}");
        compared += wanted.signum();
    }
    assert!(compared >= 6, "the disk was not used: {disk}");

    client.execute("stop", &json!({})).unwrap();
    world.wait_for(0, vm::RUN_STATE, |value| value == Ok(2));
}

#[test]
fn a_frozen_vm_goes_stale_and_the_others_do_not() {
    if let Some(reason) = qemu::missing() {
        skip!("{reason}");
    }
    let (frozen, alive) = (start("frozen"), start("alive"));
    let (frozen_info, alive_info) = (info(&frozen, 0), info(&alive, 1));
    let mut world = World::new(&[&frozen_info, &alive_info]);
    world.wait_for(0, vm::RUN_STATE, |value| value == Ok(1));
    frozen.freeze().unwrap();
    world.wait_for(0, vm::MONITOR_STATE, |value| value == Ok(6));
    assert_eq!(world.value(0, vm::RUN_STATE), Some(Err(Availability::Stale)));
    assert_eq!(world.value(100, vmdisk::READ), Some(Err(Availability::Stale)));
    assert!(world.reason(&frozen_info).contains("stopped"), "{}", world.reason(&frozen_info));
    world.wait_for(1, vm::RUN_STATE, |value| value == Ok(1));
    frozen.thaw().unwrap();
    world.wait_for(0, vm::MONITOR_STATE, |value| value == Ok(1));
}

#[test]
fn a_monitor_that_somebody_holds_is_left_to_them() {
    if let Some(reason) = qemu::missing() {
        skip!("{reason}");
    }
    let qemu = start("held");
    let info = info(&qemu, 0);
    let mut holder = qemu.qmp().unwrap();
    let mut world = World::new(&[&info]);
    world.wait_for(0, vm::MONITOR_STATE, |value| value == Ok(2));
    assert!(world.reason(&info).contains("another client"), "{}", world.reason(&info));
    // Whoever holds it notices nothing.
    assert_eq!(holder.execute("query-status", &json!({})).unwrap()["status"], "running");
    drop(holder);
    world.wait_for(0, vm::MONITOR_STATE, |value| value == Ok(1));
    // And between two rounds the operator gets in.
    let mut operator = qemu.qmp().unwrap();
    assert_eq!(operator.execute("query-status", &json!({})).unwrap()["running"], true);
}

#[test]
fn a_daemonized_qemu_is_believed_to_own_its_socket() {
    if let Some(reason) = qemu::missing() {
        skip!("{reason}");
    }
    let folder = tempfile::tempdir().unwrap();
    let (socket, pid_file) = (folder.path().join("qmp"), folder.path().join("pid"));
    let status = std::process::Command::new("qemu-system-x86_64")
        .args(["-machine", "none", "-display", "none", "-nodefaults", "-daemonize", "-pidfile"])
        .arg(&pid_file)
        .arg("-qmp")
        .arg(format!("unix:{},server=on,wait=off", socket.display()))
        .status()
        .unwrap();
    assert!(status.success());
    let pid = std::fs::read_to_string(&pid_file).unwrap().trim().parse().unwrap();
    let anybody = start("template");
    let info = VmInfo { pid, monitor: Some(socket.clone()), disks: Vec::new(), ..info(&anybody, 0) };
    let mut world = World::new(&[&info]);
    world.wait_for(0, vm::MONITOR_STATE, |value| value == Ok(1));
    let mut client = bartizan_testkit::qmp::Qmp::connect(&socket).unwrap();
    client.execute("quit", &json!({})).unwrap();
}

/// The whole way: found, asked, delivered into the frame, reported, stale once frozen.
#[test]
fn an_agent_shows_what_monitors_say_and_how_they_are_read() {
    if let Some(reason) = qemu::missing() {
        skip!("{reason}");
    }
    let qemu = start("whole");
    let mut config = Config::default();
    config.sampling.interval_ms = 20;
    config.sampling.monitor_every_ticks = 5;
    let mut agent = Agent::new(config, Clock::System).unwrap();
    agent.start().unwrap();
    let reader = agent.reader().clone();
    let find = || reader.vms().into_iter().find(|vm| u32::try_from(vm.pid) == Ok(qemu.pid()));
    let reads = |metric, wanted: (i64, Availability)| {
        let seen = find().map(|vm| reader.read(vm.entity, metric));
        seen.is_some_and(|reading| (reading.value, reading.availability) == wanted)
    };
    let limit = std::time::Duration::from_mins(1);
    assert!(proc::wait_until(limit, || reads(vm::RUN_STATE, (1, Availability::Ok))));
    assert!(reads(vm::MONITOR_STATE, (1, Availability::Ok)));
    let disks = find().unwrap().disks.clone();
    assert_eq!(disks.len(), 1, "{disks:?}");
    assert_eq!(reader.read(disks[0].entity, vmdisk::READ).availability, Availability::Ok);
    let report = || find().unwrap().sources.iter().find(|report| report.source == Source::Monitor).cloned();
    assert!(
        proc::wait_until(limit, || report().is_some_and(|report| report.availability == Availability::Ok))
    );
    assert_eq!(report().unwrap().tier, "qmp");

    qemu.freeze().unwrap();
    assert!(proc::wait_until(limit, || reads(vm::RUN_STATE, (1, Availability::Stale))));
    assert!(reads(vm::MONITOR_STATE, (6, Availability::Ok)));
    assert!(proc::wait_until(limit, || report().is_some_and(|report| report.reason.contains("stopped"))));
    qemu.thaw().unwrap();
    assert!(proc::wait_until(limit, || reads(vm::RUN_STATE, (1, Availability::Ok))));
    agent.stop(limit).unwrap();
}

#[test]
fn kvms_counters_come_through_the_monitor_when_asked_for() {
    if let Some(reason) = qemu::missing() {
        skip!("{reason}");
    }
    let qemu = Qemu::builder().name("kvm by qmp").vcpus(2).guest(Guest::ExitStorm).start().unwrap();
    let mut config = Config::default();
    config.sampling.interval_ms = 20;
    config.sampling.monitor_every_ticks = 5;
    config.sampling.kvm_tier = KvmTierChoice::Qmp;
    let mut agent = Agent::new(config, Clock::System).unwrap();
    agent.start().unwrap();
    let reader = agent.reader().clone();
    let find = || reader.vms().into_iter().find(|vm| u32::try_from(vm.pid) == Ok(qemu.pid()));
    let ok = |entity, metric| reader.read(entity, metric).ok();
    let limit = std::time::Duration::from_mins(1);
    assert!(proc::wait_until(limit, || find().is_some_and(|vm| ok(vm.entity, vm::KVM_EXITS) > Some(1_000))));
    let info = find().unwrap();
    assert_eq!(info.vcpus.len(), 2);
    let exits: Vec<_> = info.vcpus.iter().map(|vcpu| ok(vcpu.entity, vcpu::EXITS).unwrap()).collect();
    assert!(exits[0] > 1_000 && exits[1] < exits[0], "only the first vCPU makes exits: {exits:?}");
    let report = info.sources.iter().find(|report| report.source == Source::Kvm).unwrap();
    assert_eq!((report.tier, report.availability), ("qmp", Availability::Ok));
    let before = ok(info.entity, vm::KVM_EXITS).unwrap();
    assert!(proc::wait_until(limit, || ok(info.entity, vm::KVM_EXITS) > Some(before)));
    agent.stop(limit).unwrap();
}
