//! What anybody may look at, from any thread, while the sampler runs.

use super::directory::{Directory, HostInfo};
use crate::alerts::AlertReader;
use crate::config::Config;
use crate::sampling::discovery::VmInfo;
use crate::sampling::frame::{Entity, Frame, Reading, Tick};
use crate::sampling::history::{History, HistoryPoint};
use crate::sampling::metrics::MetricId;
use crate::sys::clock::Clock;
use std::sync::Arc;

/// A cheap handle to everything the agent knows. Clones share the alerts: each goes to one of them.
#[derive(Clone)]
pub struct Reader {
    frame: Arc<Frame>,
    history: Arc<History>,
    alerts: AlertReader,
    directory: Arc<Directory>,
    config: Arc<Config>,
    clock: Clock,
}

impl Reader {
    pub(super) fn new(
        frame: Arc<Frame>,
        history: Arc<History>,
        alerts: AlertReader,
        directory: Arc<Directory>,
        config: Arc<Config>,
        clock: Clock,
    ) -> Self {
        Self { frame, history, alerts, directory, config, clock }
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

    /// The configuration the agent was made with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The clock that ages are measured with.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }
}
