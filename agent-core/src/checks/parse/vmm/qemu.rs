//! QEMU's command line, as far as isolation depends on it. (qemu(1); QEMU's `qemu-options.hx`.)
//!
//! What is here was asked for, which is not what is: monitors and devices come and go while a VM runs, and a file
//! read by `-readconfig` is not seen at all ([`Qemu::reads_config`]). Values of secrets are never kept.

use super::endpoint::{Endpoint, Role, Transport, host_and_port};
use super::redact;
use super::settings::{Settings, number, size, switch};
use super::storage::Drive;
use crate::sampling::discovery::identify::takes_value;
use std::collections::BTreeMap;

/// What one QEMU was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Qemu {
    /// `-name`.
    pub name: Option<String>,
    /// `-sandbox`; `None` when it was not given.
    pub sandbox: Option<Sandbox>,
    /// Where it talks: monitors, debuggers, serial lines, character devices, migration.
    pub endpoints: Vec<Endpoint>,
    /// `-vnc`.
    pub vnc: Vec<Vnc>,
    /// `-spice`.
    pub spice: Option<Spice>,
    /// `-machine`, with `-enable-kvm` and `-accel`.
    pub machine: Machine,
    /// `-cpu`.
    pub cpu: Cpu,
    /// `-m`, in bytes.
    pub memory_bytes: Option<u64>,
    /// `-mem-path`: the folder or file that is the guest's memory.
    pub memory_path: Option<String>,
    /// `-object memory-backend-*`.
    pub memory_backends: Vec<MemoryBackend>,
    /// `-smp`: how many vCPUs there are at first.
    pub vcpus: Option<u64>,
    /// `-device`, and what older options add.
    pub devices: Vec<Device>,
    /// `-drive`, `-blockdev`, `-hda` and the like.
    pub drives: Vec<Drive>,
    /// `-netdev`, `-nic` and `-net`.
    pub networks: Vec<Network>,
    /// `-fsdev` and `-virtfs`.
    pub shares: Vec<Share>,
    /// `-bios`, `-pflash` and `-drive if=pflash`.
    pub firmware: Vec<Firmware>,
    /// `-object sev-guest` and the like.
    pub confidential: Vec<Confidential>,
    /// `-object tls-creds-*`.
    pub tls_credentials: Vec<TlsCredentials>,
    /// `-runas`, or `-run-with user=`.
    pub run_as: Option<String>,
    /// `-chroot`, or `-run-with chroot=`.
    pub chroot: Option<String>,
    /// `-daemonize`.
    pub daemonize: bool,
    /// `-D`: where it logs to.
    pub log_file: Option<String>,
    /// `-readconfig`: options come from a file too.
    pub reads_config: bool,
    /// Where secrets stand on the command line, for everybody to read in `/proc`.
    pub secrets: Vec<InlineSecret>,
}

/// `-sandbox`. What was not given is as QEMU has it: `obsolete` denied, the others allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "QEMU's own switches")]
pub struct Sandbox {
    /// Whether system calls are filtered at all.
    pub on: bool,
    /// `obsolete`: whether obsolete system calls are denied.
    pub obsolete_denied: bool,
    /// `elevateprivileges`: `deny`, `children` or `allow`.
    pub elevate_privileges: String,
    /// `spawn`: whether new processes are denied.
    pub spawn_denied: bool,
    /// `resourcecontrol`: whether scheduling and affinity calls are denied.
    pub resource_control_denied: bool,
}

/// A VNC server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vnc {
    /// Where it is.
    pub place: VncPlace,
    /// The websocket's port or `on`, which is another way in.
    pub websocket: Option<String>,
    /// Whether a password is asked for. VNC's is weak, and cut to 8 bytes.
    pub password: bool,
    /// The object with the certificates, when TLS is used.
    pub tls_creds: Option<String>,
    /// The object that says which certificates are let in.
    pub tls_authz: Option<String>,
    /// Whether SASL is used.
    pub sasl: bool,
}

