//! One process becomes a VM: everything discovery can say of it, without a place in the frame yet.

use super::identify::{self, Description, Image};
use super::process::{Descriptors, Process, Stat, Thread};
use super::tenant::{TenantFacts, tenant};
use super::uevent::is_debugfs_name;
use super::{VmmKind, users};
use crate::config::{Config, Roots, TenantField};
use crate::sampling::SourceReport;
use crate::sampling::availability::Availability;
use crate::sampling::metrics::Source;
use std::io;
use std::path::{Path, PathBuf};

/// A VM as one inspection found it.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// What runs it.
    pub vmm: VmmKind,
    /// Its name; `vm-<pid>` when it tells none.
    pub name: String,
    /// Its UUID; zero when it tells none.
    pub uuid: [u8; 16],
    /// Its tenant; empty when no rule applies.
    pub tenant: String,
    /// The VMM's process.
    pub pid: i32,
    /// When the process started, in clock ticks since boot.
    pub start_ticks: u64,
    /// The path of its cgroup below the cgroup root.
    pub cgroup: String,
    /// Whether libvirt manages it.
    pub libvirt: bool,
    /// Index and thread of each vCPU, by index.
    pub vcpus: Vec<(u32, i32)>,
    /// The VMM's other threads.
    pub other_threads: Vec<i32>,
    /// Its tap devices.
    pub taps: Vec<String>,
    /// Its disks.
    pub disks: Vec<(String, Option<PathBuf>)>,
    /// Where its monitor listens, as this process can reach it.
    pub monitor: Option<PathBuf>,
    /// Firecracker's metrics file, as this process can reach it.
    pub metrics_file: Option<PathBuf>,
    /// The name of its folder in `debugfs/kvm`.
    pub debugfs_name: Option<String>,
    /// What could not be seen, and why.
    pub sources: Vec<SourceReport>,
    /// Whether the threads of all vCPUs that KVM knows were found.
    pub complete: bool,
}

/// What an inspection came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Inspection {
    /// A VM.
    Vm(Box<Found>),
    /// A process that is no VM, or not yet one.
    Not,
    /// No such process, or it has ended.
    Gone,
}

/// What is known of a process before it is looked at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Evidence<'a> {
    /// The kernel said that it made a VM.
    pub announced: bool,
    /// Its folder in debugfs, as the kernel announced it.
    pub debugfs_name: Option<&'a str>,
}

/// Looks at one process.
#[must_use]
pub fn inspect(config: &Config, pid: i32, evidence: Evidence<'_>) -> Inspection {
    let process = Process::new(&config.roots.proc, pid);
    let Ok(stat) = process.stat() else { return Inspection::Gone };
    if stat.ended() || stat.exiting {
        return Inspection::Gone;
    }
    let Ok(arguments) = process.arguments() else { return Inspection::Gone };
    let by_name = identify::kind(&stat.comm, &arguments);
    let descriptors = process.descriptors(&config.roots.sys);
    let kind = by_name.unwrap_or(VmmKind::Other);
    let description = identify::describe(kind, &arguments);
    let threads = process.threads().unwrap_or_default();
    if !is_vm(config, by_name, &description, &descriptors, evidence) {
        return if same(&process, &stat) { Inspection::Not } else { Inspection::Gone };
    }
    let found =
        assemble(config, &process, kind, &stat, &arguments, description, descriptors, &threads, evidence);
    if same(&process, &stat) { Inspection::Vm(Box::new(found)) } else { Inspection::Gone }
}

/// Whether what was read meanwhile is still of one process, whole: its PID may have become another's, and one that ends
/// loses its command line and its descriptors, and with them its name, before it is a zombie.
fn same(process: &Process, before: &Stat) -> bool {
    process
        .stat()
        .is_ok_and(|after| after.start_ticks == before.start_ticks && !after.ended() && !after.exiting)
}

