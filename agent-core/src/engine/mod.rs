//! The only module that knows the order of things.
//!
//! ```text
//!            ToHot (plans, readings, rules)             Frame, alerts, history
//! Planner ───────────────────────────────▶ Sampler ───────────────────────────▶ Reader
//! (cold)  ◀─────────────────────────────── (hot)                                (any thread)
//!            ToCold (old plans, exits)
//! ```
//! The planner may allocate, open, block. The sampler may not. Both channels are bounded; what the sampler no longer
//! needs it hands back to be freed.

mod budget;
mod checks;
mod directory;
mod link;
mod notice;
mod planner;
mod reader;
mod recorder;
mod rounds;
mod rows;
mod runner;
mod sampler;
mod scores;
mod threads;
mod wakes;
mod watch;
mod work;

pub use checks::Checks;
pub use directory::HostInfo;
pub use planner::Planner;
pub use reader::{Cost, Reader};
pub use recorder::Recorder;
pub use runner::{Agent, AgentState, RunnerError};
pub use sampler::Sampler;
pub use wakes::{Wakes, Woken};

use crate::alerts;
use crate::checks::Board;
use crate::config::Config;
use crate::detection::{Detector, DetectorError, RuleError};
use crate::sampling::frame::{Frame, OutOfMemory};
use crate::sampling::history::History;
use crate::sampling::metrics::Source;
use crate::sampling::vm::bpf::Bpf;
use crate::sys::clock::Clock;
use directory::Directory;
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::sync::Arc;

/// Why an agent could not be made.
#[derive(Debug, PartialEq)]
pub enum BuildError {
    /// The declared limits ask for more memory than there is.
    Memory(OutOfMemory),
    /// The kernel refused a descriptor the agent cannot do without.
    Descriptor(nix::errno::Errno),
    /// A rule makes no sense.
    Rule(RuleError),
}

impl std::fmt::Display for BuildError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Memory(error) => error.fmt(f),
            Self::Descriptor(errno) => write!(f, "the kernel refused a descriptor for events: {errno}"),
            Self::Rule(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for BuildError {}

/// Makes the three parts of an agent. Everything the sampler will ever need is allocated here.
///
/// # Errors
/// See [`BuildError`].
pub fn build(config: Config, clock: Clock) -> Result<(Sampler, Planner, Reader), BuildError> {
    let (writer, frame) = Frame::new(&config.limits).map_err(BuildError::Memory)?;
    set_periods(&config, &frame, 0);
    let (recorder, history) = History::new(&config.limits).map_err(BuildError::Memory)?;
    let detector = Detector::build(&config).map_err(|error| match error {
        DetectorError::Rule(error) => BuildError::Rule(error),
        DetectorError::Memory(error) => BuildError::Memory(error),
    })?;
    let (sink, alerts) = alerts::ring(config.limits.alerts as usize).map_err(BuildError::Descriptor)?;
    let wakes = Arc::new(Wakes::new().map_err(BuildError::Descriptor)?);
    let (hot, cold) = link::connect(config.limits.vms as usize).map_err(BuildError::Descriptor)?;
    let checks_wake = EventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)
        .map_err(BuildError::Descriptor)?;
    let board = Arc::new(Board::new().map_err(BuildError::Descriptor)?);
    let config = Arc::new(config);
    let bpf = Arc::new(Bpf::load(&config));
    let wakes_too = Arc::clone(&wakes);
    let directory = Arc::new(Directory::new(
        Arc::clone(&config),
        Arc::clone(&cold.wake),
        wakes_too,
        checks_wake,
        Arc::clone(&bpf),
    ));

    directory.series.store(detector.series(), std::sync::atomic::Ordering::Relaxed);
    let reader =
        Reader::new(Arc::clone(&frame), history, alerts, Arc::clone(&directory), board, clock.clone());
    let counters = Arc::clone(&directory.counters);
    let tally = Arc::clone(&directory.tally);
    let sampler = Sampler::new(
        &config,
        clock.clone(),
        writer,
        recorder,
        detector,
        sink,
        hot,
        wakes,
        counters,
        tally,
        bpf,
    );
    let planner = Planner::new(config, clock, cold, directory, frame).map_err(BuildError::Descriptor)?;
    Ok((sampler, planner, reader))
}

/// Tells the frame how often each source is read, and returns the interval between ticks, both in nanoseconds.
fn set_periods(config: &Config, frame: &Frame, step: u8) -> u64 {
    let interval_ns = u64::from(config.sampling.interval_ms.max(1)) * 1_000_000;
    let every = u64::from(budget::vm_every_ticks(step));
    for source in Source::ALL {
        let factor = if source.is_of_vms() { every } else { 1 };
        frame.set_period_ns(source, u64::from(config.sampling.period_ticks(source)) * interval_ns * factor);
    }
    interval_ns
}

/// The memory that an agent with this configuration sets aside when it is made, in bytes. A configuration that
/// [`build`] refuses for its rules counts without them.
#[must_use]
pub fn memory_bytes(config: &Config) -> usize {
    Frame::bytes(&config.limits)
        + History::bytes(&config.limits)
        + Detector::bytes(config).unwrap_or(0)
        + config.limits.alerts as usize * size_of::<alerts::Alert>()
}
