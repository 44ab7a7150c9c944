//! What a VMM looks like from outside: program name, command line, names of its threads.
//!
//! Thread names as the programs give them: QEMU `accel/kvm/kvm-accel-ops.c` and `iothread.c`, Firecracker
//! `src/vmm/src/vstate/vcpu.rs`, Cloud Hypervisor `vmm/src/cpu.rs`, crosvm `src/crosvm/sys/linux/vcpu.rs`.

/// Which VMM a process passes itself off as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shape {
    /// `qemu-system-x86_64 -name guest=NAME,debug-threads=on -uuid UUID …`
    #[default]
    Qemu,
    /// `firecracker --id NAME --api-sock PATH`
    Firecracker,
    /// `cloud-hypervisor --api-socket path=PATH …`
    CloudHypervisor,
    /// `crosvm run --name NAME …`
    Crosvm,
    /// `unknown-vmm`: a program that nobody has heard of, which holds a VM all the same.
    Unknown,
}

/// What goes into a command line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    pub(crate) name: &'a str,
    pub(crate) uuid: Option<&'a str>,
    pub(crate) vcpus: u32,
    pub(crate) memory_mib: u32,
}

impl Shape {
    /// All shapes.
    pub const ALL: [Self; 5] =
        [Self::Qemu, Self::Firecracker, Self::CloudHypervisor, Self::Crosvm, Self::Unknown];

    /// The program's file name.
    #[must_use]
    pub fn program(self) -> &'static str {
        match self {
            Self::Qemu => "qemu-system-x86_64",
            Self::Firecracker => "firecracker",
            Self::CloudHypervisor => "cloud-hypervisor",
            Self::Crosvm => "crosvm",
            Self::Unknown => "unknown-vmm",
        }
    }

    /// The shape whose program has this name, if there is one.
    #[must_use]
    pub fn from_program(program: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|shape| shape.program() == program)
    }

    /// The name of the thread that runs vCPU `number`.
    #[must_use]
    pub fn vcpu_thread(self, number: u32) -> String {
        match self {
            Self::Qemu => format!("CPU {number}/KVM"),
            Self::Firecracker => format!("fc_vcpu {number}"),
            Self::CloudHypervisor => format!("vcpu{number}"),
            Self::Crosvm => format!("crosvm_vcpu{number}"),
            Self::Unknown => format!("worker-{number}"),
        }
    }

    /// The name of the `number`-th thread that is no vCPU.
    #[must_use]
    pub fn other_thread(self, number: u32) -> String {
        match self {
            Self::Qemu => format!("IO iothread{number}"),
            Self::Firecracker => "fc_api".into(),
            Self::CloudHypervisor => format!("_disk{number}_q0"),
            Self::Crosvm => format!("v_blk{number}"),
            Self::Unknown => format!("helper-{number}"),
        }
    }

    /// The command line after the program's name.
    pub(crate) fn arguments(self, facts: Facts<'_>) -> Vec<String> {
        let Facts { name, uuid, vcpus, memory_mib } = facts;
        let line = match self {
            Self::Qemu => {
                let name = name.replace(',', ",,");
                let uuid = uuid.map(|uuid| format!("-uuid|{uuid}|")).unwrap_or_default();
                format!(
                    "-name|guest={name},debug-threads=on|{uuid}-machine|pc|-accel|kvm|-nodefaults|-display|none|\
                     -smp|{vcpus}|-m|{memory_mib}M"
                )
            }
            Self::Firecracker => format!("--id|{name}|--api-sock|/run/firecracker/{name}.sock"),
            Self::CloudHypervisor => format!(
                "--api-socket|path=/run/cloud-hypervisor/{name}.sock|--cpus|boot={vcpus}|--memory|size={memory_mib}M"
            ),
            Self::Crosvm => format!("run|--name|{name}|--cpus|{vcpus}|--mem|{memory_mib}|bzImage"),
            Self::Unknown => format!("--machine={name}"),
        };
        line.split('|').map(str::to_owned).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_again() {
        for shape in Shape::ALL {
            assert_eq!(Shape::from_program(shape.program()), Some(shape));
        }
    }

    #[test]
    fn qemu_command_line_doubles_commas_and_carries_the_uuid() {
        let facts = Facts { name: "a,b", uuid: Some("u"), vcpus: 2, memory_mib: 4 };
        let arguments = Shape::Qemu.arguments(facts);
        assert_eq!(&arguments[..4], ["-name", "guest=a,,b,debug-threads=on", "-uuid", "u"]);
    }
}
