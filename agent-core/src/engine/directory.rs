//! What the cold side publishes for people: names, sources, plans. The sampler never touches it.

use super::checks::Tally;
use super::wakes::Wakes;
use crate::checks::waiver::Waiver;
use crate::config::Config;
use crate::detection::{self, Detector};
use crate::sampling::SourceReport;
use crate::sampling::discovery::VmInfo;
use crate::sampling::host::{HostLabels, Inventory};
use crate::sampling::vm::bpf::Bpf;
use nix::sys::eventfd::EventFd;
use parking_lot::{Mutex, RwLock};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};

/// The host, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostInfo {
    /// Names of the host's rows.
    pub labels: HostLabels,
    /// How each source is read.
    pub sources: Vec<SourceReport>,
    /// What the host is: taken when it was first planned.
    pub inventory: Inventory,
}

/// Written by the planner, looked at by readers.
pub(super) struct Directory {
    pub(super) config: RwLock<Arc<Config>>,
    pub(super) host: RwLock<Arc<HostInfo>>,
    /// Sorted by row.
    pub(super) vms: RwLock<Vec<Arc<VmInfo>>>,
    pub(super) counters: Arc<Counters>,
    /// A configuration that the planner should put into force, with its rules.
    pub(super) reload: Mutex<Option<(Config, Box<Detector>)>>,
    pub(super) wake: Arc<EventFd>,
    /// What wakes the sampler's thread from its sleep.
    pub(super) wakes: Arc<Wakes>,
    /// An [`AgentState`](super::AgentState).
    pub(super) state: Arc<AtomicU8>,
    /// Counts every change of `vms`; the checks read it to know whether to look.
    pub(super) vms_generation: AtomicU64,
    /// Wakes the checks' thread; read by that thread.
    pub(super) checks_wake: EventFd,
    /// Waivers for the checks to take up.
    pub(super) waivers: Mutex<Vec<Waiver>>,
    /// Whether somebody asked for a full run of the checks.
    pub(super) sweep_wanted: AtomicBool,
    pub(super) tally: Arc<Tally>,
    /// Somebody wants a copy of what the detectors know; here it is left.
    pub(super) copy_wanted: AtomicBool,
    pub(super) copied: Mutex<Option<detection::Copy>>,
    /// All series that the rules in force may watch.
    pub(super) series: AtomicUsize,
    pub(super) bpf: Arc<Bpf>,
}

impl Directory {
    pub(super) fn new(
        config: Arc<Config>,
        wake: Arc<EventFd>,
        wakes: Arc<Wakes>,
        checks_wake: EventFd,
        bpf: Arc<Bpf>,
    ) -> Self {
        Self {
            config: RwLock::new(config),
            host: RwLock::default(),
            vms: RwLock::default(),
            counters: Arc::default(),
            reload: Mutex::default(),
            wake,
            wakes,
            state: Arc::default(),
            vms_generation: AtomicU64::new(0),
            checks_wake,
            waivers: Mutex::default(),
            sweep_wanted: AtomicBool::new(false),
            tally: Arc::default(),
            copy_wanted: AtomicBool::new(false),
            copied: Mutex::default(),
            series: AtomicUsize::new(0),
            bpf,
        }
    }

    /// Enters a VM, in place of what its row held.
    pub(super) fn enter(&self, info: Arc<VmInfo>) {
        let mut vms = self.vms.write();
        match vms.binary_search_by_key(&info.entity.row, |vm| vm.entity.row) {
            Ok(at) => vms[at] = info,
            Err(at) => vms.insert(at, info),
        }
        drop(vms);
        self.vms_changed();
    }

    /// Strikes a VM out.
    pub(super) fn leave(&self, info: &VmInfo) {
        self.vms.write().retain(|vm| vm.entity != info.entity);
        self.vms_changed();
    }

    fn vms_changed(&self) {
        self.vms_generation.fetch_add(1, Ordering::Release);
        self.wake_checks();
    }

    pub(super) fn wake_checks(&self) {
        // Fails only when the count is at its maximum, and then the thread is awake anyway.
        let _ = self.checks_wake.write(1);
    }
}

/// Numbers that cross between the two sides without a lock: written by the planner, published by the sampler, except
/// where it says otherwise.
#[derive(Default)]
pub(super) struct Counters {
    pub(super) vms_refused: AtomicU64,
    pub(super) planner_cpu_ns: AtomicU64,
    pub(super) deliveries_dropped: AtomicU64,
    pub(super) degradation: AtomicU8,
    /// Own CPU over the last minute, in millionths of a core.
    pub(super) cpu_ppm: AtomicU64,
    pub(super) uevents: AtomicU64,
    pub(super) uevent_overruns: AtomicU64,
    pub(super) full_scans: AtomicU64,
    /// Whether the planner wants to hear of new PIDs.
    pub(super) wants_last_pid: AtomicBool,
    /// Written by the sampler.
    pub(super) sampler_cpu_ns: AtomicU64,
}