/// Where a VNC server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VncPlace {
    /// Nowhere until the monitor says so.
    None,
    /// A unix socket.
    Unix(String),
    /// TCP: the host (empty for every address) and the port, `None` when it is not a number.
    Tcp(String, Option<u32>),
    /// It connects to a viewer itself: the host and the port.
    Reverse(String, Option<u32>),
}

/// The SPICE server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "QEMU's own switches")]
pub struct Spice {
    /// The port in the clear.
    pub port: Option<u64>,
    /// The port with TLS.
    pub tls_port: Option<u64>,
    /// The address, or the path with `unix`; `None` is every address.
    pub address: Option<String>,
    /// Whether the address is a unix socket's path.
    pub unix: bool,
    /// Whether anybody is let in.
    pub ticketing_disabled: bool,
    /// Whether a password was given, here or by a secret object.
    pub password: bool,
    /// Whether SASL is used.
    pub sasl: bool,
    /// Whether copy and paste between the guest and the viewer are off.
    pub copy_paste_disabled: bool,
    /// Whether files cannot be dropped into the guest.
    pub file_transfer_disabled: bool,
}

/// `-machine`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// Its type, `pc-q35-7.2`.
    pub kind: Option<String>,
    /// Accelerators in the order they are tried; empty when nothing was said, which is TCG.
    pub accelerators: Vec<String>,
    /// `mem-merge`: whether memory is offered to KSM; nothing said is on.
    pub mem_merge: Option<bool>,
    /// `dump-guest-core`: whether the guest's memory is in a core dump; nothing said is on.
    pub dump_guest_core: Option<bool>,
    /// The node names of `pflash0` and `pflash1`.
    pub pflash_nodes: Vec<String>,
    /// The object that makes the guest confidential.
    pub confidential: Option<String>,
}

impl Machine {
    /// The version in its type: `pc-q35-7.2` is (7, 2). Types are deprecated by their age. `None` when it has none,
    /// as `q35`, which is the newest, and `isapc`.
    #[must_use]
    pub fn version(&self) -> Option<(u32, u32)> {
        let (_, version) = self.kind.as_deref()?.rsplit_once('-')?;
        // Distributions put their names in front: `rhel7.6.0`.
        let digits = version.find(|c: char| c.is_ascii_digit())?;
        let mut parts = version[digits..].split('.').map(str::parse);
        Some((parts.next()?.ok()?, parts.next()?.ok()?))
    }

    /// Whether KVM is what is tried first.
    #[must_use]
    pub fn uses_kvm(&self) -> bool {
        self.accelerators.first().is_some_and(|first| first == "kvm")
    }
}

/// `-cpu`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cpu {
    /// The model, `host`.
    pub model: Option<String>,
    /// Features switched on or off, the last word on each.
    pub features: BTreeMap<String, bool>,
}

impl Cpu {
    /// Whether a feature was switched on or off; `None` when the model decides.
    #[must_use]
    pub fn feature(&self, name: &str) -> Option<bool> {
        self.features.get(name).copied()
    }
}

/// `-object memory-backend-*`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryBackend {
    /// `ram`, `file`, `memfd`, `shm` or `epc`.
    pub kind: String,
    /// Its id.
    pub id: Option<String>,
    /// The file or folder behind it.
    pub path: Option<String>,
    /// Whether others can map it.
    pub share: Option<bool>,
    /// Whether it is offered to KSM.
    pub merge: Option<bool>,
    /// Whether it is in a core dump.
    pub dump: Option<bool>,
    /// Its size in bytes.
    pub bytes: Option<u64>,
}

/// `-device`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// The driver.
    pub driver: String,
    /// Its properties, nested ones with dots; secrets are taken out.
    pub properties: Vec<(String, String)>,
}

