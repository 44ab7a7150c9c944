//! Mini VMMs: KVM knows them, they do what their guest says, and they look like what they pass for.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

use bartizan_testkit::guest::{Command, Guest};
use bartizan_testkit::minivmm::{self, MiniVmm};
use bartizan_testkit::proc;
use bartizan_testkit::shape::Shape;

const LIMIT: Duration = Duration::from_secs(20);

macro_rules! needs_kvm {
    () => {
        if let Some(reason) = minivmm::missing() {
            bartizan_testkit::skip!("{reason}");
        }
    };
}

fn vcpu_ticks(vm: &MiniVmm, index: usize) -> u64 {
    let threads = vm.vcpu_threads().expect("vCPU threads");
    proc::cpu_ticks(vm.pid(), threads[index].tid).expect("CPU times").total()
}

fn links(vm: &MiniVmm) -> Vec<String> {
    let links = proc::fd_links(vm.pid()).expect("fds");
    links.into_iter().map(|(_, target)| target.display().to_string()).collect()
}

#[test]
fn every_vcpu_spins_and_an_idle_vm_does_nothing() {
    needs_kvm!();
    let spin = MiniVmm::builder().vcpus(2).guest(Guest::Spin).start().expect("a spinning VM");
    let idle = MiniVmm::builder().vcpus(2).start().expect("an idle VM");
    let both = || vcpu_ticks(&spin, 0) >= 10 && vcpu_ticks(&spin, 1) >= 10;
    assert!(proc::wait_until(LIMIT, both), "the spinning vCPUs used no CPU time");
    assert!(vcpu_ticks(&idle, 0) + vcpu_ticks(&idle, 1) <= 2, "the idle vCPUs used CPU time");
}

#[test]
fn the_fds_are_those_of_a_vmm() {
    needs_kvm!();
    let old = MiniVmm::builder().vcpus(2).start().expect("a VM");
    let new = MiniVmm::builder().vcpus(2).stats_fds().start().expect("a VM with statistics fds");
    for (vm, stats) in [(&old, 0), (&new, 2)] {
        let links = links(vm);
        let count = |prefix: &str| links.iter().filter(|link| link.starts_with(prefix)).count();
        assert_eq!(count("/dev/kvm"), 1, "{links:?}");
        assert_eq!(count("anon_inode:kvm-vm"), 1, "{links:?}");
        assert_eq!(count("anon_inode:kvm-vcpu:"), 2, "{links:?}");
        assert_eq!(count("anon_inode:kvm-vcpu-stats:"), stats, "{links:?}");
    }
}

#[test]
fn debugfs_has_a_folder_for_it_while_it_lives() {
    needs_kvm!();
    if let Err(reason) = bartizan_testkit::debugfs::mounted() {
        bartizan_testkit::skip!("{reason}");
    }
    let folder_of = |pid: u32| {
        let prefix = format!("{pid}-");
        let kvm = bartizan_testkit::debugfs::mounted().expect("debugfs").join("kvm");
        std::fs::read_dir(kvm)
            .expect("debugfs kvm")
            .filter_map(Result::ok)
            .any(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
    };
    let vm = MiniVmm::builder().start().expect("a VM");
    let pid = vm.pid();
    assert!(folder_of(pid));
    vm.kill9();
    assert!(proc::wait_until(LIMIT, || !folder_of(pid)), "KVM still has the dead VM");
}

/// Reads one named value from a KVM statistics fd; layout: the kernel's api.rst, `KVM_GET_STATS_FD`.
fn statistic(stats: &OwnedFd, wanted: &str) -> u64 {
    let path = format!("/proc/self/fd/{}", stats.as_raw_fd());
    assert!(std::fs::read_link(path).expect("a link").to_string_lossy().contains("stats"));
    let mut bytes = vec![0_u8; 16 << 10];
    let count = nix::sys::uio::pread(stats, &mut bytes, 0).expect("the statistics");
    bytes.truncate(count);
    let word = |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().expect("4 bytes")) as usize;
    let (name_size, number, descriptors, data) = (word(4), word(8), word(16), word(20));
    for index in 0..number {
        let at = descriptors + index * (16 + name_size);
        let name = &bytes[at + 16..at + 16 + name_size];
        let name = name.split(|byte| *byte == 0).next().expect("a name");
        if name == wanted.as_bytes() {
            let at = data + word(at + 8);
            return u64::from_ne_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
        }
    }
    panic!("no statistic {wanted}");
}

/// Duplicates the statistics fd of vCPU 0 out of the VMM.
#[expect(unsafe_code, reason = "pidfd_open and pidfd_getfd have no wrapper")]
fn duplicated_stats_fd(vm: &MiniVmm) -> OwnedFd {
    let links = proc::fd_links(vm.pid()).expect("fds");
    let (number, _) = links
        .iter()
        .find(|(_, target)| target.to_string_lossy().starts_with("anon_inode:kvm-vcpu-stats:0"))
        .expect("a statistics fd");
    // SAFETY: plain system calls; each result is checked and owned once.
    unsafe {
        let pidfd = libc::syscall(libc::SYS_pidfd_open, vm.pid(), 0);
        let pidfd = OwnedFd::from_raw_fd(i32::try_from(pidfd).expect("a pidfd"));
        let fd = libc::syscall(libc::SYS_pidfd_getfd, pidfd.as_raw_fd(), *number, 0);
        assert!(fd >= 0, "pidfd_getfd: {}", std::io::Error::last_os_error());
        OwnedFd::from_raw_fd(i32::try_from(fd).expect("an fd"))
    }
}

