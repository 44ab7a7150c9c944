//! QEMU's command line, written by hand, by libvirt (JSON, secrets in files, monitor as a descriptor) or by Proxmox.
//! (qemu(1); libvirt's `src/qemu/qemu_command.c`.)

use super::options::Options;
use super::{Description, Image, file_name, parse_uuid};
use serde_json::Value;

/// A list or JSON object, whichever an option was given as.
enum Settings {
    List(Options),
    Json(Value),
}

impl Settings {
    fn parse(text: &str) -> Self {
        match text.starts_with('{').then(|| serde_json::from_str(text)) {
            Some(Ok(json)) => Self::Json(json),
            _ => Self::List(Options::parse(text)),
        }
    }

    fn value(&self, key: &str) -> Option<&str> {
        match self {
            Self::List(options) => options.value(key),
            Self::Json(json) => json.get(key)?.as_str(),
        }
    }
}

/// A node of the block layer: what it is called, the file it opens, and the node below it.
struct Node {
    name: String,
    file: Option<String>,
    below: Option<String>,
}

#[derive(Default)]
struct Parts {
    nodes: Vec<Node>,
    /// Devices with a disk behind: the device's id and the node or drive it shows.
    devices: Vec<(Option<String>, String)>,
    /// `-drive` and its short forms.
    drives: Vec<Image>,
    /// Sockets by the id of their character device.
    sockets: Vec<(String, String)>,
    /// The character devices that speak QMP.
    control: Vec<String>,
    /// How many drives without an id were seen of each interface.
    unnamed: Vec<(String, u32)>,
    domain_folder: Option<String>,
}

/// What QEMU's arguments, without `argv[0]`, say of the VM.
pub(super) fn describe(arguments: &[&str]) -> Description {
    let mut description = Description::default();
    let mut parts = Parts::default();
    let mut index = 0;
    while let Some(argument) = arguments.get(index) {
        index += 1;
        let Some(name) = argument.strip_prefix("--").or_else(|| argument.strip_prefix('-')) else {
            parts.drives.push(Image::of_path(argument));
            continue;
        };
        if !takes_value(name) {
            description.kvm |= name == "enable-kvm";
            continue;
        }
        let Some(value) = arguments.get(index) else { break };
        index += 1;
        identity_option(name, value, &mut description);
        device_option(name, value, &mut description, &mut parts);
    }
    parts.finish(&mut description);
    description
}

/// Options without a value; every other one of QEMU's takes exactly one. (`qemu-options.hx`.)
pub(crate) fn takes_value(name: &str) -> bool {
    !matches!(
        name,
        "h" | "help"
            | "version"
            | "S"
            | "s"
            | "snapshot"
            | "nographic"
            | "nodefaults"
            | "no-user-config"
            | "enable-kvm"
            | "daemonize"
            | "no-reboot"
            | "no-shutdown"
            | "no-acpi"
            | "no-hpet"
            | "no-fd-bootchk"
            | "only-migratable"
            | "preconfig"
            | "singlestep"
            | "one-insn-per-tb"
            | "full-screen"
            | "usb"
            | "win2k-hack"
            | "mem-prealloc"
            | "old-param"
            | "semihosting"
            | "enable-sync-profile"
            | "curses"
            | "sdl"
            | "alt-grab"
            | "ctrl-grab"
            | "no-quit"
            | "no-frame"
            | "portrait"
            | "show-cursor"
            | "rtc-td-hack"
            | "nouserconfig"
            | "xen-attach"
            | "xen-domid-restrict"
    )
}

fn identity_option(name: &str, value: &str, description: &mut Description) {
    let options = Options::parse(value);
    match name {
        "name" => description.name = options.leading("guest").map(str::to_owned),
        "uuid" => description.uuid = parse_uuid(value),
        "smbios" if description.uuid.is_none() && options.value("type") == Some("1") => {
            description.uuid = options.value("uuid").and_then(parse_uuid);
        }
        "machine" | "M" => {
            description.probe |= options.leading("type") == Some("none");
            description.kvm |= options.value("accel").is_some_and(asks_for_kvm);
        }
        "accel" => description.kvm |= options.leading("accel").is_some_and(asks_for_kvm),
        _ => {}
    }
}

