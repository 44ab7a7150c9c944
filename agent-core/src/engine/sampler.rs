//! The hot side: one tick reads everything that is due, judges it and publishes it.

use super::budget;
use super::checks::Tally;
use super::directory::Counters;
use super::link::{Hot, ToCold, ToHot};
use super::scores;
use super::wakes::{self, Wakes};
use crate::alerts::{Accounting, AlertSink};
use crate::config::Config;
use crate::detection::{self, Detector};
use crate::sampling::frame::{Entity, FrameWriter, Tick};
use crate::sampling::history::HistoryWriter;
use crate::sampling::host::HostPlan;
use crate::sampling::journal::What;
use crate::sampling::metrics::{Scope, Source, agent};
use crate::sampling::roster::Roster;
use crate::sampling::vm::bpf::Bpf;
use crate::sampling::vm::{Delivery, Pace, Scratch, TapSweep, VmPlan};
use crate::sys::clock::{Clock, thread_cpu_ns};
use nix::sys::epoll::EpollEvent;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Requests taken over in one tick at most, so that a burst of new VMs does not stretch a tick without bound.
const REQUESTS_PER_TICK_MAX: usize = 256;
/// Exits noticed in one call; more are taken in the next one, within the same tick.
const EXITS_PER_CALL: usize = 64;
/// Messages that one VM can cause in one tick at most: its exit, its plan, its threads.
const MESSAGES_PER_VM: usize = 3;

/// The hot side. [`Sampler::tick`] allocates nothing, frees nothing and never blocks.
pub struct Sampler {
    clock: Clock,
    interval_ns: u64,
    next_deadline_ns: u64,
    tick: Tick,
    writer: FrameWriter,
    history: HistoryWriter,
    detector: Box<Detector>,
    sink: AlertSink,
    /// A copy that is being made of what the detector knows.
    copying: Option<Box<detection::Copy>>,
    link: Hot,
    wakes: Arc<Wakes>,
    exited: [EpollEvent; EXITS_PER_CALL],
    host: Option<Box<HostPlan>>,
    vms: Box<[Option<Box<VmPlan>>]>,
    /// Rows of `vms` that hold a plan, in no order; its capacity is that of `vms`.
    active: Vec<u32>,
    /// No row from here on holds a plan.
    rows_used: u32,
    bpf: Arc<Bpf>,
    roster: Roster,
    taps: TapSweep,
    scratch: Box<Scratch>,
    last_pid: u32,
    /// The grid of deadlines begins anew with the next tick.
    restarted: bool,
    vcpus: usize,
    counters: Arc<Counters>,
    tally: Arc<Tally>,
    totals: Totals,
}

#[derive(Default)]
struct Totals {
    missed: u64,
    cpu_ns: u64,
    lateness_ns: u64,
    plans_swapped: u64,
    memory_reserved: i64,
    threads_unread: u64,
}

