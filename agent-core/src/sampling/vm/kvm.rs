//! KVM's own counters of a VM, without asking the VMM.
//!
//! | tier | how | gives |
//! |---|---|---|
//! | `bpf` | a program in the kernel copies them from where KVM keeps them ([`super::bpf`]) | per vCPU and VM, no descriptor, whatever the VMM |
//! | `stats-fd` | statistics descriptors duplicated out of the VMM with `pidfd_getfd` (QEMU ≥ 8.1 keeps them) | per vCPU and VM, one `pread` each |
//! | `debugfs` | `debugfs/kvm/<pid>-<fd>/`, a file per counter, opened each time (they cannot be read at an offset) | sums per VM, at the slow rate |
//! | `none` | | monitors may deliver QMP's `query-stats` instead |
//!
//! A held statistics descriptor keeps a dead VM's memory from being freed until it is closed: the plan of a VM that
//! exits goes back to be closed in the same tick. On kernels where it would not even do that it is not used at all
//! (see [`super::kernel_release`]).

use super::batch::Batch;
use super::bpf::{Bpf, KvmSeat};
use super::kernel_release;
use super::kvm_names::{VCPU_COUNTERS, VM_COUNTERS};
use super::kvm_stats::{self, DATA_BYTES_MAX, DESCRIPTION_BYTES_MAX, Layout};
use super::process::failed;
use super::slot::{Budget, Slot, open_directory};
use super::text;
use crate::config::{Config, KvmTierChoice};
use crate::sampling::SourceReport;
use crate::sampling::availability::Availability;
use crate::sampling::discovery::VmInfo;
use crate::sampling::frame::RowWriter;
use crate::sampling::metrics::{MetricId, Source};
use crate::sys::pidfd;
use nix::errno::Errno;
use nix::sys::uio::pread;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// What `/proc/PID/fd/N` of a vCPU's statistics descriptor points to, with the vCPU's id at its end on most kernels.
const VCPU_LINK: &str = "anon_inode:kvm-vcpu-stats";
/// What it points to for the vCPU itself; the vCPU's id is at its end on all kernels that have BPF programs like ours.
const VCPU_FILE_LINK: &str = "anon_inode:kvm-vcpu:";
const VM_LINK: &str = "anon_inode:kvm-vm-stats";
/// Descriptors of one VMM that are looked at.
const DESCRIPTORS_SCANNED_MAX: usize = 65_536;

/// The statistics of one vCPU or VM.
struct Stats {
    fd: OwnedFd,
    layout: Layout,
}

/// How KVM's counters of one VM are read.
pub(super) struct KvmFiles {
    tier: Tier,
    report: SourceReport,
}

enum Tier {
    None,
    Records(KvmSeat),
    StatsFd {
        /// By position of the vCPU in the plan.
        vcpus: Vec<Option<Stats>>,
        vm: Option<Stats>,
    },
    Debugfs {
        dir: OwnedFd,
        files: Vec<(MetricId, Slot)>,
    },
}

/// The sums over a VM's vCPUs in one tick.
pub(super) struct Sums {
    values: [i64; VCPU_COUNTERS.len()],
    /// How many vCPUs were read, and how many could not be.
    read: usize,
    failed: usize,
}

impl Sums {
    pub(super) const fn new() -> Self {
        Self { values: [0; VCPU_COUNTERS.len()], read: 0, failed: 0 }
    }
}

/// The statistics of one vCPU, read but not yet written.
pub(super) struct VcpuReading<'a> {
    layout: &'a Layout,
    data: &'a [u8],
}

impl VcpuReading<'_> {
    /// Writes the vCPU's counters into its row.
    pub(super) fn write(&self, row: &mut RowWriter<'_>, mono_ns: u64) {
        for (index, value) in self.layout.values(self.data) {
            row.set(VCPU_COUNTERS[index].vcpu, value);
        }
        row.stamp(Source::Kvm, mono_ns);
    }
}

