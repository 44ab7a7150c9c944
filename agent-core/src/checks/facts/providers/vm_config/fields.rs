//! What rules can ask about the options a VMM was started with: `vm.asked:FIELD`.
#![allow(clippy::unnecessary_wraps, reason = "fields have one form, and some cannot be told")]

use super::asked::{Asked, Options};
use super::{disks, display, place};
use crate::checks::fact::{Unavailable, Value};
use crate::checks::parse::vmm::qemu::{MemoryBackend, Qemu};

/// What one field comes to.
pub(super) type Told = Result<Value, Unavailable>;
/// How a field is worked out.
pub(super) type Field = (&'static str, fn(&Asked) -> Told);

/// Every field.
pub(super) const FIELDS: &[Field] = &[
    ("accelerator", accelerator),
    ("confidential", confidential),
    ("default-devices", default_devices),
    ("devices", devices),
    ("firmware", disks::firmware),
    ("formats", disks::formats),
    ("host-forwards", host_forwards),
    ("landlock", landlock),
    ("machine", |asked| qemu(asked).and_then(|qemu| some(qemu.machine.kind.clone()))),
    ("machine-version", machine_version),
    ("memory-bytes", memory_bytes),
    ("memory-share-needed", memory_share_needed),
    ("memory-shared", memory_shared),
    ("metadata", metadata),
    ("nested", nested),
    ("netdev-listens", netdev_listens),
    ("options-visible", |asked| Ok(asked.qemu().is_none_or(|qemu| !qemu.reads_config).into())),
    ("remote-disks", disks::remote),
    ("sandbox", sandbox),
    ("secrets", secrets),
    ("spice", |asked| {
        map(asked.qemu().and_then(|q| q.spice.as_ref()).map(display::spice).unwrap_or_default())
    }),
    ("spice-clipboard", |asked| spice_switch(asked, |spice| !spice.copy_paste_disabled)),
    ("spice-files", |asked| spice_switch(asked, |spice| !spice.file_transfer_disabled)),
    ("tls-unverified", tls_unverified),
    ("usb-host", |asked| list(asked.qemu().map(usb_host).unwrap_or_default())),
    ("vcpus", vcpus),
    ("vfio", vfio),
    ("vmm", |asked| Ok(asked.vm.vmm.name().into())),
    ("vnc", |asked| map(asked.qemu().map(display::vnc).unwrap_or_default())),
    ("vnc-websockets", |asked| map(asked.qemu().map(display::websockets).unwrap_or_default())),
    ("vsock-cids", vsock_cids),
];

/// One field. Of a QEMU that takes options from a file too, what is on its command line is not all.
pub(super) fn field(asked: &Asked, name: &str) -> Told {
    /// Fields that the file cannot change.
    const CERTAIN: [&str; 3] = ["vmm", "options-visible", "secrets"];
    let Some((_, tell)) = FIELDS.iter().find(|(known, _)| *known == name) else {
        return Err(Unavailable::NotExposed(format!("there is no field {name:?}")));
    };
    if asked.qemu().is_some_and(|qemu| qemu.reads_config) && !CERTAIN.contains(&name) {
        let why = "-readconfig: options come from a file that is not on the command line";
        return Err(Unavailable::NotExposed(why.to_owned()));
    }
    tell(asked)
}

pub(super) fn list(mut items: Vec<String>) -> Told {
    items.sort_unstable();
    items.dedup();
    Ok(Value::List(items))
}

pub(super) fn map(mut items: Vec<(String, String)>) -> Told {
    items.sort_unstable();
    Ok(Value::Map(items))
}

fn some<T: Into<Value>>(value: Option<T>) -> Told {
    value.map(Into::into).ok_or(Unavailable::Absent)
}

fn qemu(asked: &Asked) -> Result<&Qemu, Unavailable> {
    asked.qemu().ok_or(Unavailable::Absent)
}

fn accelerator(asked: &Asked) -> Told {
    let Some(qemu) = asked.qemu() else { return Ok("kvm".into()) };
    Ok(qemu.machine.accelerators.first().map_or("tcg", String::as_str).into())
}

fn confidential(asked: &Asked) -> Told {
    let Some(qemu) = asked.qemu() else { return map(Vec::new()) };
    let shown = qemu.confidential.iter().map(|guest| {
        let debug = match guest.allows_debugging() {
            Some(true) => "debug",
            Some(false) => "no debug",
            None => "no policy",
        };
        (guest.kind.clone(), debug.to_owned())
    });
    map(shown.collect())
}

/// Whether QEMU adds a network card, a floppy drive, a serial port and a monitor by itself.
fn default_devices(asked: &Asked) -> Told {
    Ok((asked.qemu().is_some() && !asked.no_defaults).into())
}

fn devices(asked: &Asked) -> Told {
    let Some(qemu) = asked.qemu() else { return list(Vec::new()) };
    list(qemu.devices.iter().map(|device| device.driver.clone()).collect())
}

fn host_forwards(asked: &Asked) -> Told {
    let Some(qemu) = asked.qemu() else { return map(Vec::new()) };
    let forwards = qemu.networks.iter().flat_map(|network| &network.host_forwards);
    let shown = forwards.map(|forward| {
        // PROTOCOL:[HOST]:PORT-GUEST:PORT
        let host = forward.split(':').nth(1).unwrap_or_default();
        let place = if place::is_loopback(host) { "loopback" } else { "network" };
        (forward.clone(), place.to_owned())
    });
    map(shown.collect())
}

fn landlock(asked: &Asked) -> Told {
    match &asked.options {
        Options::CloudHypervisor(ch) => Ok(if ch.landlock { "declared" } else { "no" }.into()),
        _ => Err(Unavailable::Absent),
    }
}

fn machine_version(asked: &Asked) -> Told {
    some(qemu(asked)?.machine.version().map(|(major, _)| i64::from(major)))
}

fn memory_shared(asked: &Asked) -> Told {
    let shared = match &asked.options {
        Options::Qemu(qemu) => qemu.memory_backends.iter().any(is_shared),
        Options::CloudHypervisor(ch) => ch.memory.iter().any(|memory| memory.shared),
        Options::Firecracker(..) => false,
    };
    Ok(shared.into())
}

/// Memory files of the kernel's own kind are shared unless told otherwise (QEMU's `backends/hostmem-memfd.c`).
fn is_shared(backend: &MemoryBackend) -> bool {
    backend.share.unwrap_or(matches!(backend.kind.as_str(), "memfd" | "shm"))
}

/// Whether another process has to see the guest's memory: a vhost-user backend, or a display that shares buffers.
fn memory_share_needed(asked: &Asked) -> Told {
    let needed = match &asked.options {
        Options::Qemu(qemu) => {
            let needs = |driver: &str| driver.starts_with("vhost-user") || driver.starts_with("ivshmem");
            qemu.networks.iter().any(|network| network.kind == "vhost-user")
                || qemu.devices.iter().any(|device| {
                    needs(&device.driver) || matches!(device.property("blob"), Some("on" | "true"))
                })
        }
        Options::CloudHypervisor(ch) => {
            !ch.fs_sockets.is_empty()
                || ch.disks.iter().any(|disk| disk.vhost_socket.is_some())
                || ch.networks.iter().any(|network| network.vhost_socket.is_some())
        }
        Options::Firecracker(..) => false,
    };
    Ok(needed.into())
}

fn metadata(asked: &Asked) -> Told {
    let Options::Firecracker(_, config) = &asked.options else { return Err(Unavailable::Absent) };
    let config = config.as_ref().as_ref().map_err(Clone::clone)?;
    let version = config.mmds_config.as_ref().map(|mmds| if mmds.needs_session() { "V2" } else { "V1" });
    some(version)
}

/// Whether the guest can run guests of its own. QEMU's named models leave that out under KVM; `host` and `max` pass on
/// what KVM offers.
fn nested(asked: &Asked) -> Told {
    match &asked.options {
        Options::Qemu(qemu) => {
            let told = [qemu.cpu.feature("vmx"), qemu.cpu.feature("svm")];
            let nested = if told.contains(&Some(true)) {
                true
            } else {
                let all = matches!(qemu.cpu.model.as_deref(), Some("host" | "max"));
                all && !told.contains(&Some(false))
            };
            Ok(nested.into())
        }
        Options::CloudHypervisor(ch) => Ok(ch.nested.unwrap_or(true).into()),
        Options::Firecracker(..) => {
            Err(Unavailable::NotExposed("Firecracker decides by its own CPU template".to_owned()))
        }
    }
}

fn netdev_listens(asked: &Asked) -> Told {
    let Some(qemu) = asked.qemu() else { return list(Vec::new()) };
    list(qemu.networks.iter().filter_map(|network| network.listen.clone()).collect())
}

fn sandbox(asked: &Asked) -> Told {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let denied = |denied: bool| if denied { "deny" } else { "allow" };
    map(match &asked.options {
        Options::Qemu(qemu) => match &qemu.sandbox {
            None => vec![pair("sandbox", "off")],
            Some(sandbox) => vec![
                pair("sandbox", if sandbox.on { "on" } else { "off" }),
                pair("obsolete", denied(sandbox.obsolete_denied)),
                pair("elevateprivileges", &sandbox.elevate_privileges),
                pair("spawn", denied(sandbox.spawn_denied)),
                pair("resourcecontrol", denied(sandbox.resource_control_denied)),
            ],
        },
        Options::Firecracker(arguments, _) => {
            let filter = match (arguments.no_seccomp, &arguments.seccomp_filter) {
                (true, _) => "off",
                (false, Some(_)) => "own filter",
                (false, None) => "on",
            };
            vec![pair("seccomp", filter)]
        }
        Options::CloudHypervisor(ch) => {
            let filter = match ch.seccomp.as_deref() {
                None | Some("true") => "on",
                Some("false") => "off",
                Some(other) => other,
            };
            vec![pair("seccomp", filter)]
        }
    })
}

fn secrets(asked: &Asked) -> Told {
    let Some(qemu) = asked.qemu() else { return list(Vec::new()) };
    let shown = qemu.secrets.iter().map(|at| format!("-{} {}", at.option, at.key).trim_end().to_owned());
    list(shown.collect())
}

fn spice_switch(asked: &Asked, on: impl Fn(&crate::checks::parse::vmm::qemu::Spice) -> bool) -> Told {
    let spice = asked.qemu().and_then(|qemu| qemu.spice.as_ref());
    some(spice.map(|spice| if on(spice) { "on" } else { "off" }))
}

fn tls_unverified(asked: &Asked) -> Told {
    let Some(qemu) = asked.qemu() else { return map(Vec::new()) };
    let shown = qemu.tls_credentials.iter().map(|creds| {
        let known = match creds.kind.as_str() {
            "anon" => "anybody",
            _ if creds.verifies_peer => "verified",
            _ => "not verified",
        };
        (creds.id.clone().unwrap_or_default(), known.to_owned())
    });
    map(shown.collect())
}

fn usb_host(qemu: &Qemu) -> Vec<String> {
    let devices = qemu.devices.iter().filter(|device| device.is_host_usb());
    let shown = devices.map(|device| {
        let part = |key| device.property(key).unwrap_or("*").to_owned();
        match device.property("vendorid") {
            Some(_) => format!("{}:{}", part("vendorid"), part("productid")),
            None => format!("{}-{}", part("hostbus"), part("hostaddr")),
        }
    });
    shown.collect()
}

/// What the guest was promised when it was started; a balloon or hot-plugging may have changed it since.
fn memory_bytes(asked: &Asked) -> Told {
    /// QEMU's default: qemu(1), `-m`.
    const QEMU_DEFAULT: u64 = 128 << 20;
    let bytes = match &asked.options {
        Options::Qemu(qemu) => Some(qemu.memory_bytes.unwrap_or(QEMU_DEFAULT)),
        // Zones add up, and come in place of one size; one that is not told leaves the whole untold.
        Options::CloudHypervisor(ch) if ch.memory.is_empty() => None,
        Options::CloudHypervisor(ch) => ch
            .memory
            .iter()
            .try_fold(0_u64, |sum, memory| memory.bytes.map(|bytes| sum.saturating_add(bytes))),
        Options::Firecracker(_, config) => {
            let config = config.as_ref().as_ref().map_err(Clone::clone)?;
            config.machine_config.as_ref().map(|machine| machine.mem_size_mib << 20)
        }
    };
    some(bytes.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX)))
}

