//! A tick allocates nothing and frees nothing, while VMs come and go.

use bartizan_core::config::Config;
use bartizan_core::engine::{self, Planner};
use bartizan_core::sampling::frame::Entity;
use bartizan_core::sampling::metrics::agent;
use bartizan_core::sys::clock::Clock;
use bartizan_testkit::alloc::{CountingAllocator, Counts, count};
use bartizan_testkit::minivmm::{self, MiniVmm};
use bartizan_testkit::skip;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const TICKS_MIN: u64 = 10_000;
/// VMs that came and went while the ticks were counted.
const VMS_MIN: usize = 20;
/// A machine that cannot start a VM in this many ticks has another problem.
const TICKS_MAX: u64 = 2_000_000;

fn maintain_until(planner: &mut Planner, stop: &AtomicBool) {
    while !stop.load(Relaxed) {
        let mut fds = [PollFd::new(planner.fd(), PollFlags::POLLIN)];
        if poll(&mut fds, PollTimeout::from(20u16)) == Ok(1) {
            planner.maintain();
        }
    }
}

/// Starts VMs, three at a time, waits until each was seen, and kills them.
fn churn(reader: &engine::Reader, stop: &AtomicBool, gone: &AtomicUsize) {
    while !stop.load(Relaxed) {
        let vms: Vec<MiniVmm> = (0..3).map(|_| MiniVmm::builder().vcpus(2).start().expect("a VM")).collect();
        let watched = |vm: &MiniVmm| {
            reader.vms().iter().any(|info| u32::try_from(info.pid) == Ok(vm.pid()) && info.vcpus.len() == 2)
        };
        while !stop.load(Relaxed) && !vms.iter().all(watched) {
            thread::sleep(std::time::Duration::from_millis(1));
        }
        gone.fetch_add(vms.iter().filter(|vm| watched(vm)).count(), Relaxed);
        // What was learned is copied meanwhile, too.
        drop(reader.copied());
        reader.want_copy();
        vms.into_iter().for_each(MiniVmm::kill9);
    }
}

#[test]
fn ten_thousand_ticks_while_vms_come_and_go() {
    if let Some(reason) = minivmm::missing() {
        skip!("{reason}");
    }
    let mut config = Config::default();
    config.sampling.interval_ms = 10;
    let (mut sampler, mut planner, reader) = engine::build(config, Clock::System).expect("an agent");
    planner.maintain();
    let (stop, gone) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));

    let total = thread::scope(|scope| {
        scope.spawn(|| maintain_until(&mut planner, &stop));
        scope.spawn(|| churn(&reader, &stop, &gone));
        let total = scope.spawn(|| {
            let mut total = Counts::default();
            for number in 1..=TICKS_MAX {
                let (_, counts) = count(|| sampler.tick());
                total.allocs += counts.allocs;
                total.frees += counts.frees;
                total.reallocs += counts.reallocs;
                while reader.alerts().next().is_some() {}
                if number >= TICKS_MIN && gone.load(Relaxed) >= VMS_MIN {
                    break;
                }
            }
            stop.store(true, Relaxed);
            total
        });
        total.join().expect("the sampler")
    });

    let own = |metric| reader.read(Entity::AGENT, metric).value;
    let (ticks, swapped) = (own(agent::TICKS), own(agent::PLANS_SWAPPED));
    println!("{ticks} ticks, {} VMs came and went, {swapped} plans swapped: {total:?}", gone.load(Relaxed));
    assert!(gone.load(Relaxed) >= VMS_MIN, "the VMs were not seen");
    assert!(u64::try_from(ticks).is_ok_and(|ticks| ticks >= TICKS_MIN));
    assert!(total.is_zero(), "{total:?}");
}
