//! Perf events: counters of the kernel's and the processor's, for the whole host or for one VM's cgroup.
//!
//! Events are opened in groups, one a CPU, so that one system call reads all of them. Software events and
//! tracepoints are never short of counters; hardware events are, and form groups of their own: when the kernel lets
//! several take turns, the counts are scaled by the time they were given.

mod events;
mod host;

pub use events::{EVENTS, Kind, PerfEvent, Tracefs};
pub(super) use host::HostPerf;
pub(crate) use host::OpenCounters;

use crate::sys::perf::{self, Event, GROUP_HEADER, Whose};
use nix::errno::Errno;
use std::os::fd::{AsFd, OwnedFd};

/// Events in one [`PerfGroup`] at most.
pub const EVENTS_MAX: usize = 32;

/// Whose events a [`PerfGroup`] counts.
#[derive(Clone, Copy, Debug)]
pub enum PerfTarget<'a> {
    /// The whole host's.
    Host,
    /// Those of the tasks in a cgroup: an open folder of the `perf_event` hierarchy (v1) or of the unified one (v2).
    Cgroup(&'a OwnedFd),
}

/// Counters of the same events on many CPUs.
pub struct PerfGroup {
    /// Every descriptor; leaders are read, the others only kept open.
    sets: Vec<Set>,
    event_count: usize,
    descriptors: usize,
}

/// One group on one CPU.
struct Set {
    leader: OwnedFd,
    /// Kept open: a member that is closed leaves its group.
    _members: Vec<OwnedFd>,
    /// Which event each count belongs to, the leader's first.
    events: Vec<usize>,
    scaled: bool,
}

impl PerfGroup {
    /// Opens the events on the given CPUs. Returns what could be opened, and for each event whether it was.
    /// An event that one CPU does not have is not counted at all.
    #[must_use]
    pub fn open(target: PerfTarget, events: &[Event], cpus: &[u32]) -> (Self, Vec<Result<(), Errno>>) {
        let whose = match target {
            PerfTarget::Host => Whose::Everybody,
            PerfTarget::Cgroup(folder) => Whose::Cgroup(folder.as_fd()),
        };
        let mut results: Vec<Result<(), Errno>> = events
            .iter()
            .enumerate()
            .map(|(index, event)| {
                if index >= EVENTS_MAX {
                    return Err(Errno::E2BIG);
                }
                cpus.iter().try_for_each(|cpu| perf::open(*event, whose, *cpu, None).map(drop))
            })
            .collect();
        let mut sets = Vec::new();
        for cpu in cpus {
            for hardware in [false, true] {
                let wanted: Vec<usize> = (0..events.len())
                    .filter(|index| {
                        results[*index].is_ok() && matches!(events[*index], Event::Hardware(_)) == hardware
                    })
                    .collect();
                match Set::open(whose, events, &wanted, *cpu, hardware) {
                    Ok(set) => sets.extend(set),
                    Err((index, errno)) => results[index] = Err(errno),
                }
            }
        }
        let descriptors = sets.iter().map(|set| set.events.len()).sum();
        (Self { sets, event_count: events.len(), descriptors }, results)
    }

    /// Adds up each event's counts over all CPUs. Allocates nothing. `values` has one number an event.
    ///
    /// # Errors
    /// What the kernel said about the first CPU that could not be read: `values` are then no sums.
    ///
    /// # Panics
    /// When `values` has another length than the events it was opened with.
    pub fn read(&self, values: &mut [u64]) -> nix::Result<()> {
        assert_eq!(values.len(), self.event_count, "one value an event");
        values.fill(0);
        let mut numbers = [0_u64; GROUP_HEADER + EVENTS_MAX];
        for set in &self.sets {
            let count = perf::read_group(&set.leader, &mut numbers)?;
            if count != GROUP_HEADER + set.events.len() {
                return Err(Errno::EIO);
            }
            let [_, enabled_ns, running_ns] = [numbers[0], numbers[1], numbers[2]];
            for (event, value) in set.events.iter().zip(&numbers[GROUP_HEADER..]) {
                let value = if set.scaled { scale(*value, enabled_ns, running_ns) } else { *value };
                values[*event] = values[*event].wrapping_add(value);
            }
        }
        Ok(())
    }

    /// Descriptors it keeps open.
    #[must_use]
    pub fn descriptors(&self) -> usize {
        self.descriptors
    }
}

impl Set {
    fn open(
        whose: Whose,
        events: &[Event],
        wanted: &[usize],
        cpu: u32,
        scaled: bool,
    ) -> Result<Option<Self>, (usize, Errno)> {
        let Some((first, rest)) = wanted.split_first() else { return Ok(None) };
        let leader = perf::open(events[*first], whose, cpu, None).map_err(|errno| (*first, errno))?;
        let members = rest
            .iter()
            .map(|index| {
                perf::open(events[*index], whose, cpu, Some(&leader)).map_err(|errno| (*index, errno))
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Some(Self { leader, _members: members, events: wanted.to_vec(), scaled }))
    }
}

/// What a counter would have counted, had it run all the time it was wanted.
fn scale(value: u64, enabled_ns: u64, running_ns: u64) -> u64 {
    if running_ns == 0 || running_ns >= enabled_ns {
        return value;
    }
    let scaled = u128::from(value) * u128::from(enabled_ns) / u128::from(running_ns);
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_scaled_by_the_time_they_had() {
        assert_eq!(scale(100, 1_000, 250), 400);
        assert_eq!(scale(100, 1_000, 1_000), 100);
        assert_eq!(scale(100, 1_000, 0), 100);
        assert_eq!(scale(u64::MAX, u64::MAX, 1), u64::MAX);
    }
}
