//! The events there are, the most telling first: where descriptors are short, the last are left out.

use crate::config::Roots;
use crate::sampling::availability::Availability;
use crate::sampling::metrics::{MetricId, host};
use crate::sys::perf::Event;
use nix::errno::Errno;

/// An event by its kind, before it is known whether this machine has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `enum perf_hw_id`
    Hardware(u64),
    /// `enum perf_sw_ids`
    Software(u64),
    /// A tracepoint: `group/name`.
    Tracepoint(&'static str),
}

/// An event and what it is counted as on the host.
#[derive(Clone, Copy, Debug)]
pub struct PerfEvent {
    /// What it is.
    pub kind: Kind,
    /// The host's metric.
    pub metric: MetricId,
}

const fn event(kind: Kind, metric: MetricId) -> PerfEvent {
    PerfEvent { kind, metric }
}

/// All of them.
pub const EVENTS: &[PerfEvent] = &[
    event(Kind::Tracepoint("kvm/kvm_exit"), host::PERF_KVM_EXITS),
    event(Kind::Software(4), host::PERF_MIGRATIONS),
    event(Kind::Hardware(0), host::PERF_CYCLES),
    event(Kind::Hardware(1), host::PERF_INSTRUCTIONS),
    event(Kind::Hardware(3), host::PERF_CACHE_MISSES),
    event(Kind::Tracepoint("kvm/kvm_page_fault"), host::PERF_KVM_PAGE_FAULTS),
    event(Kind::Tracepoint("kvm/kvm_inj_exception"), host::PERF_KVM_EXCEPTIONS),
    event(Kind::Tracepoint("kvm/kvm_emulate_insn"), host::PERF_KVM_EMULATIONS),
    event(Kind::Tracepoint("kvm/kvm_mmio"), host::PERF_KVM_MMIO),
    event(Kind::Tracepoint("kvm/kvm_pio"), host::PERF_KVM_PORT_IO),
    event(Kind::Tracepoint("kvm/kvm_msr"), host::PERF_KVM_MSRS),
    event(Kind::Tracepoint("kvm/kvm_hypercall"), host::PERF_KVM_HYPERCALLS),
    event(Kind::Tracepoint("kvm/kvm_nested_vmexit"), host::PERF_KVM_NESTED_EXITS),
    event(Kind::Software(3), host::PERF_CONTEXT_SWITCHES),
    event(Kind::Software(6), host::PERF_PAGE_FAULTS_MAJOR),
    event(Kind::Software(5), host::PERF_PAGE_FAULTS_MINOR),
    event(Kind::Software(7), host::PERF_ALIGNMENT_FAULTS),
    event(Kind::Software(8), host::PERF_EMULATION_FAULTS),
    event(Kind::Hardware(2), host::PERF_CACHE_REFERENCES),
    event(Kind::Hardware(5), host::PERF_BRANCH_MISSES),
    event(Kind::Tracepoint("kvm/kvm_entry"), host::PERF_KVM_ENTRIES),
    event(Kind::Tracepoint("kvm/kvm_cpuid"), host::PERF_KVM_CPUID),
    event(Kind::Tracepoint("kvm/kvm_inj_virq"), host::PERF_KVM_INJECTIONS),
];

/// The number of a tracepoint: tracefs has it where it is mounted, debugfs where it is not.
///
/// # Errors
/// [`Availability::Unsupported`] when there is no such tracepoint, [`Availability::Denied`] when it may not be looked
/// up: tracefs is for root.
pub fn tracepoint_id(roots: &Roots, name: &str) -> Result<u64, Availability> {
    let mut why = Availability::Unsupported;
    for folder in [roots.sys.join("kernel/tracing"), roots.debugfs.join("tracing")] {
        match std::fs::read_to_string(folder.join("events").join(name).join("id")) {
            Ok(text) => return text.trim().parse().map_err(|_| Availability::Error),
            Err(error) => {
                let errno = Errno::from_raw(error.raw_os_error().unwrap_or(0));
                // Denied in one place tells more than missing in the other.
                if why == Availability::Unsupported {
                    why = Availability::from_errno(errno);
                }
            }
        }
    }
    Err(why)
}

impl PerfEvent {
    /// The event as the kernel knows it.
    ///
    /// # Errors
    /// As [`tracepoint_id`].
    pub fn resolve(&self, roots: &Roots) -> Result<Event, Availability> {
        match self.kind {
            Kind::Hardware(number) => Ok(Event::Hardware(number)),
            Kind::Software(number) => Ok(Event::Software(number)),
            Kind::Tracepoint(name) => tracepoint_id(roots, name).map(Event::Tracepoint),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::EVENTS_MAX;
    use super::*;
    use crate::sampling::metrics::{Scope, Source};

    #[test]
    fn every_perf_metric_of_the_host_has_its_event() {
        let mut counted: Vec<_> = EVENTS.iter().map(|event| event.metric).collect();
        counted.sort();
        let perf = Scope::Host.metrics().iter().filter(|metric| metric.source == Source::Perf);
        assert_eq!(counted, perf.map(|metric| metric.id).collect::<Vec<_>>());
        assert!(EVENTS.len() <= EVENTS_MAX);
    }
}
