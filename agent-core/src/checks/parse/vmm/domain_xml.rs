//! libvirt's domain XML, as in `/etc/libvirt/qemu/NAME.xml` and, within a `domstatus`, in `/run/libvirt/qemu/NAME.xml`.
//! (<https://libvirt.org/formatdomain.html>.)

use super::Malformed;
use super::settings::{number, switch};
use super::xml_limits;
use crate::sampling::discovery::identify::parse_uuid;
use roxmltree::{Document, Error, Node, ParsingOptions};

/// A definition larger than this is not read: a large VM's takes some 30 KiB.
pub const BYTES_MAX: usize = 1 << 20;
/// More nodes than any definition has.
const NODES_MAX: u32 = 100_000;

/// One VM as it is defined.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Domain {
    /// Its name.
    pub name: Option<String>,
    /// Its UUID.
    pub uuid: Option<[u8; 16]>,
    /// `domain type`: `kvm`, or `qemu` when it is emulated.
    pub kind: Option<String>,
    /// Labels that confine the process; empty when nothing is said, which is libvirt's default.
    pub labels: Vec<SecurityLabel>,
    /// Its memory in bytes.
    pub memory_bytes: Option<u64>,
    /// How its memory is held.
    pub memory: MemoryBacking,
    /// How many vCPUs.
    pub vcpus: Option<u64>,
    /// `cpu mode`.
    pub cpu_mode: Option<String>,
    /// `cpu feature`: the feature, and its policy (`require`, `disable`, ...).
    pub cpu_features: Vec<(String, String)>,
    /// `os type machine`.
    pub machine: Option<String>,
    /// The firmware's code.
    pub loader: Option<Loader>,
    /// The firmware's variables.
    pub nvram: Option<String>,
    /// Displays.
    pub graphics: Vec<Graphics>,
    /// Network interfaces.
    pub interfaces: Vec<Interface>,
    /// Disks.
    pub disks: Vec<Disk>,
    /// Folders of the host that the guest sees.
    pub filesystems: Vec<Filesystem>,
    /// Devices of the host that the guest gets.
    pub host_devices: Vec<HostDevice>,
    /// Serial lines, consoles, channels and the like.
    pub channels: Vec<Channel>,
    /// Models of controllers, sound cards and videos, as `element:model`.
    pub models: Vec<String>,
    /// The address among virtual sockets: `Some(None)` when libvirt chooses one.
    pub vsock_cid: Option<Option<u64>>,
    /// Arguments that are passed to QEMU as they are; secrets taken out.
    pub raw_arguments: Vec<String>,
    /// Whether `qemu:override` or `qemu:commandline` is there.
    pub raw: bool,
    /// `launchSecurity`.
    pub launch_security: Option<LaunchSecurity>,
}

/// `seclabel`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecurityLabel {
    /// `dynamic`, `static` or `none`.
    pub kind: Option<String>,
    /// `selinux`, `apparmor` or `dac`.
    pub model: Option<String>,
    /// Whether files get the label.
    pub relabel: Option<bool>,
    /// The label that was given.
    pub label: Option<String>,
}

/// `memoryBacking`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "libvirt's own elements")]
pub struct MemoryBacking {
    /// `nosharepages`: not offered to KSM.
    pub no_share_pages: bool,
    /// `locked`: not swapped.
    pub locked: bool,
    /// `hugepages`.
    pub huge_pages: bool,
    /// `source type`: `anonymous`, `file` or `memfd`.
    pub source: Option<String>,
    /// Whether others can map it (`access mode="shared"`).
    pub shared: bool,
    /// `memory dumpCore`.
    pub dump_core: Option<bool>,
}

/// `os/loader`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loader {
    /// The image.
    pub path: Option<String>,
    /// Whether the guest may only read.
    pub read_only: Option<bool>,
    /// Whether it can hold Secure Boot's keys safe.
    pub secure: Option<bool>,
}

