//! What it costs in a tick to notice that no VM came or went, and what it costs the cold side to look into one.
//!
//! The idle cost is that of the two things a tick does for it: one `epoll_wait` over the pidfds of all VMs, and the
//! comparison of the last PID, which `/proc/loadavg` brings along and thus costs no call of its own. Both variants that
//! are compared read that file first, as a tick does; the difference between them is the cost.

use bartizan_benches::report::{Goal, Report, Row};
use bartizan_benches::{Mode, Samples, Variant, compare, is_quick, median};
use bartizan_core::config::Config;
use bartizan_core::sampling::discovery::inspect::{Evidence, Inspection, inspect};
use bartizan_core::sampling::discovery::scan;
use bartizan_core::sys::pidfd;
use bartizan_testkit::herd::Herd;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use std::fs::File;
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::Duration;

/// What noticing nothing may take, in nanoseconds.
const IDLE_NS_MAX: f64 = 1_000.0;

fn row(samples: &Samples, mode: Mode) -> Row {
    Row {
        name: samples.name.clone(),
        mode: mode.name().into(),
        value: samples.median_ns() / 1e3,
        unit: "us",
        ratio: None,
        goal: Goal::None,
    }
}

/// What the first of two variants takes beyond the second.
fn idle_row(samples: &[Samples], mode: Mode) -> Row {
    let [idle, nothing] = samples else { unreachable!("two variants were measured") };
    let differences: Vec<f64> =
        idle.ns.iter().zip(&nothing.ns).map(|(with, without)| with - without).collect();
    let ns = median(&differences);
    Row {
        value: ns / 1e3,
        ratio: Some((ns / IDLE_NS_MAX, "1 us")),
        goal: Goal::AtMost(1.0),
        ..row(idle, mode)
    }
}

fn main() {
    let mut report = Report::new("Discovery: noticing that nothing came or went (CPU time of the thread)");
    let sizes: &[usize] = if is_quick() { &[16] } else { &[64, 256, 1_000] };
    let cold = Mode::Cold { pause: Duration::from_millis(if is_quick() { 5 } else { 100 }) };
    for vms in sizes {
        let herd = Herd::builder(*vms).threads(6).start().expect("a herd");
        let pids: Vec<i32> = herd.pids().iter().filter_map(|pid| i32::try_from(*pid).ok()).collect();
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).expect("epoll");
        let pidfds: Vec<_> = pids.iter().map(|pid| pidfd::open(*pid).expect("a pidfd")).collect();
        for fd in &pidfds {
            epoll.add(fd, EpollEvent::new(EpollFlags::EPOLLIN, 1)).expect("epoll_ctl");
        }
        let mut events = [EpollEvent::empty(); 64];
        let (wanted, last_pid) = (AtomicBool::new(true), AtomicU32::new(7));
        let mut seen = 7;
        let loadavg = File::open("/proc/loadavg").expect("/proc/loadavg");
        let read = || {
            let mut buffer = [0; 64];
            black_box(loadavg.read_at(&mut buffer, 0).expect("a read"));
        };
        for mode in [Mode::Hot { batch: 2_000 }, cold] {
            let idle = Variant::new(format!("{vms} VMs: exits and new PIDs, nothing new"), || {
                read();
                let ready = epoll.wait(&mut events, EpollTimeout::ZERO).expect("epoll_wait");
                assert_eq!(ready, 0, "a member of the herd died");
                if black_box(wanted.load(Relaxed)) && black_box(last_pid.load(Relaxed)) != seen {
                    seen = last_pid.load(Relaxed);
                }
            });
            let nothing = Variant::new("the file alone", || {
                read();
                black_box(wanted.load(Relaxed));
            });
            let rounds = if is_quick() { 30 } else { 60 };
            report.push(idle_row(&compare(mode, rounds, &mut [idle, nothing]), mode));
        }

        let config = Config::default();
        let mut next = pids.iter().cycle();
        let once = Mode::Hot { batch: 20 };
        let mut variants = [
            Variant::new(format!("{vms} VMs: one process looked into"), || {
                let pid = next.next().copied().unwrap_or(0);
                assert!(matches!(inspect(&config, pid, Evidence::default()), Inspection::Vm(_)));
            }),
            Variant::new(format!("{vms} VMs: a full scan, all known"), || {
                black_box(scan::candidates(&config, |pid| pids.contains(&pid)));
            }),
        ];
        for samples in compare(once, if is_quick() { 2 } else { 5 }, &mut variants) {
            report.push(row(&samples, once));
        }
    }
    report.remark("the herd's members are real processes of six threads that hold no KVM VM");
    report.finish("discovery");
}
