//! What is read of real VMs is what the kernel says of them.

#![expect(clippy::unwrap_used, reason = "a test that cannot set the scene fails")]

mod vm_support;

use bartizan_core::config::{Config, KvmTierChoice, Roots, ThreadTierChoice};
use bartizan_core::sampling::availability::Availability;
use bartizan_core::sampling::metrics::{MetricId, Scope, Source, Unit, vcpu, vm};
use bartizan_core::sampling::vm::cold_readings;
use bartizan_core::sys::pidfd;
use bartizan_testkit::guest::Guest;
use bartizan_testkit::minivmm::{self, MiniVmm};
use bartizan_testkit::{proc, skip};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use std::collections::HashMap;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::time::Duration;
use vm_support::{Watched, describe, start_ticks, stop_every_thread};

const LONG: Duration = Duration::from_mins(1);

macro_rules! need_kvm {
    () => {
        if let Some(reason) = minivmm::missing() {
            skip!("{reason}");
        }
    };
}

fn watch(vmm: &MiniVmm, config: &Config) -> Watched {
    Watched::new(describe(vmm.pid(), &vmm.vcpu_threads().unwrap(), &[]), config)
}

/// The counters of one vCPU's statistics descriptor, read independently, following the kernel's documentation.
fn statistics(vmm: &MiniVmm, vcpu: usize) -> HashMap<String, u64> {
    let wanted = format!("anon_inode:kvm-vcpu-stats:{vcpu}");
    let links = proc::fd_links(vmm.pid()).unwrap();
    let (fd, _) = links.iter().find(|(_, link)| link.to_str() == Some(&wanted)).expect("a statistics fd");
    let process = pidfd::open(i32::try_from(vmm.pid()).unwrap()).unwrap();
    let copy = pidfd::duplicate_from(process.as_fd(), i32::try_from(*fd).unwrap()).unwrap();
    let file = std::fs::File::from(copy);
    let u32_at = |offset: u64| {
        let mut bytes = [0; 4];
        file.read_exact_at(&mut bytes, offset).unwrap();
        u32::from_ne_bytes(bytes)
    };
    let name_size = u64::from(u32_at(4));
    let (count, descriptors, data) = (u32_at(8), u64::from(u32_at(16)), u64::from(u32_at(20)));
    (0..u64::from(count))
        .map(|index| {
            let at = descriptors + index * (16 + name_size);
            let mut name = vec![0; usize::try_from(name_size).unwrap()];
            file.read_exact_at(&mut name, at + 16).unwrap();
            let name = String::from_utf8(name).unwrap().trim_end_matches('\0').to_owned();
            let mut value = [0; 8];
            file.read_exact_at(&mut value, data + u64::from(u32_at(at + 8))).unwrap();
            (name, u64::from_ne_bytes(value))
        })
        .collect()
}

/// KVM's names of some counters, and the metrics they should be found in.
const SAME: [(&str, &str); 12] = [
    ("exits", "vcpu_kvm_exits"),
    ("io_exits", "vcpu_kvm_io_exits"),
    ("mmio_exits", "vcpu_kvm_mmio_exits"),
    ("halt_exits", "vcpu_kvm_halt_exits"),
    ("signal_exits", "vcpu_kvm_signal_exits"),
    ("irq_injections", "vcpu_kvm_irq_injections"),
    ("halt_wait_ns", "vcpu_kvm_halt_wait_seconds"),
    ("halt_poll_fail_ns", "vcpu_kvm_halt_poll_fail_seconds"),
    ("insn_emulation", "vcpu_kvm_emulations"),
    ("pf_taken", "vcpu_kvm_page_faults"),
    ("tlb_flush", "vcpu_kvm_tlb_flushes"),
    ("req_event", "vcpu_kvm_request_events"),
];

