use super::*;
use crate::sampling::discovery::{DiskInfo, VmmKind};
use crate::sampling::metrics::{MetricId, Scope, vm, vmdisk};
use nix::sys::epoll::EpollTimeout;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

const SECOND_NS: u64 = 1_000_000_000;

/// A VM in row 0 whose disks are in rows 10, 11, ...
pub(crate) fn vm_with_disks(disks: &[(&str, Option<&str>)]) -> VmInfo {
    let entity = |scope, row| Entity { scope, row, generation: 1 };
    VmInfo {
        entity: entity(Scope::Vm, 0),
        vmm: VmmKind::Qemu,
        name: "vm".into(),
        uuid: [0; 16],
        tenant: String::new(),
        pid: i32::try_from(std::process::id()).unwrap(),
        start_ticks: 0,
        cgroup: String::new(),
        libvirt: false,
        vcpus: Vec::new(),
        other_threads: Vec::new(),
        nics: Vec::new(),
        disks: (10..)
            .zip(disks)
            .map(|(row, (name, path))| DiskInfo {
                entity: entity(Scope::VmDisk, row),
                name: (*name).into(),
                path: path.map(PathBuf::from),
            })
            .collect(),
        monitor: None,
        metrics_file: None,
        debugfs_name: None,
        sources: Vec::new(),
    }
}

fn monitored(row: u32, vmm: VmmKind, monitor: &Path) -> VmInfo {
    let mut info = vm_with_disks(&[("d0", None)]);
    info.entity.row = row;
    info.vmm = vmm;
    info.monitor = Some(monitor.to_owned());
    info
}

