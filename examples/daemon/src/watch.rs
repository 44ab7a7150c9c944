//! The agent as every command uses it: configured from files and options, started, and looked at.

use crate::cli::Common;
use crate::exit::{Code, Failure};
use bartizan_core::alerts::Accounting;
use bartizan_core::config::{Config, Roots};
use bartizan_core::detection::{Copy, Recall};
use bartizan_core::engine::{Agent, Reader, RunnerError};
use bartizan_core::sys::capability;
use bartizan_core::sys::clock::Clock;
use log::warn;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::time::{Duration, Instant};

/// How long a one-shot command waits between its two samples: rates need two.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);
/// Rounds of planning after which such a command shows what it has.
const SETTLE_ROUNDS_MAX: usize = 64;
/// How long the agent's threads have to end.
const STOP_TIME: Duration = Duration::from_secs(5);

/// Loads the configuration and applies the options.
///
/// # Errors
/// When it is wrong, or a folder given with `--root` is not there.
pub fn configure(common: &Common) -> Result<Config, Failure> {
    let mut config = crate::files::load(common.config.as_deref())?;
    if let Some(root) = &common.root {
        if !root.join("proc").is_dir() {
            return Err(Failure::new(
                Code::NoInput,
                format!(
                    "--root {}: there is no folder proc in it; record one with: bartizan record --tree DIR",
                    root.display()
                ),
            ));
        }
        config.roots = Roots::below(root);
    }
    if let Some(interval) = common.interval {
        let interval_ms = interval.as_millis();
        config.sampling.interval_ms =
            u32::try_from(interval_ms).ok().filter(|ms| (10..=60_000).contains(ms)).ok_or_else(|| {
                Failure::new(Code::Usage, format!("--interval {interval}: it must be between 10ms and 60s"))
            })?;
    }
    Ok(config)
}

/// Lets this process open as many files as its hard limit allows: it is ours, unlike one we are embedded in.
pub fn raise_descriptor_limit() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        if soft < hard { setrlimit(Resource::RLIMIT_NOFILE, hard, hard) } else { Ok(()) }
    });
    if let Err(errno) = raised {
        warn!("the limit of open files could not be raised: {errno}");
    }
}

/// An agent that runs on its own threads until it is dropped.
pub struct Watch {
    agent: Agent,
}

impl Watch {
    /// Makes and starts an agent.
    ///
    /// # Errors
    /// When it cannot be made or its threads cannot be had.
    pub fn start(config: Config) -> Result<Self, Failure> {
        let mut watch = Self::prepare(config)?;
        watch.begin()?;
        Ok(watch)
    }

    /// Makes an agent that does nothing until [`begin`](Self::begin).
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn prepare(config: Config) -> Result<Self, Failure> {
        let agent = Agent::new(config, Clock::System)?;
        // The agent's programs are in the kernel: nothing else of the daemon's shall get there. Its threads are started
        // later, and have no more than this one.
        if let Err(errno) = capability::give_up(capability::BPF) {
            warn!("CAP_BPF could not be given up: {errno}");
        }
        Ok(Self { agent })
    }

    /// Starts its threads.
    ///
    /// # Errors
    /// When they cannot be had.
    pub fn begin(&mut self) -> Result<(), Failure> {
        Ok(self.agent.start()?)
    }

    /// Goes on from what another process knew. Before it begins.
    ///
    /// # Errors
    /// When the agent has failed.
    pub fn go_on_from(&self, accounts: Accounting, recall: Recall) -> Result<(), Failure> {
        Ok(self.agent.go_on_from(accounts, recall)?)
    }

    /// Finds all VMs and samples each, on this thread. Before it begins.
    ///
    /// # Errors
    /// When the agent has failed.
    pub fn look_at_all(&self) -> Result<(), Failure> {
        // A round plans a bounded number of VMs: on a full host it takes several until all are there.
        let mut found = None;
        for _ in 0..SETTLE_ROUNDS_MAX {
            self.agent.maintain()?;
            self.agent.step()?;
            let now = Some(self.reader().vms().len());
            if now == found {
                break;
            }
            found = now;
        }
        Ok(())
    }

    /// A copy of what the detectors have learned. After it has ended.
    ///
    /// # Errors
    /// When its threads run, or it has failed.
    pub fn copy(&self) -> Result<Copy, Failure> {
        Ok(self.agent.copy()?)
    }

    /// Everything that can be read.
    #[must_use]
    pub fn reader(&self) -> &Reader {
        self.agent.reader()
    }

    /// Puts a new configuration into force without a gap; `false` when it needs an agent made anew.
    ///
    /// # Errors
    /// When the configuration is wrong or the agent has failed; the old one then stays in force.
    pub fn reload(&self, config: Config) -> Result<bool, Failure> {
        match self.agent.reload(config) {
            Ok(()) => Ok(true),
            Err(RunnerError::NeedsRestart(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Ends the agent's threads; what it knows can still be read.
    pub fn stop(&mut self) {
        if let Err(error) = self.agent.stop(STOP_TIME) {
            warn!("{error}");
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Takes two samples a moment apart and hands the reader over: for commands that show what is now.
///
/// # Errors
/// When the agent cannot be made.
pub fn look(config: Config, mut each: impl FnMut(&Reader)) -> Result<Reader, Failure> {
    let agent = Agent::new(config, Clock::System)?;
    let begin = Instant::now();
    // A round plans a bounded number of VMs: on a full host it takes several until all are there.
    let mut found = None;
    for _ in 0..SETTLE_ROUNDS_MAX {
        agent.maintain()?;
        agent.step()?;
        let now = Some(agent.reader().vms().len());
        if now == found {
            break;
        }
        found = now;
    }
    each(agent.reader());
    std::thread::sleep(LOOK_INTERVAL.saturating_sub(begin.elapsed()));
    agent.maintain()?;
    agent.step()?;
    each(agent.reader());
    Ok(agent.reader().clone())
}
