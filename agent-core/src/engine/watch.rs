//! The VMs that are watched: their rows, their plans, and what becomes of both when a VM changes or ends.
//!
//! Everything asked of the sampler goes through one queue in order, thus a row that was freed by one request may be
//! given out in the next. The rows of a VM that ended are freed once all its plans have come back.

use super::directory::Directory;
use super::link::ToHot;
use super::rows::Rows;
use crate::config::Config;
use crate::sampling::SourceReport;
use crate::sampling::discovery::inspect::Found;
use crate::sampling::discovery::process::Process;
use crate::sampling::discovery::{DiskInfo, NicInfo, VcpuInfo, VmInfo};
use crate::sampling::frame::Entity;
use crate::sampling::metrics::Scope;
use crate::sampling::vm::VmPlan;
use std::collections::{HashMap, HashSet, VecDeque};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// A VM that is watched, or was until a moment ago.
struct Watched {
    info: Arc<VmInfo>,
    found: Found,
    /// Plans that the sampler holds or that are on their way to it.
    plans_out: usize,
    /// It has ended; only its plans are waited for.
    ending: bool,
    /// When its threads were last found changed, and how often in a row.
    threads_changed: (u64, u32),
    /// What is open no longer fits, even if nothing is seen to have changed.
    anew: bool,
}

/// What the planner's caller should do after a VM was entered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entered {
    /// A new VM, or one with a new plan.
    Planned(Entity),
    /// Nothing has changed since its last plan.
    Same,
    /// A declared limit does not allow it.
    Refused,
    /// The process ended meanwhile, or is another one now.
    Gone,
}

/// The table. See the module's documentation.
pub(super) struct Watch {
    rows: [Rows; 4],
    /// By row.
    vms: Vec<Option<Watched>>,
    by_pid: HashMap<i32, u32>,
    refused: HashSet<(i32, u64)>,
    directory: Arc<Directory>,
    /// Descriptors of all plans that are out.
    held: usize,
    /// Some rows were freed: VMs that were refused may have their chance.
    pub(super) room_made: bool,
    /// What has changed since the planner last looked.
    pub(super) news: Vec<News>,
}

/// A VM came, changed or went.
pub(super) enum News {
    /// It is watched by this description now.
    Entered(Arc<VmInfo>),
    /// It is watched no longer.
    Left(Entity),
}

/// Position of a scope in `Watch::rows`.
const fn part(scope: Scope) -> usize {
    match scope {
        Scope::Vm => 0,
        Scope::Vcpu => 1,
        Scope::VmNet => 2,
        _ => 3,
    }
}

impl Watch {
    pub(super) fn new(config: &Config, directory: Arc<Directory>) -> Self {
        let rows = |scope| Rows::new(scope, &config.limits);
        Self {
            rows: [rows(Scope::Vm), rows(Scope::Vcpu), rows(Scope::VmNet), rows(Scope::VmDisk)],
            vms: (0..config.limits.vms).map(|_| None).collect(),
            by_pid: HashMap::new(),
            refused: HashSet::new(),
            directory,
            held: 0,
            room_made: false,
            news: Vec::new(),
        }
    }

    /// Whether a process is a VM that is watched now.
    pub(super) fn knows(&self, pid: i32) -> bool {
        self.live(pid).is_some()
    }

    /// The VM in a process, if it is watched.
    pub(super) fn info(&self, pid: i32) -> Option<&Arc<VmInfo>> {
        self.live(pid).map(|watched| &watched.info)
    }

    /// Threads of a VM came or went: its process and when to look at it. Some VMMs start and end helper threads all
    /// the time: each look in a row waits twice as long as the one before.
    pub(super) fn threads_changed(&mut self, entity: Entity, now_ns: u64) -> Option<(i32, u64)> {
        const WAIT_NS: u64 = 500_000_000;
        const DOUBLINGS_MAX: u32 = 6;
        let watched = self.vms.get_mut(entity.row as usize)?.as_mut()?;
        if watched.info.entity != entity || watched.ending {
            return None;
        }
        let (last_ns, row) = watched.threads_changed;
        let wait_ns = WAIT_NS << row;
        let calm = last_ns == 0 || now_ns.saturating_sub(last_ns) > 2 * wait_ns;
        if !calm && now_ns.saturating_sub(last_ns) < wait_ns {
            return Some((watched.info.pid, last_ns + wait_ns));
        }
        watched.threads_changed = (now_ns, if calm { 0 } else { (row + 1).min(DOUBLINGS_MAX) });
        Some((watched.info.pid, now_ns))
    }

