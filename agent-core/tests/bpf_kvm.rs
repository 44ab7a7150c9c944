//! What a program in the kernel reads of KVM's counters is what KVM's own statistics descriptors and debugfs say.

#![expect(clippy::unwrap_used, reason = "a test that cannot set the scene fails")]

mod vm_support;

use bartizan_core::config::{Config, KvmTierChoice, Roots, ThreadTierChoice};
use bartizan_core::sampling::availability::Availability;
use bartizan_core::sampling::metrics::{Scope, Source, vcpu, vm};
use bartizan_core::sampling::vm::bpf::Bpf;
use bartizan_testkit::guest::Guest;
use bartizan_testkit::minivmm::{self, MiniVmm};
use bartizan_testkit::proc::Thread;
use bartizan_testkit::qemu::{self, Qemu};
use bartizan_testkit::qmp::Qmp;
use bartizan_testkit::{proc, skip};
use std::collections::HashMap;
use std::time::Duration;
use vm_support::{Watched, describe, stop_every_thread};

const LONG: Duration = Duration::from_mins(1);

macro_rules! need_bpf {
    () => {
        if let Some(reason) = minivmm::missing() {
            skip!("{reason}");
        }
        if let Err(reason) = Bpf::load(&Config::default()).kvm {
            assert!(!reason.is_empty());
            skip!("{reason}");
        }
    };
}

fn config(tier: KvmTierChoice) -> Config {
    let mut config = Config::default();
    config.sampling.kvm_tier = tier;
    config
}

fn watch(pid: u32, vcpus: &[Thread], tier: KvmTierChoice) -> Watched {
    Watched::new(describe(pid, vcpus, &[]), &config(tier))
}

#[test]
fn every_counter_is_that_of_the_statistics_descriptor() {
    need_bpf!();
    for guest in [Guest::ExitStorm, Guest::MmioStorm, Guest::Timer, Guest::MemoryTouch] {
        let vmm = MiniVmm::builder().vcpus(2).memory_mib(16).guest(guest).stats_fds().start().unwrap();
        let vcpus = vmm.vcpu_threads().unwrap();
        let mut ours = watch(vmm.pid(), &vcpus, KvmTierChoice::Bpf);
        let mut descriptors = watch(vmm.pid(), &vcpus, KvmTierChoice::StatsFd);
        assert_eq!((ours.report(Source::Kvm).tier, ours.report(Source::Kvm).reason.as_str()), ("bpf", ""));
        assert_eq!(descriptors.report(Source::Kvm).tier, "stats-fd");
        assert!(ours.plan.descriptors() < descriptors.plan.descriptors());
        ours.tick();
        let before = ours.vm(vm::KVM_EXITS).unwrap();
        assert!(proc::wait_until(LONG, || {
            // While it runs, what the program reads lies between two readings of the descriptor.
            descriptors.tick();
            ours.tick();
            let now = ours.vcpu(0, vcpu::EXITS).unwrap();
            assert!(descriptors.vcpu(0, vcpu::EXITS).unwrap() <= now);
            descriptors.tick();
            assert!(now <= descriptors.vcpu(0, vcpu::EXITS).unwrap());
            ours.vm(vm::KVM_EXITS).unwrap() > before + 50
        }));
        stop_every_thread(&vmm);
        assert!(proc::wait_until(LONG, || {
            let before = ours.vm(vm::KVM_EXITS);
            std::thread::sleep(Duration::from_millis(20));
            ours.tick();
            before == ours.vm(vm::KVM_EXITS)
        }));
        descriptors.tick();
        let (mut same, mut moved) = (0, 0);
        for metric in Scope::Vcpu.metrics().iter().filter(|metric| metric.source == Source::Kvm) {
            for index in 0..2 {
                let (a, b) = (ours.vcpu(index, metric.id), descriptors.vcpu(index, metric.id));
                assert_eq!(a, b, "{guest:?}, vCPU {index}: {}", metric.name);
                same += u32::from(a.is_ok());
                moved += u32::from(a.is_ok_and(|value| value > 0));
            }
        }
        assert!(same >= 2 * 35 && moved >= 6, "{guest:?}: {same} counters, {moved} of them moved");
        // Of the VM: the sums, and those that KVM keeps per VM, which the descriptors of this VMM do not have.
        let of_vm = Scope::Vm.metrics().iter().filter(|metric| metric.source == Source::Kvm);
        for metric in of_vm.filter(|metric| descriptors.vm(metric.id).is_ok()) {
            assert_eq!(ours.vm(metric.id), descriptors.vm(metric.id), "{guest:?}: {}", metric.name);
        }
        assert!(ours.vm(vm::KVM_PAGES_4K).is_ok() && ours.vm(vm::KVM_REMOTE_TLB_FLUSHES).is_ok());
    }
}