/// Drivers of old hardware: large, seldom needed, and where QEMU's escapes have been found.
const LEGACY: [&str; 26] = [
    "AC97",
    "ES1370",
    "adlib",
    "cirrus-vga",
    "cs4231a",
    "e1000",
    "e1000-82544gc",
    "e1000-82545em",
    "floppy",
    "gus",
    "hda-duplex",
    "hda-micro",
    "hda-output",
    "ich9-intel-hda",
    "ich9-usb-uhci1",
    "intel-hda",
    "isa-cirrus-vga",
    "isa-fdc",
    "isa-ide",
    "lsi53c895a",
    "ne2k_isa",
    "ne2k_pci",
    "pcnet",
    "piix3-usb-uhci",
    "rtl8139",
    "sb16",
];

impl Device {
    /// A property.
    #[must_use]
    pub fn property(&self, key: &str) -> Option<&str> {
        self.properties.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// Whether it is old hardware.
    #[must_use]
    pub fn is_legacy(&self) -> bool {
        LEGACY.contains(&self.driver.as_str())
    }

    /// The host's device that the guest gets: a PCI address, or a path below `/sys`.
    #[must_use]
    pub fn vfio_host(&self) -> Option<&str> {
        let vfio = self.driver.starts_with("vfio-");
        ["host", "sysfsdev"].iter().find_map(|key| self.property(key).filter(|_| vfio))
    }

    /// The guest's address among virtual sockets.
    #[must_use]
    pub fn vsock_cid(&self) -> Option<u64> {
        self.driver.contains("vsock").then(|| self.property("guest-cid").and_then(number))?
    }

    /// Whether a USB device of the host is passed through.
    #[must_use]
    pub fn is_host_usb(&self) -> bool {
        self.driver == "usb-host"
    }
}

/// `-netdev`, `-nic` or `-net`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// `tap`, `user`, `vhost-user`, `socket` and so on.
    pub kind: String,
    /// Its id.
    pub id: Option<String>,
    /// The tap's name.
    pub interface: Option<String>,
    /// The script that sets it up; `no` for none, `None` for QEMU's own.
    pub script: Option<String>,
    /// Whether the kernel's vhost moves the packets.
    pub vhost: Option<bool>,
    /// The character device of a vhost-user backend.
    pub chardev: Option<String>,
    /// Where a `socket` waits for others, which are not asked who they are.
    pub listen: Option<String>,
    /// Ports of the host that lead into the guest.
    pub host_forwards: Vec<String>,
}

/// A folder of the host that the guest sees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// The folder.
    pub path: Option<String>,
    /// `passthrough`, `mapped-xattr`, `mapped-file` or `none`.
    pub security_model: Option<String>,
    /// Whether the guest may only read.
    pub read_only: bool,
}

/// An image of firmware.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firmware {
    /// The option that gave it, without dashes.
    pub option: String,
    /// The image.
    pub path: String,
    /// Whether the guest may only read.
    pub read_only: bool,
}

/// An object that makes a guest confidential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confidential {
    /// `sev-guest`, `sev-snp-guest`, `tdx-guest` and the like.
    pub kind: String,
    /// Its policy (SEV) or attributes (TDX), when given.
    pub policy: Option<u64>,
}

impl Confidential {
    /// Whether the policy lets the host debug the guest; `None` for a kind without one. Bits are those of AMD's SEV
    /// API (`NODBG`) and SNP ABI (`DEBUG`), and of Intel's TDX module (`DEBUG`); without a policy, QEMU's defaults.
    #[must_use]
    pub fn allows_debugging(&self) -> Option<bool> {
        const SEV_NODBG: u64 = 1;
        const SNP_DEBUG: u64 = 1 << 19;
        const TDX_DEBUG: u64 = 1;
        match self.kind.as_str() {
            "sev-guest" => Some(self.policy.unwrap_or(SEV_NODBG) & SEV_NODBG == 0),
            "sev-snp-guest" => Some(self.policy.unwrap_or(0) & SNP_DEBUG != 0),
            "tdx-guest" => Some(self.policy.unwrap_or(0) & TDX_DEBUG != 0),
            _ => None,
        }
    }
}

/// Certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsCredentials {
    /// `x509`, `psk` or `anon`, which knows nobody.
    pub kind: String,
    /// Its id.
    pub id: Option<String>,
    /// Whether the other end's certificate is looked at; nothing said is yes.
    pub verifies_peer: bool,
    /// The folder.
    pub folder: Option<String>,
}

/// A secret on the command line. Its value is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InlineSecret {
    /// The option, without dashes.
    pub option: String,
    /// The key of the pair; empty when it is in an address or path that stands alone.
    pub key: String,
}

/// Reads the arguments of a QEMU, without `argv[0]`. Never fails: whatever is not known is passed over.
#[must_use]
pub fn parse(arguments: &[String]) -> Qemu {
    let mut parser = Parser::default();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let Some(name) = argument.strip_prefix("--").or_else(|| argument.strip_prefix('-')) else {
            parser.qemu.drives.push(Drive::of_path("hda", argument));
            continue;
        };
        if takes_value(name) {
            let Some(value) = rest.next() else { break };
            parser.option(name, value);
        } else {
            parser.switch(name);
        }
    }
    parser.finish()
}

#[derive(Default)]
struct Parser {
    qemu: Qemu,
    chardevs: BTreeMap<String, Endpoint>,
    /// Who uses a character device: the device's id, what for, and the option that says so.
    uses: Vec<(String, Role, String)>,
}

impl Parser {
    fn switch(&mut self, name: &str) {
        match name {
            "enable-kvm" => self.qemu.machine.accelerators.insert(0, "kvm".to_owned()),
            "daemonize" => self.qemu.daemonize = true,
            "s" => self.short(Role::Gdb, name, "tcp::1234"),
            "usb" => self.device("piix3-usb-uhci"),
            _ => {}
        }
    }

    fn option(&mut self, name: &str, value: &str) {
        let settings = Settings::parse(value);
        self.secrets(name, &settings);
        match name {
            "qmp" | "qmp-pretty" => self.short(Role::Qmp, name, value),
            "monitor" => self.short(Role::Hmp, name, value),
            "serial" | "parallel" | "debugcon" => self.short(Role::Serial, name, value),
            "gdb" => self.short(Role::Gdb, name, value),
            "incoming" => self.short(Role::Incoming, name, value),
            "mon" => {
                let control = settings.value("mode") == Some("control");
                let role = if control { Role::Qmp } else { Role::Hmp };
                self.used(settings.leading("chardev"), role, name);
            }
            "chardev" => {
                if let Some(id) = settings.value("id") {
                    self.chardevs.insert(id.to_owned(), Endpoint::of_chardev(&settings));
                }
            }
            "vnc" => self.qemu.vnc.push(vnc(&settings)),
            "display" if settings.first().is_none() && settings.value("vnc").is_some() => {
                let inner = value.strip_prefix("vnc=").unwrap_or_default();
                self.qemu.vnc.push(vnc(&Settings::parse(inner)));
            }
            "spice" => self.qemu.spice = Some(spice(&settings)),
            "object" => self.object(&settings),
            "device" => self.device_of(&settings),
            "vga" if value == "cirrus" => self.device("cirrus-vga"),
            "soundhw" => value.split(',').for_each(|card| self.device(card)),
            "usbdevice" => self.device(&format!("usb-{}", value.split(':').next().unwrap_or_default())),
            "fda" | "fdb" => {
                self.device("floppy");
                self.qemu.drives.push(Drive::of_path(name, value));
            }
            "hda" | "hdb" | "hdc" | "hdd" | "cdrom" | "sd" | "mtdblock" => {
                self.qemu.drives.push(Drive::of_path(name, value));
            }
            "drive" => self.drive(&settings),
            "blockdev" => self.qemu.drives.push(Drive::of_blockdev(&settings)),
            "pflash" | "bios" => {
                // A flash that is given so can be written; a ROM cannot.
                let (option, path) = (name.to_owned(), redact::value(value));
                self.qemu.firmware.push(Firmware { option, path, read_only: name == "bios" });
            }
            "netdev" | "nic" | "net" => self.network(name, &settings),
            "fsdev" | "virtfs" => self.qemu.shares.push(Share {
                path: settings.text("path"),
                security_model: settings.text("security_model").or_else(|| settings.text("security-model")),
                read_only: settings.flag("readonly") == Some(true),
            }),
            _ => self.process(name, value, &settings),
        }
    }