    /// All VMs that are watched now.
    pub(super) fn all(&self) -> impl Iterator<Item = (&Arc<VmInfo>, bool)> {
        let live = self.vms.iter().flatten().filter(|watched| !watched.ending);
        live.map(|watched| (&watched.info, watched.found.complete))
    }

    /// Has the VM in a process planned anew the next time it is entered.
    pub(super) fn plan_anew(&mut self, pid: i32) {
        let row = self.by_pid.get(&pid).map(|row| *row as usize);
        if let Some(watched) = row.and_then(|row| self.vms[row].as_mut()) {
            watched.anew = true;
        }
    }

    /// Descriptors of all plans that are out.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    fn live(&self, pid: i32) -> Option<&Watched> {
        let watched = self.vms[*self.by_pid.get(&pid)? as usize].as_ref()?;
        (!watched.ending && watched.info.pid == pid).then_some(watched)
    }

    /// Enters what an inspection found: watches a new VM, or plans a known one anew when it has changed or
    /// [`plan_anew`](Watch::plan_anew) was called.
    pub(super) fn enter(
        &mut self,
        config: &Config,
        found: Found,
        descriptors_left: usize,
        outbox: &mut VecDeque<ToHot>,
    ) -> Entered {
        let before = match self.live(found.pid) {
            Some(watched) if watched.info.start_ticks != found.start_ticks => {
                let entity = watched.info.entity;
                self.retire(entity, outbox);
                None
            }
            Some(watched) if watched.found == found && !watched.anew => return Entered::Same,
            Some(watched) => Some(Arc::clone(&watched.info)),
            None => None,
        };
        let Some((mut info, freed)) = self.place(&found, before.as_deref()) else {
            self.refuse(&found, before.as_deref(), outbox);
            return Entered::Refused;
        };
        let (plan, reports) = VmPlan::open(&info, config, &self.directory.bpf, descriptors_left);
        info.sources = merged(reports, &found.sources);
        if !still_the_same(config, &found) {
            // Rows that were taken for this look go back; those a known VM had stay with it until its exit is seen.
            let kept: Vec<Entity> =
                before.iter().flat_map(|info| info.parts().chain([info.entity])).collect();
            let taken = info.parts().chain([info.entity]).filter(|entity| !kept.contains(entity));
            taken.collect::<Vec<_>>().into_iter().for_each(|entity| self.give_back(entity));
            return Entered::Gone;
        }
        if let Some(pidfd) = &plan.pidfd {
            // Without this the exit is still noticed, by the first read that fails.
            if let Err(errno) = self.directory.wakes.watch(pidfd.as_fd(), info.entity) {
                log::warn!("the exit of VM {} is noticed late: epoll: {errno}", info.name);
            }
        }
        self.held += plan.descriptors();
        self.install(info, found, plan, freed, outbox)
    }

    fn install(
        &mut self,
        info: VmInfo,
        found: Found,
        plan: VmPlan,
        freed: Vec<Entity>,
        outbox: &mut VecDeque<ToHot>,
    ) -> Entered {
        let info = Arc::new(info);
        let entity = info.entity;
        self.refused.remove(&(info.pid, info.start_ticks));
        self.by_pid.insert(info.pid, entity.row);
        self.directory.enter(Arc::clone(&info));
        self.news.push(News::Entered(Arc::clone(&info)));
        let slot = &mut self.vms[entity.row as usize];
        let plans_out = slot.as_ref().map_or(0, |watched| watched.plans_out) + 1;
        let threads_changed = slot.as_ref().map_or((0, 0), |watched| watched.threads_changed);
        *slot = Some(Watched { info, found, plans_out, ending: false, threads_changed, anew: false });
        outbox.push_back(ToHot::Vm(Box::new(plan)));
        for entity in freed {
            self.give_back(entity);
        }
        Entered::Planned(entity)
    }

    /// Finds rows for a VM: those it has, and new ones for what is new. Returns what it no longer needs, too; `None`
    /// when the limits do not allow all of it.
    fn place(&mut self, found: &Found, before: Option<&VmInfo>) -> Option<(VmInfo, Vec<Entity>)> {
        let vcpu = |index: u32| before?.vcpus.iter().find(|vcpu| vcpu.index == index).map(|vcpu| vcpu.entity);
        let nic = |tap: &String| before?.nics.iter().find(|nic| nic.tap == *tap).map(|nic| nic.entity);
        let disk = |disk: &(String, Option<std::path::PathBuf>)| {
            let same = |known: &&DiskInfo| known.name == disk.0 && known.path == disk.1;
            before?.disks.iter().find(same).map(|known| known.entity)
        };
        let vcpus: Vec<_> = found.vcpus.iter().map(|(index, _)| vcpu(*index)).collect();
        let nics: Vec<_> = found.taps.iter().map(nic).collect();
        let disks: Vec<_> = found.disks.iter().map(disk).collect();
        let fresh = |kept: &[Option<Entity>]| kept.iter().filter(|entity| entity.is_none()).count();
        let enough = self.rows[part(Scope::Vm)].left() >= usize::from(before.is_none())
            && self.rows[part(Scope::Vcpu)].left() >= fresh(&vcpus)
            && self.rows[part(Scope::VmNet)].left() >= fresh(&nics)
            && self.rows[part(Scope::VmDisk)].left() >= fresh(&disks);
        if !enough {
            return None;
        }
        let mut row = |scope, kept: Option<Entity>| kept.or_else(|| self.rows[part(scope)].take());
        let entity = row(Scope::Vm, before.map(|info| info.entity))?;
        let mut info = describe(entity, found);
        for ((index, tid), kept) in found.vcpus.iter().zip(vcpus) {
            info.vcpus.push(VcpuInfo { entity: row(Scope::Vcpu, kept)?, index: *index, tid: *tid });
        }
        for (tap, kept) in found.taps.iter().zip(nics) {
            info.nics.push(NicInfo { entity: row(Scope::VmNet, kept)?, tap: tap.clone() });
        }
        for ((name, path), kept) in found.disks.iter().zip(disks) {
            let entity = row(Scope::VmDisk, kept)?;
            info.disks.push(DiskInfo { entity, name: name.clone(), path: path.clone() });
        }
        let kept: HashSet<Entity> = info.parts().collect();
        let freed = before.into_iter().flat_map(VmInfo::parts).filter(|part| !kept.contains(part)).collect();
        Some((info, freed))
    }

    /// A VM is watched whole or not at all: one that has outgrown the limits is let go.
    fn refuse(&mut self, found: &Found, before: Option<&VmInfo>, outbox: &mut VecDeque<ToHot>) {
        if let Some(info) = before {
            self.retire(info.entity, outbox);
        }
        if self.refused.insert((found.pid, found.start_ticks)) {
            self.directory.counters.vms_refused.fetch_add(1, Relaxed);
            log::warn!(
                "VM {} (pid {}) is not watched: a declared limit is reached ({} VMs, {} vCPUs, {} interfaces, {} disks \
                 left); raise it in [limits]",
                found.name,
                found.pid,
                self.rows[0].left(),
                self.rows[1].left(),
                self.rows[2].left(),
                self.rows[3].left(),
            );
        }
    }

    /// Watches a VM no longer.
    pub(super) fn retire(&mut self, entity: Entity, outbox: &mut VecDeque<ToHot>) {
        if self.end(entity) {
            outbox.push_back(ToHot::Retire(entity));
        }
    }

    /// The sampler saw the VM's process end, and let go of it. Returns whether that was news.
    pub(super) fn end(&mut self, entity: Entity) -> bool {
        let Some(Some(watched)) = self.vms.get_mut(entity.row as usize) else { return false };
        if watched.info.entity != entity || watched.ending {
            return false;
        }
        watched.ending = true;
        self.directory.leave(&watched.info);
        self.news.push(News::Left(entity));
        self.free_when_done(entity.row);
        true
    }

    /// Publishes how some sources of a VM are read now.
    pub(super) fn report(&mut self, entity: Entity, reports: Vec<SourceReport>) {
        let Some(Some(watched)) = self.vms.get_mut(entity.row as usize) else { return };
        let known = |report| watched.info.sources.contains(report);
        if watched.info.entity != entity || watched.ending || reports.iter().all(known) {
            return;
        }
        let mut info = VmInfo::clone(&watched.info);
        info.sources = merged(reports, &info.sources);
        watched.info = Arc::new(info);
        self.directory.enter(Arc::clone(&watched.info));
    }

    /// A plan came back: closed here, with every descriptor in it.
    pub(super) fn take_back(&mut self, plan: VmPlan) {
        let row = plan.entity.row;
        self.held = self.held.saturating_sub(plan.descriptors());
        drop(plan);
        if let Some(Some(watched)) = self.vms.get_mut(row as usize) {
            watched.plans_out = watched.plans_out.saturating_sub(1);
            self.free_when_done(row);
        }
    }

    fn free_when_done(&mut self, row: u32) {
        let slot = &mut self.vms[row as usize];
        if slot.as_ref().is_none_or(|watched| !watched.ending || watched.plans_out > 0) {
            return;
        }
        if let Some(watched) = slot.take() {
            if self.by_pid.get(&watched.info.pid) == Some(&row) {
                self.by_pid.remove(&watched.info.pid);
            }
            watched.info.parts().for_each(|part| self.give_back(part));
            self.give_back(watched.info.entity);
            self.room_made |= !self.refused.is_empty();
        }
    }

    fn give_back(&mut self, entity: Entity) {
        self.rows[part(entity.scope)].give_back(entity);
    }

    /// Forgets refused VMs that have ended, and returns the others.
    pub(super) fn refused(&mut self, config: &Config) -> Vec<i32> {
        self.refused.retain(|(pid, start_ticks)| {
            let stat = Process::new(&config.roots.proc, *pid).stat();
            stat.is_ok_and(|stat| stat.start_ticks == *start_ticks)
        });
        self.refused.iter().map(|(pid, _)| *pid).collect()
    }

    /// Whether a process is known to be beyond the limits.
    pub(super) fn is_refused(&self, pid: i32) -> bool {
        self.refused.iter().any(|(refused, _)| *refused == pid)
    }
}