/// Monitors with a clock of their own.
struct World {
    monitors: Monitors,
    now_ns: u64,
    deliveries: Vec<Delivery>,
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        // The times below are those of this period, whatever the default is.
        let mut config = Config::default();
        config.sampling.monitor_every_ticks = 10;
        Self {
            monitors: Monitors::new(&config).unwrap(),
            now_ns: 0,
            deliveries: Vec::new(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Turns the clock on, and takes what is ready at that instant.
    fn turn(&mut self, by_ns: u64) {
        self.now_ns += by_ns;
        self.monitors.advance(self.now_ns, &mut self.deliveries);
    }

    /// Waits for a peer to say something: it runs on a thread of its own.
    fn wait(&mut self) {
        let mut set = [nix::poll::PollFd::new(self.monitors.fd(), nix::poll::PollFlags::POLLIN)];
        assert_eq!(nix::poll::poll(&mut set, 10_000u16).unwrap(), 1, "the peer said nothing");
        self.turn(0);
    }

    /// The last word on a metric.
    fn value(&self, row: u32, metric: MetricId) -> Option<Result<i64, Availability>> {
        let of = |delivery: &Delivery| {
            delivery.values.iter().rev().find(|v| v.0 == row && v.1 == metric).map(|v| v.2)
        };
        self.deliveries.iter().rev().find_map(of)
    }

    fn reason(&self, row: u32) -> String {
        let entity = Entity { scope: Scope::Vm, row, generation: 1 };
        self.monitors.reports(entity)[0].reason.clone()
    }
}

/// A QMP server that answers every question with the line that belongs to it, for one client after another.
fn qmp_server(path: &Path, rounds: usize) -> std::thread::JoinHandle<()> {
    let listener = UnixListener::bind(path).unwrap();
    std::thread::spawn(move || {
        for _ in 0..rounds {
            let (mut stream, _) = listener.accept().unwrap();
            stream
                .write_all(b"{\"QMP\":{\"version\":{\"qemu\":{\"major\":9,\"minor\":1,\"micro\":0}}}}\r\n")
                .unwrap();
            for line in BufReader::new(stream.try_clone().unwrap()).lines() {
                let Ok(line) = line else { break };
                let request: serde_json::Value = serde_json::from_str(&line).unwrap();
                let value = match request["execute"].as_str().unwrap() {
                    "query-status" => r#"{"status":"running"}"#,
                    "query-balloon" => r#"{"actual":1024}"#,
                    "query-blockstats" => r#"[{"device":"d0","stats":{"rd_bytes":512}}]"#,
                    "query-block" => "[]",
                    _ => "{}",
                };
                let answer = format!("{{\"return\":{value},\"id\":{}}}\r\n", request["id"]);
                if stream.write_all(answer.as_bytes()).is_err() {
                    break;
                }
            }
        }
    })
}

fn answer_round(world: &mut World, row: u32) {
    while world.monitors.vms[&row].session.is_some() {
        world.wait();
    }
}

#[test]
fn a_round_connects_asks_and_leaves() {
    let mut world = World::new();
    let path = world.path("qmp");
    let server = qmp_server(&path, 2);
    let info = monitored(0, VmmKind::Qemu, &path);
    world.monitors.attach(&info, 0);
    for round in 1..=2 {
        world.turn(10 * SECOND_NS);
        assert_eq!(world.monitors.agenda.running(), 1, "round {round}");
        answer_round(&mut world, 0);
        assert_eq!(world.monitors.agenda.running(), 0, "round {round}");
        assert_eq!(world.value(0, vm::RUN_STATE), Some(Ok(1)));
        assert_eq!(world.value(0, vm::BALLOON_ACTUAL), Some(Ok(1_024)));
        assert_eq!(world.value(0, vm::MONITOR_STATE), Some(Ok(1)));
        assert_eq!(world.value(10, vmdisk::READ), Some(Ok(512)));
        assert_eq!(world.deliveries.last().unwrap().vm, Some(info.entity));
        assert_eq!(world.deliveries.last().unwrap().read_at_ns, world.now_ns);
        world.deliveries.clear();
    }
    server.join().unwrap();
    let report = &world.monitors.reports(info.entity)[0];
    assert_eq!((report.tier, report.availability), ("qmp", Availability::Ok));
    assert!(report.reason.contains("9.1.0"), "{}", report.reason);
}

#[test]
fn a_silent_monitor_is_given_up_and_the_others_are_not_held_up() {
    let mut world = World::new();
    let (silent, alive) = (world.path("silent"), world.path("alive"));
    let _listener = UnixListener::bind(&silent).unwrap();
    let server = qmp_server(&alive, 1);
    world.monitors.attach(&monitored(0, VmmKind::Qemu, &silent), 0);
    world.monitors.attach(&monitored(1, VmmKind::Qemu, &alive), 0);
    world.turn(SECOND_NS);
    answer_round(&mut world, 1);
    server.join().unwrap();
    assert_eq!(world.value(1, vm::RUN_STATE), Some(Ok(1)), "the other one answered meanwhile");
    assert_eq!(world.value(0, vm::MONITOR_STATE), None, "its time is not up");
    assert_eq!(world.monitors.next_deadline_ns(), Some(world.now_ns + ROUND_NS));
    world.turn(ROUND_NS);
    assert_eq!(world.value(0, vm::MONITOR_STATE), Some(Ok(2)));
    assert_eq!(world.value(0, vm::RUN_STATE), Some(Err(Availability::Unsupported)));
    assert!(world.reason(0).contains("another client"), "{}", world.reason(0));
    assert_eq!(world.monitors.agenda.running(), 0);
}

#[test]
fn what_was_read_once_becomes_stale_when_the_monitor_falls_silent() {
    let mut world = World::new();
    let path = world.path("qmp");
    let server = qmp_server(&path, 1);
    world.monitors.attach(&monitored(0, VmmKind::Qemu, &path), 0);
    world.turn(10 * SECOND_NS);
    answer_round(&mut world, 0);
    server.join().unwrap();
    world.turn(10 * SECOND_NS);
    assert_eq!(world.value(0, vm::MONITOR_STATE), Some(Ok(3)));
    assert_eq!(world.value(0, vm::RUN_STATE), Some(Err(Availability::Stale)));
    assert_eq!(world.value(10, vmdisk::READ), Some(Err(Availability::Stale)));
    assert!(world.reason(0).contains("nobody listens"), "{}", world.reason(0));
}

#[test]
fn hostile_peers_are_cut_off_and_named() {
    let peers: [(&str, &[u8], usize, i64); 5] = [
        ("garbage", b"\x00\xffSSH-2.0\r\n", 1, 5),
        ("gigabytes", &[b' '; 4_096], 160_000, 5),
        ("half JSON", b"{\"QMP\":{\"version\":", 1, 3),
        ("no QMP", b"{\"hello\":\"world\"}\r\n", 1, 5),
        ("nothing", b"", 1, 3),
    ];
    for (what, bytes, times, state) in peers {
        let mut world = World::new();
        let path = world.path("qmp");
        let listener = UnixListener::bind(&path).unwrap();
        let peer = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            (0..times).take_while(|_| stream.write_all(bytes).is_ok()).count()
        });
        world.monitors.attach(&monitored(0, VmmKind::Qemu, &path), 0);
        world.turn(SECOND_NS);
        answer_round(&mut world, 0);
        assert_eq!(world.value(0, vm::MONITOR_STATE), Some(Ok(state)), "{what}: {}", world.reason(0));
        assert!(!world.reason(0).is_empty());
        let sent = peer.join().unwrap();
        assert!(sent * bytes.len() < 8 << 20, "{what}: {sent} pieces were taken");
    }
}

