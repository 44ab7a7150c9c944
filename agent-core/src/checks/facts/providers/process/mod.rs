//! A VM's process: who it runs as, what it may do, what it holds open.
//!
//! What several facts are made of is read once a round for each VM and shared: [`threads::all`],
//! [`descriptors::all`], [`limits::all`]. Every answer about threads is about all of them, since the kernel keeps
//! users, capabilities and filters for each thread apart. A VM that ends while it is looked at gives
//! [`Unavailable::Gone`], and a PID that was used again is never taken for it.

mod binary;
mod cgroup;
pub mod descriptors;
mod helpers;
pub(in crate::checks) mod label;
mod limits;
pub(super) mod memory;
mod namespaces;
mod output;
mod scheduling;
mod sharing;
pub mod threads;

use super::{Provider, Read, Refresh};
use crate::checks::fact::{Found, Unavailable};
use crate::checks::facts::Gather;
use crate::checks::vm::Vm;
use crate::sampling::discovery::process::Process;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// Facts of this module.
pub const PROVIDERS: &[Provider] = &[
    of_vm("vm.vmm", "what runs the VM: qemu, firecracker, cloud-hypervisor, crosvm, other", vmm),
    of_vm("vm.libvirt", "whether libvirt manages it: yes or no", libvirt),
    of_vm("vm.tenant", "its tenant, absent when no rule of the configuration names one", tenant),
    of_vm(
        "vm.uids",
        "users of all its threads: real, effective, saved and file system; `:vcpus` of those alone",
        threads::uids,
    ),
    of_vm("vm.gids", "groups of all its threads: real, effective, saved and file system", threads::gids),
    of_vm("vm.groups", "supplementary groups of all its threads, as numbers", threads::groups),
    of_vm(
        "vm.group-names",
        "all its groups by name, as /etc/group has them; a number where it has none",
        threads::group_names,
    ),
    of_vm("vm.caps-effective", "capabilities that some thread may use now", threads::caps_effective),
    of_vm("vm.caps-permitted", "capabilities that some thread may take", threads::caps_permitted),
    of_vm(
        "vm.caps-inheritable",
        "capabilities that some thread hands on to marked programs",
        threads::caps_inheritable,
    ),
    of_vm("vm.caps-ambient", "capabilities that some thread hands on to any program", threads::caps_ambient),
    of_vm(
        "vm.caps-bounding",
        "capabilities that a program run by some thread could still gain",
        threads::caps_bounding,
    ),
    of_vm(
        "vm.no-new-privs",
        "NoNewPrivs of all its threads: 1 where execve grants nothing, 0 elsewhere",
        threads::no_new_privs,
    ),
    of_vm(
        "vm.seccomp",
        "Seccomp of all its threads: 0 off, 1 strict, 2 filter; `:vcpus`, `:others` of those alone",
        threads::seccomp,
    ),
    of_vm("vm.seccomp-filters", "the fewest filters that a thread has", threads::seccomp_filters),
    of_vm("vm.tracer", "the program that traces a thread, or none", threads::tracer),
    of_vm(
        "vm.speculation",
        "what the kernel says of its threads: `:store-bypass` or `:indirect-branch`",
        threads::speculation,
    ),
    of_vm("vm.label", "the label that a security module put on it", label::label),
    of_vm("vm.label-module", "whose label it is: selinux, apparmor, smack, none", label::module),
    of_vm(
        "vm.ns",
        "whether a namespace (`:mnt`, `:pid`, `:net`, `:user`, `:ipc`, `:uts`, `:cgroup`) is the host's or its own",
        namespaces::namespace,
    ),
    of_vm("vm.root", "whether its root folder is the host's or its own", namespaces::root),
    of_vm(
        "vm.root-parents",
        "folders above a root of its own that others than root could change",
        namespaces::root_parents,
    ),
    of_vm(
        "vm.limits",
        "a limit that holds (`:core`, `:nofile`, `:fsize`, `:nproc`, `:memlock`), or unlimited; its ceiling with `.hard`",
        limits::limit,
    ),
    of_vm(
        "vm.cgroup",
        "its cgroup for each controller (cpu, memory, pids, io, devices), as a path below the hierarchy",
        cgroup::cgroup,
    ),
    of_vm(
        "vm.cgroup-limit",
        "the tightest limit on the VM alone, or none: `:memory` bytes, `:pids`, `:cpu` percent, `:io` as a text",
        cgroup::limit,
    ),
    of_vm(
        "vm.cgroup-devices",
        "list when a list or program says which devices it may open, all when none does",
        cgroup::devices,
    ),
    of_vm(
        "vm.core-cookie",
        "the core-scheduling cookie of its vCPU threads; none, or mixed",
        scheduling::cookie,
    ),
    Provider {
        name: "vm.sharers",
        help: "other VMs that share its `:user`, `:group`, `:label`, `:cgroup`, `:core` cookie, an image that both write \
            (`:written`) or one writes (`:read`)",
        read: Read::Vm(sharing::sharers),
        refresh: Refresh::Joined(60),
    },
    of_vm("vm.exe", "the program's path", binary::path),
    Provider {
        name: "vms.programs",
        help: "the programs that run VMs, by path",
        read: Read::Host(binary::programs),
        refresh: Refresh::Vms,
    },
    of_vm("vm.exe-state", "current, or gone when its path leads to it no more", binary::state),
    of_vm("vm.exe-owner", "the user that owns the program", binary::owner),
    of_vm("vm.exe-mode", "the program's permissions, as a number", binary::mode),
    of_vm("vm.exe-parents", "folders above it in which others than root could replace it", binary::parents),
    seldom("vm.exe-package", "whether it is as its package brought it: intact or changed", binary::package),
    seldom("vm.exe-built", "how it was built: `:pie`, `:relro`, `:nx`, `:canary`, `:fortify`", binary::built),
    of_vm(
        "vm.loader-variables",
        "variables in its environment that make the loader take in code",
        binary::loader,
    ),
    of_vm("vm.stale-code", "libraries it runs whose files were deleted or replaced", memory::stale_code),
    of_vm(
        "vm.shared-memory-others",
        "what others may do (4 read, 2 write) with each file that is its memory; absent without one",
        memory::files,
    ),
    Provider {
        name: "vm.shared-memory-users",
        help: "programs of other processes that map memory it shares; absent when it shares none",
        read: Read::Vm(memory::mappers),
        refresh: Refresh::Seconds(300),
    },
    of_vm("vm.ksm-mergeable", "whether KSM may merge pages of it: yes or no", memory::mergeable),
    seldom(
        "vm.memory-dumped",
        "whether a core dump of it would hold guest memory: yes or no",
        memory::dumped,
    ),
    of_vm(
        "vm.output-files",
        "files it only adds to, and what bounds each: limit, logrotate, nothing; absent without one",
        output::files,
    ),
    Provider {
        name: "vm.helper-users",
        help: "users of the programs that work for it: 0, others, or mapped; absent without one",
        read: Read::Vm(helpers::users),
        refresh: Refresh::Seconds(300),
    },
    Provider {
        name: "vm.helper-filters",
        help: "the weakest seccomp mode of the programs that work for it; absent without one",
        read: Read::Vm(helpers::filters),
        refresh: Refresh::Seconds(300),
    },
    of_vm("vm.fds-folders", "folders it holds open", descriptors::folders),
    of_vm("vm.dumpable", "whether others of its user may read its memory: yes or no", limits::dumpable),
    of_vm(
        "vm.fds",
        "what its descriptors lead to, each once, without numbers that change",
        descriptors::names,
    ),
    of_vm(
        "vm.fds-writable",
        "files and devices that it can write through a descriptor",
        descriptors::writable,
    ),
];

