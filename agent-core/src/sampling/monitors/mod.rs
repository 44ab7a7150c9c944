//! Asks VMMs through their monitors, without ever waiting for one.
//!
//! | VMM | spoken | brings |
//! |---|---|---|
//! | QEMU | QMP over a Unix socket | run state, balloon, disk counters, on demand KVM's counters |
//! | Firecracker | `GET /` on its API socket; its metrics file, if that is a regular file | run state; exits, faults, disks |
//! | Cloud Hypervisor | `GET` on its API socket | run state, balloon, disk counters |
//!
//! Nothing is sent that changes a VM. Each round connects, asks and leaves: a QMP socket takes one client at a time,
//! and an agent that stayed would shut out the operator and the management software. A round costs QEMU about a
//! millisecond of CPU, which is why it is rare (`sampling.monitor_every_ticks`).
//!
//! Everything is bounded: [`SESSIONS_MAX`] conversations at a time, each [`ROUND_NS`] long, each peer's bytes (see
//! `split`, `http` and `tail`). A VM that does not answer is asked less and less often, and costs the others
//! nothing. [`Monitors::fd`] becomes readable when a monitor has spoken; [`Monitors::advance`] then takes what it
//! said and never blocks.

mod agenda;
mod cloud_hypervisor;
mod disks;
mod failure;
mod firecracker;
#[doc(hidden)]
pub mod fuzzing;
mod http;
mod json;
mod qmp;
mod qmp_answers;
mod session;
mod split;
mod tail;
mod watch;

use crate::config::{Config, KvmTierChoice, Roots};
use crate::sampling::SourceReport;
use crate::sampling::availability::Availability;
use crate::sampling::discovery::VmInfo;
use crate::sampling::frame::Entity;
use crate::sampling::metrics::Source;
use crate::sampling::vm::Delivery;
use agenda::{Agenda, Due};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use qmp_answers::Values;
use session::Session;
use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd};
use watch::{Watch, closed_reason};

/// Conversations at a time.
const SESSIONS_MAX: usize = 32;
/// How long one conversation may take.
const ROUND_NS: u64 = 2_000_000_000;
/// New VMs are asked within this time, spread so that a host that starts up does not ask all at once.
const SPREAD_NS: u64 = 1_000_000_000;
/// Pause between two parts of a long metrics file.
const MORE_NS: u64 = 1_000_000;
/// Events taken in one call of the kernel.
const EVENTS_PER_CALL: usize = 32;

/// All monitors of this host.
pub struct Monitors {
    epoll: Epoll,
    /// Zero is never.
    period_ns: u64,
    kvm_by_qmp: bool,
    roots: Roots,
    vms: BTreeMap<u32, Watch>,
    agenda: Agenda,
}

impl Monitors {
    /// Makes a set that watches nothing yet.
    ///
    /// # Errors
    /// When the kernel refuses a descriptor.
    pub fn new(config: &Config) -> nix::Result<Self> {
        let mut monitors = Self {
            epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
            period_ns: 0,
            kvm_by_qmp: false,
            roots: config.roots.clone(),
            vms: BTreeMap::new(),
            agenda: Agenda::default(),
        };
        monitors.configure(config);
        Ok(monitors)
    }

    /// Asks as often as this configuration says from now on.
    pub fn configure(&mut self, config: &Config) {
        let period_ms =
            u64::from(config.sampling.monitor_every_ticks) * u64::from(config.sampling.interval_ms);
        self.period_ns = if config.roots.is_live() { period_ms * 1_000_000 } else { 0 };
        self.kvm_by_qmp = config.sampling.kvm_tier == KvmTierChoice::Qmp;
        let rows: Vec<u32> = self.vms.keys().copied().collect();
        for row in rows {
            self.enter(row);
        }
    }

    /// Watches a VM's monitor, or takes a newer description of a VM it watches.
    pub fn attach(&mut self, info: &VmInfo, now_ns: u64) {
        if let Some(watch) = self.vms.get_mut(&info.entity.row)
            && watch.info.entity == info.entity
        {
            watch.update(info.clone());
            self.enter(info.entity.row);
            return;
        }
        self.forget(info.entity.row);
        let spread_ns = u64::from(info.entity.row).wrapping_mul(0x9E37_79B9) % SPREAD_NS;
        self.vms.insert(info.entity.row, Watch::new(info.clone(), now_ns + spread_ns));
        self.enter(info.entity.row);
    }

