//! The host's sampling on this very host: against `sysinfo` at the same instants, as an ordinary user, in a network
//! namespace with devices that come and go, and without an allocation.

mod host_support;

use bartizan_core::config::{Config, Roots};
use bartizan_core::sampling::availability::Availability;
use bartizan_core::sampling::metrics::{MetricId, Scope, Source, host, net};
use bartizan_testkit::alloc::{CountingAllocator, count};
use bartizan_testkit::netns::Netns;
use bartizan_testkit::tracefs::{self, Passed};
use bartizan_testkit::{proc, skip};
use host_support::{Host, copy, overwrite};
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const NOBODY: u32 = 65_534;
const AS_NOBODY: &str = "BARTIZAN_TEST_AS_NOBODY";

#[test]
fn ticks_allocate_nothing_whatever_the_files_do() {
    let mut live = Host::open(Roots::default());
    live.round();
    let ((), counts) = count(|| {
        for _ in 0..500 {
            live.tick();
        }
    });
    assert!(counts.is_zero(), "on this host: {counts:?}");

    // Other numbers, more digits, another shape, garbage, nothing.
    let folder = copy("6.18");
    let path = folder.path().join("proc/net/dev");
    let good = std::fs::read_to_string(&path).expect("fixture");
    let mut host = Host::open(Roots::below(folder.path()));
    host.round();
    let texts = [
        good.replace("    29 ", "    30 "),
        good.replace(": ", ": 9"),
        good.replace("eth0", "eth1"),
        "\u{7f}\0garbage".into(),
        String::new(),
        good,
    ];
    for text in texts {
        overwrite(&path, text.as_bytes());
        let (changed, counts) = count(|| host.tick().layout_changed);
        assert!(counts.is_zero(), "changed shape: {changed}: {counts:?}");
    }
    // Taking over from another plan is the hot side's work, too.
    let (mut next, _, _) = bartizan_core::sampling::host::HostPlan::open(&host.config, &host.labels);
    let ((), counts) = count(|| next.install(Some(&host.plan), &mut host.writer));
    assert!(counts.is_zero(), "install: {counts:?}");
}

#[test]
fn values_lie_between_two_readings_of_sysinfo() {
    let mut host = Host::open(Roots::default());
    let mut system = sysinfo::System::new().expect("sysinfo");
    let mut networks = sysinfo::Networks::new_with_refreshed_list().expect("sysinfo");
    for _ in 0..5 {
        let received = |networks: &mut sysinfo::Networks| {
            networks.refresh(true);
            networks.iter().find(|(name, _)| *name == "lo").map(|(_, data)| data.total_received())
        };
        system.refresh_memory();
        let (before, used_before) = (received(&mut networks), system.used_memory());
        host.tick();
        let after = received(&mut networks);
        system.refresh_memory();

        let value = |metric| u64::try_from(host.value(metric).expect("a value")).expect("not negative");
        assert_eq!(value(host::MEMORY_TOTAL), system.total_memory());
        assert_eq!(value(host::SWAP_TOTAL), system.total_swap());
        // sysinfo: used is total less available. Memory moves between the readings; 256 MiB is what a busy build moves.
        let used = value(host::MEMORY_TOTAL) - value(host::MEMORY_AVAILABLE);
        let (low, high) = (used_before.min(system.used_memory()), used_before.max(system.used_memory()));
        assert!(
            (low.saturating_sub(256 << 20)..=high + (256 << 20)).contains(&used),
            "{low} <= {used} <= {high}"
        );
        if let (Some(before), Some(after), Some(row)) = (before, after, host.net_row("lo")) {
            let ours = host.row(Scope::Net, row, net::RECEIVE).ok().expect("bytes");
            assert!(
                (before..=after).contains(&u64::try_from(ours).expect("bytes")),
                "{before} <= {ours} <= {after}"
            );
        }
    }
    let boot_s = i64::try_from(sysinfo::System::boot_time().expect("boot time")).expect("a date");
    let ours = host.value(host::BOOT_TIME).expect("boot time") / 1_000_000_000;
    assert!((ours - boot_s).abs() <= 1, "{ours} and {boot_s}: btime is rounded");
    assert_eq!(
        host.labels.cpus.iter().flatten().count(),
        std::thread::available_parallelism().map_or(0, usize::from)
    );
}

