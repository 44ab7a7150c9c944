//! The cold side: finds VMs, opens what the sampler will read, frees what it hands back.

use super::budget::{self, Budget};
use super::directory::{Directory, HostInfo};
use super::link::{Cold, ToCold, ToHot};
use super::notice::{Look, Noticer};
use super::rounds::Rounds;
use super::watch::{Entered, News, Watch};
use super::work::Work;
use crate::config::Config;
use crate::detection;
use crate::sampling::discovery::inspect::{Evidence, Inspection, inspect};
use crate::sampling::discovery::process::Process;
use crate::sampling::frame::{Entity, Frame};
use crate::sampling::host::{HostLabels, HostPlan, Inventory};
use crate::sampling::monitors::Monitors;
use crate::sampling::perf::OpenCounters;
use crate::sampling::vm::Delivery;
use crate::sys::clock::{Clock, thread_cpu_ns};
use crate::sys::descriptors;
use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Processes looked into in one call; the rest follow at once in the next, so that what the sampler hands back is
/// never kept waiting long.
const LOOKS_PER_CALL_MAX: usize = 64;
/// Time after which a request that the sampler had no room for is tried again.
const UNSENT_RETRY_NS: u64 = 100_000_000;
/// With so many requests waiting for the sampler, what monitors say is thrown away, and counted: it would be old.
const UNSENT_MAX: usize = 256;

/// The cold side. Not tied to a thread: call [`Planner::maintain`] from wherever blocking is allowed.
pub struct Planner {
    /// What was asked for.
    declared: Arc<Config>,
    /// What is in force: less than was asked for while the budget is overdrawn.
    config: Arc<Config>,
    budget: Budget,
    clock: Clock,
    link: Cold,
    directory: Arc<Directory>,
    frame: Arc<Frame>,
    work: Work,
    noticer: Noticer,
    watch: Watch,
    monitors: Monitors,
    rounds: Rounds,
    /// Requests in order, as far as the sampler has had no room for them.
    outbox: VecDeque<ToHot>,
    host_planned: bool,
    /// Of the last plan of the host: see [`OpenCounters`].
    perf_counters: Option<Arc<OpenCounters>>,
}

impl Planner {
    pub(super) fn new(
        config: Arc<Config>,
        clock: Clock,
        link: Cold,
        directory: Arc<Directory>,
        frame: Arc<Frame>,
    ) -> nix::Result<Self> {
        let work = Work::new()?;
        let noticer = Noticer::new(&config);
        work.add(link.wake.as_fd())?;
        if let Some(fd) = noticer.fd() {
            work.add(fd)?;
        }
        if let Some(errno) = noticer.uevents_refused {
            log::warn!("new VMs are found by their PIDs: no kernel announcements: {errno}");
        }
        directory.counters.wants_last_pid.store(noticer.wants_last_pid(&config), Relaxed);
        work.ring_at(&clock, 0);
        let watch = Watch::new(&config, Arc::clone(&directory));
        let monitors = Monitors::new(&config)?;
        work.add(monitors.fd())?;
        Ok(Self {
            declared: Arc::clone(&config),
            config,
            budget: Budget::new(),
            clock,
            link,
            directory,
            frame,
            work,
            noticer,
            watch,
            monitors,
            rounds: Rounds::default(),
            outbox: VecDeque::new(),
            host_planned: false,
            perf_counters: None,
        })
    }

