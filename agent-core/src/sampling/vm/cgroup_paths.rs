//! Which cgroups are the VM's own. Cold side only.
//!
//! `/proc/PID/cgroup` names one path per hierarchy (cgroups(7)): `0::/path` in v2, `N:controllers:/path` in v1. On a
//! hybrid host both are there. A cgroup that the VM shares with others says nothing of the VM: its numbers would be
//! the others' too, and are never reported as the VM's.

use super::slot::{open_directory, read_whole};
use super::text;
use crate::config::Roots;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// A file in /proc is read up to here; a path is at most 4,096 bytes, and there are at most 13 v1 hierarchies.
const CGROUP_FILE_BYTES_MAX: usize = 65_536;
/// Processes that are looked at to tell whose a cgroup is. A VM's own holds a handful.
const PROCESSES_MAX: usize = 64;

/// Programs that a VM brings along and that share its cgroup by design.
const COMPANIONS: &[&str] = &[
    "swtpm",
    "virtiofsd",
    "passt",
    "pasta",
    "slirp4netns",
    "slirp-helper",
    "vhost-user",
    "vhost-device",
    "qemu-pr-helper",
    "dbus-daemon",
    "vhost-",
];

/// Where libvirt puts the parts of a VM below the VM's own cgroup.
const INNER: &[&str] = &["libvirt", "emulator"];

/// One line of `/proc/PID/cgroup`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Membership<'a> {
    /// v1 controllers, separated by commas; empty for v2.
    pub(super) controllers: &'a str,
    /// The path below the hierarchy's root.
    pub(super) path: &'a str,
}

/// Reads `/proc/PID/cgroup`. Lines that make no sense, and paths that lead out of the root, are left out.
pub(super) fn memberships(bytes: &[u8]) -> impl Iterator<Item = Membership<'_>> {
    text::lines(bytes).filter_map(|line| {
        let line = std::str::from_utf8(line).ok()?;
        let mut parts = line.splitn(3, ':');
        let (id, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        let inside = path.starts_with('/') && !path.split('/').any(|part| part == "..");
        let known = id.bytes().all(|byte| byte.is_ascii_digit()) && (id == "0") == controllers.is_empty();
        (inside && known).then_some(Membership { controllers, path })
    })
}

/// A cgroup that belongs to the VM alone, or why there is none.
pub(super) type Own = Result<OwnedFd, String>;

/// The VM's cgroups.
pub(super) struct Cgroups {
    pub(super) v2: Own,
    pub(super) cpu: Own,
    pub(super) cpuacct: Own,
    pub(super) memory: Own,
    pub(super) blkio: Own,
    pub(super) pids: Own,
    pub(super) freezer: Own,
}

impl Cgroups {
    /// Finds them. `fallback` is the v2 path that discovery found, for when `/proc/PID/cgroup` cannot be read.
    pub(super) fn find(roots: &Roots, pid: i32, fallback: &str) -> Self {
        let own_line = format!("0::{fallback}\n");
        let file = read_whole_path(&roots.proc.join(format!("{pid}/cgroup")));
        let bytes = file.unwrap_or_else(|| own_line.into_bytes());
        let v1 = |controller| v1(roots, pid, &bytes, controller);
        Self {
            v2: v2(roots, pid, &bytes),
            cpu: v1("cpu"),
            cpuacct: v1("cpuacct"),
            memory: v1("memory"),
            blkio: v1("blkio"),
            pids: v1("pids"),
            freezer: v1("freezer"),
        }
    }
}

/// The directory of a VM's own cgroup in one hierarchy: `None` is v2, otherwise a v1 controller.
///
/// # Errors
/// In words: there is no such hierarchy, or the VM shares the cgroup with others.
pub fn own_cgroup(roots: &Roots, pid: i32, controller: Option<&str>) -> Result<OwnedFd, String> {
    let file = roots.proc.join(format!("{pid}/cgroup"));
    let bytes = read_whole_path(&file).ok_or_else(|| format!("{} cannot be read", file.display()))?;
    controller.map_or_else(|| v2(roots, pid, &bytes), |controller| v1(roots, pid, &bytes, controller))
}

fn read_whole_path(path: &Path) -> Option<Vec<u8>> {
    let dir = open_directory(path.parent()?).ok()?;
    read_whole(dir, path.file_name()?.to_str()?, CGROUP_FILE_BYTES_MAX).ok()
}

fn v2(roots: &Roots, pid: i32, bytes: &[u8]) -> Own {
    let root = [roots.cgroup.clone(), roots.cgroup.join("unified")]
        .into_iter()
        .find(|root| root.join("cgroup.controllers").exists())
        .ok_or_else(|| format!("no cgroup v2 hierarchy below {}", roots.cgroup.display()))?;
    let member = memberships(bytes).find(|member| member.controllers.is_empty());
    own(roots, pid, &root, member.ok_or("the VMM is in no cgroup v2")?.path)
}

fn v1(roots: &Roots, pid: i32, bytes: &[u8], controller: &str) -> Own {
    let member = memberships(bytes)
        .find(|member| member.controllers.split(',').any(|name| name == controller))
        .ok_or_else(|| format!("no cgroup v1 hierarchy has the {controller} controller"))?;
    let root = [controller, member.controllers]
        .into_iter()
        .map(|name| roots.cgroup.join(name))
        .find(|root| root.is_dir())
        .ok_or_else(|| {
            format!("the v1 {controller} hierarchy is not mounted below {}", roots.cgroup.display())
        })?;
    own(roots, pid, &root, member.path)
}