impl KvmFiles {
    /// Chooses the cheapest tier that works, or the one asked for.
    pub(super) fn open(
        info: &VmInfo,
        config: &Config,
        proc_dir: BorrowedFd<'_>,
        pidfd: Option<BorrowedFd<'_>>,
        tick_ns: u64,
        bpf: &Bpf,
        budget: &mut Budget,
    ) -> Self {
        let choice = config.sampling.kvm_tier;
        let mut reasons = Vec::new();
        let mut denied = false;
        if matches!(choice, KvmTierChoice::Auto | KvmTierChoice::Bpf) {
            match records_tier(info, proc_dir, tick_ns, bpf) {
                Ok((tier, reason)) => return Self::chosen(tier, "bpf", reason),
                Err(closed) => {
                    denied |= closed.denied;
                    reasons.push(format!("bpf: {}", closed.reason));
                }
            }
        }
        if matches!(choice, KvmTierChoice::Auto | KvmTierChoice::Bpf | KvmTierChoice::StatsFd) {
            match stats_tier(info, proc_dir, pidfd, budget) {
                Ok((tier, reason)) => {
                    reasons.extend(Some(reason).filter(|reason| !reason.is_empty()));
                    return Self::chosen(tier, "stats-fd", reasons.join("; "));
                }
                Err(closed) => {
                    denied |= closed.denied;
                    reasons.push(format!("stats-fd: {}", closed.reason));
                }
            }
        }
        if matches!(choice, KvmTierChoice::Auto | KvmTierChoice::Bpf | KvmTierChoice::Debugfs) {
            match debugfs_tier(info, &config.roots.debugfs, budget) {
                Ok(tier) => {
                    let sums = "sums over all vCPUs only, at the slow rate".to_owned();
                    reasons.push(sums);
                    return Self::chosen(tier, "debugfs", reasons.join("; "));
                }
                Err(closed) => {
                    denied |= closed.denied;
                    reasons.push(format!("debugfs: {}", closed.reason));
                }
            }
        }
        match choice {
            KvmTierChoice::Off => reasons.push("switched off by sampling.kvm_tier".to_owned()),
            KvmTierChoice::Qmp => reasons.push("left to the monitor by sampling.kvm_tier".to_owned()),
            _ => {}
        }
        let availability = if denied { Availability::Denied } else { Availability::Unsupported };
        let reason = reasons.join("; ");
        Self {
            tier: Tier::None,
            report: SourceReport { source: Source::Kvm, tier: "none", availability, reason },
        }
    }

    fn chosen(tier: Tier, name: &'static str, reason: String) -> Self {
        let report = SourceReport { source: Source::Kvm, tier: name, availability: Availability::Ok, reason };
        Self { tier, report }
    }

    /// How it is read, and why not better.
    pub(super) const fn report(&self) -> &SourceReport {
        &self.report
    }

    /// Whether the tier is too dear for every tick.
    pub(super) const fn is_slow(&self) -> bool {
        matches!(self.tier, Tier::Debugfs { .. })
    }

    /// What a counter reads as that the tier does not have.
    pub(super) const fn absent(&self) -> Availability {
        match self.report.availability {
            Availability::Ok => kvm_stats::ABSENT,
            closed => closed,
        }
    }

    /// Whether vCPU rows get their own values.
    pub(super) const fn has_vcpus(&self) -> bool {
        matches!(self.tier, Tier::StatsFd { .. } | Tier::Records(_))
    }