#[test]
fn kvm_counters_are_those_of_the_statistics_descriptor() {
    need_kvm!();
    let vmm = MiniVmm::builder().vcpus(2).guest(Guest::ExitStorm).stats_fds().start().unwrap();
    let mut config = Config::default();
    config.sampling.kvm_tier = KvmTierChoice::StatsFd;
    let mut watched = watch(&vmm, &config);
    let report = watched.report(Source::Kvm);
    assert_eq!((report.tier, report.availability), ("stats-fd", Availability::Ok), "{report:?}");
    watched.tick();
    let before = watched.vm(vm::KVM_EXITS).unwrap();
    assert!(proc::wait_until(LONG, || {
        watched.tick();
        watched.vm(vm::KVM_EXITS).unwrap() > before + 1_000
    }));

    stop_every_thread(&vmm);
    watched.tick();
    let mut sums: HashMap<&str, i64> = HashMap::new();
    let mut seen = 0;
    for index in 0..2 {
        let expected = statistics(&vmm, index);
        for (kernel, name) in SAME {
            let Some(expected) = expected.get(kernel) else { continue };
            let metric = MetricId::by_name(name).unwrap();
            let value = watched.vcpu(index, metric).unwrap();
            assert_eq!(u64::try_from(value), Ok(*expected), "vCPU {index}: {name}");
            *sums.entry(name).or_default() += value;
            seen += u32::from(value > 0);
        }
        assert!(watched.vcpu(index, vcpu::EXITS).unwrap() > 100);
    }
    assert!(seen >= 4, "a running guest moves more than {seen} of these counters");
    for (name, sum) in sums {
        let of_vm = name.replacen("vcpu_", "vm_", 1);
        let metric = MetricId::by_name(&of_vm).unwrap();
        assert_eq!(watched.vm(metric), Ok(sum), "{of_vm}");
    }
}

#[test]
fn every_kvm_metric_is_one_that_this_kernel_has_or_says_so() {
    need_kvm!();
    let vmm = MiniVmm::builder().stats_fds().start().unwrap();
    let mut watched = watch(&vmm, &Config::default());
    watched.tick();
    let known = statistics(&vmm, 0).len();
    let metrics = || Scope::Vcpu.metrics().iter().filter(|metric| metric.source == Source::Kvm);
    let read = metrics().filter(|metric| watched.vcpu(0, metric.id).is_ok()).count();
    for metric in metrics() {
        let value = watched.vcpu(0, metric.id);
        assert!(matches!(value, Ok(0..) | Err(Availability::Unsupported)), "{}: {value:?}", metric.name);
    }
    // Three of the kernel's are histograms.
    assert!(read >= 35 && read <= known, "{read} of {known}");
}

#[test]
fn debugfs_gives_sums_when_there_is_nothing_better() {
    need_kvm!();
    let vmm = MiniVmm::builder().start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let counters = folder.path().join(format!("kvm/{}-7", vmm.pid()));
    std::fs::create_dir_all(&counters).unwrap();
    for (name, text) in [("exits", "123\n"), ("halt_wait_ns", "456\n"), ("pages_4k", "x\n")] {
        std::fs::write(counters.join(name), text).unwrap();
    }
    // Without a description of the kernel's types there are no programs in it.
    let (debugfs, sys) = (folder.path().to_owned(), folder.path().join("none"));
    let roots = Roots { debugfs, sys, ..Roots::default() };
    let mut watched = watch(&vmm, &Config { roots, ..Config::default() });
    let report = watched.report(Source::Kvm).clone();
    assert_eq!(report.tier, "debugfs", "{report:?}");
    assert!(report.reason.contains("keeps no statistics descriptors"), "{report:?}");
    watched.tick();
    assert_eq!(watched.vm(vm::KVM_EXITS), Ok(123));
    assert_eq!(watched.vm(vm::KVM_HALT_WAIT), Ok(456));
    assert_eq!(watched.vm(vm::KVM_PAGES_4K), Err(Availability::Error));
    assert_eq!(watched.vm(vm::KVM_MMU_ZAPPED), Err(Availability::Unsupported));
    assert_eq!(watched.vcpu(0, vcpu::EXITS), Err(Availability::Unsupported), "sums only");
    std::fs::write(counters.join("exits"), "124\n").unwrap();
    (0..10).for_each(|_| _ = watched.tick());
    assert_eq!(watched.vm(vm::KVM_EXITS), Ok(124), "read again at the slow rate");
}