const fn of_vm(
    name: &'static str,
    help: &'static str,
    read: fn(&Gather, &Arc<Vm>, &str) -> Found,
) -> Provider {
    Provider { name, help, read: Read::Vm(read), refresh: Refresh::Vm }
}

/// Read when the VM is found, when a path changes it was read from, and by the full sweep.
const fn seldom(
    name: &'static str,
    help: &'static str,
    read: fn(&Gather, &Arc<Vm>, &str) -> Found,
) -> Provider {
    Provider { name, help, read: Read::Vm(read), refresh: Refresh::Paths }
}

/// Whether the VM's process is still the one that was found.
fn is_there(gather: &Gather, vm: &Vm) -> bool {
    let stat = Process::new(&gather.host().roots().proc, vm.id.pid).stat();
    stat.is_ok_and(|stat| stat.start_ticks == vm.id.start_ticks && !stat.exiting && stat.state != b'Z')
}

/// What was read from a VM's process. Asked for after reading, so that nothing of another process is taken for it:
/// when it is there still, it was there all the time.
///
/// # Errors
/// As it was, or [`Unavailable::Gone`].
pub fn of_process<T>(gather: &Gather, vm: &Vm, read: Result<T, Unavailable>) -> Result<T, Unavailable> {
    /// A PID is not used again within this time: that would take tens of thousands of new processes.
    const SURE_NS: u64 = 20_000_000;
    // Until when it was certain last.
    let sure_until = gather.memo(&vm.proc("stat"), |_| AtomicU64::new(0));
    let now = gather.clock().mono_ns();
    // What could not be read may be missing because the process is: then it is looked at in any case.
    if read.is_ok() && now < sure_until.load(Relaxed) {
        return read;
    }
    if is_there(gather, vm) {
        sure_until.store(now.saturating_add(SURE_NS), Relaxed);
        read
    } else {
        Err(Unavailable::Gone)
    }
}