    /// Reads one vCPU, and adds it to the sums.
    pub(super) fn read_vcpu<'a>(
        &'a self,
        index: usize,
        buffer: &'a mut [u8; DATA_BYTES_MAX],
        sums: &mut Sums,
    ) -> Option<VcpuReading<'a>> {
        let read = match &self.tier {
            Tier::StatsFd { vcpus, .. } => vcpus
                .get(index)
                .and_then(Option::as_ref)
                .and_then(|stats| Some((&stats.layout, stats.read(buffer).ok()?))),
            Tier::Records(seat) => {
                seat.read_vcpu(index, buffer).map(|data| (seat.sweep().vcpu_layout(), data))
            }
            Tier::None | Tier::Debugfs { .. } => return None,
        };
        let Some((layout, data)) = read else {
            sums.failed += 1;
            return None;
        };
        for (index, value) in layout.values(data) {
            sums.values[index] = sums.values[index].saturating_add(value);
        }
        sums.read += 1;
        Some(VcpuReading { layout, data })
    }

    /// Puts the VM's counters: sums over its vCPUs, and those that KVM keeps per VM. Sums that lack a vCPU are left
    /// out: they would dip, and jump when it comes back.
    pub(super) fn put_vm(&self, sums: &Sums, buffer: &mut [u8; DATA_BYTES_MAX], batch: &mut Batch) {
        let layout = match &self.tier {
            Tier::StatsFd { vcpus, .. } => vcpus.iter().flatten().next().map(|stats| &stats.layout),
            Tier::Records(seat) => Some(seat.sweep().vcpu_layout()),
            Tier::None | Tier::Debugfs { .. } => return,
        };
        if sums.failed == 0 && sums.read > 0 {
            for index in layout.into_iter().flat_map(Layout::known) {
                batch.put(VCPU_COUNTERS[index].vm, Ok(sums.values[index]));
            }
            batch.answered(Source::Kvm);
        }
        self.put_vm_counters(buffer, batch);
    }

    /// Puts what moves even while no vCPU runs; the sums of the tick before hold.
    pub(super) fn put_vm_quiet(&self, buffer: &mut [u8; DATA_BYTES_MAX], batch: &mut Batch) {
        if self.has_vcpus() {
            batch.answered(Source::Kvm);
            self.put_vm_counters(buffer, batch);
        }
    }

    /// Puts the counters that KVM keeps per VM.
    fn put_vm_counters(&self, buffer: &mut [u8; DATA_BYTES_MAX], batch: &mut Batch) {
        let read = match &self.tier {
            Tier::StatsFd { vm, .. } => {
                vm.as_ref().and_then(|stats| Some((&stats.layout, stats.read(buffer).ok()?)))
            }
            Tier::Records(seat) => seat.read_vm(buffer).map(|data| (seat.sweep().vm_layout(), data)),
            Tier::None | Tier::Debugfs { .. } => None,
        };
        let Some((layout, data)) = read else { return };
        for (index, value) in layout.values(data) {
            batch.put(VM_COUNTERS[index].vm, Ok(value));
        }
        batch.answered(Source::Kvm);
    }

    /// From now on programs in the kernel read for this VM, where they do.
    pub(super) fn take_seat(&self) {
        if let Tier::Records(seat) = &self.tier {
            seat.take();
        }
    }

    /// From now on they do not.
    pub(super) fn leave_seat(&self) {
        if let Tier::Records(seat) = &self.tier {
            seat.leave();
        }
    }

    /// Reads the files of the debugfs tier.
    pub(super) fn read_slow(&self, buffer: &mut [u8], batch: &mut Batch) {
        let Tier::Debugfs { dir, files } = &self.tier else { return };
        for (metric, slot) in files {
            match slot.read(dir.as_fd(), buffer) {
                Ok(bytes) => {
                    let value = text::number(bytes).map(|value| i64::try_from(value).unwrap_or(i64::MAX));
                    batch.put(*metric, value.ok_or(Availability::Error));
                    batch.answered(Source::Kvm);
                }
                Err(errno) => batch.put(*metric, Err(failed(errno))),
            }
        }
    }

    /// Descriptors held.
    pub(super) fn descriptors(&self) -> usize {
        match &self.tier {
            Tier::None | Tier::Records(_) => 0,
            Tier::StatsFd { vcpus, vm } => vcpus.iter().flatten().count() + usize::from(vm.is_some()),
            Tier::Debugfs { .. } => 1,
        }
    }
}

impl Stats {
    fn read<'b>(&self, buffer: &'b mut [u8; DATA_BYTES_MAX]) -> Result<&'b [u8], Errno> {
        let wanted = &mut buffer[..self.layout.data_bytes];
        let length = pread(&self.fd, wanted, i64::from(self.layout.data_offset))?;
        // A short read would leave counters out of the sums.
        if length < self.layout.data_bytes { Err(Errno::EBADMSG) } else { Ok(&buffer[..length]) }
    }

    fn learn(
        fd: OwnedFd,
        wanted: &[(&str, crate::sampling::metrics::Unit)],
    ) -> Result<(Self, String), String> {
        let mut description = vec![0; DESCRIPTION_BYTES_MAX];
        let mut length = 0;
        while length < description.len() {
            let offset = i64::try_from(length).unwrap_or(i64::MAX);
            match pread(&fd, &mut description[length..], offset) {
                Ok(0) => break,
                Ok(count) => length += count,
                Err(errno) => return Err(format!("the statistics descriptor cannot be read: {errno}")),
            }
        }
        description.truncate(length);
        let layout = Layout::learn(&description, wanted).map_err(|error| error.to_string())?;
        Ok((Self { fd, layout }, kvm_stats::id(&description).to_owned()))
    }
}

/// Why a tier cannot be used.
struct Closed {
    reason: String,
    denied: bool,
}

impl From<String> for Closed {
    fn from(reason: String) -> Self {
        Self { reason, denied: false }
    }
}

