//! Whether the host runs what is newest: packages, the kernel, security updates, and where they come from.

mod dpkg;
mod index;
mod integrity;
mod kernel;
mod lz4;
mod support;
mod trust;
mod updates;

pub(super) use dpkg::of_rpm;
pub(super) use integrity::md5_of;

use super::{Provider, Read, Refresh};

const fn host(
    name: &'static str,
    help: &'static str,
    refresh: Refresh,
    read: fn(&super::Gather, &str) -> super::Found,
) -> Provider {
    Provider { name, help, read: Read::Host(read), refresh }
}

/// A change of a file is noticed anyway; what depends on the day is read again every hour.
const HOURLY: Refresh = Refresh::Seconds(3_600);

/// Facts of this module.
pub const PROVIDERS: &[Provider] = &[
    host("package", "the installed version of a package", Refresh::Paths, dpkg::version),
    host("kernel.running", "the running kernel's release", Refresh::Paths, kernel::running),
    host(
        "kernel.newer",
        "installed kernels of the running one's flavour that are newer than it; unknown when no package brought it",
        Refresh::Paths,
        kernel::newer,
    ),
    host(
        "updates.security",
        "security updates that wait, by the package indices or an advisory folder: :hypervisor for the kernel, VMMs, \
         their libraries, firmware and microcode; :others for the rest",
        HOURLY,
        updates::security,
    ),
    host(
        "updates.index-fresh",
        "whether the package index was looked at within so many hours",
        HOURLY,
        index::fresh,
    ),
    host(
        "os.supported",
        "whether the system's release still gets security updates without a contract",
        HOURLY,
        support::supported,
    ),
    host("os.support-end", "the day on which they end", Refresh::Paths, support::end),
    host(
        "repo.untrusted",
        "package sources that are believed without a signature",
        Refresh::Paths,
        trust::untrusted,
    ),
    host(
        "packages.changed",
        "files of VMMs, libvirt and firmware that are not as their package brought them",
        HOURLY,
        integrity::changed,
    ),
];