#[test]
fn a_socket_of_another_process_is_not_believed() {
    let mut world = World::new();
    let path = world.path("qmp");
    let _listener = UnixListener::bind(&path).unwrap();
    let mut info = monitored(0, VmmKind::Qemu, &path);
    info.pid = 1;
    world.monitors.attach(&info, 0);
    world.turn(SECOND_NS);
    assert_eq!(world.value(0, vm::MONITOR_STATE), Some(Ok(3)));
    assert!(world.reason(0).contains("not by the VMM"), "{}", world.reason(0));
}

#[test]
fn a_full_queue_means_somebody_else_is_there() {
    let mut world = World::new();
    let path = world.path("qmp");
    let address = nix::sys::socket::UnixAddr::new(&path).unwrap();
    let listener = nix::sys::socket::socket(
        nix::sys::socket::AddressFamily::Unix,
        nix::sys::socket::SockType::Stream,
        nix::sys::socket::SockFlag::SOCK_CLOEXEC,
        None,
    )
    .unwrap();
    nix::sys::socket::bind(std::os::fd::AsRawFd::as_raw_fd(&listener), &address).unwrap();
    nix::sys::socket::listen(&listener, nix::sys::socket::Backlog::new(0).unwrap()).unwrap();
    let _first = std::os::unix::net::UnixStream::connect(&path).unwrap();
    world.monitors.attach(&monitored(0, VmmKind::Qemu, &path), 0);
    world.turn(SECOND_NS);
    assert_eq!(world.value(0, vm::MONITOR_STATE), Some(Ok(2)));
    assert!(world.reason(0).contains("queue"), "{}", world.reason(0));
}

#[test]
fn failures_are_asked_less_often_but_for_ever() {
    let mut world = World::new();
    world.monitors.attach(&monitored(0, VmmKind::Qemu, &world.path("none")), 0);
    let mut pauses = Vec::new();
    for _ in 0..7 {
        let due_ns = world.monitors.next_deadline_ns().unwrap().max(1);
        world.turn(due_ns.saturating_sub(world.now_ns));
        let next_ns = world.monitors.next_deadline_ns().unwrap();
        pauses.push((next_ns - world.now_ns) / SECOND_NS);
    }
    assert_eq!(pauses, [10, 20, 40, 80, 160, 160, 160]);
}

#[test]
fn vms_without_a_monitor_say_why_and_cost_nothing() {
    let mut world = World::new();
    let mut libvirt = monitored(0, VmmKind::Qemu, &world.path("x"));
    libvirt.libvirt = true;
    let crosvm = VmInfo { vmm: VmmKind::Crosvm, ..monitored(1, VmmKind::Crosvm, &world.path("x")) };
    for info in [&libvirt, &crosvm] {
        world.monitors.attach(info, 0);
    }
    world.turn(5 * SECOND_NS);
    for row in [0, 1] {
        assert_eq!(world.value(row, vm::RUN_STATE), Some(Err(Availability::Unsupported)));
        assert_eq!(world.value(row, vm::MONITOR_STATE), Some(Err(Availability::Unsupported)));
    }
    assert_eq!(world.value(10, vmdisk::READ), Some(Err(Availability::Unsupported)));
    assert!(world.reason(0).contains("libvirt"));
    assert_eq!(world.monitors.next_deadline_ns(), None);
}

#[test]
fn cloud_hypervisor_is_asked_over_http() {
    let mut world = World::new();
    let path = world.path("api");
    let listener = UnixListener::bind(&path).unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        for line in BufReader::new(stream.try_clone().unwrap()).lines() {
            let Ok(line) = line else { break };
            let body = match line.split(' ').nth(1) {
                Some("/api/v1/vm.info") => {
                    r#"{"state":"Paused","config":{"disks":[{"id":"d0","path":"/x"}]}}"#
                }
                Some("/api/v1/vm.counters") => r#"{"d0":{"read_bytes":42}}"#,
                _ => continue,
            };
            write!(stream, "HTTP/1.1 200 \r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        }
    });
    world.monitors.attach(&monitored(0, VmmKind::CloudHypervisor, &path), 0);
    world.turn(SECOND_NS);
    answer_round(&mut world, 0);
    server.join().unwrap();
    assert_eq!(world.value(0, vm::RUN_STATE), Some(Ok(2)));
    assert_eq!(world.value(10, vmdisk::READ), Some(Ok(42)));
}

