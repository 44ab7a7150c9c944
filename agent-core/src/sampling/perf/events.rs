//! The events there are, the most telling first: where descriptors are short, the last are left out.

use crate::config::Roots;
use crate::sampling::availability::Availability;
use crate::sampling::metrics::{MetricId, host};
use crate::sys::perf::Event;
use nix::errno::Errno;
use std::io::ErrorKind;
use std::path::PathBuf;

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

/// What is known of tracefs, which has the tracepoints' numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tracefs {
    /// This folder is it, and can be looked into.
    Open(PathBuf),
    /// It may be there, but this process may not look: tracefs and debugfs are for root.
    Closed,
    /// The kernel has it, but it is mounted nowhere.
    NotMounted,
    /// The kernel does not have it.
    Absent,
}

impl Tracefs {
    /// Looks for it: it has its own place since Linux 4.1, and is in debugfs, too.
    #[must_use]
    pub fn find(roots: &Roots) -> Self {
        let own = roots.sys.join("kernel/tracing");
        // The kernel makes this folder when it has tracefs; it is empty until that is mounted there.
        let mut found = if own.is_dir() { Self::NotMounted } else { Self::Absent };
        for folder in [own, roots.debugfs.join("tracing")] {
            match std::fs::metadata(folder.join("events")) {
                Ok(_) => return Self::Open(folder),
                // Closed in one place tells more than empty in the other.
                Err(error) if error.kind() == ErrorKind::PermissionDenied => found = Self::Closed,
                Err(_) => {}
            }
        }
        found
    }

    /// The number of a tracepoint, `group/name`.
    ///
    /// # Errors
    /// [`Availability::Unsupported`] only when there is known to be no such tracepoint; [`Availability::Denied`] when
    /// it cannot be looked up, be it for want of a right or of a mount.
    pub fn id(&self, tracepoint: &str) -> Result<u64, Availability> {
        match self {
            Self::Open(folder) => {
                let text = std::fs::read_to_string(folder.join("events").join(tracepoint).join("id"));
                let text = text.map_err(|error| {
                    Availability::from_errno(Errno::from_raw(error.raw_os_error().unwrap_or(0)))
                })?;
                text.trim().parse().map_err(|_| Availability::Error)
            }
            Self::Closed | Self::NotMounted => Err(Availability::Denied),
            Self::Absent => Err(Availability::Unsupported),
        }
    }
}

impl PerfEvent {
    /// The event as the kernel knows it.
    ///
    /// # Errors
    /// As [`Tracefs::id`].
    pub fn resolve(&self, tracefs: &Tracefs) -> Result<Event, Availability> {
        match self.kind {
            Kind::Hardware(number) => Ok(Event::Hardware(number)),
            Kind::Software(number) => Ok(Event::Software(number)),
            Kind::Tracepoint(name) => tracefs.id(name).map(Event::Tracepoint),
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

    #[test]
    fn a_tracepoint_is_unsupported_only_where_it_is_known_not_to_exist() {
        let root = tempfile::tempdir().expect("folder");
        let roots = Roots::below(root.path());
        let own = root.path().join("sys/kernel/tracing");
        let in_debugfs = root.path().join("sys/kernel/debug/tracing");
        let make = |folder: PathBuf| std::fs::create_dir_all(folder).expect("folder");

        assert_eq!(Tracefs::find(&roots), Tracefs::Absent);
        assert_eq!(Tracefs::find(&roots).id("kvm/kvm_exit"), Err(Availability::Unsupported));
        make(own.clone());
        assert_eq!(Tracefs::find(&roots), Tracefs::NotMounted);
        assert_eq!(Tracefs::find(&roots).id("kvm/kvm_exit"), Err(Availability::Denied));
        assert_eq!(Tracefs::Closed.id("kvm/kvm_exit"), Err(Availability::Denied));

        make(in_debugfs.join("events/kvm/kvm_exit"));
        std::fs::write(in_debugfs.join("events/kvm/kvm_exit/id"), "42\n").expect("file");
        assert_eq!(Tracefs::find(&roots), Tracefs::Open(in_debugfs), "not mounted at its own place");
        assert_eq!(Tracefs::find(&roots).id("kvm/kvm_exit"), Ok(42));
        assert_eq!(Tracefs::find(&roots).id("kvm/kvm_entry"), Err(Availability::Unsupported));

        make(own.join("events/kvm"));
        assert_eq!(Tracefs::find(&roots), Tracefs::Open(own));
    }
}
