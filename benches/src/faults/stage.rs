//! The agent, and everything it said.

use bartizan_core::alerts::{Alert, AlertState};
use bartizan_core::config::Config;
use bartizan_core::engine::Agent;
use bartizan_core::sys::clock::Clock;
use std::time::{Duration, Instant};

/// Only VMs with this prefix are ours: others may run on this host meanwhile.
pub const PREFIX: &str = "fault-";

/// How often alerts are taken, and whatever runs beside is looked after.
const PAUSE: Duration = Duration::from_millis(100);

/// An agent as shipped, on its own threads.
pub struct Stage {
    agent: Agent,
    said: Vec<Alert>,
    quiet: Duration,
    excused: Vec<String>,
}

/// Something to look after while time passes.
pub trait Beside {
    /// Called ten times a second with what was said since.
    fn look(&mut self, said: &[Alert]) -> Result<(), String>;
}

impl Stage {
    /// Starts the agent.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start() -> Result<Self, String> {
        // Not optimised, the agent would exceed its budget by its own slowness, and look less often.
        let mut config = Config::default();
        config.budget.cpu_permille = 1_000;
        let mut agent = Agent::new(config, Clock::System).map_err(|error| error.to_string())?;
        agent.start().map_err(|error| error.to_string())?;
        Ok(Self { agent, said: Vec::new(), quiet: Duration::ZERO, excused: Vec::new() })
    }

    /// Waits until the agent reads so many of our VMs.
    ///
    /// # Errors
    /// When it does not within a minute.
    pub fn wait_for_vms(&mut self, count: usize) -> Result<(), String> {
        let begun = Instant::now();
        let ours = |agent: &Agent| {
            agent
                .reader()
                .vms()
                .iter()
                .filter(|vm| vm.name.starts_with(PREFIX) && !vm.vcpus.is_empty())
                .count()
        };
        while ours(&self.agent) < count {
            if begun.elapsed() > Duration::from_mins(1) {
                return Err(format!("the agent sees {} of {count} VMs", ours(&self.agent)));
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// Waits until the agent reads this VM.
    ///
    /// # Errors
    /// When it does not within half a minute, or what went wrong beside.
    pub fn wait_for_vm(&mut self, name: &str, beside: &mut [&mut dyn Beside]) -> Result<(), String> {
        for _ in 0..30 {
            self.pass(Duration::from_secs(1), beside, |_| false)?;
            if self.agent.reader().vms().iter().any(|vm| vm.name == name && !vm.vcpus.is_empty()) {
                return Ok(());
            }
        }
        Err(format!("the agent does not see {name}"))
    }

    /// The number of the agent's last tick.
    #[must_use]
    pub fn tick(&self) -> u64 {
        self.agent.reader().tick().number
    }

    /// Lets time pass until `done` says so of what was said, or the time is up; whether it said so.
    ///
    /// # Errors
    /// What went wrong beside.
    pub fn pass(
        &mut self,
        time: Duration,
        beside: &mut [&mut dyn Beside],
        mut done: impl FnMut(&Alert) -> bool,
    ) -> Result<bool, String> {
        let begun = Instant::now();
        let mut is_done = false;
        while !is_done && begun.elapsed() < time {
            std::thread::sleep(PAUSE);
            let before = self.said.len();
            self.said.extend(std::iter::from_fn(|| self.agent.reader().alerts().next()));
            for beside in beside.iter_mut() {
                beside.look(&self.said[before..])?;
            }
            is_done = self.said[before..].iter().any(&mut done);
        }
        self.quiet += begun.elapsed();
        Ok(is_done)
    }

    /// What was said of a VM from a tick on, first to last, when it began to fire.
    pub fn fired<'s>(&'s self, vm: &'s str, from_tick: u64) -> impl Iterator<Item = &'s Alert> {
        self.said.iter().filter(move |alert| {
            alert.state == AlertState::Firing && alert.subject.as_str() == vm && alert.tick > from_tick
        })
    }

    /// What a VM's alerts from one tick to another are about is the fault, and no false alarm.
    pub fn excuse(&mut self, vm: &str, from_tick: u64, to_tick: u64) {
        let excused =
            |alert: &&Alert| alert.subject.as_str() == vm && (from_tick..=to_tick).contains(&alert.tick);
        let keys: Vec<_> = self.said.iter().filter(excused).map(key).collect();
        self.excused.extend(keys);
    }

    /// Alerts about our VMs that no fault explains, and those about the host.
    #[must_use]
    pub fn false_alarms(&self) -> (Vec<Alert>, Vec<Alert>) {
        let fires = self.said.iter().filter(|alert| alert.state == AlertState::Firing).copied();
        let (vms, others): (Vec<_>, Vec<_>) =
            fires.partition(|alert| alert.subject.as_str().starts_with(PREFIX));
        let unexplained = vms.into_iter().filter(|alert| !self.excused.contains(&key(alert))).collect();
        let of_host = others.into_iter().filter(|alert| alert.uuid == [0; 16] && alert.tenant.is_empty());
        (unexplained, of_host.collect())
    }

    /// How long the agent was watched.
    #[must_use]
    pub const fn watched(&self) -> Duration {
        self.quiet
    }

    /// A metric of the agent itself, as a number.
    #[must_use]
    pub fn agent_metric(&self, metric: bartizan_core::sampling::metrics::MetricId) -> Option<i64> {
        let reading = self.agent.reader().read(bartizan_core::sampling::frame::Entity::AGENT, metric);
        reading.ok()
    }
}

fn key(alert: &Alert) -> String {
    format!("{}/{}/{}", alert.subject, alert.rule, alert.id)
}