/// Whether a process is a VM: it holds one, or it is an emulator that needs none, or it may not be looked into and
/// everything else says so.
fn is_vm(
    config: &Config,
    by_name: Option<VmmKind>,
    description: &Description,
    descriptors: &io::Result<Descriptors>,
    evidence: Evidence<'_>,
) -> bool {
    if description.probe {
        return false;
    }
    let emulated = config.discovery.without_kvm && by_name == Some(VmmKind::Qemu);
    match descriptors {
        Ok(descriptors) => !descriptors.kvm_vms.is_empty() || emulated,
        Err(_) => evidence.announced || emulated || (by_name.is_some() && description.kvm),
    }
}

#[expect(
    clippy::too_many_arguments,
    reason = "everything that was read of one process, put together in one place"
)]
fn assemble(
    config: &Config,
    process: &Process,
    vmm: VmmKind,
    stat: &Stat,
    arguments: &[String],
    description: Description,
    descriptors: io::Result<Descriptors>,
    threads: &[Thread],
    evidence: Evidence<'_>,
) -> Found {
    let pid = process.pid();
    let mut sources = Vec::new();
    let descriptors = descriptors.unwrap_or_else(|error| {
        sources.push(closed(pid, &error));
        Descriptors::default()
    });
    let (vcpus, other_threads) = sort_threads(process, vmm, threads, &descriptors);
    let name = description.name.unwrap_or_else(|| format!("vm-{pid}"));
    let cgroup = process.cgroup().unwrap_or_default();
    // Looking a name up may ask a server: only when a rule wants it.
    let by_user = config.discovery.tenant.iter().any(|rule| rule.from == TenantField::User);
    let user = if by_user { process.user().map(users::name).unwrap_or_default() } else { String::new() };
    let facts = TenantFacts { name: &name, cgroup: &cgroup, user: &user, cmdline: &arguments.join(" ") };
    let tenant = tenant(&config.discovery.tenant, facts);
    let debugfs_name = debugfs_name(&config.roots, pid, threads, &descriptors, evidence);
    let mut taps = description.taps;
    taps.extend(descriptors.taps.iter().cloned());
    taps.sort();
    taps.dedup();
    Found {
        vmm,
        uuid: description.uuid.unwrap_or_default(),
        tenant,
        pid,
        start_ticks: stat.start_ticks,
        libvirt: description.libvirt || cgroup.contains("/machine-qemu") || cgroup.contains(".libvirt-qemu"),
        cgroup,
        complete: !vcpus.is_empty() && vcpus.len() >= descriptors.kvm_vcpus.len(),
        vcpus,
        other_threads,
        taps,
        disks: disks(process, description.disks, &descriptors.images),
        monitor: description.monitor.map(|path| process.reachable(&path)),
        metrics_file: description.metrics_file.map(|path| process.reachable(&path)),
        debugfs_name,
        sources,
        name,
    }
}

fn closed(pid: i32, error: &io::Error) -> SourceReport {
    let availability = error
        .raw_os_error()
        .map_or(Availability::Error, |number| Availability::from_errno(nix::errno::Errno::from_raw(number)));
    let cure = match availability {
        Availability::Denied => "; reading another user's descriptors needs CAP_SYS_PTRACE",
        _ => "",
    };
    let reason = format!("/proc/{pid}/fd: {error}{cure}; taps, disks and KVM's counters may be missing");
    SourceReport { source: Source::Descriptors, tier: "none", availability, reason }
}

