//! The host's own perf events.

use super::{EVENTS, EVENTS_MAX, Kind, PerfGroup, PerfTarget, Tracefs};
use crate::config::Config;
use crate::sampling::availability::Availability;
use crate::sampling::frame::{FrameWriter, Tick};
use crate::sampling::metrics::{MetricId, Scope, Source, host as metrics_host};
use crate::sys::perf::Event;
use nix::sys::resource::{Resource, getrlimit};
use std::sync::Arc;

/// Descriptors used for them at most; and never more than a quarter of what this process may open.
const DESCRIPTORS_MAX: u64 = 2_048;

/// Counters that are open, and what came of opening them. Shared by one plan and the next: closing a tracepoint takes
/// the kernel tens of milliseconds, opening it again as long, and a host is planned anew whenever a device comes or
/// goes.
pub(crate) struct OpenCounters {
    cpus: Vec<u32>,
    tracepoints: bool,
    group: PerfGroup,
    /// Of each event of the group; `None` for one that a CPU does not have.
    metrics: Vec<Option<MetricId>>,
    closed: Vec<(MetricId, Availability)>,
    remark: String,
}

impl OpenCounters {
    /// Whether they are what is wanted now.
    fn serve(&self, config: &Config, cpus: &[u32]) -> bool {
        let wanted = &config.sampling;
        wanted.perf_events && wanted.kvm_tracepoints == self.tracepoints && self.cpus == cpus
    }
}

/// What no guest can do without an exit.
const GUEST_WORK: [MetricId; 3] =
    [metrics_host::PERF_KVM_PORT_IO, metrics_host::PERF_KVM_MMIO, metrics_host::PERF_KVM_EMULATIONS];
/// What every exit is counted as.
const GUEST_SWITCHES: [MetricId; 2] = [metrics_host::PERF_KVM_EXITS, metrics_host::PERF_KVM_ENTRIES];

/// Counters of all CPUs, added up.
pub(in crate::sampling) struct HostPerf {
    counters: Arc<OpenCounters>,
    values: [u64; EVENTS_MAX],
    /// What each had come to in the plan before: counters start at 0 when they are opened.
    carried: [u64; EVENTS_MAX],
}

/// What came of opening them.
pub(in crate::sampling) struct Opened {
    /// `None` when nothing could be opened.
    pub(in crate::sampling) perf: Option<HostPerf>,
    /// Each event that is not counted, and why.
    pub(in crate::sampling) closed: Vec<(MetricId, Availability)>,
    /// What to tell people.
    pub(in crate::sampling) remark: String,
}

impl HostPerf {
    /// Goes on with counters that are open already, if they are those of these CPUs and still wanted; else opens what
    /// this machine has.
    pub(in crate::sampling) fn keep_or_open(
        config: &Config,
        cpus: &[u32],
        kept: Option<&Arc<OpenCounters>>,
    ) -> Opened {
        match kept.filter(|kept| kept.serve(config, cpus)) {
            Some(kept) => Opened {
                perf: Some(Self::of(Arc::clone(kept))),
                closed: kept.closed.clone(),
                remark: kept.remark.clone(),
            },
            None => Self::open(config, cpus),
        }
    }

    fn of(counters: Arc<OpenCounters>) -> Self {
        Self { counters, values: [0; EVENTS_MAX], carried: [0; EVENTS_MAX] }
    }

    /// The counters, for the plan after this one.
    pub(in crate::sampling) fn counters(&self) -> &Arc<OpenCounters> {
        &self.counters
    }