/// `graphics`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "libvirt's own attributes")]
pub struct Graphics {
    /// `vnc`, `spice`, `rdp` and so on.
    pub kind: String,
    /// Addresses it listens on; empty is libvirt's default, loopback.
    pub listen: Vec<String>,
    /// Unix sockets it listens on.
    pub sockets: Vec<String>,
    /// The port; negative for one of libvirt's choice.
    pub port: Option<i64>,
    /// SPICE's port with TLS.
    pub tls_port: Option<i64>,
    /// Whether a password is set. Its value is not kept.
    pub password: bool,
    /// `clipboard copypaste`; `None` is on.
    pub copy_paste: Option<bool>,
    /// `filetransfer enable`; `None` is on.
    pub file_transfer: Option<bool>,
}

/// `interface`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// `network`, `bridge`, `direct`, `user`, `vhostuser` and so on.
    pub kind: String,
    /// What it is connected to: the network, bridge or device.
    pub source: Option<String>,
    /// The tap's name.
    pub target: Option<String>,
    /// Its MAC address.
    pub mac: Option<String>,
    /// `model type`.
    pub model: Option<String>,
    /// The filter that keeps the guest honest.
    pub filter: Option<String>,
    /// Whether it is kept from its bridge's other isolated ports.
    pub isolated: bool,
    /// Whether the bandwidth is limited, either way.
    pub limited: bool,
    /// VLAN tags.
    pub vlans: Vec<u32>,
    /// Whether the guest may change its MAC address and receive everything.
    pub trusts_guest: bool,
}

/// `disk`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "libvirt's own elements")]
pub struct Disk {
    /// `file`, `block`, `network`, `volume` and so on.
    pub kind: String,
    /// `disk`, `cdrom`, `floppy` or `lun`.
    pub device: String,
    /// `driver type`: the format, when given.
    pub format: Option<String>,
    /// The image, device or name at the protocol's server.
    pub source: Option<String>,
    /// The protocol of a network disk.
    pub protocol: Option<String>,
    /// Whether the network disk uses TLS.
    pub tls: Option<bool>,
    /// Whether it logs in, or is encrypted.
    pub authenticates: bool,
    /// Whether libvirt decrypts it.
    pub encrypted: bool,
    /// Whether several VMs may write.
    pub shareable: bool,
    /// Whether the guest may only read.
    pub read_only: bool,
    /// Whether a limit is set.
    pub limited: bool,
    /// `target dev`.
    pub target: Option<String>,
    /// Labels of its own.
    pub labels: Vec<SecurityLabel>,
}

/// `filesystem`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filesystem {
    /// The folder.
    pub source: Option<String>,
    /// `passthrough`, `mapped`, `squash`.
    pub access_mode: Option<String>,
    /// `path` (9p) or `virtiofs`.
    pub driver: Option<String>,
    /// Whether the guest may only read.
    pub read_only: bool,
}

/// `hostdev`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostDevice {
    /// `pci`, `usb`, `scsi`, `mdev` and so on.
    pub kind: String,
    /// A PCI address, a USB one or `vendor:product`, or the UUID of a mediated device; as given.
    pub source: Option<String>,
}

/// `serial`, `console`, `parallel`, `channel`, `redirdev`, `rng` or `smartcard`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Channel {
    /// The element.
    pub element: String,
    /// `pty`, `file`, `tcp`, `udp`, `unix` and so on.
    pub kind: String,
    /// The path.
    pub path: Option<String>,
    /// The host.
    pub host: Option<String>,
    /// The port or service.
    pub service: Option<String>,
    /// Whether it waits for connections.
    pub listens: bool,
    /// Whether TLS is used.
    pub tls: Option<bool>,
}

/// `launchSecurity`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LaunchSecurity {
    /// `sev`, `sev-snp`, `tdx` or `s390-pv`.
    pub kind: String,
    /// Its policy.
    pub policy: Option<u64>,
}