#[test]
fn counters_lie_between_two_readings_of_the_files() {
    let field = |path: &str, key: &str| -> i64 {
        let text = std::fs::read_to_string(path).expect("a file of the kernel's");
        let line = text.lines().find(|line| line.split_whitespace().next() == Some(key)).expect("line");
        line.split_whitespace().nth(1).expect("value").parse().expect("number")
    };
    let cases = [
        ("/proc/stat", "ctxt", host::CONTEXT_SWITCHES, 1),
        ("/proc/stat", "intr", host::INTERRUPTS, 1),
        ("/proc/stat", "processes", host::FORKS, 1),
        ("/proc/stat", "softirq", host::SOFTIRQS, 1),
        ("/proc/vmstat", "pgfault", host::PAGE_FAULTS, 1),
        ("/proc/vmstat", "pgfree", host::PAGES_FREED, 1),
        ("/proc/vmstat", "nr_dirtied", host::DIRTIED, 4_096),
    ];
    let mut host = Host::open(Roots::default());
    for _ in 0..20 {
        let before = cases.map(|(path, key, ..)| field(path, key));
        host.tick();
        for ((path, key, metric, factor), before) in cases.iter().zip(before) {
            let ours = host.value(*metric).expect("a value") / factor;
            let after = field(path, key);
            assert!((before..=after).contains(&ours), "{key}: {before} <= {ours} <= {after}");
        }
    }
}

#[test]
fn an_ordinary_user_is_told_what_is_closed_and_what_opens_it() {
    if std::env::var_os(AS_NOBODY).is_none() {
        let me = std::env::current_exe().expect("this test");
        let mut child = Command::new(me);
        child
            .args(["--exact", "an_ordinary_user_is_told_what_is_closed_and_what_opens_it", "--nocapture"])
            .env(AS_NOBODY, "1")
            .uid(NOBODY)
            .gid(NOBODY);
        match child.output() {
            Ok(output) => {
                let text = String::from_utf8_lossy(&output.stdout);
                assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
                assert!(text.contains("1 passed"), "{text}");
            }
            Err(error) => skip!("cannot start a process as nobody: {error}"),
        }
        return;
    }
    let mut host = with_tracepoints();
    host.round();
    assert!(host.value(host::MEMORY_TOTAL).is_some(), "what is open to all is read");
    assert!(host.value(host::CONTEXT_SWITCHES).is_some());
    let perf = host.report(Source::Perf);
    assert_eq!(perf.availability, Availability::Denied, "{}", perf.reason);
    assert!(perf.reason.contains("CAP_PERFMON"), "{}", perf.reason);
    assert!(perf.reason.contains("tracefs"), "{}", perf.reason);
    assert_eq!(host.read(host::PERF_MIGRATIONS).availability, Availability::Denied);
    assert_eq!(host.read(host::PERF_KVM_EXITS).availability, Availability::Denied);
}

#[test]
fn devices_plugged_into_a_network_namespace_get_rows_and_lose_them() {
    let namespace = match Netns::new() {
        Ok(namespace) => namespace,
        Err(error) => skip!("no network namespace: {error}"),
    };
    let root = tempfile::tempdir().expect("folder");
    std::fs::create_dir(root.path().join("proc")).expect("folder");
    symlink("/proc/thread-self/net", root.path().join("proc/net")).expect("link");
    let roots = Roots::below(root.path());
    let plugged = namespace.run(|| {
        let mut host = Host::open(roots);
        host.tick();
        assert!(host.net_row("lo").is_some() && host.net_row("btz-dummy").is_none());
        if let Err(error) = namespace.add_tap("btz-dummy") {
            return Err(error.to_string());
        }
        assert!(host.tick().layout_changed, "a device came");
        host.replan();
        host.tick();
        let row = host.net_row("btz-dummy").expect("its row");
        assert_eq!(host.row(Scope::Net, row, net::RECEIVE).ok(), Some(0));
        let entity = host.frame.entity(Scope::Net, row).expect("its entity");
        namespace.ip(&["link", "delete", "btz-dummy"]).map_err(|error| error.to_string())?;
        assert!(host.tick().layout_changed, "a device went");
        assert_eq!(host.frame.read(entity, net::RECEIVE).availability, Availability::Gone);
        host.replan();
        assert_eq!(host.net_row("btz-dummy"), None);
        assert_eq!(host.frame.entity(Scope::Net, row), None);
        Ok(())
    });
    match plugged {
        Ok(Ok(())) => {}
        Ok(Err(error)) => skip!("no tap can be made here: {error}"),
        Err(error) => skip!("cannot enter a network namespace: {error}"),
    }
}