    /// Options about the machine and the process as a whole.
    fn process(&mut self, name: &str, value: &str, settings: &Settings) {
        const MIB: u64 = 1 << 20;
        let qemu = &mut self.qemu;
        match name {
            "name" => qemu.name = settings.leading("guest").map(str::to_owned),
            "sandbox" => qemu.sandbox = Some(sandbox(settings)),
            "machine" | "M" => machine(settings, &mut qemu.machine),
            "accel" => qemu.machine.accelerators.extend(settings.leading("accel").map(str::to_owned)),
            "cpu" => qemu.cpu = cpu(value),
            "m" => qemu.memory_bytes = settings.leading("size").and_then(|text| size(text, MIB)),
            "mem-path" => qemu.memory_path = Some(value.to_owned()),
            "smp" => qemu.vcpus = vcpus(settings),
            "runas" => qemu.run_as = Some(value.to_owned()),
            "run-with" => {
                qemu.run_as = settings.text("user").or(qemu.run_as.take());
                qemu.chroot = settings.text("chroot").or(qemu.chroot.take());
            }
            "chroot" => qemu.chroot = Some(value.to_owned()),
            "D" => qemu.log_file = Some(value.to_owned()),
            "readconfig" => qemu.reads_config = true,
            _ => {}
        }
    }

    fn short(&mut self, role: Role, option: &str, text: &str) {
        if let Some(id) = text.strip_prefix("chardev:") {
            self.used(Some(id), role, option);
            return;
        }
        // A monitor and a serial line share one place.
        let (role, text) = match text.strip_prefix("mon:") {
            Some(rest) => (Role::Hmp, rest),
            None => (role, text),
        };
        let mut endpoint = Endpoint::of_short(role, option, text);
        // They take no `server`: they always wait.
        endpoint.listens |= matches!(role, Role::Gdb | Role::Incoming)
            && matches!(endpoint.transport, Transport::Tcp(..) | Transport::Unix(_) | Transport::Abstract(_));
        self.qemu.endpoints.push(endpoint);
    }

    fn used(&mut self, chardev: Option<&str>, role: Role, option: &str) {
        if let Some(id) = chardev {
            self.uses.push((id.to_owned(), role, option.to_owned()));
        }
    }

    fn device(&mut self, driver: &str) {
        self.qemu.devices.push(Device { driver: driver.to_owned(), properties: Vec::new() });
    }

    fn device_of(&mut self, settings: &Settings) {
        let Some(driver) = settings.leading("driver") else { return };
        let serial = driver.contains("serial") || driver.contains("console");
        self.used(settings.value("chardev"), if serial { Role::Serial } else { Role::Chardev }, "device");
        let properties = settings.pairs().filter(|(key, _)| *key != "driver").map(|(key, value)| {
            let secret = redact::is_secret(key, value);
            (key.to_owned(), if secret { redact::REDACTED.to_owned() } else { redact::value(value) })
        });
        self.qemu.devices.push(Device { driver: driver.to_owned(), properties: properties.collect() });
    }

    fn drive(&mut self, settings: &Settings) {
        let drive = Drive::of_drive(settings);
        if drive.interface.as_deref() == Some("pflash")
            && let Some(path) = &drive.path
        {
            let read_only = drive.read_only == Some(true);
            let firmware = Firmware { option: "drive".to_owned(), path: path.clone(), read_only };
            self.qemu.firmware.push(firmware);
        }
        self.qemu.drives.push(drive);
    }

