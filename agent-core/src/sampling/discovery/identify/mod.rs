//! What a VMM's command line says of its VM. Pure functions of the arguments: nothing here looks at the machine.
//!
//! Command lines are written by whoever starts the VM and may say anything; a mistake here costs a name, never a
//! panic. Paths are given as the VMM sees them, in its own mount namespace.

mod cloud_hypervisor;
mod crosvm;
mod firecracker;
pub(crate) mod options;
mod qemu;

pub(crate) use qemu::takes_value;

use super::VmmKind;

/// What the command line told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// The VM's name.
    pub name: Option<String>,
    /// Its UUID.
    pub uuid: Option<[u8; 16]>,
    /// Its disks.
    pub disks: Vec<Image>,
    /// Its tap devices, as far as they are named.
    pub taps: Vec<String>,
    /// Where its monitor listens, as the VMM sees it.
    pub monitor: Option<String>,
    /// Firecracker's metrics file, as the VMM sees it.
    pub metrics_file: Option<String>,
    /// Whether libvirt started it.
    pub libvirt: bool,
    /// Whether it asks for KVM.
    pub kvm: bool,
    /// Whether it only tells what the VMM can do, and runs no guest (QEMU's `-machine none`).
    pub probe: bool,
}

/// One disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Image {
    /// The VMM's name for it, or the image's file name.
    pub name: String,
    /// The image, as the VMM sees it.
    pub path: Option<String>,
}

impl Image {
    fn of_path(path: &str) -> Self {
        Self { name: file_name(path).to_owned(), path: Some(path.to_owned()) }
    }
}

/// The VMM that a process is, by the name of its executable (`argv[0]`) or of its main thread.
#[must_use]
pub fn kind(comm: &str, arguments: &[String]) -> Option<VmmKind> {
    let executable = arguments.first().map_or("", |path| file_name(path));
    [executable, comm].into_iter().find_map(kind_by_name)
}

fn kind_by_name(name: &str) -> Option<VmmKind> {
    // The kernel cuts the names of threads after 15 bytes.
    match name {
        "qemu-kvm" | "kvm" => Some(VmmKind::Qemu),
        "firecracker" => Some(VmmKind::Firecracker),
        "cloud-hypervisor" | "cloud-hyperviso" => Some(VmmKind::CloudHypervisor),
        "crosvm" => Some(VmmKind::Crosvm),
        _ if name.starts_with("qemu-system-") => Some(VmmKind::Qemu),
        // Versioned builds such as `firecracker-v1.10.1-x86_64`.
        _ if name.starts_with("firecracker-v") => Some(VmmKind::Firecracker),
        _ => None,
    }
}

/// What a VMM's arguments say of its VM.
#[must_use]
pub fn describe(kind: VmmKind, arguments: &[String]) -> Description {
    let arguments: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
    match kind {
        VmmKind::Qemu => qemu::describe(&arguments),
        VmmKind::Firecracker => firecracker::describe(&arguments),
        VmmKind::CloudHypervisor => cloud_hypervisor::describe(&arguments),
        VmmKind::Crosvm => crosvm::describe(&arguments),
        VmmKind::Other => Description { kvm: true, ..Description::default() },
    }
}

/// The index of the vCPU that a thread of this name runs; `None` for other threads.
#[must_use]
pub fn vcpu_index(kind: VmmKind, thread: &str) -> Option<u32> {
    let number = |text: &str| text.parse::<u32>().ok();
    match kind {
        // "CPU 3/KVM", or "CPU 3/TCG" when emulated.
        VmmKind::Qemu => number(thread.strip_prefix("CPU ")?.split_once('/')?.0),
        VmmKind::Firecracker => number(thread.strip_prefix("fc_vcpu ")?),
        VmmKind::CloudHypervisor => number(thread.strip_prefix("vcpu")?),
        VmmKind::Crosvm => number(thread.strip_prefix("crosvm_vcpu")?),
        // "kvm-vcpu-0" (kvmtool), "vcpu 0", "VCPU1", "CPU 0/KVM" and the like.
        VmmKind::Other => vcpu_index(VmmKind::Qemu, thread).or_else(|| {
            let lower = thread.to_ascii_lowercase();
            let after = &lower[lower.find("vcpu")? + 4..];
            number(after.trim_start_matches(|c: char| !c.is_ascii_digit()))
        }),
    }
}

