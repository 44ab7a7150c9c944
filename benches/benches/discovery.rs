//! What it costs in a tick to notice that no VM came or went, and what it costs the cold side to look into one.
//!
//! An agent on its own threads learns of exits from the sleep between two ticks: what is measured is how much dearer that
//! sleep is than the same without any VM. Where a host drives the ticks, each asks the set of pidfds.
//! New PIDs cost a comparison: `/proc/loadavg`, which is read anyway, brings the last one along. Both variants that are
//! compared read that file, as a tick does; the difference between them is the cost.

use bartizan_benches::report::{Goal, Report, Row};
use bartizan_benches::{Mode, Samples, Variant, compare, is_quick, median};
use bartizan_core::config::Config;
use bartizan_core::engine::{Wakes, Woken};
use bartizan_core::sampling::discovery::inspect::{Evidence, Inspection, inspect};
use bartizan_core::sampling::discovery::scan;
use bartizan_core::sampling::frame::Entity;
use bartizan_core::sampling::metrics::Scope;
use bartizan_core::sys::clock::Clock;
use bartizan_core::sys::pidfd;
use bartizan_testkit::herd::Herd;
use nix::sys::epoll::EpollEvent;
use std::fs::File;
use std::hint::black_box;
use std::os::fd::AsFd;
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

/// What a tick does that looks for new PIDs and finds none.
struct LastPid {
    loadavg: File,
    wanted: AtomicBool,
    last: AtomicU32,
    seen: u32,
}

impl LastPid {
    fn open() -> Self {
        let loadavg = File::open("/proc/loadavg").expect("/proc/loadavg");
        Self { loadavg, wanted: AtomicBool::new(true), last: AtomicU32::new(7), seen: 7 }
    }

    fn read(&self) {
        let mut buffer = [0; 64];
        black_box(self.loadavg.read_at(&mut buffer, 0).expect("a read"));
    }

    fn compare(&mut self) {
        if black_box(self.wanted.load(Relaxed)) && black_box(self.last.load(Relaxed)) != self.seen {
            self.seen = self.last.load(Relaxed);
        }
    }
}

fn rounds() -> u32 {
    if is_quick() { 30 } else { 100 }
}

/// The sampler's sleep, beside the same sleep that watches no process. A hot one is over before it begins.
fn asleep(vms: usize, wakes: &Wakes, mode: Mode) -> Row {
    let clock = Clock::System;
    let (pause, inner) = match mode {
        Mode::Hot { .. } => (Duration::ZERO, mode),
        // The variants sleep themselves.
        Mode::Cold { pause } => (pause, Mode::Cold { pause: Duration::ZERO }),
    };
    let pause_ns = u64::try_from(pause.as_nanos()).expect("a short pause");
    let none = Wakes::new().expect("a set of descriptors");
    let sleep = |wakes: &Wakes| {
        let woken = wakes.sleep_until(&clock, clock.mono_ns() + pause_ns);
        assert_eq!(woken, Woken::Deadline { exited: false }, "a member of the herd died");
    };
    let (mut with, without) = (LastPid::open(), LastPid::open());
    let mut variants = [
        Variant::new(format!("{vms} VMs, own threads: no exit, no new PID"), || {
            sleep(wakes);
            with.read();
            with.compare();
        }),
        Variant::new("the sleep and the file alone", || {
            sleep(&none);
            without.read();
        }),
    ];
    idle_row(&compare(inner, rounds(), &mut variants), mode)
}

/// The set asked in the tick, as it must be where the sleep is the host's.
fn asked(vms: usize, wakes: &Wakes, mode: Mode) -> Row {
    let mut events = [EpollEvent::empty(); 64];
    let (mut with, without) = (LastPid::open(), LastPid::open());
    let mut variants = [
        Variant::new(format!("{vms} VMs, driven by a host: the same"), || {
            with.read();
            assert_eq!(wakes.ready(&mut events), 0, "a member of the herd died");
            with.compare();
        }),
        Variant::new("the file alone", || without.read()),
    ];
    idle_row(&compare(mode, rounds(), &mut variants), mode)
}

fn main() {
    let mut report = Report::new("Discovery: noticing that nothing came or went (CPU time of the thread)");
    let sizes: &[usize] = if is_quick() { &[16] } else { &[64, 256, 1_000] };
    let cold = Mode::Cold { pause: Duration::from_millis(if is_quick() { 5 } else { 100 }) };
    for vms in sizes {
        let herd = Herd::builder(*vms).threads(6).start().expect("a herd");
        let pids: Vec<i32> = herd.pids().iter().filter_map(|pid| i32::try_from(*pid).ok()).collect();
        let pidfds: Vec<_> = pids.iter().map(|pid| pidfd::open(*pid).expect("a pidfd")).collect();
        let wakes = Wakes::new().expect("a set of descriptors");
        for (row, pidfd) in (0..).zip(&pidfds) {
            let vm = Entity { scope: Scope::Vm, row, generation: 1 };
            wakes.watch(pidfd.as_fd(), vm).expect("epoll_ctl");
        }
        for mode in [Mode::Hot { batch: 2_000 }, cold] {
            report.push(asleep(*vms, &wakes, mode));
            report.push(asked(*vms, &wakes, mode));
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
