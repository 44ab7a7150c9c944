//! What a VMM was asked for, read from its command line (and Firecracker's configuration file).

use crate::checks::fact::Unavailable;
use crate::checks::facts::Gather;
use crate::checks::facts::providers::sockets::as_host_sees;
use crate::checks::parse::vmm::cloud_hypervisor::{self, CloudHypervisor};
use crate::checks::parse::vmm::firecracker::{self, Arguments, Config};
use crate::checks::parse::vmm::qemu::{self, Qemu};
use crate::checks::vm::Vm;
use crate::sampling::discovery::VmmKind;
use std::sync::Arc;

/// Bytes of a command line: QEMU's with many devices has some 20 KiB.
const CMDLINE_BYTES_MAX: usize = 1 << 18;

/// What was asked for.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// By whom: the VM.
    pub(super) vm: Arc<Vm>,
    /// The options.
    pub(super) options: Options,
    /// The command line has `-nodefaults`; QEMU alone.
    pub(super) no_defaults: bool,
}

/// Options of each VMM.
#[derive(Clone, Debug)]
pub(super) enum Options {
    /// QEMU.
    Qemu(Box<Qemu>),
    /// Firecracker: its options, and the configuration file or why there is none to read.
    Firecracker(Box<Arguments>, Box<Result<Config, Unavailable>>),
    /// Cloud Hypervisor.
    CloudHypervisor(Box<CloudHypervisor>),
}

impl Asked {
    /// QEMU's options, of a QEMU.
    pub(super) fn qemu(&self) -> Option<&Qemu> {
        match &self.options {
            Options::Qemu(qemu) => Some(qemu),
            _ => None,
        }
    }
}

/// What one VM was asked for, read once a round.
pub(super) fn asked(gather: &Gather, vm: &Arc<Vm>) -> Result<Arc<Asked>, Unavailable> {
    let name = vm.proc("cmdline");
    let told = gather.memo(&name, |gather| read(gather, vm, &name).map(Arc::new));
    (*told).clone()
}

fn read(gather: &Gather, vm: &Arc<Vm>, path: &str) -> Result<Asked, Unavailable> {
    let bytes = match gather.read(path, CMDLINE_BYTES_MAX) {
        Ok(content) => content.bytes,
        Err(Unavailable::Absent) => return Err(Unavailable::Gone),
        Err(why) => return Err(why),
    };
    let bytes = bytes.strip_suffix(&[0]).unwrap_or(&bytes);
    if bytes.is_empty() {
        // A process that ends loses its command line first.
        return Err(Unavailable::Gone);
    }
    let text = |part: &[u8]| String::from_utf8_lossy(part).into_owned();
    let arguments: Vec<String> = bytes.split(|byte| *byte == 0).skip(1).map(text).collect();
    let options = match vm.vmm {
        VmmKind::Qemu => Options::Qemu(Box::new(qemu::parse(&arguments))),
        VmmKind::Firecracker => {
            let arguments = firecracker::parse_arguments(&arguments);
            let config = config(gather, vm, &arguments);
            Options::Firecracker(Box::new(arguments), Box::new(config))
        }
        VmmKind::CloudHypervisor => Options::CloudHypervisor(Box::new(cloud_hypervisor::parse(&arguments))),
        kind @ (VmmKind::Crosvm | VmmKind::Other) => {
            let why = format!("the options of a VMM of the kind `{}` are not read", kind.name());
            return Err(Unavailable::NotExposed(why));
        }
    };
    let no_defaults = arguments.iter().any(|argument| argument.trim_start_matches('-') == "nodefaults");
    Ok(Asked { vm: Arc::clone(vm), options, no_defaults })
}

fn config(gather: &Gather, vm: &Arc<Vm>, arguments: &Arguments) -> Result<Config, Unavailable> {
    let Some(path) = &arguments.config_file else {
        let why = "it was configured over its API, which tells nothing without disturbing it";
        return Err(Unavailable::NotExposed(why.to_owned()));
    };
    let Some(path) = as_host_sees(gather, vm, path)? else {
        let why = format!("{path} is in the VMM's own view of files");
        return Err(Unavailable::NotExposed(why));
    };
    let parse = |bytes: &[u8]| {
        let wrong = |wrong| Unavailable::Malformed(format!("{path}: {wrong}"));
        firecracker::parse_config(bytes).map_err(wrong)
    };
    gather.document(&path, firecracker::CONFIG_BYTES_MAX, parse).map(|config| (*config).clone())
}

/// The devices of the host that the VM was given, as PCI addresses or names.
pub(in crate::checks::facts::providers) fn asked_vfio(
    gather: &Gather,
    vm: &Arc<Vm>,
) -> Result<Vec<String>, Unavailable> {
    let value = super::fields::field(&*asked(gather, vm)?, "vfio")?;
    Ok(value.list().map(<[String]>::to_vec).unwrap_or_default())
}