/// Tells the threads that run vCPUs from the others: by name, else by the vCPU descriptor they are in `KVM_RUN` with.
fn sort_threads(
    process: &Process,
    vmm: VmmKind,
    threads: &[Thread],
    descriptors: &Descriptors,
) -> (Vec<(u32, i32)>, Vec<i32>) {
    let mut vcpus: Vec<(u32, i32)> = Vec::new();
    let mut others = Vec::new();
    for thread in threads {
        match identify::vcpu_index(vmm, &thread.comm) {
            Some(index) if vcpus.iter().all(|(known, _)| *known != index) => vcpus.push((index, thread.tid)),
            _ => others.push(thread.tid),
        }
    }
    if vcpus.len() < descriptors.kvm_vcpus.len() {
        others.retain(|tid| {
            let fd = process.runs_vcpu(*tid);
            let vcpu = descriptors.kvm_vcpus.iter().find(|(number, _)| Some(*number) == fd);
            match vcpu {
                Some((_, index)) if vcpus.iter().all(|(known, _)| known != index) => {
                    vcpus.push((*index, *tid));
                    false
                }
                _ => true,
            }
        });
    }
    vcpus.sort_unstable();
    (vcpus, others)
}

/// The folder in debugfs carries the thread that made the VM, which need not be the main one.
fn debugfs_name(
    roots: &Roots,
    pid: i32,
    threads: &[Thread],
    descriptors: &Descriptors,
    evidence: Evidence<'_>,
) -> Option<String> {
    let exists = |name: &String| roots.debugfs.join("kvm").join(name).is_dir();
    let announced = evidence.debugfs_name.filter(|name| is_debugfs_name(name)).map(str::to_owned);
    if let Some(name) = announced.filter(|name| exists(name)) {
        return Some(name);
    }
    let fd = descriptors.kvm_vms.first()?;
    let tids = threads.iter().map(|thread| thread.tid);
    std::iter::once(pid).chain(tids).map(|tid| format!("{tid}-{fd}")).find(exists)
}

/// The disks the command line names; where it names none, those that are open.
fn disks(process: &Process, named: Vec<Image>, open: &[PathBuf]) -> Vec<(String, Option<PathBuf>)> {
    let mut disks: Vec<(String, Option<PathBuf>)> = named
        .into_iter()
        .map(|image| (image.name, image.path.map(|path| process.reachable(&path))))
        .collect();
    if disks.is_empty() {
        disks.extend(open.iter().map(|path| (name_of(path), Some(path.clone()))));
    }
    let mut unique = Vec::with_capacity(disks.len());
    for disk in disks {
        if !unique.contains(&disk) {
            unique.push(disk);
        }
    }
    unique
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// Looks at process 77, a QEMU that holds a VM, as `/proc/77/stat` and `cmdline` show it.
    fn look(state: char, flags: u32, cmdline: &str) -> Inspection {
        let proc = tempfile::tempdir().expect("a folder");
        let process = proc.path().join("77");
        fs::create_dir_all(process.join("task/77")).expect("folders");
        fs::create_dir_all(process.join("fd")).expect("folders");
        let tail = "0 0 0 0 0 0 0 0 20 0 1 0 500 0 0";
        let stat = format!("77 (qemu-system-x86) {state} 1 77 77 0 -1 {flags} {tail}");
        fs::write(process.join("stat"), stat).expect("a file");
        fs::write(process.join("cmdline"), cmdline).expect("a file");
        fs::write(process.join("task/77/comm"), "qemu-system-x86\n").expect("a file");
        std::os::unix::fs::symlink("anon_inode:kvm-vm", process.join("fd/9")).expect("a link");
        let mut config = Config::default();
        config.roots.proc = proc.path().to_owned();
        inspect(&config, 77, Evidence::default())
    }

    #[test]
    fn a_process_on_its_way_out_is_gone_and_not_a_vm_without_a_name() {
        let cmdline = "qemu-system-x86_64\0-name\0web\0";
        let Inspection::Vm(found) = look('S', 0x40_0100, cmdline) else { panic!("a VM") };
        assert_eq!((found.name.as_str(), found.start_ticks), ("web", 500));
        assert_eq!(look('R', 0x40_0104, ""), Inspection::Gone);
        assert_eq!(look('R', 0x40_0104, cmdline), Inspection::Gone);
        assert_eq!(look('Z', 0x40_0104, ""), Inspection::Gone);
    }
}