fn asks_for_kvm(accelerators: &str) -> bool {
    accelerators.split(':').any(|accelerator| accelerator == "kvm")
}

fn device_option(name: &str, value: &str, description: &mut Description, parts: &mut Parts) {
    match name {
        "drive" => parts.drive(&Options::parse(value)),
        "hda" | "hdb" | "hdc" | "hdd" | "cdrom" | "sd" | "mtdblock" => {
            parts.drives.push(Image::of_path(value));
        }
        "blockdev" => parts.blockdev(&Settings::parse(value)),
        "device" => {
            let settings = Settings::parse(value);
            if let Some(drive) = settings.value("drive") {
                parts.devices.push((settings.value("id").map(str::to_owned), drive.to_owned()));
            }
        }
        "netdev" => tap(&Settings::parse(value), "type", description),
        "nic" | "net" => tap(&Settings::List(Options::parse(value)), "model", description),
        "chardev" => parts.chardev(&Options::parse(value)),
        "qmp" | "qmp-pretty" => {
            if let Some(path) = value.strip_prefix("unix:") {
                let path = Options::parse(path);
                description.monitor = description.monitor.take().or(path.first().map(str::to_owned));
            } else if let Some(id) = value.strip_prefix("chardev:") {
                parts.control.push(id.to_owned());
            }
        }
        "mon" => {
            let options = Options::parse(value);
            if options.value("mode") == Some("control") {
                parts.control.extend(options.leading("chardev").map(str::to_owned));
            }
        }
        "object" => {
            let settings = Settings::parse(value);
            let key = settings.value("file").filter(|file| file.ends_with("/master-key.aes"));
            if let Some((folder, _)) = key.and_then(|file| file.rsplit_once('/')) {
                parts.domain_folder = Some(folder.to_owned());
            }
        }
        _ => {}
    }
}

fn tap(settings: &Settings, kind_key: &str, description: &mut Description) {
    let is_tap = match settings {
        Settings::List(options) => options.first() == Some("tap") || options.value(kind_key) == Some("tap"),
        Settings::Json(_) => settings.value("type") == Some("tap"),
    };
    if let Some(name) = settings.value("ifname").filter(|_| is_tap) {
        description.taps.push(name.to_owned());
    }
}

impl Parts {
    fn drive(&mut self, options: &Options) {
        let path = options.value("file").filter(|file| !file.is_empty());
        let interface = options.value("if").unwrap_or("ide");
        if interface == "pflash" {
            return;
        }
        let id = options.value("id").or_else(|| options.value("node-name")).map(str::to_owned);
        let name = id.unwrap_or_else(|| self.unnamed(interface, options));
        self.drives.push(Image { name, path: path.map(|path| strip_protocol(path).to_owned()) });
    }

    /// The name QEMU gives a drive that has none: `virtio0`, `ide0-hd1`, `ide1-cd0`. (`blockdev.c`, `drive_new`.)
    fn unnamed(&mut self, interface: &str, options: &Options) -> String {
        let position = self.unnamed.iter().position(|(name, _)| name == interface).unwrap_or_else(|| {
            self.unnamed.push((interface.to_owned(), 0));
            self.unnamed.len() - 1
        });
        let next = &mut self.unnamed[position].1;
        let index = options.value("index").and_then(|index| index.parse().ok()).unwrap_or(*next);
        *next = index.saturating_add(1);
        let per_bus = match interface {
            "ide" => 2,
            "scsi" => 7,
            _ => return format!("{interface}{index}"),
        };
        let medium = if options.value("media") == Some("cdrom") { "cd" } else { "hd" };
        format!("{interface}{}-{medium}{}", index / per_bus, index % per_bus)
    }