impl Sampler {
    #[expect(
        clippy::too_many_arguments,
        reason = "one caller, which makes all the parts and puts them together"
    )]
    pub(super) fn new(
        config: &Config,
        clock: Clock,
        writer: FrameWriter,
        history: HistoryWriter,
        detector: Detector,
        sink: AlertSink,
        link: Hot,
        wakes: Arc<Wakes>,
        counters: Arc<Counters>,
        tally: Arc<Tally>,
        bpf: Arc<Bpf>,
    ) -> Self {
        let vms = config.limits.vms as usize;
        Self {
            next_deadline_ns: clock.mono_ns(),
            clock,
            interval_ns: u64::from(config.sampling.interval_ms) * 1_000_000,
            tick: Tick::default(),
            writer,
            history,
            detector: Box::new(detector),
            sink,
            copying: None,
            link,
            wakes,
            exited: [EpollEvent::empty(); EXITS_PER_CALL],
            host: None,
            vms: (0..vms).map(|_| None).collect(),
            active: Vec::with_capacity(vms),
            rows_used: 0,
            bpf,
            roster: Roster::new(&config.limits),
            taps: TapSweep::open(config),
            scratch: Box::default(),
            last_pid: 0,
            restarted: false,
            vcpus: 0,
            counters,
            tally,
            totals: Totals {
                memory_reserved: i64::try_from(super::memory_bytes(config)).unwrap_or(i64::MAX),
                ..Totals::default()
            },
        }
    }

    /// When the next tick is due, `CLOCK_MONOTONIC` nanoseconds.
    #[must_use]
    pub fn next_deadline_ns(&self) -> u64 {
        self.next_deadline_ns
    }

    /// The clock it goes by.
    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Begins the grid of deadlines anew with the next tick: the time in which nobody drove the sampler is no
    /// lateness.
    pub fn restart(&mut self) {
        self.restarted = true;
        self.next_deadline_ns = self.clock.mono_ns();
    }

    /// Reads everything that is due, judges it and publishes it.
    pub fn tick(&mut self) -> Tick {
        self.tick_after(true)
    }

    /// A tick after a sleep that showed whether processes of VMs ended.
    pub(super) fn tick_after(&mut self, exited: bool) -> Tick {
        let cpu_before_ns = thread_cpu_ns();
        self.tick = Tick {
            number: self.tick.number + 1,
            mono_ns: self.clock.mono_ns(),
            wall_ns: self.clock.wall_ns(),
        };
        self.writer.begin();
        self.note_lateness();
        self.take_requests();
        if exited {
            self.notice_exits();
        }
        self.sample_host();
        self.sample_vms();
        self.write_self(cpu_before_ns);
        self.writer.finish(self.tick);
        self.record_history();
        self.detector.evaluate(self.tick, self.writer.frame(), &self.roster, &mut self.sink);
        self.remember();
        self.set_next_deadline();
        self.totals.cpu_ns += thread_cpu_ns().saturating_sub(cpu_before_ns);
        self.counters.sampler_cpu_ns.store(self.totals.cpu_ns, Relaxed);
        self.tick
    }

    /// A part of the copy that is being made, and what need not be remembered any more.
    fn remember(&mut self) {
        if !self.link.has_room(MESSAGES_PER_VM) {
            return;
        }
        if let Some(recall) = self.detector.forgotten(self.tick) {
            self.hand_back(ToCold::Recall(recall));
        }
        if let Some(mut copy) = self.copying.take() {
            if self.detector.copy(&mut copy, self.writer.frame(), &self.roster) {
                self.hand_back(ToCold::Copied(copy));
            } else {
                self.copying = Some(copy);
            }
        }
    }

    /// Goes on from what another process knew. Before the first tick.
    pub(super) fn go_on_from(&mut self, accounts: Accounting, recall: Box<detection::Recall>) {
        self.sink.go_on_from(accounts);
        self.detector.go_on_from(recall);
    }

    /// All that the detector knows, at once: for where no tick waits.
    pub(super) fn copy_all(&self, copy: &mut detection::Copy) {
        self.detector.copy_all(copy, self.writer.frame(), &self.roster);
    }

    /// The first tick has no deadline that it could have missed: whoever drives the agent starts when it likes.
    fn note_lateness(&mut self) {
        if self.tick.number == 1 || self.restarted {
            self.restarted = false;
            self.next_deadline_ns = self.tick.mono_ns;
        }
        self.totals.lateness_ns = self.tick.mono_ns.saturating_sub(self.next_deadline_ns);
    }

    fn take_requests(&mut self) {
        for _ in 0..REQUESTS_PER_TICK_MAX {
            if !self.link.has_room(MESSAGES_PER_VM) {
                return;
            }
            let Ok(request) = self.link.requests.try_recv() else { return };
            match request {
                ToHot::Host(mut plan) => {
                    self.totals.plans_swapped += 1;
                    plan.install(self.host.as_deref(), &mut self.writer);
                    plan.exchange_names(&mut self.roster);
                    if let Some(old) = self.host.replace(plan) {
                        self.hand_back(ToCold::Host(old));
                    }
                }
                ToHot::Vm(plan) => self.install(plan),
                ToHot::Retire(entity) => self.retire(entity, false),
                ToHot::Deliver(delivery) => {
                    self.deliver(&delivery);
                    self.hand_back(ToCold::Delivery(delivery));
                }
                ToHot::Interval(interval_ns) => self.interval_ns = interval_ns.max(1),
                ToHot::Rules(detector) => {
                    let mut old = std::mem::replace(&mut self.detector, detector);
                    self.writer.note(What::Rules, Entity::HOST);
                    self.detector.take_over(&mut old, self.tick, &self.roster, &mut self.sink);
                    self.hand_back(ToCold::Rules(old));
                }
                ToHot::Copy(copy) => {
                    if let Some(unfinished) = self.copying.replace(copy) {
                        self.hand_back(ToCold::Copied(unfinished));
                    }
                }
            }
        }
    }

    fn install(&mut self, plan: Box<VmPlan>) {
        self.totals.plans_swapped += 1;
        let row = plan.entity.row as usize;
        let old = self.vms[row].take();
        self.writer.note(if old.is_some() { What::Replanned } else { What::Entered }, plan.entity);
        if let Some(old) = &old {
            self.roster.leave(old.entity, old.parts());
            self.taps.leave(old.host_taps());
            self.vcpus -= vcpus(old);
            // First closed, then opened: a row may pass from one part of a VM to another.
            for part in old.parts().filter(|part| !plan.parts().any(|kept| kept == *part)) {
                self.writer.close_row(part);
            }
        } else {
            self.active.push(plan.entity.row);
            self.detector.vm_entered(&plan.identity, self.tick, &mut self.sink);
        }
        for entity in plan.parts().chain([plan.entity]) {
            if self.writer.frame().entity(entity.scope, entity.row) != Some(entity) {
                self.writer.open_row(entity);
            }
        }
        if let Some(old) = old {
            self.hand_back(ToCold::Vm(old));
        }
        plan.take_seat();
        self.rows_used = self.rows_used.max(plan.entity.row + 1);
        self.vcpus += vcpus(&plan);
        self.roster.enter(plan.entity, plan.identity, plan.parts());
        self.taps.enter(plan.host_taps());
        self.vms[row] = Some(plan);
    }

    /// Watches a VM no longer. `exited` says that its process ended, rather than that the planner asked for it.
    fn retire(&mut self, entity: Entity, exited: bool) {
        let slot = &mut self.vms[entity.row as usize];
        if slot.as_ref().is_none_or(|plan| plan.entity != entity) {
            return;
        }
        let Some(plan) = slot.take() else { return };
        plan.leave_seat();
        self.active.retain(|row| *row != entity.row);
        self.rows_used = self.active.iter().max().map_or(0, |row| row + 1);
        for part in plan.parts().chain([entity]) {
            self.writer.close_row(part);
        }
        self.writer.note(if exited { What::Exited } else { What::Left }, entity);
        self.detector.vm_left(entity, &plan.identity, exited, self.tick, &self.roster, &mut self.sink);
        self.vcpus -= vcpus(&plan);
        self.roster.leave(entity, plan.parts());
        self.taps.leave(plan.host_taps());
        self.hand_back(ToCold::Vm(plan));
    }

    fn deliver(&mut self, delivery: &Delivery) {
        if delivery.vm.is_some_and(|vm| self.writer.frame().entity(Scope::Vm, vm.row) != Some(vm)) {
            return;
        }
        for (row, metric, value) in &delivery.values {
            let mut writer = self.writer.row(metric.scope(), *row);
            match value {
                Ok(value) => {
                    writer.set(*metric, *value);
                    writer.stamp(metric.metric().source, delivery.read_at_ns);
                }
                Err(availability) => writer.fail(*metric, *availability),
            }
        }
    }

    fn notice_exits(&mut self) {
        // A process whose plan has not arrived yet stays ready: without a bound, enough of those would never end.
        for _ in 0..=(self.vms.len() + wakes::OTHERS) / EXITS_PER_CALL {
            let count = self.wakes.ready(&mut self.exited);
            for index in 0..count {
                let Some(vm) = wakes::vm(self.exited[index]) else { continue };
                if !self.link.has_room(MESSAGES_PER_VM) {
                    return;
                }
                self.exit(vm);
            }
            if count < EXITS_PER_CALL {
                return;
            }
        }
    }

    /// A VM's process is gone: its rows end now; its plan, with every descriptor, goes back to be closed at once.
    fn exit(&mut self, entity: Entity) {
        let Some(Some(plan)) = self.vms.get(entity.row as usize) else { return };
        if plan.entity != entity {
            return;
        }
        if let Some(pidfd) = &plan.pidfd {
            // Taken out of the set by hand: the descriptor lives on until the planner closes it.
            self.wakes.forget(pidfd.as_fd());
        }
        self.hand_back(ToCold::Exited(entity));
        self.retire(entity, true);
    }

    fn sample_host(&mut self) {
        let Some(host) = &mut self.host else { return };
        let pulse = host.sample(self.tick, &mut self.writer);
        if pulse.layout_changed {
            // Noticed again in the next tick if the planner cannot be told now.
            let _ = self.link.send(ToCold::HostChanged);
        }
        let wanted = self.counters.wants_last_pid.load(Relaxed);
        if wanted
            && pulse.last_pid != self.last_pid
            && self.link.send(ToCold::LastPid(pulse.last_pid)).is_ok()
        {
            self.last_pid = pulse.last_pid;
        }
    }

    /// Reads the VMs whose turn it is. When all are read every n-th tick only, a VM's own ticks pass n times slower,
    /// and a part of them has its turn in each.
    fn sample_vms(&mut self) {
        let every = u64::from(budget::vm_every_ticks(self.counters.degradation.load(Relaxed)));
        let tick = Tick { number: self.tick.number / every, ..self.tick };
        let pace = Pace::for_vms(self.active.len());
        for (source, turns) in Pace::SOURCES {
            let period_ticks = u64::from(pace.detail_every_ticks) * u64::from(turns) * every;
            self.writer.frame().set_period_ns(source, period_ticks * self.interval_ns);
        }
        self.run_programs(every, pace);
        let mut threads_unread = 0;
        let mut index = 0;
        while index < self.active.len() {
            let row = self.active[index];
            index += 1;
            if !(self.tick.number + u64::from(row)).is_multiple_of(every) {
                continue;
            }
            let ahead = |by: usize| self.vms[*self.active.get(index + by)? as usize].as_deref();
            VmPlan::prefetch(ahead(0), ahead(1));
            let Some(plan) = &mut self.vms[row as usize] else { continue };
            let entity = plan.entity;
            let pulse = plan.sample(tick, pace, &mut self.scratch, &mut self.writer);
            threads_unread += u64::from(pulse.threads_unread);
            if pulse.threads_changed {
                let _ = self.link.send(ToCold::ThreadsChanged(entity));
            }
            if pulse.vanished && self.link.has_room(MESSAGES_PER_VM) {
                self.exit(entity);
                index -= 1;
            }
        }
        self.totals.threads_unread = threads_unread;
        self.taps.sample(self.tick, &mut self.writer);
    }

    /// Has the kernel read for all VMs at once what it can.
    fn run_programs(&self, every: u64, pace: Pace) {
        let every = u32::try_from(every).unwrap_or(1);
        let full_every = if every == 1 { pace.detail_every_ticks } else { 1 };
        if self.rows_used > 0 {
            // When it fails, what is read of it is an error, and told as such.
            let _ = self.bpf.run(self.tick.number, self.rows_used, every, full_every);
        }
    }

    fn write_self(&mut self, cpu_before_ns: u64) {
        let accounts = self.sink.accounting();
        let descriptors = self.host.as_ref().map_or(0, |host| host.descriptors())
            + self.taps.descriptors()
            + self
                .active
                .iter()
                .filter_map(|row| self.vms[*row as usize].as_ref())
                .map(|vm| vm.descriptors())
                .sum::<usize>();
        let duration_ns = self.clock.mono_ns().saturating_sub(self.tick.mono_ns);
        let cpu_ns = self.totals.cpu_ns + thread_cpu_ns().saturating_sub(cpu_before_ns);
        let mut row = self.writer.row(Scope::Agent, 0);
        row.set_u64(agent::TICKS, self.tick.number);
        row.set_u64(agent::TICKS_MISSED, self.totals.missed);
        row.set_u64(agent::TICK_CPU, cpu_ns);
        row.set_u64(agent::TICK_DURATION, duration_ns);
        row.set_u64(agent::VMS, self.active.len() as u64);
        row.set_u64(agent::DESCRIPTORS, descriptors as u64);
        row.set_u64(agent::ALERTS_PRODUCED, accounts.produced);
        row.set_u64(agent::ALERTS_DELIVERED, accounts.delivered);
        row.set_u64(agent::ALERTS_SUPPRESSED, accounts.suppressed);
        row.set_u64(agent::ALERTS_DROPPED, accounts.dropped);
        row.set_u64(agent::ALERTS_IN_FLIGHT, accounts.in_flight);
        row.set_u64(agent::COUNTER_RESETS, self.detector.counter_resets());
        scores::write(&mut row, &self.detector);
        row.set_u64(agent::PLANS_SWAPPED, self.totals.plans_swapped);
        row.set(agent::MEMORY_RESERVED, self.totals.memory_reserved);
        row.set_u64(agent::VCPUS, self.vcpus as u64);
        row.set_u64(agent::THREADS_UNREAD, self.totals.threads_unread);
        row.set_u64(agent::TICK_LATENESS, self.totals.lateness_ns);
        let counters = &self.counters;
        row.set_u64(agent::PLANNER_CPU, counters.planner_cpu_ns.load(Relaxed));
        row.set_u64(agent::CPU, counters.cpu_ppm.load(Relaxed));
        row.set_u64(agent::DEGRADATION, u64::from(counters.degradation.load(Relaxed)));
        row.set_u64(agent::VMS_REFUSED, counters.vms_refused.load(Relaxed));
        row.set_u64(agent::DELIVERIES_DROPPED, counters.deliveries_dropped.load(Relaxed));
        row.set_u64(agent::UEVENTS, counters.uevents.load(Relaxed));
        row.set_u64(agent::UEVENT_OVERRUNS, counters.uevent_overruns.load(Relaxed));
        row.set_u64(agent::FULL_SCANS, counters.full_scans.load(Relaxed));
        let tally = &self.tally;
        row.set_u64(agent::CHECKS_CPU, tally.cpu_ns.load(Relaxed));
        row.set_u64(agent::CHECKS_CHANGES_PRODUCED, tally.produced.load(Relaxed));
        row.set_u64(agent::CHECKS_CHANGES_DELIVERED, tally.delivered.load(Relaxed));
        row.set_u64(agent::CHECKS_CHANGES_DROPPED, tally.dropped.load(Relaxed));
        row.set_u64(agent::CHECKS_CHANGES_IN_FLIGHT, tally.in_flight.load(Relaxed));
        // Before the first full run a 0 would say that nothing fails.
        let sweeps = tally.sweeps.load(Relaxed);
        row.set_u64(agent::CHECKS_SWEEPS, sweeps);
        if sweeps > 0 {
            row.set_u64(agent::CHECKS_PASSED, tally.passed.load(Relaxed));
            row.set_u64(agent::CHECKS_FAILED, tally.failed.load(Relaxed));
            row.set_u64(agent::CHECKS_UNKNOWN, tally.unknown.load(Relaxed));
            row.set_u64(agent::CHECKS_ERRORS, tally.errors.load(Relaxed));
            row.set_u64(agent::CHECKS_WAIVED, tally.waived.load(Relaxed));
        }
        let watch = self.detector.watch_status();
        row.set_u64(agent::DETECTION_SERIES, u64::from(watch.series));
        row.set_u64(agent::DETECTION_SERIES_WARMING, u64::from(watch.series_warming));
        row.set_u64(agent::DETECTION_SERIES_REFUSED, u64::from(watch.series_refused));
        row.set_u64(agent::DETECTION_THRESHOLD, watch.threshold_ppm());
        row.set_u64(agent::DETECTION_ALARMS, watch.alarms);
        row.set_u64(agent::DETECTION_LEFT_TO_HOST, watch.left_to_host);
        row.stamp(Source::Agent, self.tick.mono_ns);
    }

    fn record_history(&mut self) {
        let frame = self.writer.frame();
        self.history.begin(self.tick);
        for entity in [Entity::HOST, Entity::AGENT] {
            self.history.record(self.tick.number, frame, entity);
        }
        for plan in self.active.iter().filter_map(|row| self.vms[*row as usize].as_ref()) {
            for entity in plan.parts().chain([plan.entity]) {
                self.history.record(self.tick.number, frame, entity);
            }
        }
    }

    /// Deadlines stay on a fixed grid; those that passed meanwhile are counted as missed, not run after.
    fn set_next_deadline(&mut self) {
        let now_ns = self.clock.mono_ns();
        self.next_deadline_ns += self.interval_ns;
        if self.next_deadline_ns <= now_ns {
            let missed = (now_ns - self.next_deadline_ns) / self.interval_ns + 1;
            self.totals.missed += missed;
            self.next_deadline_ns += missed * self.interval_ns;
        }
    }

    /// Callers made sure of the room, so that nothing is ever freed here.
    fn hand_back(&mut self, message: ToCold) {
        if let Err(message) = self.link.send(message) {
            debug_assert!(false, "hand_back without room");
            // A leak is bounded by the bug that caused it; a free on the hot path would be a silent one.
            std::mem::forget(message);
        }
    }
}

fn vcpus(plan: &VmPlan) -> usize {
    plan.parts().filter(|part| part.scope == Scope::Vcpu).count()
}