/// Reads a definition, or a state file with one inside.
///
/// # Errors
/// When it is larger than [`BYTES_MAX`], not UTF-8, no XML, has a document type, more attributes or a deeper nesting than a definition has, or holds no
/// `domain`.
pub fn parse(bytes: &[u8]) -> Result<Domain, Malformed> {
    let whole = |what| Malformed { line: 0, column: 0, what };
    if bytes.len() > BYTES_MAX {
        return Err(whole("larger than a definition"));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| whole("not UTF-8"))?;
    xml_limits::check(bytes).map_err(|(at, what)| {
        let before = &bytes[..at];
        let line = memchr::memchr_iter(b'\n', before).count() + 1;
        Malformed { line, column: at - memchr::memrchr(b'\n', before).map_or(0, |feed| feed + 1) + 1, what }
    })?;
    let options = ParsingOptions { allow_dtd: false, nodes_limit: NODES_MAX, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options).map_err(|error| {
        let at = error.pos();
        let what = match error {
            Error::DtdDetected => "a document type",
            Error::NodesLimitReached => "more nodes than a definition has",
            _ => "no XML",
        };
        Malformed { line: at.row as usize, column: at.col as usize, what }
    })?;
    let root = document.root_element();
    let domain = if root.has_tag_name("domain") { Some(root) } else { child(root, "domain") };
    Ok(of_domain(domain.ok_or(whole("no domain"))?))
}

/// The first child of a name, in no namespace.
fn child<'a, 'input>(node: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    children(node).find(|child| child.tag_name().name() == name)
}

/// Elements of libvirt's own: those of other namespaces (metadata, raw arguments) are looked for by themselves.
fn children<'a, 'input>(node: Node<'a, 'input>) -> impl Iterator<Item = Node<'a, 'input>> {
    node.children().filter(|child| child.is_element() && child.tag_name().namespace().is_none())
}

fn named<'a, 'input>(node: Node<'a, 'input>, name: &'static str) -> impl Iterator<Item = Node<'a, 'input>> {
    children(node).filter(move |child| child.tag_name().name() == name)
}

fn attribute(node: Node, name: &str) -> Option<String> {
    node.attribute(name).map(str::to_owned)
}

fn attribute_of(node: Node, name: &str, key: &str) -> Option<String> {
    attribute(child(node, name)?, key)
}

