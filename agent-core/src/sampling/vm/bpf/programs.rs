//! The compiled programs, and the kernel that they are linked against.

use crate::config::Roots;
use crate::sys::bpf::btf::Btf;
use crate::sys::bpf::link::{Linked, link};
use crate::sys::bpf::{BtfFile, Program, SharedArray};
use nix::errno::Errno;

include!(concat!(env!("OUT_DIR"), "/bpf_programs.rs"));

/// The running kernel's types. Some megabytes: dropped once the programs are loaded.
pub(super) struct Kernel {
    vmlinux: BtfFile,
    /// Of KVM, where it is a module.
    kvm: Option<BtfFile>,
}

impl Kernel {
    pub(super) fn read(roots: &Roots) -> Result<Self, String> {
        let path = roots.sys.join("kernel/btf/vmlinux");
        let vmlinux = BtfFile::read(&path).map_err(|errno| {
            let cure = match errno {
                Errno::ENOENT => ": this kernel does not describe its types (CONFIG_DEBUG_INFO_BTF)",
                _ => "",
            };
            format!("{}: {errno}{cure}", path.display())
        })?;
        let kvm = BtfFile::read(&roots.sys.join("kernel/btf/kvm")).ok();
        Ok(Self { vmlinux, kvm })
    }

    /// Has something looked up in the types of the kernel, and of KVM.
    pub(super) fn with_types<T>(&self, look: impl FnOnce(&[&Btf]) -> T) -> Result<T, String> {
        let bad = |error| format!("the kernel's types: {error}");
        let vmlinux = Btf::parse(self.vmlinux.bytes(), None).map_err(bad)?;
        let kvm = self.kvm.as_ref().map(|file| Btf::parse(file.bytes(), Some(&vmlinux)));
        match kvm {
            // A module's types that make no sense are none: KVM's program then says what it lacks.
            Some(Ok(kvm)) => Ok(look(&[&vmlinux, &kvm])),
            Some(Err(_)) | None => Ok(look(&[&vmlinux])),
        }
    }

    /// Links and loads one program.
    pub(super) fn load(
        &self,
        name: &str,
        object: Result<&[u8], &str>,
        section: &str,
        maps: &[(&str, &SharedArray)],
    ) -> Result<Program, String> {
        let object = object?;
        let maps: Vec<_> = maps.iter().map(|(name, map)| (*name, map.number())).collect();
        let linked = self.with_types(|types| link(object, section, &maps, types))?;
        let Linked { instructions, absent } = linked.map_err(|error| error.to_string())?;
        Program::load(name, &instructions).map_err(|refusal| {
            let mut reason = format!("the kernel refuses the program: {}", refusal.errno);
            if matches!(refusal.errno, Errno::EPERM | Errno::EACCES) && refusal.said.is_empty() {
                reason += ": needs CAP_BPF and CAP_PERFMON";
            }
            if !refusal.said.is_empty() {
                reason = format!("{reason}: {}", refusal.said);
            }
            if !absent.is_empty() {
                reason = format!("{reason} (this kernel has no {})", absent.join(", "));
            }
            reason
        })
    }
}

/// An array that the program and we share.
pub(super) fn array(name: &str, entry_bytes: u32, entries: u32) -> Result<SharedArray, String> {
    SharedArray::new(name, entry_bytes, entries).map_err(|errno| match errno {
        Errno::EPERM => format!("bpf(BPF_MAP_CREATE): {errno}: needs CAP_BPF and CAP_PERFMON"),
        Errno::ENOSYS => format!("bpf: {errno}: this kernel has no BPF"),
        _ => format!("bpf(BPF_MAP_CREATE): {errno}"),
    })
}
