//! What libvirt was told of a VM: the definition it runs with (`/run/libvirt/qemu`), and the one it will start with next
//! (`/etc/libvirt/qemu`).

use super::display::{self, Defaults};
use super::{disks, fields};
use crate::checks::fact::{Found, Unavailable};
use crate::checks::facts::Gather;
use crate::checks::parse::etc::libvirt_conf::LibvirtConf;
use crate::checks::parse::vmm::domain_xml::{self, Domain, SecurityLabel};
use crate::checks::vm::Vm;
use crate::sampling::discovery::identify::uuid_text;
use std::sync::Arc;

/// Bytes of `qemu.conf`: as installed it has some 40 KiB of comments.
const CONF_BYTES_MAX: usize = 1 << 20;
/// libvirt's own settings for QEMU.
const QEMU_CONF: &str = "/etc/libvirt/qemu.conf";

/// Definitions that libvirt runs with.
const RUNNING: &str = "/run/libvirt/qemu";
/// Definitions that libvirt starts with.
const STORED: &str = "/etc/libvirt/qemu";

type Told = fields::Told;
/// How a field of a definition is worked out.
type Field = (&'static str, fn(&Domain, &Conf) -> Told);

/// `qemu.conf`, as far as definitions leave things to it.
#[derive(Debug, Default)]
struct Conf(LibvirtConf);

impl Conf {
    fn on(&self, name: &str) -> bool {
        self.0.get(name).and_then(|setting| setting.value.number()).is_some_and(|number| number != 0)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(|setting| setting.value.text())
    }

    fn defaults(&self, kind: &str) -> (Defaults, &str) {
        let key = |name: &str| format!("{kind}_{name}");
        let defaults = Defaults {
            tls: self.on(&key("tls")),
            verify: self.on(&key("tls_x509_verify")),
            sasl: self.on(&key("sasl")),
            password: self.text(&key("password")).is_some_and(|password| !password.is_empty()),
        };
        (defaults, self.text(&key("listen")).unwrap_or("127.0.0.1"))
    }
}

/// Every field of a definition.
const FIELDS: &[Field] = &[
    ("confidential", |domain, _| confidential(domain)),
    ("disk-labels-off", |domain, _| fields::list(disk_labels_off(domain))),
    ("formats", |domain, conf| {
        fields::map(disks::defined_formats(&domain.disks, conf.on("allow_disk_format_probing")))
    }),
    ("labels-off", |domain, _| fields::list(domain.labels.iter().filter_map(off).collect())),
    ("nested", |domain, _| Ok(nested(domain).into())),
    ("network-channels", |domain, conf| fields::map(channels(domain, conf.on("chardev_tls")))),
    ("raw", |domain, _| Ok(domain.raw.into())),
    ("remote-disks", |domain, conf| fields::map(disks::defined_remote(&domain.disks, conf.on("nbd_tls")))),
    ("shares", |domain, _| {
        fields::list(domain.filesystems.iter().filter_map(|share| share.source.clone()).collect())
    }),
    ("spice", |domain, conf| fields::map(displays(domain, conf, "spice"))),
    ("spice-clipboard", |domain, _| switch(domain, |display| display.copy_paste)),
    ("spice-files", |domain, _| switch(domain, |display| display.file_transfer)),
    ("vnc", |domain, conf| fields::map(displays(domain, conf, "vnc"))),
];

/// `vm.domain:FIELD`: of the definition that libvirt runs with.
pub(super) fn running(gather: &Gather, vm: &Arc<Vm>, name: &str) -> Found {
    told(gather, vm, name, RUNNING)
}

/// `vm.definition:FIELD`: of the definition that libvirt starts with next.
pub(super) fn stored(gather: &Gather, vm: &Arc<Vm>, name: &str) -> Found {
    told(gather, vm, name, STORED)
}

fn told(gather: &Gather, vm: &Arc<Vm>, name: &str, folder: &str) -> Found {
    let path = format!("{folder}/{}.xml", vm.name);
    let Some((_, tell)) = FIELDS.iter().find(|(known, _)| *known == name) else {
        let why = format!("there is no field {name:?} of a definition");
        return Found::unavailable(Unavailable::NotExposed(why), path);
    };
    let value = definition(gather, vm, &path).and_then(|domain| {
        let conf = conf(gather)?;
        tell(&domain, &conf)
    });
    match value {
        Ok(value) => Found::value(value, path),
        Err(why) => Found::unavailable(why, path),
    }
}

/// The definition of a VM; absent when libvirt does not manage it or holds none there.
pub(in crate::checks::facts::providers) fn running_definition(
    gather: &Gather,
    vm: &Vm,
) -> Result<Arc<Domain>, Unavailable> {
    definition(gather, vm, &format!("{RUNNING}/{}.xml", vm.name))
}

fn definition(gather: &Gather, vm: &Vm, path: &str) -> Result<Arc<Domain>, Unavailable> {
    if !vm.libvirt || vm.name.contains('/') {
        return Err(Unavailable::Absent);
    }
    let parse = |bytes: &[u8]| {
        domain_xml::parse(bytes).map_err(|wrong| Unavailable::Malformed(format!("{path}: {wrong}")))
    };
    let domain = gather.document(path, domain_xml::BYTES_MAX, parse)?;
    let uuid = domain.uuid.as_ref().map(uuid_text).unwrap_or_default();
    if !vm.uuid.is_empty() && !uuid.is_empty() && vm.uuid != uuid {
        // Another VM was defined under this one's name while it ran.
        return Err(Unavailable::Malformed(format!(
            "{path} is of the VM {uuid}, and this one is {}",
            vm.uuid
        )));
    }
    Ok(domain)
}

/// `qemu.conf`; what is not there is as libvirt has it.
fn conf(gather: &Gather) -> Result<Arc<Conf>, Unavailable> {
    let parse = |bytes: &[u8]| Ok(Conf(LibvirtConf::parse(&String::from_utf8_lossy(bytes))));
    match gather.document(QEMU_CONF, CONF_BYTES_MAX, parse) {
        Err(Unavailable::Absent) => Ok(Arc::default()),
        conf => conf,
    }
}

fn confidential(domain: &Domain) -> Told {
    use crate::checks::parse::vmm::qemu::Confidential;
    let guest = domain.launch_security.iter().map(|launch| {
        let kind = match launch.kind.as_str() {
            "sev" => "sev-guest",
            "sev-snp" => "sev-snp-guest",
            "tdx" => "tdx-guest",
            other => other,
        };
        let guest = Confidential { kind: kind.to_owned(), policy: launch.policy };
        let debug = match guest.allows_debugging() {
            Some(true) => "debug",
            Some(false) => "no debug",
            None => "no policy",
        };
        (guest.kind, debug.to_owned())
    });
    fields::map(guest.collect())
}

/// A label that confines nothing, or leaves files as they are.
fn off(label: &SecurityLabel) -> Option<String> {
    let model = label.model.as_deref().unwrap_or("every model");
    match (label.kind.as_deref(), label.relabel) {
        (Some("none"), _) => Some(format!("{model}: none")),
        (_, Some(false)) => Some(format!("{model}: relabel=no")),
        _ => None,
    }
}

fn disk_labels_off(domain: &Domain) -> Vec<String> {
    let each = domain.disks.iter().flat_map(|disk| {
        let name = disk.target.as_deref().unwrap_or("disk");
        disk.labels.iter().filter_map(off).map(move |label| format!("{name} {label}"))
    });
    each.collect()
}

fn nested(domain: &Domain) -> bool {
    let told = domain.cpu_features.iter().filter(|(name, _)| name == "vmx" || name == "svm");
    let mut policies = told.map(|(_, policy)| policy.as_str()).peekable();
    if policies.peek().is_some() {
        return policies.any(|policy| policy == "require" || policy == "force");
    }
    matches!(domain.cpu_mode.as_deref(), Some("host-passthrough" | "host-model" | "maximum"))
}

/// Serial lines, consoles and channels that go over a network.
fn channels(domain: &Domain, tls: bool) -> Vec<(String, String)> {
    let far = domain.channels.iter().filter(|channel| matches!(channel.kind.as_str(), "tcp" | "udp"));
    far.map(|channel| {
        let host = channel.host.as_deref().unwrap_or("*");
        let place = format!("{} {host}:{}", channel.element, channel.service.as_deref().unwrap_or("?"));
        let tls = channel.kind == "tcp" && channel.tls.unwrap_or(tls);
        (place, if tls { "tls" } else { "clear" }.to_owned())
    })
    .collect()
}

fn displays(domain: &Domain, conf: &Conf, kind: &str) -> display::Displays {
    let (defaults, listen) = conf.defaults(kind);
    display::defined(&domain.graphics, kind, defaults, listen)
}

fn switch(domain: &Domain, told: impl Fn(&domain_xml::Graphics) -> Option<bool>) -> Told {
    let spice = domain.graphics.iter().find(|display| display.kind == "spice");
    let on = spice.map(|display| told(display).unwrap_or(true));
    on.map(|on| if on { "on" } else { "off" }.into()).ok_or(Unavailable::Absent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::fact::Value;
    use crate::checks::host::HostFiles;
    use crate::checks::vm::VmId;
    use crate::config::Roots;
    use crate::sampling::discovery::VmmKind;
    use crate::sys::clock::Clock;

    const XML: &str = "<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>\
        <name>web</name><uuid>22222222-2222-2222-2222-222222222222</uuid><cpu mode='host-passthrough'/>\
        <devices><disk type='file'><driver name='qemu'/><source file='/a'><seclabel relabel='no'/></source>\
        <target dev='vda'/></disk>\
        <disk type='network'><source protocol='nbd' name='x'/><target dev='vdb'/></disk>\
        <graphics type='vnc' port='-1'/><graphics type='spice' tlsPort='5901'><clipboard copypaste='no'/></graphics>\
        <serial type='tcp'><source mode='bind' host='0.0.0.0' service='4555'/></serial></devices>\
        <seclabel type='none' model='selinux'/><qemu:commandline><qemu:arg value='-S'/></qemu:commandline></domain>";

    fn vm(libvirt: bool) -> Arc<Vm> {
        Arc::new(Vm {
            id: VmId { pid: 7, start_ticks: 1 },
            name: "web".into(),
            uuid: "22222222-2222-2222-2222-222222222222".into(),
            tenant: String::new(),
            vmm: VmmKind::Qemu,
            libvirt,
            cgroup: String::new(),
            vcpu_tids: Vec::new(),
            taps: Vec::new(),
        })
    }

    fn host(xml: &str, conf: &str) -> (tempfile::TempDir, Gather) {
        let root = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(root.path().join("etc/libvirt/qemu")).expect("folders");
        std::fs::write(root.path().join("etc/libvirt/qemu/web.xml"), xml).expect("a file");
        std::fs::write(root.path().join("etc/libvirt/qemu.conf"), conf).expect("a file");
        let gather = Gather::new(HostFiles::new(Roots::below(root.path())), Clock::default());
        (root, gather)
    }

    #[test]
    fn a_stored_definition_with_qemu_conf_beneath() {
        let (_root, gather) = host(XML, "vnc_listen = \"0.0.0.0\"\nnbd_tls = 1\n");
        let told = |name| stored(&gather, &vm(true), name).value.expect("told").to_string();
        assert_eq!(told("vnc"), "0.0.0.0:auto=network, no login, no tls");
        assert_eq!(told("spice"), "127.0.0.1:5901 with TLS=loopback, no login, tls");
        assert_eq!((told("spice-clipboard"), told("spice-files")), ("off".into(), "on".into()));
        assert_eq!(told("raw"), "yes");
        assert_eq!(told("labels-off"), "selinux: none");
        assert_eq!(told("disk-labels-off"), "vda every model: relabel=no");
        assert_eq!(told("nested"), "yes");
        assert_eq!(told("formats"), "vda=raw, vdb=raw");
        assert_eq!(told("remote-disks"), "vdb=nbd tls");
        assert_eq!(told("network-channels"), "serial 0.0.0.0:4555=clear");
        let bad = Err(Unavailable::NotExposed("there is no field \"x\" of a definition".into()));
        assert_eq!(stored(&gather, &vm(true), "x").value, bad);
    }

    #[test]
    fn no_definition_is_absent_and_another_ones_is_not_believed() {
        let (_root, gather) = host(XML, "");
        assert_eq!(running(&gather, &vm(true), "raw").value, Err(Unavailable::Absent), "not in /run");
        assert_eq!(stored(&gather, &vm(false), "raw").value, Err(Unavailable::Absent), "not libvirt's");
        let (_root, gather) = host(&XML.replace("22222222", "33333333"), "");
        assert!(matches!(stored(&gather, &vm(true), "raw").value, Err(Unavailable::Malformed(_))));
        let (_root, gather) = host("<domain", "");
        assert!(matches!(stored(&gather, &vm(true), "raw").value, Err(Unavailable::Malformed(_))));
    }

    #[test]
    fn every_field_is_in_order_and_known_to_rules() {
        assert!(FIELDS.is_sorted_by_key(|(name, _)| *name));
        let rules = crate::checks::shipped();
        let conditions = rules.rules().iter().flat_map(crate::checks::Rule::conditions);
        for fact in conditions.flat_map(|condition| condition.facts()) {
            let name = fact.strip_prefix("vm.domain:").or_else(|| fact.strip_prefix("vm.definition:"));
            assert!(name.is_none_or(|name| FIELDS.iter().any(|(known, _)| *known == name)), "{fact}");
        }
        assert_eq!(Value::from(nested(&Domain::default())), Value::from("no"));
    }
}