fn vcpus(asked: &Asked) -> Told {
    let threads = asked.vm.vcpu_tids.len();
    let declared = match &asked.options {
        Options::Qemu(qemu) => qemu.vcpus,
        Options::CloudHypervisor(ch) => ch.vcpus,
        Options::Firecracker(_, config) => {
            config.as_ref().as_ref().ok().and_then(|c| c.machine_config.as_ref()).map(|m| m.vcpu_count)
        }
    };
    // Threads are what there is; those that were not found do not make it fewer.
    let count = u64::try_from(threads).unwrap_or(u64::MAX).max(declared.unwrap_or(0));
    some((count > 0).then_some(i64::try_from(count).unwrap_or(i64::MAX)))
}

fn vfio(asked: &Asked) -> Told {
    let devices: Vec<String> = match &asked.options {
        Options::Qemu(qemu) => {
            qemu.devices.iter().filter_map(|device| device.vfio_host().map(str::to_owned)).collect()
        }
        Options::CloudHypervisor(ch) => ch.vfio.clone(),
        Options::Firecracker(..) => Vec::new(),
    };
    let address = |device: &String| {
        let last = device.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        // PCI addresses may be given without their domain.
        if last.matches(':').count() == 1 { format!("0000:{last}") } else { last.to_owned() }
    };
    list(devices.iter().map(address).collect())
}

/// Addresses that the kernel hands out to one guest each: Firecracker's and Cloud Hypervisor's are their own.
fn vsock_cids(asked: &Asked) -> Told {
    let Some(qemu) = asked.qemu() else { return list(Vec::new()) };
    list(qemu.devices.iter().filter_map(|device| Some(device.vsock_cid()?.to_string())).collect())
}

#[cfg(test)]
#[path = "fields_tests.rs"]
mod tests;
