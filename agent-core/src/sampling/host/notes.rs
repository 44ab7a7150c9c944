//! What is said about each source: how it is read, what of it is closed, and what would open it.

use crate::sampling::SourceReport;
use crate::sampling::availability::Availability;
use crate::sampling::metrics::Source;
use nix::errno::Errno;
use std::collections::BTreeMap;
use std::path::Path;

/// Gathers what is found while files are opened.
#[derive(Default)]
pub(super) struct Notes {
    sources: BTreeMap<Source, Note>,
}

#[derive(Default)]
struct Note {
    kept: usize,
    each: usize,
    tier: Option<&'static str>,
    /// The best reason for each way of failing, and how many files it is true of.
    closed: Vec<(Availability, String)>,
    remarks: Vec<String>,
}

impl Notes {
    /// A file can be read.
    pub(super) fn open(&mut self, source: Source, _path: &Path, kept: bool) {
        let note = self.sources.entry(source).or_default();
        *(if kept { &mut note.kept } else { &mut note.each }) += 1;
    }

    /// A source is read by other means than files.
    pub(super) fn other(&mut self, source: Source, tier: &'static str, remark: String) {
        let note = self.sources.entry(source).or_default();
        note.tier = Some(tier);
        if !remark.is_empty() {
            note.remarks.push(remark);
        }
    }

    /// A file cannot be read.
    pub(super) fn closed(&mut self, source: Source, path: &Path, errno: Errno) {
        let availability = Availability::from_errno(errno);
        let why = match availability {
            Availability::Denied => format!("denied; {}", key_to(source)),
            Availability::Unsupported => format!("not there; {}", needs(source)),
            _ => format!("cannot be read: {errno}"),
        };
        self.refuse(source, availability, format!("{}: {why}", path.display()));
    }

    /// A source, or a part of it, cannot be had.
    pub(super) fn refuse(&mut self, source: Source, availability: Availability, why: String) {
        self.sources.entry(source).or_default().closed.push((availability, why));
    }

    /// A file can be read, but not understood, or not all of it.
    pub(super) fn garbled(&mut self, source: Source, path: &Path, bytes: usize) {
        let why = format!("{}: its {bytes} bytes are not what this file holds, or cut short", path.display());
        self.refuse(source, Availability::Error, why);
    }

    /// Something was left out.
    pub(super) fn limit(&mut self, source: Source, remark: String) {
        self.sources.entry(source).or_default().remarks.push(remark);
    }

    /// The reports, in the order of the sources.
    pub(super) fn into_reports(self) -> Vec<SourceReport> {
        self.sources.into_iter().map(|(source, note)| note.report(source)).collect()
    }
}

impl Note {
    fn report(self, source: Source) -> SourceReport {
        let tier = match (self.tier, self.kept, self.each) {
            (Some(tier), ..) => tier,
            (None, 0, 0) => "none",
            (None, _, 0) => "kept-fd",
            (None, ..) => "open-each",
        };
        // What is closed matters most; then what is broken; that a kernel lacks something is least.
        let worst =
            [Availability::Denied, Availability::Error, Availability::Gone, Availability::Unsupported]
                .into_iter()
                .find(|availability| self.closed.iter().any(|(closed, _)| closed == availability));
        let availability =
            if tier == "none" { worst.unwrap_or(Availability::Unsupported) } else { Availability::Ok };
        let mut parts = Vec::new();
        if self.kept > 0 {
            parts.push(format!("{} kept open, read in place", files(self.kept)));
        }
        if self.each > 0 {
            parts.push(format!(
                "{} opened for each reading: this kernel cannot read them in place",
                files(self.each)
            ));
        }
        parts.extend(self.remarks);
        parts.extend(self.closed.into_iter().map(|(_, why)| why));
        SourceReport { source, tier, availability, reason: parts.join("; ") }
    }
}

fn files(count: usize) -> String {
    if count == 1 { "1 file".into() } else { format!("{count} files") }
}

/// What opens a source that is there but closed.
fn key_to(source: Source) -> &'static str {
    match source {
        Source::Rapl => {
            "energy counters are for root alone since CVE-2020-8694: run as root or with CAP_DAC_READ_SEARCH"
        }
        Source::Conntrack => "connection tracking is for CAP_NET_ADMIN",
        Source::Perf => {
            "host-wide perf events need CAP_PERFMON (before 5.8 CAP_SYS_ADMIN), or kernel.perf_event_paranoid at 0 or below"
        }
        _ => "run as root or with CAP_DAC_READ_SEARCH",
    }
}

/// What a source needs that this kernel or machine does not have.
fn needs(source: Source) -> &'static str {
    match source {
        Source::Schedstat => "needs a kernel built with CONFIG_SCHEDSTATS",
        Source::Pressure => {
            "needs kernel 4.20 with CONFIG_PSI, and psi=1 at boot where it is off by default (irq: 6.1, CONFIG_IRQ_TIME_ACCOUNTING)"
        }
        Source::Conntrack => "needs the module nf_conntrack (its statistics: CONFIG_NF_CONNTRACK_PROCFS)",
        Source::Ksm => "needs CONFIG_KSM, or a newer kernel (see the metric's since)",
        Source::KernelHealth => {
            "needs a newer kernel (see the metric's since), or its detector is not built in"
        }
        Source::Numa => "needs CONFIG_NUMA",
        Source::Thermal => "this machine, or its kernel, shows no such sensor",
        Source::Rapl => "needs an Intel or AMD processor with RAPL, and the module intel_rapl_msr",
        Source::NetStat => "needs CONFIG_INET (sockstat6: IPv6)",
        Source::Perf => "this kernel or machine does not count it",
        _ => "this kernel does not have it",
    }
}