fn records_tier(
    info: &VmInfo,
    proc_dir: BorrowedFd<'_>,
    tick_ns: u64,
    bpf: &Bpf,
) -> Result<(Tier, String), Closed> {
    let sweep = bpf.kvm.as_ref().map_err(Clone::clone)?;
    let mut found = Vec::new();
    for (number, link) in links(proc_dir)? {
        let id = link.strip_prefix(VCPU_FILE_LINK).and_then(|id| id.parse::<u32>().ok());
        found.extend(id.zip(u32::try_from(number).ok()));
    }
    found.sort_unstable();
    found.dedup_by_key(|(id, _)| *id);
    let (fds, missing) = by_vcpu(info, found);
    let seat = sweep.seat(info.entity.row, info.pid, (info.start_ticks, tick_ns), fds)?;
    let reason = match missing {
        0 => String::new(),
        missing => format!("{missing} vCPUs have no descriptor: no sums"),
    };
    Ok((Tier::Records(seat), reason))
}

fn stats_tier(
    info: &VmInfo,
    proc_dir: BorrowedFd<'_>,
    pidfd: Option<BorrowedFd<'_>>,
    budget: &mut Budget,
) -> Result<(Tier, String), Closed> {
    let pidfd = pidfd.ok_or_else(|| "a recorded host has no processes".to_owned())?;
    let release = kernel_release::running();
    if !kernel_release::stats_descriptors_are_safe(&release) {
        return Err(format!(
            "refused on kernel {release}: a statistics descriptor may outlive its VM there \
             (fixed in 6.5, 6.4.8, 6.1.43 and 5.15.124)"
        )
        .into());
    }
    let wanted_of_vm: Vec<_> =
        VM_COUNTERS.iter().map(|counter| kvm_stats::wanted(counter.name, counter.vm)).collect();
    let wanted_of_vcpu: Vec<_> =
        VCPU_COUNTERS.iter().map(|counter| kvm_stats::wanted(counter.name, counter.vcpu)).collect();
    let links = links(proc_dir)?;
    let mut vm = None;
    let mut found = Vec::new();
    for (number, link) in &links {
        let is_vm = link == VM_LINK;
        if !is_vm && !link.starts_with(VCPU_LINK) || is_vm && vm.is_some() {
            continue;
        }
        if !budget.take() {
            return Err("no descriptor left: raise RLIMIT_NOFILE or sampling.descriptors_max"
                .to_owned()
                .into());
        }
        let fd = pidfd::duplicate_from(pidfd, *number).map_err(|errno| Closed {
            reason: format!(
                "pidfd_getfd: {errno}: needs CAP_SYS_PTRACE, or the VMM's own user and a dumpable VMM"
            ),
            denied: Availability::from_errno(errno) == Availability::Denied,
        })?;
        if is_vm {
            vm = Some(Stats::learn(fd, &wanted_of_vm)?.0);
        } else {
            let (stats, id) = Stats::learn(fd, &wanted_of_vcpu)?;
            let vcpu = vcpu_id(link, &id).ok_or_else(|| format!("{link} ({id}) names no vCPU"))?;
            found.push((vcpu, stats));
        }
    }
    if found.is_empty() {
        return Err("the VMM keeps no statistics descriptors (QEMU does since 8.1)".to_owned().into());
    }
    found.sort_by_key(|(id, _)| *id);
    found.dedup_by_key(|(id, _)| *id);
    let (vcpus, missing) = by_vcpu(info, found);
    let reason = match missing {
        0 if vm.is_some() => String::new(),
        0 => "the VMM keeps no descriptor of the VM as a whole: no MMU and TLB counters".to_owned(),
        missing => format!("{missing} vCPUs have no statistics descriptor: no sums"),
    };
    Ok((Tier::StatsFd { vcpus, vm }, reason))
}

/// KVM's vCPU ids may have gaps where sockets and cores are not powers of two; the n-th id is the n-th vCPU.
fn by_vcpu<T>(info: &VmInfo, found: Vec<(u32, T)>) -> (Vec<Option<T>>, usize) {
    let mut order: Vec<usize> = (0..info.vcpus.len()).collect();
    order.sort_by_key(|position| info.vcpus[*position].index);
    let complete = found.len() == order.len();
    let mut vcpus: Vec<Option<T>> = info.vcpus.iter().map(|_| None).collect();
    for (rank, (id, stats)) in found.into_iter().enumerate() {
        let position = if complete {
            Some(order[rank])
        } else {
            order.iter().copied().find(|position| info.vcpus[*position].index == id)
        };
        if let Some(slot) = position.and_then(|position| vcpus.get_mut(position)) {
            *slot = Some(stats);
        }
    }
    let missing = vcpus.iter().filter(|stats| stats.is_none()).count();
    (vcpus, missing)
}

