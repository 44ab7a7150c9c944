//! The host's sampling over recorded and hand-made files: other kernels, cut and garbled files, devices that come and
//! go.

mod host_support;

use bartizan_core::config::Roots;
use bartizan_core::sampling::availability::Availability;
use bartizan_core::sampling::frame::Entity;
use bartizan_core::sampling::metrics::{Scope, Source, block, cpu, host, net, node};
use host_support::{Host, copy, fixture, overwrite};
use proptest::prelude::*;

#[test]
fn a_recorded_6_18_reads_as_what_its_files_say() {
    let mut host = Host::open(Roots::below(&fixture("6.18")));
    assert!(!host.round(), "recorded files do not change their shape");
    let text = |path: &str| std::fs::read_to_string(fixture("6.18").join(path)).expect("fixture");
    let number = |path: &str, key: &str| -> i64 {
        let text = text(path);
        let line = text.lines().find(|line| line.split_whitespace().next() == Some(key)).expect("line");
        line.split_whitespace().nth(1).expect("value").parse().expect("number")
    };
    assert_eq!(host.value(host::MEMORY_TOTAL), Some(number("proc/meminfo", "MemTotal:") * 1_024));
    assert_eq!(host.value(host::MEMORY_COMMITTED), Some(number("proc/meminfo", "Committed_AS:") * 1_024));
    assert_eq!(host.value(host::PAGE_FAULTS), Some(number("proc/vmstat", "pgfault")));
    assert_eq!(host.value(host::WRITTEN_BACK), Some(number("proc/vmstat", "nr_written") * 4_096));
    assert_eq!(host.value(host::CONTEXT_SWITCHES), Some(number("proc/stat", "ctxt")));
    assert_eq!(host.value(host::BOOT_TIME), Some(number("proc/stat", "btime") * 1_000_000_000));
    assert_eq!(host.value(host::CPU_USER), Some(number("proc/stat", "cpu") * 10_000_000));
    assert_eq!(host.row(Scope::Cpu, 1, cpu::USER).ok(), Some(number("proc/stat", "cpu1") * 10_000_000));
    let pressure = text("proc/pressure/cpu");
    let some: Vec<&str> = pressure.lines().next().expect("line").split_whitespace().collect();
    let average: f64 = some[1].strip_prefix("avg10=").expect("avg10").parse().expect("number");
    let ppm = host.value(host::PRESSURE_CPU_SOME_10S).expect("avg10");
    assert_eq!(format!("{average:.2}"), format!("{}.{:02}", ppm / 10_000, ppm % 10_000 / 100));
    let total: i64 = some[4].strip_prefix("total=").expect("total").parse().expect("number");
    assert_eq!(host.value(host::PRESSURE_CPU_SOME), Some(total * 1_000));
    assert_eq!(host.value(host::CLOCK_SOURCE), Some(1));
    assert_eq!(host.value(host::KSM_STATE), Some(0));
    assert_eq!(host.value(host::SOFT_LOCKUPS), Some(0));
    let node_total = text("sys/devices/system/node/node0/meminfo");
    let node_total: i64 = node_total.split_whitespace().nth(3).expect("value").parse().expect("number");
    assert_eq!(host.row(Scope::Node, 0, node::MEMORY_TOTAL).ok(), Some(node_total * 1_024));
    let lo = host.net_row("lo").expect("lo");
    assert!(host.row(Scope::Net, lo, net::RECEIVE).ok().expect("bytes") > 0);
    let interrupts = text("proc/interrupts");
    let loc = interrupts.lines().find(|line| line.trim_start().starts_with("LOC:")).expect("LOC");
    let loc: i64 = loc.split_whitespace().nth(1).expect("CPU0").parse().expect("number");
    assert_eq!(host.row(Scope::Cpu, 0, cpu::INTERRUPTS_TIMER).ok(), Some(loc));
    assert_eq!(host.read(host::MEMORY_CORRUPTED).availability, Availability::Unsupported);
    assert_eq!(host.report(Source::Schedstat).availability, Availability::Unsupported);
    assert!(host.report(Source::Schedstat).reason.contains("CONFIG_SCHEDSTATS"));
}