    /// Readable when [`maintain`](Planner::maintain) has something to do.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.work.fd()
    }

    /// Does what is due: frees what came back, looks for VMs, plans them, collects what monitors answered.
    pub fn maintain(&mut self) {
        let cpu_before_ns = thread_cpu_ns();
        let now_ns = self.clock.mono_ns();
        let _ = self.link.wake.read();
        self.take_answers(now_ns);
        self.take_reload(now_ns);
        self.copy_if_wanted();
        self.noticer.take_events(now_ns);
        self.noticer.probe_fresh(&self.config, now_ns);
        if !self.host_planned {
            self.plan_host();
        }
        self.keep_budget(now_ns);
        self.scan(now_ns);
        self.look(now_ns);
        self.ask_monitors(now_ns);
        self.go_round(now_ns);
        self.flush();
        self.publish();
        self.work.ring_at(&self.clock, self.next_deadline_ns());
        let cpu_ns = thread_cpu_ns().saturating_sub(cpu_before_ns);
        self.directory.counters.planner_cpu_ns.fetch_add(cpu_ns, Relaxed);
    }

    /// When [`maintain`](Planner::maintain) has something to do even if nothing happens, `CLOCK_MONOTONIC`
    /// nanoseconds.
    #[must_use]
    pub fn next_deadline_ns(&self) -> u64 {
        // A sampler that had no room for a request says nothing when it has.
        let unsent = self.outbox.front().map_or(u64::MAX, |_| self.clock.mono_ns() + UNSENT_RETRY_NS);
        let monitors = self.monitors.next_deadline_ns().unwrap_or(u64::MAX);
        let noticer = self.noticer.next_deadline_ns();
        let rounds = self.rounds.next_deadline_ns();
        noticer.min(monitors).min(rounds).min(self.budget.next_deadline_ns()).min(unsent)
    }

    /// Looks at what the agent costs, and puts another step of degradation into force where that is called for.
    fn keep_budget(&mut self, now_ns: u64) {
        let counters = &self.directory.counters;
        let cpu_ns = counters.planner_cpu_ns.load(Relaxed)
            + counters.sampler_cpu_ns.load(Relaxed)
            + self.directory.tally.cpu_ns.load(Relaxed);
        let changed = self.budget.note(now_ns, cpu_ns, self.declared.budget.cpu_permille);
        counters.cpu_ppm.store(self.budget.cost_ppm(), Relaxed);
        if changed {
            let (step, cost_permille) = (self.budget.step(), self.budget.cost_ppm() / 1_000);
            counters.degradation.store(step, Relaxed);
            log::warn!(
                "degradation step {step}: the agent's CPU budget is {} permille, it took {cost_permille}",
                self.declared.budget.cpu_permille
            );
            self.put_into_force(now_ns);
        }
    }

    /// Has everything follow the declared configuration, as the budget's step leaves it.
    fn put_into_force(&mut self, now_ns: u64) {
        self.config = Arc::new(budget::degraded(&self.declared, self.budget.step()));
        self.monitors.configure(&self.config);
        let interval_ns = super::set_periods(&self.config, &self.frame, self.budget.step());
        self.outbox.push_back(ToHot::Interval(interval_ns));
        self.flush();
        // Fails only when the count is at its maximum, and then the sampler is awake anyway.
        self.directory.wakes.nudge();
        self.directory.counters.wants_last_pid.store(self.noticer.wants_last_pid(&self.config), Relaxed);
        self.replan_all(now_ns);
    }

    /// Puts a reloaded configuration into force, if there is one.
    fn take_reload(&mut self, now_ns: u64) {
        let Some((config, rules)) = self.directory.reload.lock().take() else { return };
        self.outbox.push_back(ToHot::Rules(rules));
        self.declared = Arc::new(config);
        *self.directory.config.write() = Arc::clone(&self.declared);
        self.directory.wake_checks();
        self.put_into_force(now_ns);
    }

    /// Has what the detectors know copied, when somebody asked for it.
    fn copy_if_wanted(&mut self) {
        if !self.directory.copy_wanted.swap(false, Relaxed) {
            return;
        }
        match detection::Copy::with_room(self.directory.series.load(Relaxed)) {
            Ok(copy) => self.outbox.push_back(ToHot::Copy(Box::new(copy))),
            Err(error) => log::error!("what was learned cannot be copied: {error}"),
        }
    }

    /// Has everything opened anew, as the configuration now says.
    fn replan_all(&mut self, now_ns: u64) {
        self.host_planned = false;
        let pids: Vec<i32> = self.watch.all().map(|(info, _)| info.pid).collect();
        for pid in pids {
            self.watch.plan_anew(pid);
            self.noticer.look_by(pid, now_ns);
        }
        self.noticer.scan_by(now_ns);
    }

    fn take_answers(&mut self, now_ns: u64) {
        let mut last_pid = None;
        while let Ok(message) = self.link.answers.try_recv() {
            match message {
                ToCold::HostChanged => self.host_planned = false,
                ToCold::Vm(plan) => self.watch.take_back(*plan),
                ToCold::Exited(entity) => {
                    self.watch.end(entity);
                }
                ToCold::ThreadsChanged(entity) => self.threads_changed(entity, now_ns),
                ToCold::LastPid(pid) => last_pid = Some(pid),
                ToCold::Host(plan) => drop(plan),
                ToCold::Delivery(delivery) => drop(delivery),
                ToCold::Rules(detector) => drop(detector),
                ToCold::Recall(recall) => drop(recall),
                ToCold::Copied(copy) => *self.directory.copied.lock() = Some(*copy),
            }
        }
        if let Some(pid) = last_pid {
            self.noticer.take_last_pid(&self.config, pid, now_ns);
        }
        if std::mem::take(&mut self.watch.room_made) {
            for pid in self.watch.refused(&self.config) {
                self.noticer.look(Look::of(pid), now_ns);
            }
        }
    }

    fn threads_changed(&mut self, entity: Entity, now_ns: u64) {
        if let Some((pid, due_ns)) = self.watch.threads_changed(entity, now_ns) {
            self.noticer.look_by(pid, due_ns);
        }
    }

    fn scan(&mut self, now_ns: u64) {
        let watch = &self.watch;
        let known = |pid| watch.knows(pid) || watch.is_refused(pid);
        if !self.noticer.scan(&self.config, now_ns, known) {
            return;
        }
        // The net below pidfds and pulses: a VM that is another process by now, or whose vCPUs were not all found.
        let mut gone = Vec::new();
        for (info, complete) in self.watch.all() {
            let stat = Process::new(&self.config.roots.proc, info.pid).stat();
            if !stat.is_ok_and(|stat| stat.start_ticks == info.start_ticks && !stat.ended()) {
                gone.push(info.entity);
            } else if !complete {
                self.noticer.look_unless_planned(info.pid, now_ns);
            }
        }
        for entity in gone {
            self.watch.retire(entity, &mut self.outbox);
        }
    }

    fn look(&mut self, now_ns: u64) {
        let mut budget = None;
        for _ in 0..LOOKS_PER_CALL_MAX {
            let Some(look) = self.noticer.next_look(now_ns) else { return };
            let left = budget.get_or_insert_with(|| self.descriptors_left());
            self.look_at(look, left);
        }
    }

    /// Looks at one process, and enters it when it is a VM.
    fn look_at(&mut self, mut look: Look, descriptors_left: &mut usize) {
        // An announcement names the thread that made the VM.
        if !self.watch.knows(look.pid) {
            match Process::new(&self.config.roots.proc, look.pid).leader() {
                Ok(leader) => look.pid = leader,
                Err(_) => return,
            }
        }
        let known_name = self.watch.info(look.pid).and_then(|info| info.debugfs_name.clone());
        let debugfs_name = look.debugfs_name.as_deref().or(known_name.as_deref());
        let evidence = Evidence { announced: look.announced, debugfs_name };
        match inspect(&self.config, look.pid, evidence) {
            Inspection::Vm(found) => {
                let held_before = self.watch.held();
                // A VMM may end its VM and make another without ending itself: what was open is of the old one.
                if look.just_announced() {
                    self.watch.plan_anew(look.pid);
                }
                let entered = self.watch.enter(&self.config, *found, *descriptors_left, &mut self.outbox);
                let taken = self.watch.held().saturating_sub(held_before);
                *descriptors_left = descriptors_left.saturating_sub(taken);
                if matches!(entered, Entered::Planned(_) | Entered::Same) {
                    self.noticer.look_again(look);
                }
            }
            Inspection::Not => {
                if let Some(info) = self.watch.info(look.pid) {
                    // The process lives on without its VM.
                    let entity = info.entity;
                    self.watch.retire(entity, &mut self.outbox);
                }
                self.noticer.look_again(look);
            }
            Inspection::Gone => {}
        }
    }

    /// How many descriptors may still be opened: of the declared number, or of what the process's soft limit leaves
    /// after a reserve for the rest of the process. The limit itself is never raised.
    fn descriptors_left(&self) -> usize {
        match self.config.sampling.descriptors_max {
            0 => descriptors::left(),
            declared => (declared as usize).saturating_sub(self.watch.held()),
        }
    }

    /// Takes what monitors have said, and asks those whose turn it is.
    fn ask_monitors(&mut self, now_ns: u64) {
        for news in std::mem::take(&mut self.watch.news) {
            match news {
                News::Entered(info) => {
                    self.monitors.attach(&info, now_ns);
                    self.watch.report(info.entity, self.monitors.reports(info.entity));
                }
                News::Left(entity) => self.monitors.detach(entity),
            }
        }
        let mut deliveries = Vec::new();
        self.monitors.advance(now_ns, &mut deliveries);
        for delivery in deliveries {
            if let Some(vm) = delivery.vm {
                self.watch.report(vm, self.monitors.reports(vm));
            }
            self.deliver(delivery);
        }
    }

    /// Reads what is too slow for a tick, of the VM whose turn it is.
    fn go_round(&mut self, now_ns: u64) {
        let vms = self.watch.all().map(|(info, _)| info);
        if let Some(delivery) = self.rounds.advance(vms, &self.config, &self.frame, now_ns) {
            self.deliver(delivery);
        }
    }

    fn deliver(&mut self, delivery: Delivery) {
        if self.outbox.len() < UNSENT_MAX {
            self.outbox.push_back(ToHot::Deliver(Box::new(delivery)));
        } else {
            self.directory.counters.deliveries_dropped.fetch_add(1, Relaxed);
        }
    }

    fn flush(&mut self) {
        while let Some(request) = self.outbox.pop_front() {
            if let Err(error) = self.link.requests.try_send(request) {
                self.outbox.push_front(error.into_inner());
                return;
            }
        }
    }

    fn publish(&self) {
        let counters = &self.directory.counters;
        counters.uevents.store(self.noticer.totals.uevents, Relaxed);
        counters.uevent_overruns.store(self.noticer.totals.overruns, Relaxed);
        counters.full_scans.store(self.noticer.totals.full_scans, Relaxed);
    }

    fn plan_host(&mut self) {
        let before = Arc::clone(&self.directory.host.read());
        let labels: HostLabels = before.labels.clone();
        let kept = self.perf_counters.as_ref();
        let (plan, labels, sources) = HostPlan::open_after(&self.config, &labels, kept);
        self.perf_counters = plan.perf_counters();
        let inventory = if before.inventory == Inventory::default() {
            Inventory::take(&self.config.roots)
        } else {
            before.inventory.clone()
        };
        self.outbox.push_back(ToHot::Host(Box::new(plan)));
        *self.directory.host.write() = Arc::new(HostInfo { labels, sources, inventory });
        self.host_planned = true;
    }
}