#[test]
fn firecrackers_file_is_followed_and_goes_stale() {
    let mut world = World::new();
    let file = world.path("metrics.json");
    std::fs::write(&file, "{\"block_d0\":{\"read_bytes\":5},\"vcpu\":{\"exit_io_in\":1}}\n").unwrap();
    let mut info = vm_with_disks(&[("d0", None)]);
    info.vmm = VmmKind::Firecracker;
    info.metrics_file = Some(file.clone());
    world.monitors.attach(&info, 0);
    world.turn(SECOND_NS);
    assert_eq!(world.value(0, vm::RUN_STATE), Some(Err(Availability::Unsupported)), "it has no API socket");
    assert_eq!(world.value(0, vm::VMM_EXITS_IO_IN), Some(Ok(1)));
    assert_eq!(world.value(10, vmdisk::READ), Some(Ok(5)));
    let more = "{\"block_d0\":{\"read_bytes\":7}}\n";
    std::io::Write::write_all(
        &mut std::fs::File::options().append(true).open(&file).unwrap(),
        more.as_bytes(),
    )
    .unwrap();
    world.turn(60 * SECOND_NS);
    assert_eq!(world.value(10, vmdisk::READ), Some(Ok(12)));
    world.turn(181 * SECOND_NS);
    assert_eq!(world.value(10, vmdisk::READ), Some(Err(Availability::Stale)));
    assert_eq!(world.monitors.reports(info.entity)[1].reason, "no new line for three minutes");
}

#[test]
fn no_more_conversations_run_than_allowed_and_none_is_forgotten() {
    let mut world = World::new();
    let path = world.path("qmp");
    let _listener = UnixListener::bind(&path).unwrap();
    let count = 3 * u32::try_from(SESSIONS_MAX).unwrap();
    for row in 0..count {
        world.monitors.attach(&monitored(row, VmmKind::Qemu, &path), 0);
    }
    for _ in 0..8 {
        world.turn(ROUND_NS);
        assert!(world.monitors.agenda.running() <= SESSIONS_MAX);
    }
    for row in 0..count {
        assert_eq!(world.value(row, vm::MONITOR_STATE), Some(Ok(2)), "row {row}");
    }
}

#[test]
fn a_detached_vm_leaves_nothing_open() {
    let mut world = World::new();
    let path = world.path("qmp");
    let _listener = UnixListener::bind(&path).unwrap();
    let info = monitored(0, VmmKind::Qemu, &path);
    world.monitors.attach(&info, 0);
    world.turn(SECOND_NS);
    assert_eq!(world.monitors.agenda.running(), 1);
    world.monitors.detach(Entity { generation: 2, ..info.entity });
    assert_eq!(world.monitors.agenda.running(), 1, "that was another VM");
    world.monitors.detach(info.entity);
    assert_eq!(world.monitors.agenda.running(), 0);
    assert_eq!(world.monitors.next_deadline_ns(), None);
    world.turn(10 * SECOND_NS);
    // The next VM of this row begins anew.
    world.monitors.attach(&VmInfo { entity: Entity { generation: 2, ..info.entity }, ..info }, world.now_ns);
    world.turn(SECOND_NS);
    assert_eq!(world.monitors.agenda.running(), 1);
    // The kernel is not asked for more than there is.
    let mut events = [EpollEvent::empty(); 4];
    assert_eq!(world.monitors.epoll.wait(&mut events, EpollTimeout::ZERO), Ok(0));
}

#[test]
fn a_recorded_host_is_never_asked() {
    let config = Config { roots: Roots::below(Path::new("/nonexistent")), ..Config::default() };
    let mut monitors = Monitors::new(&config).unwrap();
    let info = monitored(0, VmmKind::Qemu, Path::new("/nonexistent/qmp"));
    monitors.attach(&info, 0);
    let mut deliveries = Vec::new();
    monitors.advance(100 * SECOND_NS, &mut deliveries);
    assert!(monitors.reports(info.entity)[0].reason.contains("recorded"));
    assert_eq!(monitors.next_deadline_ns(), None);
}