    fn blockdev(&mut self, settings: &Settings) {
        let Some(name) = settings.value("node-name") else { return };
        let nested = match settings {
            Settings::Json(json) => {
                json.get("file").and_then(|file| file.get("filename")).and_then(Value::as_str)
            }
            Settings::List(options) => options.value("file.filename"),
        };
        self.nodes.push(Node {
            name: name.to_owned(),
            file: settings.value("filename").or(nested).map(str::to_owned),
            below: settings.value("file").map(str::to_owned),
        });
    }

    fn chardev(&mut self, options: &Options) {
        if let (Some("socket"), Some(id), Some(path)) =
            (options.first(), options.value("id"), options.value("path"))
        {
            self.sockets.push((id.to_owned(), path.to_owned()));
        }
    }

    /// The file at the bottom of a node; the chain is as long as there are nodes, at most.
    fn file_of(&self, node: &str) -> Option<String> {
        let mut wanted = node;
        for _ in 0..=self.nodes.len() {
            let node = self.nodes.iter().find(|node| node.name == wanted)?;
            if node.file.is_some() {
                return node.file.clone();
            }
            wanted = node.below.as_deref()?;
        }
        None
    }

    fn finish(mut self, description: &mut Description) {
        for (id, drive) in &self.devices {
            // A `-drive` is listed by its own name already, which is what the monitor calls it too.
            let listed = self.drives.iter().any(|image| image.name == *drive);
            if let Some(path) = self.file_of(drive).filter(|_| !listed) {
                let name = id.clone().unwrap_or_else(|| drive.clone());
                description.disks.push(Image { name, path: Some(path) });
            }
        }
        description.disks.append(&mut self.drives);
        if description.monitor.is_none() {
            let socket = |id: &String| self.sockets.iter().find(|(name, _)| name == id);
            description.monitor = self.control.iter().find_map(socket).map(|(_, path)| path.clone());
        }
        if let Some(folder) = self.domain_folder {
            description.libvirt = true;
            // libvirt opens the socket itself and passes a descriptor, but always under this name.
            description.monitor = description.monitor.take().or(Some(format!("{folder}/monitor.sock")));
        }
        description.libvirt |= file_name(description.monitor.as_deref().unwrap_or("")) == "monitor.sock"
            && self.control.iter().any(|id| id == "charmonitor");
    }
}