#[test]
fn storms_are_seen_in_kvms_own_counters() {
    needs_kvm!();
    // Not every KVM counts port exits apart (one that emulates real mode does not), but all count exits.
    for (guest, counter) in [(Guest::ExitStorm, "exits"), (Guest::MmioStorm, "mmio_exits")] {
        let vm = MiniVmm::builder().guest(guest).stats_fds().start().expect("a VM");
        let stats = duplicated_stats_fd(&vm);
        let before = statistic(&stats, counter);
        let grows = || statistic(&stats, counter) > before + 5000;
        assert!(proc::wait_until(LIMIT, grows), "{counter} does not grow with {guest:?}");
    }
    let idle = MiniVmm::builder().stats_fds().start().expect("an idle VM");
    let stats = duplicated_stats_fd(&idle);
    std::thread::sleep(Duration::from_millis(100));
    assert!(
        statistic(&stats, "exits") <= 5,
        "an idle VM left the guest {} times",
        statistic(&stats, "exits")
    );
}

#[test]
fn the_timer_wakes_and_the_toucher_touches() {
    needs_kvm!();
    let timer = MiniVmm::builder().guest(Guest::Timer).stats_fds().start().expect("a VM");
    let stats = duplicated_stats_fd(&timer);
    let halts = || statistic(&stats, "halt_exits") + statistic(&stats, "halt_wakeup");
    assert!(proc::wait_until(LIMIT, || halts() > 20), "the timer wakes nobody");
    let toucher = MiniVmm::builder().memory_mib(16).guest(Guest::MemoryTouch).start().expect("a VM");
    assert!(
        proc::wait_until(LIMIT, || proc::rss_kib(toucher.pid()).is_ok_and(|kib| kib > 15 << 10)),
        "resident size {:?} KiB",
        proc::rss_kib(toucher.pid())
    );
}

#[test]
fn a_guest_does_what_it_is_told_and_a_reset_ends_it() {
    needs_kvm!();
    let mut vm = MiniVmm::builder().vcpus(2).guest(Guest::Command).stats_fds().start().expect("a VM");
    let stats = duplicated_stats_fd(&vm);
    vm.tell(Command::Spin).expect("tell");
    assert!(proc::wait_until(LIMIT, || vcpu_ticks(&vm, 0) > 20), "does not spin");
    vm.tell(Command::MmioStorm).expect("tell");
    assert!(proc::wait_until(LIMIT, || statistic(&stats, "mmio_exits") > 1000), "makes no MMIO exits");
    vm.tell(Command::Idle).expect("tell");
    let quiet = || {
        let before = statistic(&stats, "mmio_exits");
        std::thread::sleep(Duration::from_millis(50));
        statistic(&stats, "mmio_exits") == before
    };
    assert!(proc::wait_until(LIMIT, quiet), "does not become idle");
    drop(stats);
    vm.tell(Command::Reset).expect("tell");
    assert!(proc::wait_until(LIMIT, || !vm.is_running()), "survives a reset");
}

#[test]
fn each_shape_looks_like_its_vmm() {
    needs_kvm!();
    for shape in Shape::ALL {
        let vm = MiniVmm::builder().shape(shape).name("web-1").uuid("u-1").vcpus(2).other_threads(1);
        let vm = vm.arg("--extra").start().expect("a VM");
        let root = format!("/proc/{}", vm.pid());
        let comm = std::fs::read_to_string(format!("{root}/comm")).expect("comm");
        assert_eq!(comm.trim_end(), &shape.program()[..shape.program().len().min(15)]);
        let exe = std::fs::read_link(format!("{root}/exe")).expect("exe");
        assert_eq!(exe.file_name().expect("a name"), shape.program());
        let line = std::fs::read_to_string(format!("{root}/cmdline")).expect("cmdline");
        assert!(line.starts_with(&format!("{}\0", shape.program())), "{line:?}");
        assert!(line.contains("web-1") && line.ends_with("--extra\0"), "{line:?}");
        let names: Vec<_> =
            proc::threads(vm.pid()).expect("threads").into_iter().map(|thread| thread.comm).collect();
        for name in [shape.vcpu_thread(0), shape.vcpu_thread(1), shape.other_thread(0)] {
            assert!(names.contains(&name), "{name} is not in {names:?}");
        }
    }
}

#[test]
fn without_kvm_it_only_looks_like_one() {
    let vm = MiniVmm::builder().without_kvm().vcpus(2).start().expect("a process");
    assert_eq!(proc::thread_count(vm.pid()).expect("threads"), 3);
    assert!(links(&vm).iter().all(|link| !link.contains("kvm")));
}

#[test]
fn what_cannot_work_is_refused() {
    let error = MiniVmm::builder().guest(Guest::MemoryTouch).start().expect_err("too little memory");
    assert!(error.to_string().contains("16 MiB"), "{error}");
}