/// The vCPU's id: at the end of the link, or on older kernels in the id string `kvm-<pid>/vcpu-<id>`.
fn vcpu_id(link: &str, id: &str) -> Option<u32> {
    let from_link = link.strip_prefix(VCPU_LINK)?.strip_prefix(':').and_then(|id| id.parse().ok());
    from_link.or_else(|| id.rsplit_once("/vcpu-")?.1.parse().ok())
}

/// The VMM's descriptors and what they point to.
fn links(proc_dir: BorrowedFd<'_>) -> Result<Vec<(i32, String)>, Closed> {
    let closed = |errno: Errno| Closed {
        reason: format!("/proc/PID/fd: {errno}: needs CAP_SYS_PTRACE, or the VMM's own user"),
        denied: Availability::from_errno(errno) == Availability::Denied,
    };
    let fd_dir = super::slot::open_directory_at(proc_dir, "fd").map_err(closed)?;
    let listing = fd_dir.try_clone().map_err(|error| error.to_string())?;
    let mut dir = nix::dir::Dir::from_fd(listing).map_err(closed)?;
    let mut links = Vec::new();
    for entry in dir.iter().take(DESCRIPTORS_SCANNED_MAX) {
        let entry = entry.map_err(closed)?;
        let Some(number) = entry.file_name().to_str().ok().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // A descriptor that was closed meanwhile is none.
        let Ok(link) = nix::fcntl::readlinkat(&fd_dir, entry.file_name()) else { continue };
        links.push((number, link.to_string_lossy().into_owned()));
    }
    Ok(links)
}

fn debugfs_tier(info: &VmInfo, root: &Path, budget: &mut Budget) -> Result<Tier, Closed> {
    let kvm = root.join("kvm");
    let name = match &info.debugfs_name {
        Some(name) => name.clone(),
        None => find_debugfs(&kvm, info.pid)?,
    };
    let path = kvm.join(&name);
    let closed = |what: &str, errno: Errno| Closed {
        reason: match errno {
            Errno::EPERM => format!("{what}: {errno}: kernel lockdown forbids it"),
            Errno::EACCES => {
                format!("{what}: {errno}: needs root, or a debugfs mounted with a mode that allows it")
            }
            errno => format!("{what}: {errno}"),
        },
        denied: Availability::from_errno(errno) == Availability::Denied,
    };
    let dir = open_directory(&path).map_err(|errno| closed(&path.display().to_string(), errno))?;
    if !budget.take() {
        return Err("no descriptor left for the directory".to_owned().into());
    }
    let mut files = Vec::new();
    let mut refused = None;
    let names = VCPU_COUNTERS.iter().map(|counter| (counter.name, counter.vm));
    for (name, metric) in names.chain(VM_COUNTERS.iter().map(|counter| (counter.name, counter.vm))) {
        // Never kept: they answer a read at an offset with ESPIPE.
        match Slot::probe(dir.as_fd(), name, None) {
            Ok(slot) => files.push((metric, slot)),
            Err(Errno::ENOENT) => {}
            Err(errno) => refused = Some((name, errno)),
        }
    }
    // Lockdown leaves the few read-only files open. The exits are what the tier is for.
    match (refused, files.is_empty()) {
        (Some((name, errno)), _) => Err(closed(&path.join(name).display().to_string(), errno)),
        (None, true) => Err(format!("{} holds no counter that is known", path.display()).into()),
        (None, false) => Ok(Tier::Debugfs { dir, files }),
    }
}

/// The folder `<pid>-<fd>` of a process; the lowest descriptor when it has several VMs.
fn find_debugfs(kvm: &Path, pid: i32) -> Result<String, Closed> {
    let prefix = format!("{pid}-");
    let entries = std::fs::read_dir(kvm).map_err(|error| Closed {
        denied: error.kind() == std::io::ErrorKind::PermissionDenied,
        reason: format!("{}: {error}", kvm.display()),
    })?;
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter_map(|name| Some((name.strip_prefix(&prefix)?.parse::<u32>().ok()?, name)))
        .min()
        .map(|(_, name)| name)
        .ok_or_else(|| format!("no folder {}", kvm.join(format!("{pid}-*")).display()).into())
}
