//! What a VM's process holds open.

use super::of_process;
use crate::checks::fact::{Found, Unavailable};
use crate::checks::facts::Gather;
use crate::checks::host::{Meta, why};
use crate::checks::parse::proc::fdinfo::{self, FdInfo};
use crate::checks::vm::Vm;
use nix::fcntl::{AtFlags, OFlag, readlinkat};
use nix::sys::stat::fstatat;
use std::collections::BTreeSet;
use std::sync::Arc;

/// More than an image of many locks takes.
const FDINFO_BYTES_MAX: usize = 1 << 18;

/// One descriptor.
#[derive(Clone, Debug)]
pub struct Descriptor {
    /// Its number.
    pub number: i32,
    /// Where `/proc` says that it leads: a path, or the kernel's name of something without one. A path is as the
    /// process's own mounts have it, and ends in ` (deleted)` when the file has no name any more.
    pub target: String,
    /// What is behind it; `None` when that cannot be told.
    pub meta: Option<Meta>,
    /// How it was opened. Read for files, devices and folders alone.
    pub info: Option<FdInfo>,
}

impl Descriptor {
    /// Whether something can be written through it; `None` when that cannot be told.
    #[must_use]
    pub fn is_writable(&self) -> Option<bool> {
        self.info.as_ref().and_then(FdInfo::is_writable)
    }

    /// Whether it leads to a file of a file system, and not to a pipe, socket or the like.
    #[must_use]
    pub fn has_path(&self) -> bool {
        self.target.starts_with('/')
    }

    /// Its path, without what the kernel adds when the name is gone.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.strip_suffix(" (deleted)").unwrap_or(&self.target)
    }

    /// `file`, `block`, `character`, `directory`, ...: see [`Meta::kind`]; empty when it cannot be told.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.meta.map_or("", |meta| meta.kind())
    }
}

/// All descriptors of a VM's process, or why they cannot be read. Read once a round.
pub type Descriptors = Result<Vec<Descriptor>, Unavailable>;

/// All descriptors of a VM's process.
#[must_use]
pub fn all(gather: &Gather, vm: &Arc<Vm>) -> Arc<Descriptors> {
    gather.memo(&vm.proc("fd"), |gather| of_process(gather, vm, of_pid(gather, vm.id.pid)))
}

/// All descriptors of any process; that it is still the same process is the caller's to see.
///
/// # Errors
/// When they may not be read, or there is no such process.
pub fn of_pid(gather: &Gather, pid: i32) -> Descriptors {
    let host = gather.host();
    let (folder, info) = (format!("/proc/{pid}/fd"), format!("/proc/{pid}/fdinfo"));
    let links = host.open(&folder, OFlag::O_PATH | OFlag::O_DIRECTORY)?;
    let mut found = Vec::new();
    for name in host.list(&folder)? {
        let Ok(number) = name.parse() else { continue };
        let target = match readlinkat(&links, name.as_str()) {
            Ok(target) => target.to_string_lossy().into_owned(),
            // One that was closed meanwhile is none.
            Err(nix::errno::Errno::ENOENT) => continue,
            Err(errno) => return Err(why(errno, &folder)),
        };
        let mut descriptor = Descriptor { number, target, meta: None, info: None };
        if descriptor.has_path() {
            descriptor.meta = if host.is_live() {
                // The file itself, whatever its name leads to by now. Nothing is opened by this.
                fstatat(&links, name.as_str(), AtFlags::empty()).ok().map(|stat| Meta::of(&stat))
            } else {
                host.meta(descriptor.path()).ok()
            };
            let content = host.read(&format!("{info}/{name}"), FDINFO_BYTES_MAX).ok();
            descriptor.info = content.and_then(|content| fdinfo::parse(&content.bytes).ok());
        }
        found.push(descriptor);
    }
    Ok(found)
}

pub(super) fn names(gather: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    listed(gather, vm, |_| true)
}

pub(super) fn writable(gather: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    listed(gather, vm, |descriptor| descriptor.has_path() && descriptor.is_writable() != Some(false))
}

pub(super) fn folders(gather: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    listed(gather, vm, |descriptor| descriptor.kind() == "directory")
}

/// The names of some descriptors, each once.
pub(super) fn listed(gather: &Gather, vm: &Arc<Vm>, which: impl Fn(&Descriptor) -> bool) -> Found {
    let source = vm.proc("fd");
    match &*all(gather, vm) {
        Ok(all) => {
            let names: BTreeSet<String> =
                all.iter().filter(|descriptor| which(descriptor)).map(|d| steady(&d.target)).collect();
            Found::value(names.into_iter().collect::<Vec<_>>(), source)
        }
        Err(why) => Found::unavailable(why.clone(), source),
    }
}

/// A name without the numbers that the kernel gives to pipes, sockets and the like, and without PIDs.
fn steady(target: &str) -> String {
    if let Some(rest) = target.strip_prefix("/proc/")
        && let Some((pid, file)) = rest.split_once('/')
        && pid.bytes().all(|byte| byte.is_ascii_digit())
    {
        return format!("/proc/PID/{file}");
    }
    if target.starts_with('/') {
        return target.to_owned();
    }
    match target.split_once(":[") {
        Some((kind, rest)) if rest.trim_end_matches(']').bytes().all(|byte| byte.is_ascii_digit()) => {
            kind.to_owned()
        }
        _ => target.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_do_not_change_with_numbers() {
        for (target, name) in [
            ("socket:[123]", "socket"),
            ("pipe:[9]", "pipe"),
            ("anon_inode:[eventfd]", "anon_inode:[eventfd]"),
            ("anon_inode:kvm-vcpu:0", "anon_inode:kvm-vcpu:0"),
            ("/proc/12/mem", "/proc/PID/mem"),
            ("/proc/sys/kernel/x", "/proc/sys/kernel/x"),
            ("/a:[1]", "/a:[1]"),
        ] {
            assert_eq!(steady(target), name);
        }
    }
}