#[test]
fn nothing_stays_pending() {
    for kernel in ["6.18", "3.10"] {
        let mut host = Host::open(Roots::below(&fixture(kernel)));
        host.round();
        let rates = [
            host::INTERRUPTS_CPU_SHARE,
            host::INTERRUPTS_LINE_SHARE,
            host::INTERRUPTS_LINE_BUSIEST,
            host::INTERRUPTS_LINE_RATE,
        ];
        for (scope, row, metric, reading) in host.all() {
            let pending = reading.availability == Availability::Pending;
            assert!(
                !pending || rates.contains(&metric),
                "{kernel}: {scope:?} {row} {} is still pending",
                metric.metric().name
            );
        }
        host.round();
        assert!(
            rates.iter().all(|metric| host.value(*metric).is_some()),
            "{kernel}: rates need two readings"
        );
    }
}

#[test]
fn a_3_10_counts_per_zone_and_lacks_what_came_later() {
    let mut host = Host::open(Roots::below(&fixture("3.10")));
    host.round();
    assert_eq!(host.value(host::PAGES_ALLOCATED), Some(321), "the sum over zones");
    assert_eq!(host.value(host::RECLAIM_SCANNED_KSWAPD), Some(45));
    assert_eq!(host.value(host::RECLAIM_SCANNED_DIRECT), Some(8), "without pgscan_direct_throttle");
    assert_eq!(host.value(host::RECLAIM_THROTTLED), Some(9));
    assert_eq!(host.value(host::RECLAIM_STALLS), Some(11));
    assert_eq!(host.value(host::HUGE_PAGES_POOL), Some(16));
    for metric in [host::MEMORY_AVAILABLE, host::OOM_KILLS, host::HUNG_TASKS, host::MEMORY_KVM_PAGE_TABLES] {
        assert_eq!(host.read(metric).availability, Availability::Unsupported, "{}", metric.metric().name);
    }
    assert_eq!(host.row(Scope::Block, 0, block::IO_WEIGHTED_TIME).ok(), Some(1_000_000_000));
    assert_eq!(host.row(Scope::Block, 0, block::READ).ok(), Some(2_000 * 512));
    assert_eq!(host.row(Scope::Block, 0, block::DISCARDS).availability, Availability::Unsupported);
    assert_eq!(host.labels.block_devices, [Some("sda".into()), Some("sr0".into())], "partitions have no row");
    assert_eq!(host.value(host::RUN_DELAY), Some(2_222_222 + 5_555_555));
    assert_eq!(host.row(Scope::Cpu, 1, cpu::RUN_DELAY).ok(), Some(5_555_555));
    assert_eq!(host.row(Scope::Cpu, 1, cpu::SOFTNET_PROCESSED).ok(), Some(0x200));
    assert_eq!(host.value(host::MACHINE_CHECKS), Some(1));
    assert_eq!(host.value(host::MACHINE_CHECK_POLLS), Some(150));
    assert_eq!(host.value(host::INTERRUPTS_ERRORS), Some(5));
    assert_eq!(host.row(Scope::Cpu, 0, cpu::INTERRUPTS_DEVICE).ok(), Some(100_051));
    assert_eq!(host.value(host::INTERRUPTS_DEVICE), Some(102_051));
    assert_eq!(host.value(host::TEMPERATURE), Some(61_500));
    assert_eq!(host.value(host::CORE_THROTTLES), Some(9), "two cores");
    assert_eq!(host.value(host::PACKAGE_THROTTLES), Some(9), "one package, shown by both of its CPUs");
    assert_eq!(host.value(host::MEMORY_ERRORS_CORRECTED), Some(12));
    assert_eq!(host.value(host::ENERGY_PACKAGES), Some(0), "counted from when it was first read");
    assert_eq!(host.plan_last_pid(), 11_206);
}

impl Host {
    fn plan_last_pid(&mut self) -> u32 {
        self.tick().last_pid
    }
}

#[test]
fn columns_of_diskstats_came_in_three_steps() {
    let folder = copy("4.18");
    let mut host = Host::open(Roots::below(folder.path()));
    host.round();
    assert_eq!(host.row(Scope::Block, 0, block::DISCARD_TIME).ok(), Some(14_000_000));
    assert_eq!(host.row(Scope::Block, 0, block::FLUSHES).availability, Availability::Unsupported);
    overwrite(
        &folder.path().join("proc/diskstats"),
        b"   8       0 sda 100 1 2000 30 400 5 6000 70 8 90 1000 11 12 13 14 15 16\n",
    );
    assert!(host.tick().layout_changed);
    host.replan();
    host.round();
    assert_eq!(host.row(Scope::Block, 0, block::FLUSHES).ok(), Some(15));
    assert_eq!(host.row(Scope::Block, 0, block::FLUSH_TIME).ok(), Some(16_000_000));
}