#[test]
fn perf_events_count_what_happens() {
    let mut host = Host::open(Roots::default());
    if host.report(Source::Perf).availability != Availability::Ok {
        skip!("no perf events: {}", host.report(Source::Perf).reason);
    }
    host.round();
    let before = host.value(host::PERF_PAGE_FAULTS_MINOR).expect("counted");
    // 4,096 pages, touched for the first time.
    let mut pages = vec![0_u8; 16 << 20];
    pages.iter_mut().step_by(4_096).for_each(|page| *page = 1);
    std::hint::black_box(&pages);
    host.round();
    let after = host.value(host::PERF_PAGE_FAULTS_MINOR).expect("counted");
    assert!(after - before > 0, "{before} .. {after}");
    host.replan();
    host.round();
    assert!(host.value(host::PERF_PAGE_FAULTS_MINOR).expect("counted") >= after, "a new plan counts on");
}

/// Tracepoints are not asked for by default.
fn with_tracepoints() -> Host {
    let mut config = Config { limits: host_support::small_limits(), ..Config::default() };
    config.sampling.kvm_tracepoints = true;
    Host::with(config)
}

/// What our counters and the kernel's tracer are held against each other for.
const GUESTS: [(&str, MetricId); 4] = [
    ("kvm/kvm_exit", host::PERF_KVM_EXITS),
    ("kvm/kvm_entry", host::PERF_KVM_ENTRIES),
    ("kvm/kvm_pio", host::PERF_KVM_PORT_IO),
    ("kvm/kvm_emulate_insn", host::PERF_KVM_EMULATIONS),
];

#[test]
fn exits_of_a_real_guest_are_counted() {
    use bartizan_testkit::guest::Guest;
    use bartizan_testkit::minivmm::{MiniVmm, missing};
    if let Some(what) = missing() {
        skip!("no guest can run: {what}");
    }
    // Before our counters are opened: they need it, too.
    if let Err(error) = tracefs::mounted() {
        skip!("no tracefs: {error}");
    }
    let mut host = with_tracepoints();
    let unavailable = [Availability::Unsupported, Availability::Denied];
    if unavailable.contains(&host.read(host::PERF_KVM_EXITS).availability) {
        skip!("no tracepoint kvm:kvm_exit: {}", host.report(Source::Perf).reason);
    }
    let passed =
        match GUESTS.iter().map(|(tracepoint, _)| Passed::start(tracepoint)).collect::<Result<Vec<_>, _>>() {
            Ok(passed) => passed,
            Err(error) => skip!("tracefs does not count here: {error}"),
        };
    let by_tracefs = || -> Vec<i64> {
        passed.iter().map(|passed| i64::try_from(passed.count().expect("stats")).expect("few")).collect()
    };
    // Ours between two readings of tracefs': other guests may run on this host meanwhile.
    let mut three = || {
        let before = by_tracefs();
        host.round();
        (before, GUESTS.map(|(_, metric)| host.read(metric)), by_tracefs())
    };

    let (early, at_first, late) = three();
    let vm = MiniVmm::builder().guest(Guest::ExitStorm).start().expect("a guest");
    let deadline = Instant::now() + Duration::from_secs(10);
    let many = |now: Vec<i64>| now.iter().zip(&late).any(|(now, then)| now - then >= 1_000);
    while !many(by_tracefs()) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(50));
    }
    let threads = vm.vcpu_threads().expect("threads");
    let ran = proc::cpu_ticks(vm.pid(), threads[0].tid).expect("its CPU time").total();
    drop(vm);
    let (low, at_last, high) = three();

    for (index, (tracepoint, _)) in GUESTS.iter().enumerate() {
        let (least, most) = (low[index] - late[index], high[index] - early[index]);
        let told = format!(
            "{tracepoint}: {least} to {most} by tracefs; {:?}, {:?}",
            at_first[index], at_last[index]
        );
        println!("{told}");
        match at_last[index].ok() {
            Some(value) => {
                assert!((least..=most).contains(&(value - at_first[index].ok().unwrap_or(0))), "{told}");
            }
            // One that this KVM does not pass.
            None => assert_eq!((at_last[index].availability, most), (Availability::Unsupported, 0), "{told}"),
        }
    }
    if high == early {
        assert!(ran > 0, "the guest ran");
        skip!("this KVM passes none of {GUESTS:?}, tracefs says so, too: a guest ran for {ran} ticks");
    }
    // Not every KVM has every tracepoint in its path: one for software-virtualised guests (PVM) passes kvm_pio, but
    // neither kvm_exit nor kvm_entry. That is no count of nothing.
    let exits = at_last[0];
    assert!(exits.availability == Availability::Unsupported || exits.value > 0, "{exits:?}");
}