fn content(node: Node) -> Option<String> {
    node.text().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn switched(node: Node, name: &str, key: &str) -> Option<bool> {
    child(node, name)?.attribute(key).and_then(switch)
}

fn of_domain(domain: Node) -> Domain {
    let text = |name| child(domain, name).and_then(content);
    let os = child(domain, "os");
    let mut found = Domain {
        name: text("name"),
        uuid: text("uuid").and_then(|uuid| parse_uuid(&uuid)),
        kind: attribute(domain, "type"),
        labels: labels(domain),
        memory_bytes: child(domain, "memory").and_then(memory_bytes),
        memory: memory_backing(domain),
        vcpus: text("vcpu").and_then(|count| count.parse().ok()),
        cpu_mode: attribute_of(domain, "cpu", "mode"),
        machine: os.and_then(|os| attribute_of(os, "type", "machine")),
        loader: os.and_then(|os| child(os, "loader")).map(|loader| Loader {
            path: content(loader),
            read_only: loader.attribute("readonly").and_then(switch),
            secure: loader.attribute("secure").and_then(switch),
        }),
        nvram: os
            .and_then(|os| child(os, "nvram"))
            .and_then(|nvram| content(nvram).or_else(|| attribute_of(nvram, "source", "file"))),
        launch_security: child(domain, "launchSecurity").map(|security| LaunchSecurity {
            kind: attribute(security, "type").unwrap_or_default(),
            policy: security
                .attribute("policy")
                .map(str::to_owned)
                .or_else(|| content(child(security, "policy")?))
                .and_then(|policy| number(&policy)),
        }),
        ..Domain::default()
    };
    if let Some(cpu) = child(domain, "cpu") {
        let features = named(cpu, "feature").map(|feature| {
            let text = |key| attribute(feature, key).unwrap_or_default();
            (text("name"), text("policy"))
        });
        found.cpu_features = features.collect();
    }
    for devices in named(domain, "devices") {
        children(devices).for_each(|device| of_device(device, &mut found));
    }
    raw_arguments(domain, &mut found);
    found
}

/// The schema of what is passed through as it is.
const QEMU_NAMESPACE: &str = "http://libvirt.org/schemas/domain/qemu/1.0";

fn raw_arguments(domain: Node, found: &mut Domain) {
    let own = domain.children().filter(|node| node.tag_name().namespace() == Some(QEMU_NAMESPACE));
    for node in own {
        found.raw |= matches!(node.tag_name().name(), "commandline" | "override");
        let arguments = node.children().filter(|argument| argument.tag_name().name() == "arg");
        found.raw_arguments.extend(arguments.filter_map(|argument| attribute(argument, "value")));
    }
    found.raw_arguments = super::redact(&found.raw_arguments);
}

fn labels(node: Node) -> Vec<SecurityLabel> {
    let labels = named(node, "seclabel").map(|label| SecurityLabel {
        kind: attribute(label, "type"),
        model: attribute(label, "model"),
        relabel: label.attribute("relabel").and_then(switch),
        label: child(label, "label").and_then(content),
    });
    labels.collect()
}

/// `<memory unit="KiB">`; KiB without a unit.
fn memory_bytes(memory: Node) -> Option<u64> {
    let count: u64 = content(memory)?.parse().ok()?;
    let unit = match memory.attribute("unit").unwrap_or("KiB") {
        "b" | "bytes" => 1,
        "KB" => 1_000,
        "k" | "KiB" => 1 << 10,
        "MB" => 1_000_000,
        "M" | "MiB" => 1 << 20,
        "GB" => 1_000_000_000,
        "G" | "GiB" => 1 << 30,
        "TB" => 1_000_000_000_000,
        "T" | "TiB" => 1 << 40,
        _ => return None,
    };
    count.checked_mul(unit)
}

fn memory_backing(domain: Node) -> MemoryBacking {
    let dump_core = switched(domain, "memory", "dumpCore");
    let Some(backing) = child(domain, "memoryBacking") else {
        return MemoryBacking { dump_core, ..MemoryBacking::default() };
    };
    MemoryBacking {
        no_share_pages: child(backing, "nosharepages").is_some(),
        locked: child(backing, "locked").is_some(),
        huge_pages: child(backing, "hugepages").is_some(),
        source: attribute_of(backing, "source", "type"),
        shared: attribute_of(backing, "access", "mode").as_deref() == Some("shared"),
        dump_core,
    }
}

fn of_device(device: Node, found: &mut Domain) {
    let kind = || attribute(device, "type").unwrap_or_default();
    let element = device.tag_name().name();
    match element {
        "disk" => found.disks.push(disk(device)),
        "interface" => found.interfaces.push(interface(device)),
        "graphics" => found.graphics.push(graphics(device)),
        "filesystem" => found.filesystems.push(Filesystem {
            source: source(device),
            access_mode: attribute(device, "accessmode"),
            driver: attribute_of(device, "driver", "type"),
            read_only: child(device, "readonly").is_some(),
        }),
        "hostdev" => found.host_devices.push(HostDevice { kind: kind(), source: host_address(device) }),
        "serial" | "console" | "parallel" | "channel" | "redirdev" | "smartcard" => {
            found.channels.push(channel(element, kind(), device));
        }
        "rng" => {
            if let Some(backend) = child(device, "backend") {
                let kind = attribute(backend, "type").unwrap_or_default();
                found.channels.push(channel(element, kind, backend));
            }
        }
        "vsock" => {
            let cid = child(device, "cid").and_then(|cid| cid.attribute("address"));
            found.vsock_cid = Some(cid.and_then(number));
        }
        "controller" | "sound" | "video" | "watchdog" | "panic" => {
            let model = attribute(device, "model").or_else(|| attribute_of(device, "model", "type"));
            found.models.extend(model.map(|model| format!("{element}:{model}")));
        }
        _ => {}
    }
}

/// What a `source` names, whichever attribute says it.
fn source(device: Node) -> Option<String> {
    const KEYS: [&str; 9] = ["file", "dev", "dir", "name", "network", "bridge", "volume", "path", "socket"];
    let source = child(device, "source")?;
    KEYS.iter().find_map(|key| attribute(source, key))
}

fn disk(device: Node) -> Disk {
    let source_node = child(device, "source");
    let inside = |name| source_node.is_some_and(|source| child(source, name).is_some());
    let mut labels = labels(device);
    labels.extend(source_node.into_iter().flat_map(self::labels));
    Disk {
        kind: attribute(device, "type").unwrap_or_default(),
        device: attribute(device, "device").unwrap_or_else(|| "disk".to_owned()),
        format: attribute_of(device, "driver", "type"),
        source: source(device),
        protocol: source_node.and_then(|source| attribute(source, "protocol")),
        tls: source_node.and_then(|source| source.attribute("tls").and_then(switch)),
        authenticates: child(device, "auth").is_some() || inside("auth"),
        encrypted: child(device, "encryption").is_some() || inside("encryption"),
        shareable: child(device, "shareable").is_some(),
        read_only: child(device, "readonly").is_some(),
        limited: child(device, "iotune").is_some_and(|limits| children(limits).next().is_some()),
        target: attribute_of(device, "target", "dev"),
        labels,
    }
}

fn interface(device: Node) -> Interface {
    let vlans = child(device, "vlan").into_iter().flat_map(|vlan| named(vlan, "tag"));
    Interface {
        kind: attribute(device, "type").unwrap_or_default(),
        source: source(device),
        target: attribute_of(device, "target", "dev"),
        mac: attribute_of(device, "mac", "address"),
        model: attribute_of(device, "model", "type"),
        filter: attribute_of(device, "filterref", "filter"),
        isolated: switched(device, "port", "isolated") == Some(true),
        limited: child(device, "bandwidth").is_some_and(|limits| children(limits).next().is_some()),
        vlans: vlans.filter_map(|tag| tag.attribute("id")?.parse().ok()).collect(),
        trusts_guest: device.attribute("trustGuestRxFilters").and_then(switch) == Some(true),
    }
}

fn graphics(device: Node) -> Graphics {
    let mut listen: Vec<String> = attribute(device, "listen").into_iter().collect();
    let mut sockets: Vec<String> = attribute(device, "socket").into_iter().collect();
    for place in named(device, "listen") {
        listen.extend(attribute(place, "address").filter(|address| !listen.contains(address)));
        sockets.extend(attribute(place, "socket").filter(|socket| !sockets.contains(socket)));
    }
    let port = |key| device.attribute(key).and_then(|port| port.parse().ok());
    Graphics {
        kind: attribute(device, "type").unwrap_or_default(),
        listen,
        sockets,
        port: port("port"),
        tls_port: port("tlsPort"),
        password: device.attribute("passwd").is_some_and(|password| !password.is_empty()),
        copy_paste: switched(device, "clipboard", "copypaste"),
        file_transfer: switched(device, "filetransfer", "enable"),
    }
}

fn host_address(device: Node) -> Option<String> {
    let source = child(device, "source")?;
    let address = child(source, "address");
    let part = |key| address.and_then(|address| address.attribute(key)).and_then(number);
    match device.attribute("type") {
        Some("pci") => Some(format!(
            "{:04x}:{:02x}:{:02x}.{:x}",
            part("domain").unwrap_or(0),
            part("bus")?,
            part("slot")?,
            part("function").unwrap_or(0)
        )),
        Some("usb") => {
            if let (Some(bus), Some(device)) = (part("bus"), part("device")) {
                return Some(format!("{bus}-{device}"));
            }
            let vendor = attribute_of(source, "vendor", "id")?;
            Some(format!("{vendor}:{}", attribute_of(source, "product", "id")?))
        }
        _ => address
            .and_then(|address| attribute(address, "uuid"))
            .or_else(|| ["wwpn", "dev", "file"].iter().find_map(|key| attribute(source, key))),
    }
}

fn channel(element: &str, kind: String, device: Node) -> Channel {
    // TCP and UDP have one source for each direction.
    let sources: Vec<Node> = named(device, "source").collect();
    let first = |key: &str| sources.iter().find_map(|source| attribute(*source, key));
    Channel {
        element: element.to_owned(),
        kind,
        path: first("path"),
        host: first("host"),
        service: first("service"),
        listens: sources.iter().any(|source| source.attribute("mode") == Some("bind")),
        tls: sources.iter().find_map(|source| source.attribute("tls").and_then(switch)),
    }
}

#[cfg(test)]
#[path = "domain_xml_tests.rs"]
mod tests;