/// What QEMU says of its counters, by QMP: the vCPUs' in their order, or the VM's.
fn query_stats(qmp: &mut Qmp, target: &str) -> Vec<HashMap<String, i64>> {
    let answer = qmp.execute("query-stats", &serde_json::json!({ "target": target })).unwrap();
    let counters = |entry: &serde_json::Value| {
        let stats = entry["stats"].as_array().unwrap().iter();
        stats.filter_map(|stat| Some((stat["name"].as_str()?.to_owned(), stat["value"].as_i64()?))).collect()
    };
    let mut entries = answer.as_array().unwrap().clone();
    // `/machine/unattached/device[0]` is the first vCPU; QEMU lists the last one first.
    entries.sort_by_key(|entry| {
        let digits = |c: char| !c.is_ascii_digit();
        entry["qom-path"]
            .as_str()
            .and_then(|path| path.trim_matches(digits).rsplit(digits).next()?.parse::<u32>().ok())
    });
    entries.iter().map(counters).collect()
}

#[test]
fn a_qemu_without_statistics_descriptors_is_read_as_it_says_itself() {
    need_bpf!();
    if let Some(reason) = qemu::missing() {
        skip!("{reason}");
    }
    let qemu = Qemu::builder().name("plain").vcpus(2).guest(Guest::ExitStorm).start().unwrap();
    let mut ours = watch(qemu.pid(), &qemu.vcpu_threads().unwrap(), KvmTierChoice::Auto);
    assert_eq!(ours.report(Source::Kvm).tier, "bpf", "{:?}", ours.report(Source::Kvm));
    assert!(proc::wait_until(LONG, || {
        ours.tick();
        ours.vm(vm::VCPU_RUN).is_ok_and(|run_ns| run_ns > 500_000_000)
    }));
    let mut qmp = qemu.qmp().unwrap();
    let before = (query_stats(&mut qmp, "vcpu"), query_stats(&mut qmp, "vm"));
    ours.pace.detail_every_ticks = 1;
    ours.tick();
    let after = (query_stats(&mut qmp, "vcpu"), query_stats(&mut qmp, "vm"));
    assert_eq!((before.0.len(), before.1.len()), (2, 1));
    let mut moved = 0;
    let mut between = |before: &HashMap<_, _>, value: Result<i64, _>, after: &HashMap<_, _>, name: &str| {
        let value = value.unwrap();
        assert!(
            before[name] <= value && value <= after[name],
            "{name}: {} {value} {}",
            before[name],
            after[name]
        );
        moved += i64::from(value > 0);
    };
    for index in 0..2 {
        for (name, metric) in [
            ("exits", vcpu::EXITS),
            ("io_exits", vcpu::KVM_IO_EXITS),
            ("signal_exits", vcpu::KVM_SIGNAL_EXITS),
            ("fpu_reload", vcpu::KVM_FPU_RELOADS),
            ("req_event", vcpu::KVM_REQUEST_EVENTS),
            ("halt_wait_ns", vcpu::KVM_HALT_WAIT),
        ] {
            between(&before.0[index], ours.vcpu(index, metric), &after.0[index], name);
        }
    }
    // Of the VM, what does not fall again.
    for (name, metric) in
        [("mmu_cache_miss", vm::KVM_MMU_CACHE_MISSES), ("mmu_pte_write", vm::KVM_MMU_PTE_WRITES)]
    {
        between(&before.1[0], ours.vm(metric), &after.1[0], name);
    }
    assert!(moved >= 3, "a guest that runs moves more than {moved} of these");
}