/// Whether the process that was inspected, and then opened, is still the same and runs.
fn still_the_same(config: &Config, found: &Found) -> bool {
    let stat = Process::new(&config.roots.proc, found.pid).stat();
    stat.is_ok_and(|stat| stat.start_ticks == found.start_ticks && !stat.ended())
}

fn describe(entity: Entity, found: &Found) -> VmInfo {
    VmInfo {
        entity,
        vmm: found.vmm,
        name: found.name.clone(),
        uuid: found.uuid,
        tenant: found.tenant.clone(),
        pid: found.pid,
        start_ticks: found.start_ticks,
        cgroup: found.cgroup.clone(),
        libvirt: found.libvirt,
        vcpus: Vec::with_capacity(found.vcpus.len()),
        other_threads: found.other_threads.clone(),
        nics: Vec::with_capacity(found.taps.len()),
        disks: Vec::with_capacity(found.disks.len()),
        monitor: found.monitor.clone(),
        metrics_file: found.metrics_file.clone(),
        debugfs_name: found.debugfs_name.clone(),
        sources: Vec::new(),
    }
}

/// What the plan reports, and of the other sources what discovery could not see.
fn merged(mut reports: Vec<SourceReport>, seen: &[SourceReport]) -> Vec<SourceReport> {
    for report in seen {
        if reports.iter().all(|known| known.source != report.source) {
            reports.push(report.clone());
        }
    }
    reports
}