/// `file:` in front of a path, and `json:` or remote protocols, are not part of it.
fn strip_protocol(path: &str) -> &str {
    path.strip_prefix("file:").unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &[&str]) -> Description {
        describe(line)
    }

    fn image(name: &str, path: &str) -> Image {
        Image { name: name.into(), path: Some(path.into()) }
    }

    #[test]
    fn a_bare_qemu() {
        let found = of(&[
            "-name",
            "guest=a,,b,debug-threads=on",
            "-uuid",
            "11111111-1111-1111-1111-111111111111",
            "-enable-kvm",
            "-smp",
            "2",
            "-drive",
            "file=/a,,b.qcow2,if=virtio,format=qcow2",
            "-drive",
            "file=/c.iso,media=cdrom",
            "-netdev",
            "tap,id=n0,ifname=tap0,script=no",
            "-qmp",
            "unix:/run/q,,1.sock,server=on,wait=off",
            "-S",
            "-hdb",
            "/d.img",
        ]);
        assert_eq!(found.name.as_deref(), Some("a,b"));
        assert_eq!(found.uuid, Some([0x11; 16]));
        assert!(found.kvm && !found.libvirt && !found.probe);
        assert_eq!(found.taps, ["tap0"]);
        assert_eq!(found.monitor.as_deref(), Some("/run/q,1.sock"));
        let disks = [image("virtio0", "/a,b.qcow2"), image("ide0-cd0", "/c.iso"), image("d.img", "/d.img")];
        assert_eq!(found.disks, disks);
    }

    #[test]
    fn libvirt_writes_json_and_hides_the_monitor() {
        let found = of(&[
            "-name",
            "guest=web1,debug-threads=on",
            "-S",
            "-object",
            r#"{"qom-type":"secret","id":"masterKey0","format":"raw","file":"/var/lib/libvirt/qemu/domain-3-web1/master-key.aes"}"#,
            "-machine",
            "pc-q35-7.2,usb=off,dump-guest-core=off",
            "-accel",
            "kvm",
            "-uuid",
            "22222222-2222-2222-2222-222222222222",
            "-no-user-config",
            "-nodefaults",
            "-chardev",
            "socket,id=charmonitor,fd=31,server=on,wait=off",
            "-mon",
            "chardev=charmonitor,id=monitor,mode=control",
            "-blockdev",
            r#"{"driver":"file","filename":"/var/lib/libvirt/images/web1.qcow2","node-name":"libvirt-1-storage","auto-read-only":true}"#,
            "-blockdev",
            r#"{"node-name":"libvirt-1-format","driver":"qcow2","file":"libvirt-1-storage","backing":null}"#,
            "-device",
            r#"{"driver":"virtio-blk-pci","bus":"pci.4","drive":"libvirt-1-format","id":"virtio-disk0"}"#,
            "-netdev",
            r#"{"type":"tap","fd":"33","vhost":true,"id":"hostnet0"}"#,
        ]);
        assert!(found.libvirt && found.kvm);
        assert_eq!(found.name.as_deref(), Some("web1"));
        assert_eq!(found.monitor.as_deref(), Some("/var/lib/libvirt/qemu/domain-3-web1/monitor.sock"));
        assert_eq!(found.disks, [image("virtio-disk0", "/var/lib/libvirt/images/web1.qcow2")]);
        assert!(found.taps.is_empty(), "libvirt passes taps as descriptors");
    }

    #[test]
    fn proxmox_gives_the_uuid_by_smbios_and_a_second_monitor() {
        let found = of(&[
            "-id",
            "100",
            "-name",
            "db,debug-threads=on",
            "-chardev",
            "socket,id=qmp,path=/var/run/qemu-server/100.qmp,server=on,wait=off",
            "-mon",
            "chardev=qmp,mode=control",
            "-chardev",
            "socket,id=qmp-event,path=/var/run/qmeventd.sock,reconnect=5",
            "-smbios",
            "type=1,uuid=33333333-3333-3333-3333-333333333333",
            "-drive",
            "file=/dev/pve/vm-100-disk-0,if=none,id=drive-scsi0,format=raw",
            "-device",
            "scsi-hd,bus=scsihw0.0,drive=drive-scsi0,id=scsi0",
            "-netdev",
            "type=tap,id=net0,ifname=tap100i0,script=/x,vhost=on",
        ]);
        assert_eq!(found.name.as_deref(), Some("db"));
        assert_eq!(found.uuid, Some([0x33; 16]));
        assert_eq!(found.monitor.as_deref(), Some("/var/run/qemu-server/100.qmp"));
        assert_eq!(found.disks, [image("drive-scsi0", "/dev/pve/vm-100-disk-0")]);
        assert_eq!(found.taps, ["tap100i0"]);
    }

    #[test]
    fn a_probe_for_capabilities_is_no_vm() {
        assert!(
            of(&["-S", "-nodefaults", "-nographic", "-machine", "none,accel=kvm:tcg", "-daemonize"]).probe
        );
        assert!(!of(&["-machine", "q35"]).probe);
    }

    #[test]
    fn a_chain_of_nodes_that_bites_its_tail_ends() {
        let found = of(&[
            "-blockdev",
            "node-name=a,file=b",
            "-blockdev",
            "node-name=b,file=a",
            "-device",
            "x,drive=a",
        ]);
        assert!(found.disks.is_empty());
    }
}