#[test]
fn devices_come_and_go_and_rows_are_not_mixed_up() {
    let folder = copy("3.10");
    let path = folder.path().join("proc/net/dev");
    let before = std::fs::read_to_string(&path).expect("net/dev");
    let mut host = Host::open(Roots::below(folder.path()));
    host.tick();
    let (eth0, lo) = (host.net_row("eth0").expect("eth0"), host.net_row("lo").expect("lo"));
    let old = host.frame.entity(Scope::Net, eth0).expect("eth0");

    // eth0 goes, tap7 comes: until the new plan is there, what is known is still right.
    let line = "  tap7: 55 1 0 0 0 0 0 0 66 1 0 0 0 0 0 0\n";
    let changed = before.lines().filter(|line| !line.contains("eth0")).fold(String::new(), |text, line| {
        text + line
            + "
"
    });
    overwrite(&path, (changed + line).as_bytes());
    assert!(host.tick().layout_changed);
    assert_eq!(host.row(Scope::Net, eth0, net::RECEIVE).availability, Availability::Gone);
    assert_eq!(host.row(Scope::Net, lo, net::RECEIVE).ok(), Some(1_000));

    host.replan();
    assert!(!host.tick().layout_changed);
    assert_eq!(host.net_row("lo"), Some(lo), "who stays keeps its row");
    let tap7 = host.net_row("tap7").expect("tap7");
    assert_eq!(tap7, eth0, "the free row is used again");
    assert_eq!(host.row(Scope::Net, tap7, net::RECEIVE).ok(), Some(55));
    assert_eq!(host.frame.entity(Scope::Net, tap7), Some(Entity { generation: old.generation + 1, ..old }));
    assert_eq!(host.frame.read(old, net::RECEIVE).availability, Availability::Gone);

    overwrite(
        &path,
        before
            .lines()
            .filter(|line| !line.contains("eth0"))
            .fold(String::new(), |text, line| text + line + "\n")
            .as_bytes(),
    );
    assert!(host.tick().layout_changed);
    host.replan();
    assert_eq!(host.frame.entity(Scope::Net, tap7), None, "a row nobody uses is closed");
}

#[test]
fn a_file_cut_short_emptied_or_garbled_is_an_error_and_heals() {
    for (file, source) in [
        ("stat", Source::ProcStat),
        ("meminfo", Source::Meminfo),
        ("vmstat", Source::Vmstat),
        ("diskstats", Source::Diskstats),
        ("net/dev", Source::NetDev),
        ("loadavg", Source::Loadavg),
        ("pressure/io", Source::Pressure),
        ("net/netstat", Source::NetStat),
        ("interrupts", Source::Interrupts),
    ] {
        let folder = copy("6.18");
        let path = folder.path().join("proc").join(file);
        let good = std::fs::read(&path).expect("fixture");
        let mut host = Host::open(Roots::below(folder.path()));
        host.round();
        let was: Vec<_> = host.all();
        let nines = vec![b'9'; 20_000];
        for bad in [&b""[..], &good[..good.len() / 2], &[0xff; 300], b"0 0 0 0 0 0 0 0\n", nines.as_slice()] {
            overwrite(&path, bad);
            let asked = host.round();
            assert!(asked, "{file}: a new plan is asked for when it reads {} bytes", bad.len());
            let broken = host.of_source(source);
            assert!(
                broken.iter().any(|(_, availability)| *availability == Availability::Error
                    || *availability == Availability::Gone),
                "{file} with {} bytes",
                bad.len()
            );
            for (scope, row, metric, reading) in host.all() {
                if reading.availability != Availability::Ok {
                    continue;
                }
                let before = was.iter().find(|(s, r, m, _)| (*s, *r, *m) == (scope, row, metric));
                let before = before.and_then(|(.., reading)| reading.ok());
                let moves =
                    [host::INTERRUPTS_CPU_SHARE, host::INTERRUPTS_LINE_SHARE, host::INTERRUPTS_LINE_BUSIEST];
                let moves = moves.contains(&metric) || metric == host::INTERRUPTS_LINE_RATE;
                assert!(
                    moves || before == Some(reading.value),
                    "{file} with {} bytes: {} spiked from {before:?} to {}",
                    bad.len(),
                    metric.metric().name,
                    reading.value
                );
            }
            host.replan();
            host.round();
        }
        overwrite(&path, &good);
        host.round();
        host.replan();
        assert!(!host.round());
        host.round();
        for (_, _, metric, reading) in host.all() {
            assert_ne!(reading.availability, Availability::Error, "{file}: {}", metric.metric().name);
        }
    }
}