    fn network(&mut self, option: &str, settings: &Settings) {
        let kind = settings.leading("type").unwrap_or_default().to_owned();
        if let Some(model) = settings.value("model") {
            self.device(model);
        }
        if kind == "vhost-user" {
            self.used(settings.value("chardev"), Role::VhostUser, option);
        }
        let forwards = settings.pairs().filter(|(key, _)| key.starts_with("hostfwd"));
        self.qemu.networks.push(Network {
            kind,
            id: settings.text("id"),
            interface: settings.text("ifname"),
            script: settings.text("script"),
            vhost: settings.flag("vhost"),
            chardev: settings.text("chardev"),
            listen: settings.text("listen"),
            host_forwards: forwards.map(|(_, value)| value.to_owned()).collect(),
        });
    }

    fn object(&mut self, settings: &Settings) {
        let kind = settings.leading("qom-type").unwrap_or_default();
        let id = settings.text("id");
        if let Some(kind) = kind.strip_prefix("memory-backend-") {
            self.qemu.memory_backends.push(MemoryBackend {
                kind: kind.to_owned(),
                id,
                path: settings.text("mem-path"),
                share: settings.flag("share"),
                merge: settings.flag("merge"),
                dump: settings.flag("dump"),
                bytes: settings.value("size").and_then(|text| size(text, 1)),
            });
        } else if let Some(kind) = kind.strip_prefix("tls-creds-") {
            self.qemu.tls_credentials.push(TlsCredentials {
                kind: kind.to_owned(),
                id,
                verifies_peer: settings.flag("verify-peer").unwrap_or(true),
                folder: settings.text("dir"),
            });
        } else if matches!(kind, "sev-guest" | "sev-snp-guest" | "tdx-guest" | "pef-guest" | "s390-pv-guest")
        {
            let policy = settings.value("policy").or_else(|| settings.value("attributes"));
            self.qemu
                .confidential
                .push(Confidential { kind: kind.to_owned(), policy: policy.and_then(number) });
        }
    }

    /// Where secrets stand.
    fn secrets(&mut self, option: &str, settings: &Settings) {
        let holds_secret =
            option == "object" && redact::is_secret_object(settings.leading("qom-type").unwrap_or_default());
        for (key, value) in settings.pairs() {
            // An address with `=` in it is no pair, and its first half may hold the secret.
            let address = key.contains("://");
            let last = key.rsplit('.').next().unwrap_or(key);
            let secret = if address {
                redact::value_holds_secret(&format!("{key}={value}"))
            } else {
                (holds_secret && key == "data")
                    || redact::is_secret(last, value)
                    || redact::value_holds_secret(value)
            };
            if secret {
                let key = if address { String::new() } else { key.to_owned() };
                self.qemu.secrets.push(InlineSecret { option: option.to_owned(), key });
            }
        }
        if settings.first().is_some_and(redact::value_holds_secret) {
            self.qemu.secrets.push(InlineSecret { option: option.to_owned(), key: String::new() });
        }
    }

    fn finish(mut self) -> Qemu {
        for (id, role, option) in &self.uses {
            if let Some(endpoint) = self.chardevs.get(id) {
                self.qemu.endpoints.push(Endpoint {
                    role: *role,
                    option: option.clone(),
                    ..endpoint.clone()
                });
            }
        }
        for (id, ..) in &self.uses {
            self.chardevs.remove(id);
        }
        self.qemu.endpoints.extend(self.chardevs.into_values());
        self.qemu
    }
}

fn sandbox(settings: &Settings) -> Sandbox {
    let denied = |key| settings.value(key).is_some_and(|value| value == "deny");
    Sandbox {
        on: settings.leading("enable").and_then(switch).unwrap_or(false),
        obsolete_denied: settings.value("obsolete").is_none_or(|value| value == "deny"),
        elevate_privileges: settings.text("elevateprivileges").unwrap_or_else(|| "allow".to_owned()),
        spawn_denied: denied("spawn"),
        resource_control_denied: denied("resourcecontrol"),
    }
}