/// Whether debugfs shows that KVM has a VM of this process.
fn debugfs(pid: u32) -> Option<()> {
    let mut folders = std::fs::read_dir("/sys/kernel/debug/kvm").ok()?.flatten();
    let begin = format!("{pid}-");
    folders.any(|folder| folder.file_name().to_string_lossy().starts_with(&begin)).then_some(())
}

#[test]
fn a_vm_that_ends_is_held_by_nothing_and_read_no_more() {
    need_bpf!();
    let vmm = MiniVmm::builder().vcpus(2).guest(Guest::ExitStorm).start().unwrap();
    let pid = vmm.pid();
    let mut ours = watch(pid, &vmm.vcpu_threads().unwrap(), KvmTierChoice::Bpf);
    ours.tick();
    assert!(ours.vcpu(0, vcpu::EXITS).is_ok());
    let visible = debugfs(pid).is_some();
    vmm.kill9();
    // The plan is still there.
    assert!(!visible || proc::wait_until(LONG, || debugfs(pid).is_none()), "KVM still holds the VM");
    let before = ours.vm(vm::KVM_EXITS);
    assert!(ours.tick().vanished);
    assert_eq!(ours.vm(vm::KVM_EXITS), before, "nothing new is said of it");
}

#[test]
fn it_works_beside_any_tier_for_threads_and_leaves_quiet_vcpus_alone() {
    need_bpf!();
    let vmm = MiniVmm::builder().guest(Guest::ExitStorm).start().unwrap();
    for thread_tier in [ThreadTierChoice::KeptFd, ThreadTierChoice::Bpf] {
        let mut config = config(KvmTierChoice::Bpf);
        config.sampling.thread_tier = thread_tier;
        let mut ours = Watched::new(describe(vmm.pid(), &vmm.vcpu_threads().unwrap(), &[]), &config);
        ours.pace.detail_every_ticks = 1_000;
        assert_eq!(ours.report(Source::Kvm).tier, "bpf");
        ours.tick();
        let first = ours.vcpu(0, vcpu::EXITS).unwrap();
        assert!(proc::wait_until(LONG, || {
            ours.tick();
            ours.vcpu(0, vcpu::EXITS).unwrap() > first + 1_000
        }));
    }
}

#[test]
fn what_is_missing_leaves_the_tier_below_and_a_reason() {
    need_bpf!();
    let vmm = MiniVmm::builder().stats_fds().start().unwrap();
    let vcpus = vmm.vcpu_threads().unwrap();
    let own = std::fs::read("/sys/kernel/btf/vmlinux").unwrap();
    let without = |name: &[u8]| {
        let mut bytes = own.clone();
        let name = [b"\0", name, b"\0"].concat();
        let at = memchr::memmem::find(&own, &name).unwrap();
        bytes[at + 1] = b'X';
        bytes
    };
    for (bytes, said) in [
        (without(b"kvm_vcpu"), "KVM's types"),
        (without(b"private_data"), "struct file.private_data"),
        (without(b"bpf_task_from_pid"), "bpf_task_from_pid"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("kernel/btf")).unwrap();
        std::fs::write(folder.path().join("kernel/btf/vmlinux"), bytes).unwrap();
        let roots = Roots { sys: folder.path().to_owned(), ..Roots::default() };
        let config = Config { roots, ..config(KvmTierChoice::Bpf) };
        let mut watched = Watched::new(describe(vmm.pid(), &vcpus, &[]), &config);
        let report = watched.report(Source::Kvm).clone();
        assert_eq!((report.tier, report.availability), ("stats-fd", Availability::Ok), "{report:?}");
        assert!(report.reason.contains("bpf: ") && report.reason.contains(said), "{said}: {report:?}");
        watched.tick();
        assert!(watched.vcpu(0, vcpu::EXITS).is_ok());
    }
    let without_kvm = MiniVmm::builder().without_kvm().start().unwrap();
    let watched = watch(without_kvm.pid(), &without_kvm.vcpu_threads().unwrap(), KvmTierChoice::Bpf);
    let report = watched.report(Source::Kvm);
    assert!(report.reason.contains("no descriptors of vCPUs"), "{report:?}");
}