#[test]
fn cpus_that_go_offline_end_their_rows() {
    let folder = copy("6.18");
    let mut host = Host::open(Roots::below(folder.path()));
    host.round();
    let path = folder.path().join("proc/stat");
    let stat = std::fs::read_to_string(&path).expect("stat");
    let without: String = stat
        .lines()
        .filter(|line| !line.starts_with("cpu1"))
        .fold(String::new(), |text, line| text + line + "\n");
    overwrite(&path, without.as_bytes());
    overwrite(&folder.path().join("sys/devices/system/cpu/online"), b"0\n");
    assert!(host.tick().layout_changed);
    assert_eq!(host.row(Scope::Cpu, 1, cpu::USER).availability, Availability::Gone);
    host.replan();
    assert_eq!(host.frame.entity(Scope::Cpu, 1), None);
}

#[test]
fn a_storm_of_interrupts_on_one_cpu_is_measured() {
    let folder = copy("3.10");
    let path = folder.path().join("proc/interrupts");
    let mut host = Host::open(Roots::below(folder.path()));
    host.round();
    host.round();
    assert_eq!(host.value(host::INTERRUPTS_LINE_RATE), Some(0), "nothing has moved yet");
    let text = std::fs::read_to_string(&path).expect("interrupts");
    let storm = text.replace("100000       2000   PCI", "109000       3000   PCI");
    assert_ne!(storm, text);
    overwrite(&path, storm.as_bytes());
    while host.value(host::INTERRUPTS_LINE_RATE) == Some(0) {
        host.tick();
    }
    assert_eq!(host.value(host::INTERRUPTS_CPU_SHARE), Some(900_000), "9,000 of 10,000");
    assert_eq!(host.value(host::INTERRUPTS_LINE_BUSIEST), Some(45));
    assert_eq!(host.value(host::INTERRUPTS_LINE_SHARE), Some(1_000_000));
    assert_eq!(host.value(host::INTERRUPTS_LINE_RATE), Some(1_000), "10,000 in ten seconds");
}

#[test]
fn interrupts_of_a_large_host_are_read_over_many_ticks_and_add_up() {
    use std::fmt::Write as _;
    const CPUS: usize = 64;
    const LINES: u64 = 3_000;
    let folder = copy("3.10");
    let mut text = " ".repeat(10);
    for cpu in 0..CPUS {
        let _ = write!(text, " CPU{cpu:<6}");
    }
    text.push('\n');
    for line in 0..LINES {
        let _ = write!(text, "{line:>4}:");
        for cpu in 0..CPUS {
            let _ = write!(text, " {:>10}", line * u64::try_from(cpu).expect("small"));
        }
        text.push_str("   PCI-MSI-edge      queue\n");
    }
    overwrite(&folder.path().join("proc/interrupts"), text.as_bytes());
    overwrite(&folder.path().join("sys/devices/system/cpu/online"), b"0-63\n");
    let mut host = Host::open(Roots::below(folder.path()));
    let mut ticks = 0;
    while host.row(Scope::Cpu, 63, cpu::INTERRUPTS).availability == Availability::Pending && ticks < 1_000 {
        host.tick();
        ticks += 1;
    }
    assert!(ticks > 1, "{} bytes were read in one tick", text.len());
    let lines: i64 = (0..3_000).sum();
    assert_eq!(host.row(Scope::Cpu, 63, cpu::INTERRUPTS).ok(), Some(63 * lines), "after {ticks} ticks");
    assert_eq!(host.row(Scope::Cpu, 1, cpu::INTERRUPTS_DEVICE).ok(), Some(lines));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn no_bytes_in_any_file_bring_it_down(
        file in prop::sample::select(vec!["stat", "meminfo", "vmstat", "diskstats", "net/dev", "loadavg", "interrupts", "softirqs", "net/snmp", "net/softnet_stat", "net/stat/nf_conntrack", "schedstat", "pressure/cpu"]),
        readings in prop::collection::vec(prop::collection::vec(prop_oneof![3 => prop::sample::select(b"0123456789 \n:=./acpuCPU".to_vec()), 1 => any::<u8>()], 0..400), 1..4),
    ) {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("proc").join(file);
        std::fs::create_dir_all(path.parent().expect("parent")).expect("folder");
        overwrite(&path, &readings[0]);
        let mut host = Host::open(Roots::below(folder.path()));
        for reading in &readings {
            overwrite(&path, reading);
            host.round();
            host.replan();
            host.round();
        }
    }
}