#[test]
fn a_closed_source_says_what_closes_it() {
    need_kvm!();
    let vmm = MiniVmm::builder().start().unwrap();
    for (choice, word) in [
        (KvmTierChoice::Off, "switched off"),
        (KvmTierChoice::StatsFd, "keeps no statistics descriptors"),
        (KvmTierChoice::Qmp, "monitor"),
    ] {
        let mut config = Config::default();
        config.sampling.kvm_tier = choice;
        let mut watched = watch(&vmm, &config);
        let report = watched.report(Source::Kvm);
        assert!(report.tier == "none" && report.reason.contains(word), "{report:?}");
        watched.tick();
        assert_eq!(watched.vm(vm::KVM_EXITS), Err(Availability::Unsupported));
        assert_eq!(watched.vcpu(0, vcpu::EXITS), Err(Availability::Unsupported));
    }
}

#[test]
fn a_spinning_guest_moves_its_vcpu_and_nothing_else() {
    need_kvm!();
    for (choice, tier) in [
        (ThreadTierChoice::Bpf, "bpf"),
        (ThreadTierChoice::KeptFd, "kept-fd"),
        (ThreadTierChoice::OpenEach, "open-each"),
    ] {
        let vmm = MiniVmm::builder().guest(Guest::Spin).other_threads(2).start().unwrap();
        let mut config = Config::default();
        config.sampling.thread_tier = choice;
        let mut watched = watch(&vmm, &config);
        let report = watched.report(Source::Schedule);
        if choice == ThreadTierChoice::Bpf && report.tier != tier {
            // Not on every machine: see the test of this tier.
            println!("not tested: {}", report.reason);
            continue;
        }
        assert_eq!(report.tier, tier);
        watched.tick();
        assert_eq!(watched.vcpu(0, vcpu::PROGRESSING), Err(Availability::Pending), "nothing to compare with");
        let (run, emulator) = (watched.vcpu(0, vcpu::RUN).unwrap(), watched.vm(vm::EMULATOR_RUN).unwrap());
        assert!(proc::wait_until(LONG, || {
            watched.tick();
            watched.vcpu(0, vcpu::RUN).unwrap() > run + 50_000_000
        }));
        assert_eq!(watched.vm(vm::VCPU_RUN), watched.vcpu(0, vcpu::RUN));
        assert!(watched.vm(vm::EMULATOR_RUN).unwrap() < emulator + 25_000_000);
        let threads = proc::thread_count(vmm.pid()).unwrap();
        assert_eq!(watched.vm(vm::THREADS), Ok(i64::try_from(threads).unwrap()));
        stop_every_thread(&vmm);
        watched.tick();
        let schedstat = format!("/proc/{0}/task/{1}/schedstat", vmm.pid(), watched.info.vcpus[0].tid);
        let words = std::fs::read_to_string(schedstat).unwrap();
        let words: Vec<i64> = words.split_whitespace().map(|word| word.parse().unwrap()).collect();
        let ours = [vcpu::RUN, vcpu::WAIT, vcpu::TIMESLICES].map(|metric| watched.vcpu(0, metric).unwrap());
        assert_eq!(ours, words[..]);
        watched.tick();
        assert_eq!(watched.vcpu(0, vcpu::PROGRESSING), Ok(0));
        assert_eq!(watched.vm(vm::VCPUS_PROGRESSING), Ok(0));
        std::thread::sleep(Duration::from_millis(20));
        watched.tick();
        assert!(watched.vm(vm::STALLED).unwrap() >= 20_000_000);
        assert_eq!(watched.vm(vm::STALLED), watched.vcpu(0, vcpu::STALLED));
    }
}

