//! What anybody may look at, from any thread, while the sampler runs.

use super::directory::{Directory, HostInfo};
use super::runner::AgentState;
use crate::alerts::AlertReader;
use crate::checks::Board;
use crate::checks::waiver::{Waiver, WaiverError, Waivers};
use crate::config::Config;
use crate::detection::Detector;
use crate::sampling::SourceReport;
use crate::sampling::discovery::VmInfo;
use crate::sampling::frame::{Entity, Frame, Reading, Tick};
use crate::sampling::history::{History, HistoryPoint};
use crate::sampling::metrics::MetricId;
use crate::sys::clock::Clock;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed};

/// What the agent costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// CPU time spent in ticks, in nanoseconds.
    pub sampler_cpu_ns: u64,
    /// CPU time spent on the cold side, in nanoseconds.
    pub planner_cpu_ns: u64,
    /// CPU time spent on checks, in nanoseconds.
    pub checks_cpu_ns: u64,
    /// All three, over the last minute, in millionths of one core.
    pub cpu_ppm: u64,
    /// The step of degradation in force; 0 is none.
    pub degradation: u8,
    /// VMs that were seen but not watched because a declared limit was reached, since the start.
    pub vms_refused: u64,
    /// Memory set aside when the agent was created, in bytes.
    pub memory_reserved_bytes: u64,
}

/// A cheap handle to everything the agent knows. Clones share the alerts: each goes to one of them.
#[derive(Clone)]
pub struct Reader {
    frame: Arc<Frame>,
    history: Arc<History>,
    alerts: AlertReader,
    directory: Arc<Directory>,
    board: Arc<Board>,
    clock: Clock,
    creator_pid: u32,
}

impl Reader {
    pub(super) fn new(
        frame: Arc<Frame>,
        history: Arc<History>,
        alerts: AlertReader,
        directory: Arc<Directory>,
        board: Arc<Board>,
        clock: Clock,
    ) -> Self {
        Self { frame, history, alerts, directory, board, clock, creator_pid: std::process::id() }
    }

    /// The latest values.
    #[must_use]
    pub fn frame(&self) -> &Frame {
        &self.frame
    }

    /// The last completed tick.
    #[must_use]
    pub fn tick(&self) -> Tick {
        self.frame.tick()
    }

    /// One value and its age.
    #[must_use]
    pub fn read(&self, entity: Entity, metric: MetricId) -> Reading {
        self.frame.read(entity, metric)
    }

    /// The latest values of one metric, oldest first, as many as fit into `points`; see [`History::read`].
    pub fn history(&self, entity: Entity, metric: MetricId, points: &mut [HistoryPoint]) -> usize {
        self.history.read(entity, metric, points)
    }

    /// The alerts that wait, and their accounts.
    #[must_use]
    pub fn alerts(&self) -> &AlertReader {
        &self.alerts
    }

    /// What the checks of isolation and configuration found, and what changed about it.
    #[must_use]
    pub fn checks(&self) -> &Arc<Board> {
        &self.board
    }

    /// Asks for a full run of all checks, soon.
    pub fn sweep_checks(&self) {
        self.directory.sweep_wanted.store(true, Relaxed);
        self.directory.wake_checks();
    }

    /// Lets a finding pass, for a value and until a day. It holds while this agent runs; whoever wants it to last
    /// writes it to the waivers' file.
    ///
    /// # Errors
    /// When it lacks an owner, a reason, a value or a last day.
    pub fn waive(&self, waiver: Waiver) -> Result<(), WaiverError> {
        Waivers::default().add(waiver.clone())?;
        self.directory.waivers.lock().push(waiver);
        self.directory.wake_checks();
        Ok(())
    }

    /// The VMs that are watched, by row.
    #[must_use]
    pub fn vms(&self) -> Vec<Arc<VmInfo>> {
        self.directory.vms.read().clone()
    }

    /// The host's rows and sources.
    #[must_use]
    pub fn host(&self) -> Arc<HostInfo> {
        Arc::clone(&self.directory.host.read())
    }

    /// The configuration in force: the one the agent was made with, or the last that was reloaded.
    #[must_use]
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.directory.config.read())
    }

    /// Whether this is a child of the process that made the agent: the threads did not come along, and nothing here
    /// moves any more.
    #[must_use]
    pub fn forked(&self) -> bool {
        std::process::id() != self.creator_pid
    }

    /// What the agent is doing.
    #[must_use]
    pub fn state(&self) -> AgentState {
        match self.directory.state.load(Acquire) {
            0 => AgentState::Idle,
            1 => AgentState::Running,
            _ => AgentState::Faulted,
        }
    }

    /// Asks for a copy of what the detectors have learned and what fires, made a few rows a tick; see
    /// [`copied`](Self::copied).
    pub fn want_copy(&self) {
        self.directory.copy_wanted.store(true, Relaxed);
        // Fails only when the count is at its maximum, and then the planner is awake anyway.
        let _ = self.directory.wake.write(1);
    }

    /// The copy that was asked for, once it is complete.
    #[must_use]
    pub fn copied(&self) -> Option<crate::detection::Copy> {
        self.directory.copied.lock().take()
    }

    pub(super) fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }

    /// Leaves a configuration for the planner to take up; a later one replaces one that it has not taken up yet.
    pub(super) fn submit(&self, config: Config, rules: Box<Detector>) {
        self.directory.series.store(rules.series(), Relaxed);
        *self.directory.reload.lock() = Some((config, rules));
        // Fails only when the count is at its maximum, and then the planner is awake anyway.
        let _ = self.directory.wake.write(1);
    }

    /// How each source of the host is read, and of a VM when one is given. An entity that is gone has none.
    #[must_use]
    pub fn sources(&self, vm: Option<Entity>) -> Vec<SourceReport> {
        match vm {
            None => self.directory.host.read().sources.clone(),
            Some(entity) => {
                let vms = self.directory.vms.read();
                vms.iter().find(|vm| vm.entity == entity).map(|vm| vm.sources.clone()).unwrap_or_default()
            }
        }
    }

    /// What the agent costs, and what it had to leave out.
    #[must_use]
    pub fn cost(&self) -> Cost {
        let counters = &self.directory.counters;
        Cost {
            sampler_cpu_ns: counters.sampler_cpu_ns.load(Relaxed),
            planner_cpu_ns: counters.planner_cpu_ns.load(Relaxed),
            checks_cpu_ns: self.directory.tally.cpu_ns.load(Relaxed),
            cpu_ppm: counters.cpu_ppm.load(Relaxed),
            degradation: counters.degradation.load(Relaxed),
            vms_refused: counters.vms_refused.load(Relaxed),
            memory_reserved_bytes: super::memory_bytes(&self.directory.config.read()) as u64,
        }
    }

    /// The clock that ages are measured with.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }
}