    /// Watches a VM's monitor no longer, and closes what is open.
    pub fn detach(&mut self, vm: Entity) {
        if self.vms.get(&vm.row).is_some_and(|watch| watch.info.entity == vm) {
            self.forget(vm.row);
        }
    }

    /// Readable when [`Monitors::advance`] has something to do before [`Monitors::next_deadline_ns`].
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.epoll.0.as_fd()
    }

    /// When [`Monitors::advance`] is to be called at the latest, `CLOCK_MONOTONIC` nanoseconds; `None` when there is
    /// nothing to wait for.
    #[must_use]
    pub fn next_deadline_ns(&self) -> Option<u64> {
        let begin = self.agenda.next_begin().filter(|_| self.has_room());
        [begin, self.agenda.next_end()].into_iter().flatten().map(|(at_ns, _)| at_ns).min()
    }

    /// Takes what monitors have said, gives up those that are late, begins the rounds that are due. Never blocks.
    /// Each delivery is one VM's.
    pub fn advance(&mut self, now_ns: u64, deliveries: &mut Vec<Delivery>) {
        self.take_events(now_ns, deliveries);
        while let Some((at_ns, row)) = self.agenda.next_end()
            && at_ns <= now_ns
        {
            self.give_up(row, now_ns, deliveries);
        }
        // Whoever had its turn has its next one later than now.
        while let Some((at_ns, row)) = self.agenda.next_begin()
            && at_ns <= now_ns
            && self.has_room()
        {
            self.begin(row, now_ns, deliveries);
        }
    }

    /// How a VM's monitor is read, and why not better; empty when the VM is not watched.
    #[must_use]
    pub fn reports(&self, vm: Entity) -> Vec<SourceReport> {
        let Some(watch) = self.vms.get(&vm.row).filter(|watch| watch.info.entity == vm) else {
            return Vec::new();
        };
        if self.period_ns > 0 {
            let mut reports = watch.reports();
            reports.extend(watch.kvm_report().filter(|_| self.kvm_by_qmp));
            return reports;
        }
        let reason = if self.roots.is_live() {
            "switched off: sampling.monitor_every_ticks is 0"
        } else {
            "this is a recorded host"
        };
        let off = |source| SourceReport {
            source,
            tier: "none",
            availability: Availability::Unsupported,
            reason: reason.into(),
        };
        vec![off(Source::Monitor), off(Source::MonitorDisk)]
    }

    fn has_room(&self) -> bool {
        self.agenda.running() < SESSIONS_MAX
    }

    fn is_asked(&self, watch: &Watch) -> bool {
        self.period_ns > 0 && closed_reason(&watch.info).is_none()
    }

    /// Puts what is next for a VM into the agenda.
    fn enter(&mut self, row: u32) {
        let due = self.vms.get(&row).and_then(|watch| match &watch.session {
            Some(session) => Some(Due::Ends(session.deadline_ns)),
            None if watch.is_new => Some(Due::Begins(0)),
            None => self.is_asked(watch).then_some(Due::Begins(watch.next_ns)),
        });
        self.agenda.set(row, due);
    }

    fn forget(&mut self, row: u32) {
        if let Some(watch) = self.vms.remove(&row)
            && let Some(session) = watch.session
        {
            self.close(session);
        }
        self.enter(row);
    }

    fn close(&self, session: Session) -> session::Dialogue {
        // Closing a descriptor takes it out of the set as well; this is for the count of descriptors in between.
        let _ = self.epoll.delete(&session);
        session.into_dialogue()
    }

    fn take_events(&mut self, now_ns: u64, deliveries: &mut Vec<Delivery>) {
        let mut events = [EpollEvent::empty(); EVENTS_PER_CALL];
        let count = self.epoll.wait(&mut events, EpollTimeout::ZERO).unwrap_or(0);
        for event in &events[..count] {
            let Ok(row) = u32::try_from(event.data()) else { continue };
            self.pump(row, now_ns, deliveries);
        }
    }

    fn pump(&mut self, row: u32, now_ns: u64, deliveries: &mut Vec<Delivery>) {
        let Some(watch) = self.vms.get_mut(&row) else { return };
        let Some(session) = &mut watch.session else { return };
        let result = match session.pump() {
            Ok(false) => return,
            Ok(true) => Ok(()),
            Err(failure) => Err(failure),
        };
        self.end(row, now_ns, result, deliveries);
    }

    /// A conversation is over, one way or the other.
    fn end(
        &mut self,
        row: u32,
        now_ns: u64,
        result: Result<(), failure::Failure>,
        deliveries: &mut Vec<Delivery>,
    ) {
        let Some(session) = self.vms.get_mut(&row).and_then(|watch| watch.session.take()) else { return };
        let dialogue = self.close(session);
        let Some(watch) = self.vms.get_mut(&row) else { return };
        let mut values = Values::new();
        let result = result.and_then(|()| watch.finish(dialogue, &mut values));
        if let Err(failure) = result {
            watch.fail(failure, &mut values);
        }
        let began_ns = watch.next_ns;
        watch.schedule(began_ns.max(now_ns.saturating_sub(self.period_ns)), self.period_ns);
        deliver(watch, now_ns, values, deliveries);
        self.enter(row);
    }

    /// The time of the conversation that runs is up.
    fn give_up(&mut self, row: u32, now_ns: u64, deliveries: &mut Vec<Delivery>) {
        let Some(watch) = self.vms.get(&row) else { return self.agenda.set(row, None) };
        let Some(session) = &watch.session else { return self.enter(row) };
        let failure = watch.stopped(&self.roots).unwrap_or_else(|| session.timeout());
        self.end(row, now_ns, Err(failure), deliveries);
    }

    /// It is the VM's turn.
    fn begin(&mut self, row: u32, now_ns: u64, deliveries: &mut Vec<Delivery>) {
        let (period_ns, kvm) = (self.period_ns, self.kvm_by_qmp);
        let Some(watch) = self.vms.get_mut(&row) else { return self.agenda.set(row, None) };
        let mut values = Values::new();
        if std::mem::take(&mut watch.is_new) {
            watch.unsupported(&mut values);
        }
        if period_ns > 0 && closed_reason(&watch.info).is_none() && watch.next_ns <= now_ns {
            let more = watch.read_file(now_ns, &mut values);
            match begin(watch, kvm, &self.roots, &self.epoll, now_ns) {
                Ok(Some(session)) => {
                    watch.session = Some(session);
                    watch.next_ns = now_ns;
                }
                Ok(None) => watch.schedule(now_ns, if more { MORE_NS } else { period_ns }),
                Err(failure) => {
                    watch.fail(failure, &mut values);
                    watch.schedule(now_ns, period_ns);
                }
            }
        }
        deliver(watch, now_ns, values, deliveries);
        self.enter(row);
    }
}

/// Begins a conversation; `None` when the VM has only a file.
fn begin(
    watch: &Watch,
    kvm: bool,
    roots: &Roots,
    epoll: &Epoll,
    now_ns: u64,
) -> Result<Option<Session>, failure::Failure> {
    let Some(dialogue) = watch.dialogue(kvm) else { return Ok(None) };
    let Some(path) = &watch.info.monitor else { return Ok(None) };
    if let Some(failure) = watch.stopped(roots) {
        return Err(failure);
    }
    let session = Session::open(path, watch.info.pid, dialogue, now_ns + ROUND_NS)?;
    let event = EpollEvent::new(EpollFlags::EPOLLIN, u64::from(watch.info.entity.row));
    epoll.add(&session, event).map_err(|errno| failure::Failure::from_errno(errno, path))?;
    Ok(Some(session))
}

fn deliver(watch: &Watch, now_ns: u64, values: Values, deliveries: &mut Vec<Delivery>) {
    if !values.is_empty() {
        deliveries.push(Delivery { read_at_ns: now_ns, vm: Some(watch.info.entity), values });
    }
}

#[cfg(test)]
#[path = "mod_tests.rs"]
pub(crate) mod tests;