    /// Opens what this machine has, on the given CPUs.
    fn open(config: &Config, cpus: &[u32]) -> Opened {
        let refuse = |availability, remark: &str| Opened {
            perf: None,
            closed: EVENTS.iter().map(|event| (event.metric, availability)).collect(),
            remark: remark.to_owned(),
        };
        if !config.sampling.perf_events {
            return refuse(Availability::Unsupported, "switched off by sampling.perf_events");
        }
        if !config.roots.is_live() {
            return refuse(Availability::Unsupported, "a recorded host has no perf events");
        }
        let open_max = getrlimit(Resource::RLIMIT_NOFILE).map_or(DESCRIPTORS_MAX, |(soft, _)| soft / 4);
        let budget = usize::try_from(DESCRIPTORS_MAX.min(open_max)).unwrap_or(0);
        let mut closed = Vec::new();
        let mut wanted: Vec<(Event, MetricId)> = Vec::new();
        let tracepoints = config.sampling.kvm_tracepoints;
        // Touching tracefs in debugfs mounts it: not without need.
        let tracefs = if tracepoints { Tracefs::find(&config.roots) } else { Tracefs::Absent };
        // Those whose number could not be looked up: other things open them than what opens a counter.
        let mut unseen = 0;
        for event in EVENTS {
            if !tracepoints && matches!(event.kind, Kind::Tracepoint(_)) {
                closed.push((event.metric, Availability::Unsupported));
                continue;
            }
            match event.resolve(&tracefs) {
                Ok(resolved) => wanted.push((resolved, event.metric)),
                Err(availability) => {
                    unseen += usize::from(availability == Availability::Denied);
                    closed.push((event.metric, availability));
                }
            }
        }
        // Those that do not open cost no descriptor: find out which, on one CPU.
        let first = cpus.get(..1).unwrap_or(&[]);
        let events: Vec<Event> = wanted.iter().map(|(event, _)| *event).collect();
        let (trial, results) = PerfGroup::open(PerfTarget::Host, &events, first);
        drop(trial);
        let mut kept = Vec::new();
        let mut left_out = 0;
        for ((event, metric), result) in wanted.into_iter().zip(results) {
            match result {
                Ok(()) if (kept.len() + 1) * cpus.len() <= budget => kept.push((event, metric)),
                Ok(()) => {
                    left_out += 1;
                    closed.push((metric, Availability::Unsupported));
                }
                Err(errno) => closed.push((metric, Availability::from_errno(errno))),
            }
        }
        let events: Vec<Event> = kept.iter().map(|(event, _)| *event).collect();
        let (group, results) = PerfGroup::open(PerfTarget::Host, &events, cpus);
        let mut metrics = Vec::new();
        for ((_, metric), result) in kept.iter().zip(results) {
            if let Err(errno) = result {
                closed.push((*metric, Availability::from_errno(errno)));
            }
            metrics.push(result.is_ok().then_some(*metric));
        }
        let count = |why| closed.iter().filter(|(_, closed)| *closed == why).count();
        let mut remark =
            format!("{} of {} events on {} CPUs", EVENTS.len() - closed.len(), EVENTS.len(), cpus.len());
        if !tracepoints {
            remark.push_str("; kvm:* tracepoints are not asked for (sampling.kvm_tracepoints)");
        }
        if count(Availability::Unsupported) > left_out {
            remark.push_str(
                "; what else is missing this kernel or machine does not have (no PMU, or no such tracepoint)",
            );
        }
        if count(Availability::Denied) > unseen {
            remark.push_str("; some are denied: CAP_PERFMON (before 5.8 CAP_SYS_ADMIN) or kernel.perf_event_paranoid <= 0 opens them");
        }
        if unseen > 0 {
            remark.push_str(match tracefs {
                Tracefs::NotMounted => "; kvm:* tracepoints need tracefs, which is not mounted: mount -t tracefs tracefs /sys/kernel/tracing opens them",
                _ => "; kvm:* tracepoints need a readable tracefs: root or CAP_DAC_READ_SEARCH opens it",
            });
        }
        if left_out > 0 {
            remark = format!("{remark}; {left_out} left out to use at most {budget} descriptors");
        }
        let perf = (group.descriptors() > 0).then(|| {
            let (closed, remark) = (closed.clone(), remark.clone());
            Self::of(Arc::new(OpenCounters {
                cpus: cpus.to_vec(),
                tracepoints,
                group,
                metrics,
                closed,
                remark,
            }))
        });
        Opened { perf, closed, remark }
    }

    /// The metrics it writes.
    pub(in crate::sampling) fn metrics(&self) -> impl Iterator<Item = MetricId> + '_ {
        self.counters.metrics.iter().flatten().copied()
    }

    /// Goes on counting where the plan before left off.
    pub(in crate::sampling) fn take_over(&mut self, before: &Self) {
        if Arc::ptr_eq(&self.counters, &before.counters) {
            self.carried = before.carried;
            return;
        }
        for (metric, carried) in self.counters.metrics.iter().zip(&mut self.carried) {
            let metrics = &before.counters.metrics;
            if let Some(index) = metrics.iter().position(|other| metric.is_some() && other == metric) {
                *carried = before.carried[index].wrapping_add(before.values[index]);
            }
        }
    }

    /// Reads the counters and writes them.
    pub(in crate::sampling) fn sample(&mut self, tick: Tick, writer: &mut FrameWriter) {
        let metrics = &self.counters.metrics;
        let count = metrics.len();
        let read = self.counters.group.read(&mut self.values[..count]);
        let mut row = writer.row(Scope::Host, 0);
        match read {
            Ok(()) => {
                // Guests do port I/O or have instructions emulated, and yet never exit or enter: this KVM (PVM, for one)
                // does not pass those two tracepoints. Their 0 is no count.
                let guests_run = metrics.iter().zip(&self.values).any(|(metric, value)| {
                    *value > 0 && metric.is_some_and(|metric| GUEST_WORK.contains(&metric))
                });
                for ((metric, value), carried) in metrics.iter().zip(&self.values).zip(&self.carried) {
                    let Some(metric) = metric else { continue };
                    let total = value.wrapping_add(*carried);
                    if total == 0 && guests_run && GUEST_SWITCHES.contains(metric) {
                        row.fail(*metric, Availability::Unsupported);
                    } else {
                        row.set_u64(*metric, total);
                    }
                }
                row.stamp(Source::Perf, tick.mono_ns);
            }
            Err(errno) => {
                for metric in metrics.iter().flatten() {
                    row.fail(*metric, Availability::from_errno(errno));
                }
            }
        }
    }

    /// Descriptors it keeps open.
    pub(in crate::sampling) fn descriptors(&self) -> usize {
        self.counters.group.descriptors()
    }
}
