//! The cold side: finds VMs, opens what the sampler will read, frees what it hands back.

use super::directory::{Directory, HostInfo};
use super::link::{Cold, ToCold, ToHot};
use crate::config::Config;
use crate::detection::Detector;
use crate::sampling::host::{HostLabels, HostPlan};
use crate::sys::clock::{Clock, thread_cpu_ns};
use nix::sys::epoll::Epoll;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// The cold side. Not tied to a thread: call [`Planner::maintain`] from wherever blocking is allowed.
pub struct Planner {
    config: Arc<Config>,
    #[expect(dead_code, reason = "discovery uses it")]
    clock: Clock,
    link: Cold,
    #[expect(dead_code, reason = "discovery uses it")]
    exits: Arc<Epoll>,
    directory: Arc<Directory>,
    host_planned: bool,
}

impl Planner {
    pub(super) fn new(
        config: Arc<Config>,
        clock: Clock,
        link: Cold,
        exits: Arc<Epoll>,
        directory: Arc<Directory>,
    ) -> Self {
        Self { config, clock, link, exits, directory, host_planned: false }
    }

    /// Does what is due: frees what came back, looks for VMs, plans them, collects what monitors answered.
    pub fn maintain(&mut self) {
        let cpu_before_ns = thread_cpu_ns();
        let _ = self.link.wake.read();
        while let Ok(message) = self.link.answers.try_recv() {
            if let ToCold::HostChanged = message {
                self.host_planned = false;
            }
        }
        if !self.host_planned {
            self.plan_host();
        }
        self.directory.planner_cpu_ns.fetch_add(thread_cpu_ns().saturating_sub(cpu_before_ns), Relaxed);
    }

    /// Hands the sampler new rules; `Err` gives them back when it has not taken earlier requests yet.
    pub fn replace_rules(&mut self, detector: Box<Detector>) -> Result<(), Box<Detector>> {
        match self.link.requests.try_send(ToHot::Rules(detector)) {
            Ok(()) => Ok(()),
            Err(error) => match error.into_inner() {
                ToHot::Rules(detector) => Err(detector),
                _ => Ok(()),
            },
        }
    }

    fn plan_host(&mut self) {
        let labels: HostLabels = self.directory.host.read().labels.clone();
        let (plan, labels, sources) = HostPlan::open(&self.config, &labels);
        if self.link.requests.try_send(ToHot::Host(Box::new(plan))).is_ok() {
            *self.directory.host.write() = Arc::new(HostInfo { labels, sources });
            self.host_planned = true;
        }
    }
}
