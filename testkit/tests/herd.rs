//! Herds: as many processes and threads as asked for, with KVM or without, and none left behind.

use std::time::Duration;

use bartizan_testkit::herd::{self, Herd};
use bartizan_testkit::{minivmm, proc};

const LIMIT: Duration = Duration::from_secs(20);

#[test]
fn every_member_has_its_threads_its_name_and_its_end() {
    let mut herd = Herd::builder(20).start().expect("a herd");
    let pids = herd.pids();
    assert_eq!(pids.len(), 20);
    for (index, pid) in pids.iter().enumerate() {
        let mut names: Vec<_> =
            proc::threads(*pid).expect("threads").into_iter().map(|thread| thread.comm).collect();
        names.sort();
        let expected =
            ["CPU 0/KVM", "CPU 1/KVM", "CPU 2/KVM", "CPU 3/KVM", "IO iothread0", "qemu-system-x86"];
        assert_eq!(names, expected);
        let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).expect("cmdline");
        assert!(line.contains(&format!("guest={},", herd::member_name(index))), "{line:?}");
        assert!(line.contains(&herd::member_uuid(index)), "{line:?}");
    }
    assert_eq!(herd.kill_last(), pids.last().copied());
    assert!(proc::state(pids[19]).is_err(), "the killed member is still there");
    assert!(proc::state(pids[18]).is_ok(), "its neighbour is gone too");
    drop(herd);
    for pid in pids {
        assert!(proc::state(pid).is_err(), "{pid} was left behind");
    }
}

#[test]
fn the_busy_share_burns_cpu_and_the_rest_sleeps() {
    let ticks = |herd: &Herd| -> Vec<u64> {
        let of = |pid| {
            let threads = proc::threads(pid).expect("threads");
            threads.iter().map(|thread| proc::cpu_ticks(pid, thread.tid).expect("ticks").total()).sum()
        };
        herd.pids().into_iter().map(of).collect()
    };
    // Three threads of ten processes, 100 of 1000 of them busy: three threads, 200 ms each.
    let herd = Herd::builder(10).threads(4).busy(100, 200_000).start().expect("a herd");
    assert!(proc::wait_until(LIMIT, || ticks(&herd).iter().filter(|used| **used >= 10).count() == 3));
    assert_eq!(ticks(&herd).iter().filter(|used| **used <= 2).count(), 7);
}

#[test]
fn with_kvm_each_member_holds_a_vm() {
    if let Some(reason) = minivmm::missing() {
        bartizan_testkit::skip!("{reason}");
    }
    let herd = Herd::builder(8).threads(4).stats_fds().start().expect("a herd");
    for pid in herd.pids() {
        let links = proc::fd_links(pid).expect("fds");
        let count = |prefix: &str| {
            links.iter().filter(|(_, link)| link.to_string_lossy().starts_with(prefix)).count()
        };
        assert_eq!(count("anon_inode:kvm-vm"), 1);
        assert_eq!(count("anon_inode:kvm-vcpu:"), 2);
        assert_eq!(count("anon_inode:kvm-vcpu-stats:"), 2);
    }
}