#[test]
fn two_vcpus_on_one_cpu_show_the_steal_their_guests_see() {
    need_kvm!();
    let vmm = MiniVmm::builder().vcpus(2).guest(Guest::Spin).start().unwrap();
    let mut cpu = CpuSet::new();
    cpu.set(0).unwrap();
    for thread in vmm.vcpu_threads().unwrap() {
        sched_setaffinity(Pid::from_raw(i32::try_from(thread.tid).unwrap()), &cpu).unwrap();
    }
    let mut watched = watch(&vmm, &Config::default());
    watched.tick();
    let before = [0, 1].map(|index| watched.vcpu(index, vcpu::WAIT).unwrap());
    assert!(proc::wait_until(LONG, || {
        watched.tick();
        (0..2).all(|index| watched.vcpu(index, vcpu::WAIT).unwrap() > before[index] + 30_000_000)
    }));
    let sum: i64 = (0..2).map(|index| watched.vcpu(index, vcpu::WAIT).unwrap()).sum();
    assert_eq!(watched.vm(vm::VCPU_WAIT), Ok(sum));
    (0..2).for_each(|_| _ = watched.tick());
    assert_eq!(watched.vcpu(0, vcpu::PROCESSOR), Ok(0), "pinned there");
}

#[test]
fn slow_readings_come_from_the_cold_side() {
    need_kvm!();
    let vmm = MiniVmm::builder().memory_mib(16).guest(Guest::MemoryTouch).start().unwrap();
    let info = describe(vmm.pid(), &vmm.vcpu_threads().unwrap(), &[]);
    let delivery = cold_readings(&info, &Config::default(), 7);
    assert_eq!((delivery.read_at_ns, delivery.vm), (7, Some(info.entity)));
    let value = |wanted| delivery.values.iter().find(|(_, metric, _)| *metric == wanted).unwrap().2;
    assert!(value(vm::MEMORY_PROPORTIONAL).unwrap() > 100 << 10);
    let open = i64::try_from(proc::fd_count(vmm.pid()).unwrap()).unwrap();
    assert_eq!(value(vm::OPEN_FILES), Ok(open));
    assert!(value(vm::OPEN_FILES_MAX).unwrap() >= open);
    for (row, metric, _) in &delivery.values {
        assert_eq!((*row, metric.scope()), (info.entity.row, Scope::Vm));
        assert!(matches!(metric.metric().source, Source::Smaps | Source::Descriptors));
    }
    let mut reused = info;
    reused.start_ticks += 1;
    for (_, metric, value) in cold_readings(&reused, &Config::default(), 7).values {
        assert_eq!(value, Err(Availability::Gone), "{}", metric.metric().name);
    }
}

#[test]
fn a_number_that_another_process_has_now_is_not_the_vm() {
    let vmm = MiniVmm::builder().without_kvm().start().unwrap();
    let mut info = describe(vmm.pid(), &[], &[]);
    let mut right = Watched::new(info.clone(), &Config::default());
    assert!(!right.tick().vanished);
    info.start_ticks += 1;
    let mut wrong = Watched::new(info, &Config::default());
    assert!(wrong.tick().vanished);
    assert_eq!(wrong.vm(vm::CPU_USER), Err(Availability::Pending), "nothing of the other process is shown");
    assert_eq!(wrong.plan.descriptors(), 0);
    vmm.kill9();
    assert!(right.tick().vanished);
    assert_eq!(right.vm(vm::CPU_USER), Err(Availability::Gone));
}

#[test]
fn times_and_sizes_are_in_the_declared_units() {
    let this = std::process::id();
    let mut watched = Watched::new(describe(this, &[], &[]), &Config::default());
    watched.tick();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    let peak_kib: i64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    let peak = watched.vm(vm::MEMORY_RESIDENT_PEAK).unwrap();
    assert!((peak - peak_kib * 1_024).abs() < 8 << 20, "{peak} {peak_kib}");
    assert_eq!(vm::START.metric().unit, Unit::Nanoseconds);
    let started = i64::try_from(start_ticks("/proc/self")).unwrap() * 10_000_000;
    assert_eq!(watched.vm(vm::START), Ok(started));
}