fn own(roots: &Roots, pid: i32, root: &Path, path: &str) -> Own {
    let whole = vm_path(path);
    if whole.is_empty() {
        return Err("VM shares the root cgroup".to_owned());
    }
    let dir = root.join(whole);
    for folder in [&dir, &root.join(path.trim_start_matches('/'))] {
        if let Some(stranger) = stranger(roots, pid, folder) {
            return Err(format!("VM shares the cgroup {path} with {stranger}"));
        }
    }
    open_directory(&dir).map_err(|errno| format!("{}: {errno}", dir.display()))
}

/// The path of the whole VM, relative: libvirt's inner groups hold parts of it only.
fn vm_path(path: &str) -> &str {
    let mut path = path.trim_matches('/');
    while let Some((outer, last)) = path.rsplit_once('/') {
        let vcpu = last.strip_prefix("vcpu").is_some_and(|number| number.bytes().all(|b| b.is_ascii_digit()));
        if !INNER.contains(&last) && !vcpu {
            break;
        }
        path = outer;
    }
    path
}

/// A process in the cgroup that is neither the VMM, nor its child, nor a companion.
fn stranger(roots: &Roots, pid: i32, folder: &Path) -> Option<String> {
    let bytes = read_whole_path(&folder.join("cgroup.procs"))?;
    let pids = text::lines(&bytes).filter_map(text::number);
    for (index, other) in pids.enumerate() {
        if index >= PROCESSES_MAX {
            return Some(format!("more than {PROCESSES_MAX} processes"));
        }
        if u64::try_from(pid) == Ok(other) {
            continue;
        }
        let folder: PathBuf = roots.proc.join(other.to_string());
        let Some((name, parent)) = name_and_parent(&folder) else { continue };
        let companion = COMPANIONS.iter().any(|companion| name.starts_with(companion));
        if u64::try_from(pid) != Ok(parent) && !companion {
            return Some(format!("process {other} ({name})"));
        }
    }
    None
}

/// A process that ends meanwhile is nobody.
fn name_and_parent(folder: &Path) -> Option<(String, u64)> {
    let bytes = read_whole_path(&folder.join("stat"))?;
    let (open, close) = (memchr::memchr(b'(', &bytes)?, memchr::memrchr(b')', &bytes)?);
    let name = String::from_utf8_lossy(bytes.get(open + 1..close)?).into_owned();
    let parent = text::number(text::words(bytes.get(close + 1..)?).nth(1)?)?;
    Some((name, parent))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hybrid_hosts_have_both_kinds_of_line() {
        let bytes =
            b"4:memory:/vms/a\n2:cpu,cpuacct:/\n1:name=systemd:/x\n0::/vms/a:b\nnonsense\n7:pids:/../out\n";
        let found: Vec<_> = memberships(bytes).map(|member| (member.controllers, member.path)).collect();
        assert_eq!(
            found,
            [("memory", "/vms/a"), ("cpu,cpuacct", "/"), ("name=systemd", "/x"), ("", "/vms/a:b")]
        );
    }

    #[test]
    fn libvirts_inner_groups_lead_to_the_vm() {
        let vm = "machine.slice/machine-qemu\\x2d1\\x2dweb.scope";
        for inner in ["", "/emulator", "/libvirt/emulator", "/libvirt/vcpu0", "/libvirt"] {
            assert_eq!(vm_path(&format!("/{vm}{inner}")), vm);
        }
        assert_eq!(vm_path("/"), "");
        assert_eq!(vm_path("/vms/vcpu-pool"), "vms/vcpu-pool");
    }

    /// A recorded host: process 7 in cgroup `/vm`, with whoever else is named.
    fn host(others: &[(u32, &str, u32)], path: &str) -> (tempfile::TempDir, Roots) {
        let folder = tempfile::tempdir().unwrap();
        let roots = Roots::below(folder.path());
        let dir = roots.cgroup.join("vm");
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(roots.cgroup.join("cgroup.controllers"), "cpu\n").unwrap();
        let mut procs = String::from("7\n");
        std::fs::create_dir_all(roots.proc.join("7")).unwrap();
        std::fs::write(roots.proc.join("7/cgroup"), format!("0::{path}\n")).unwrap();
        for (pid, name, parent) in others {
            procs.extend([pid.to_string(), "\n".to_owned()]);
            let process = roots.proc.join(pid.to_string());
            std::fs::create_dir_all(&process).unwrap();
            std::fs::write(process.join("stat"), format!("{pid} ({name}) S {parent} 1 1\n")).unwrap();
        }
        std::fs::write(dir.join("cgroup.procs"), procs).unwrap();
        (folder, roots)
    }

    #[test]
    fn only_a_cgroup_of_its_own_is_the_vms() {
        for (others, path, expected) in [
            (&[][..], "/vm", Ok(())),
            (&[(8, "swtpm", 1), (9, "helper", 7)][..], "/vm", Ok(())),
            (&[(8, "qemu-system-x86", 1)][..], "/vm", Err("process 8 (qemu-system-x86)")),
            (&[(8, "a) S 7 (b", 1)][..], "/vm", Err("process 8 (a) S 7 (b)")),
            (&[][..], "/", Err("VM shares the root cgroup")),
            (&[][..], "/../vm", Err("no cgroup v2")),
            (&[][..], "/gone", Err("No such file")),
        ] {
            let (_folder, roots) = host(others, path);
            let found = Cgroups::find(&roots, 7, "").v2.map(|_| ());
            match expected {
                Ok(()) => assert_eq!(found, Ok(())),
                Err(part) => assert!(found.clone().unwrap_err().contains(part), "{found:?} {path}"),
            }
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            for member in memberships(&bytes) {
                prop_assert!(member.path.starts_with('/'));
                let _ = vm_path(member.path);
            }
        }
    }
}