fn vmm(_: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    Found::value(vm.vmm.name(), DISCOVERY)
}

fn libvirt(_: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    Found::value(vm.libvirt, DISCOVERY)
}

fn tenant(_: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    let known = Some(vm.tenant.as_str()).filter(|tenant| !tenant.is_empty());
    Found::either(known.ok_or(Unavailable::Absent), DISCOVERY)
}

const DISCOVERY: &str = "discovery of VMs";

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::checks::host::HostFiles;
    use crate::checks::vm::VmId;
    use crate::config::Roots;
    use crate::sampling::discovery::VmmKind;
    use crate::sys::clock::Clock;

    /// A small recorded host.
    pub(crate) struct Recorded(tempfile::TempDir);

    impl Recorded {
        pub(crate) fn new() -> Self {
            Self(tempfile::tempdir().expect("a folder"))
        }

        /// Where it is.
        pub(crate) fn path(&self) -> &std::path::Path {
            self.0.path()
        }

        /// A file with this content.
        pub(crate) fn file(&self, path: &str, content: impl AsRef<[u8]>) -> &Self {
            let path = self.0.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, content).expect("a file");
            self
        }

        /// A symbolic link.
        pub(crate) fn link(&self, path: &str, target: &str) -> &Self {
            let path = self.0.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::os::unix::fs::symlink(target, path).expect("a link");
            self
        }

        /// Permissions of a path.
        pub(crate) fn mode(&self, path: &str, mode: u32) -> &Self {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(self.0.path().join(path), mode).expect("a mode");
            self
        }

        /// A process that runs.
        pub(crate) fn process(&self, pid: i32) -> &Self {
            let zeros = "0 ".repeat(17);
            self.file(&format!("proc/{pid}/stat"), format!("{pid} (vmm) S {zeros}0 7 0 0\n"))
        }

        /// What providers read it through.
        pub(crate) fn gather(&self, vms: &[Arc<Vm>]) -> Gather {
            let mut gather = Gather::new(HostFiles::new(Roots::below(self.0.path())), Clock::default());
            gather.set_vms(vms.to_vec());
            gather
        }
    }

    /// The VM of a process made by [`Recorded::process`].
    pub(crate) fn vm(pid: i32) -> Arc<Vm> {
        Arc::new(Vm {
            id: VmId { pid, start_ticks: 7 },
            name: format!("vm-{pid}"),
            uuid: String::new(),
            tenant: String::new(),
            vmm: VmmKind::Qemu,
            libvirt: false,
            cgroup: String::new(),
            vcpu_tids: vec![pid + 1],
            taps: Vec::new(),
        })
    }
}