fn machine(settings: &Settings, machine: &mut Machine) {
    if let Some(kind) = settings.leading("type") {
        machine.kind = Some(kind.to_owned());
    }
    if let Some(accelerators) = settings.value("accel") {
        machine.accelerators.extend(accelerators.split(':').map(str::to_owned));
    }
    machine.mem_merge = settings.flag("mem-merge").or(machine.mem_merge);
    machine.dump_guest_core = settings.flag("dump-guest-core").or(machine.dump_guest_core);
    machine.pflash_nodes.extend(["pflash0", "pflash1"].iter().filter_map(|key| settings.text(key)));
    machine.confidential = settings
        .text("confidential-guest-support")
        .or_else(|| settings.text("memory-encryption"))
        .or(machine.confidential.take());
}

/// `host,+vmx,svm=off`. QEMU takes `-feature` as the last word, before that `+feature`, before that `feature=`.
fn cpu(text: &str) -> Cpu {
    let (mut given, mut added, mut removed) = (BTreeMap::new(), Vec::new(), Vec::new());
    let mut parts = text.split(',');
    let model = parts.next().filter(|model| !model.is_empty()).map(str::to_owned);
    for part in parts {
        if let Some(feature) = part.strip_prefix('+') {
            added.push(feature);
        } else if let Some(feature) = part.strip_prefix('-') {
            removed.push(feature);
        } else if let Some((feature, Some(on))) =
            part.split_once('=').map(|(key, value)| (key, switch(value)))
        {
            given.insert(feature.to_owned(), on);
        } else if !part.contains('=') && !part.is_empty() {
            given.insert(part.to_owned(), true);
        }
    }
    given.extend(added.into_iter().map(|feature| (feature.to_owned(), true)));
    given.extend(removed.into_iter().map(|feature| (feature.to_owned(), false)));
    Cpu { model, features: given }
}

/// `4`, `cpus=4`, or what sockets, cores and threads make.
fn vcpus(settings: &Settings) -> Option<u64> {
    if let Some(count) = settings.leading("cpus") {
        return count.parse().ok();
    }
    let parts = ["drawers", "books", "sockets", "dies", "clusters", "modules", "cores", "threads"];
    let mut counts = parts.iter().filter_map(|key| settings.value(key)).peekable();
    counts.peek()?;
    counts.try_fold(1_u64, |product, count| product.checked_mul(count.parse().ok()?))
}

fn vnc(settings: &Settings) -> Vnc {
    const BASE_PORT: u32 = 5900;
    let place = settings.leading("vnc").unwrap_or_default();
    let place = match place.strip_prefix("unix:") {
        Some(path) => VncPlace::Unix(path.to_owned()),
        None if !place.contains(':') => VncPlace::None,
        None => {
            let (host, display) = host_and_port(place);
            let display = display.parse::<u32>().ok();
            if settings.flag("reverse") == Some(true) {
                VncPlace::Reverse(host, display)
            } else {
                VncPlace::Tcp(host, display.and_then(|display| display.checked_add(BASE_PORT)))
            }
        }
    };
    Vnc {
        place,
        websocket: settings.text("websocket"),
        password: settings.flag("password") == Some(true) || settings.value("password-secret").is_some(),
        tls_creds: settings.text("tls-creds"),
        tls_authz: settings.text("tls-authz"),
        sasl: settings.flag("sasl") == Some(true),
    }
}

fn spice(settings: &Settings) -> Spice {
    let on = |key| settings.flag(key) == Some(true);
    let port = |key| settings.value(key).and_then(number).filter(|port| *port != 0);
    Spice {
        port: port("port"),
        tls_port: port("tls-port"),
        address: settings.text("addr"),
        unix: on("unix"),
        ticketing_disabled: on("disable-ticketing"),
        password: ["password", "password-secret"].iter().any(|key| settings.value(key).is_some()),
        sasl: on("sasl"),
        copy_paste_disabled: on("disable-copy-paste"),
        file_transfer_disabled: on("disable-agent-file-xfer"),
    }
}

#[cfg(test)]
#[path = "qemu_tests.rs"]
mod tests;