/// The usual form of a UUID, `8-4-4-4-12`; empty for one of zeros, which names nothing.
#[must_use]
pub fn uuid_text(bytes: &[u8; 16]) -> String {
    use std::fmt::Write;
    if *bytes == [0; 16] {
        return String::new();
    }
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// A UUID in its usual form, or as 32 digits.
#[must_use]
pub fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b'-').collect();
    if digits.len() != 32 || text.len() > 36 {
        return None;
    }
    let mut uuid = [0; 16];
    for (byte, pair) in uuid.iter_mut().zip(digits.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    Some(uuid)
}

/// The last part of a path.
fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// An option of the form `--name value` or `--name=value` at `index`: its value, and where the next one begins.
pub(crate) fn long_option<'a>(
    arguments: &[&'a str],
    index: usize,
) -> Option<(&'a str, Option<&'a str>, usize)> {
    let argument = arguments.get(index)?.strip_prefix("--")?;
    Some(match argument.split_once('=') {
        Some((name, value)) => (name, Some(value), index + 1),
        None => match arguments.get(index + 1) {
            Some(value) if !value.starts_with("--") => (argument, Some(value), index + 2),
            _ => (argument, None, index + 1),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn vmms_are_known_by_their_executable_or_thread() {
        let by = |name: &str| kind("", &[name.to_owned()]);
        assert_eq!(by("/usr/bin/qemu-system-x86_64"), Some(VmmKind::Qemu));
        assert_eq!(by("/usr/libexec/qemu-kvm"), Some(VmmKind::Qemu));
        assert_eq!(by("/usr/bin/kvm"), Some(VmmKind::Qemu));
        assert_eq!(by("./firecracker-v1.10.1-x86_64"), Some(VmmKind::Firecracker));
        assert_eq!(by("cloud-hypervisor"), Some(VmmKind::CloudHypervisor));
        assert_eq!(by("/opt/crosvm"), Some(VmmKind::Crosvm));
        assert_eq!(by("/usr/bin/qemu-img"), None);
        assert_eq!(kind("qemu-system-x86", &[]), Some(VmmKind::Qemu));
        assert_eq!(kind("cloud-hyperviso", &[]), Some(VmmKind::CloudHypervisor));
        assert_eq!(kind("bash", &["bash".into(), "qemu-system-x86_64".into()]), None);
    }

    #[test]
    fn vcpu_threads_are_known_by_name() {
        assert_eq!(vcpu_index(VmmKind::Qemu, "CPU 12/KVM"), Some(12));
        assert_eq!(vcpu_index(VmmKind::Qemu, "CPU 0/TCG"), Some(0));
        assert_eq!(vcpu_index(VmmKind::Qemu, "IO mon_iothread"), None);
        assert_eq!(vcpu_index(VmmKind::Firecracker, "fc_vcpu 3"), Some(3));
        assert_eq!(vcpu_index(VmmKind::Firecracker, "fc_api"), None);
        assert_eq!(vcpu_index(VmmKind::CloudHypervisor, "vcpu1"), Some(1));
        assert_eq!(vcpu_index(VmmKind::CloudHypervisor, "vmm"), None);
        assert_eq!(vcpu_index(VmmKind::Crosvm, "crosvm_vcpu7"), Some(7));
        assert_eq!(vcpu_index(VmmKind::Other, "kvm-vcpu-2"), Some(2));
        assert_eq!(vcpu_index(VmmKind::Other, "vcpu"), None);
        assert_eq!(vcpu_index(VmmKind::Other, "worker 3"), None);
    }

    #[test]
    fn uuids_are_taken_in_either_form() {
        let uuid = [0x11; 16];
        assert_eq!(parse_uuid("11111111-1111-1111-1111-111111111111"), Some(uuid));
        assert_eq!(parse_uuid("11111111111111111111111111111111"), Some(uuid));
        assert_eq!(parse_uuid("1111111-1111-1111-1111-111111111111"), None);
        assert_eq!(parse_uuid("zz111111-1111-1111-1111-111111111111"), None);
        assert_eq!(parse_uuid(""), None);
    }

    proptest! {
        #[test]
        fn any_arguments_come_back(arguments in proptest::collection::vec(".{0,60}", 0..12)) {
            for kind in [VmmKind::Qemu, VmmKind::Firecracker, VmmKind::CloudHypervisor, VmmKind::Crosvm, VmmKind::Other] {
                let _ = describe(kind, &arguments);
            }
        }

        #[test]
        fn any_thread_name_comes_back(name in ".{0,20}") {
            for kind in [VmmKind::Qemu, VmmKind::Firecracker, VmmKind::CloudHypervisor, VmmKind::Crosvm, VmmKind::Other] {
                let _ = vcpu_index(kind, &name);
            }
        }
    }
}
