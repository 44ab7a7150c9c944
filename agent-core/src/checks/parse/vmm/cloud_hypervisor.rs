//! Cloud Hypervisor's command line: options that take several values, each a list. (`cloud-hypervisor --help`, its
//! `docs/memory.md`, `docs/seccomp.md`, `docs/landlock.md`.)

use super::settings::{Settings, size, switch};

/// What the arguments ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CloudHypervisor {
    /// `--seccomp`: `true`, `false` or `log`, which lets everything pass; `None` when not given, which is `true`.
    pub seccomp: Option<String>,
    /// `--landlock`.
    pub landlock: bool,
    /// `--landlock-rules`: paths it may use besides those of its devices.
    pub landlock_rules: Vec<LandlockRule>,
    /// `--api-socket`: a path, or the number of a descriptor as `fd=N`.
    pub api_socket: Option<String>,
    /// `--memory`, and each `--memory-zone`.
    pub memory: Vec<Memory>,
    /// `--cpus boot=`.
    pub vcpus: Option<u64>,
    /// `--cpus nested=`; `None` is on.
    pub nested: Option<bool>,
    /// `--disk`.
    pub disks: Vec<Disk>,
    /// `--net`.
    pub networks: Vec<Network>,
    /// `--serial`, `--console` and `--debug-console`: the option, and what was asked for.
    pub consoles: Vec<(String, Console)>,
    /// `--vsock`.
    pub vsock: Option<Vsock>,
    /// `--fs`: sockets of file system backends.
    pub fs_sockets: Vec<String>,
    /// `--device`: the host's devices that the guest gets, as paths below `/sys`.
    pub vfio: Vec<String>,
    /// `--gdb`: where a debugger can connect.
    pub gdb: Option<String>,
    /// `--log-file`.
    pub log_file: Option<String>,
}

/// `--memory` or `--memory-zone`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Its size in bytes.
    pub bytes: Option<u64>,
    /// Whether others can map it.
    pub shared: bool,
    /// Whether it is offered to KSM.
    pub mergeable: bool,
    /// Whether it is of huge pages.
    pub huge_pages: bool,
    /// The file behind a zone.
    pub file: Option<String>,
}

/// `--disk`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disk {
    /// The image.
    pub path: Option<String>,
    /// The format, when given; otherwise it is guessed.
    pub format: Option<String>,
    /// Whether the guest may only read.
    pub read_only: bool,
    /// The socket of a vhost-user backend.
    pub vhost_socket: Option<String>,
    /// Whether a limit is set.
    pub limited: bool,
}

/// `--net`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// The tap.
    pub tap: Option<String>,
    /// The socket of a vhost-user backend.
    pub vhost_socket: Option<String>,
    /// Whether a limit is set.
    pub limited: bool,
}

/// Where a console leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Console {
    /// Nowhere.
    Off,
    /// Nowhere, but the guest sees it.
    Null,
    /// A pseudo terminal.
    Pty,
    /// The terminal it was started in.
    Tty,
    /// A file.
    File(String),
    /// A unix socket that it listens on.
    Socket(String),
    /// A TCP address that it listens on.
    Tcp(String),
    /// Something this code does not know.
    Other(String),
}

/// `--vsock`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vsock {
    /// The guest's address.
    pub cid: Option<u64>,
    /// The host's socket.
    pub socket: Option<String>,
}

/// `--landlock-rules`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LandlockRule {
    /// The path, and everything below it.
    pub path: String,
    /// `r`, `w` or `rw`.
    pub access: String,
}

/// Reads the arguments, without `argv[0]`. Never fails: what is not known is passed over.
#[must_use]
pub fn parse(arguments: &[String]) -> CloudHypervisor {
    let mut found = CloudHypervisor::default();
    let mut option = "";
    for argument in arguments {
        let value = match argument.strip_prefix("--") {
            Some(name) => {
                // Only an option's own `=`: `--disk=path=/a`.
                let (name, value) =
                    name.split_once('=').map_or((name, None), |(name, value)| (name, Some(value)));
                option = name;
                found.landlock |= name == "landlock";
                value
            }
            None => Some(argument.as_str()),
        };
        if let Some(value) = value {
            take(option, value, &mut found);
        }
    }
    found
}

fn take(option: &str, value: &str, found: &mut CloudHypervisor) {
    let settings = Settings::parse(value);
    let on = |key| settings.flag(key) == Some(true);
    let limited = || settings.pairs().any(|(key, _)| key.starts_with("bw_") || key.starts_with("ops_"));
    let limited = || limited() || settings.value("rate_limit_group").is_some();
    let vhost_socket = || settings.text("socket").or_else(|| settings.text("vhost_socket"));
    match option {
        "seccomp" => found.seccomp = Some(value.to_owned()),
        "api-socket" => {
            let descriptor = settings.value("fd").map(|fd| format!("fd={fd}"));
            found.api_socket = descriptor.or_else(|| settings.leading("path").map(str::to_owned));
        }
        "landlock-rules" => found.landlock_rules.push(LandlockRule {
            path: settings.text("path").unwrap_or_default(),
            access: settings.text("access").unwrap_or_default(),
        }),
        "memory" | "memory-zone" => found.memory.push(Memory {
            bytes: settings.value("size").and_then(|text| size(text, 1)),
            shared: on("shared"),
            mergeable: on("mergeable"),
            huge_pages: on("hugepages"),
            file: settings.text("file"),
        }),
        "cpus" => {
            found.vcpus = settings.leading("boot").and_then(|count| count.parse().ok());
            found.nested = settings.value("nested").and_then(switch);
        }
        "disk" => found.disks.push(Disk {
            path: settings.text("path"),
            format: settings.text("image_type"),
            read_only: on("readonly"),
            vhost_socket: vhost_socket(),
            limited: limited(),
        }),
        "net" => found.networks.push(Network {
            tap: settings.text("tap").filter(|tap| !tap.is_empty()),
            vhost_socket: vhost_socket(),
            limited: limited(),
        }),
        "serial" | "console" | "debug-console" => {
            found.consoles.push((option.to_owned(), console(&settings)));
        }
        "vsock" => {
            let cid = settings.value("cid").and_then(|cid| cid.parse().ok());
            found.vsock = Some(Vsock { cid, socket: settings.text("socket") });
        }
        "fs" => found.fs_sockets.extend(settings.text("socket")),
        "device" => found.vfio.extend(settings.text("path")),
        "gdb" => found.gdb = settings.leading("path").map(str::to_owned),
        "log-file" => found.log_file = Some(value.to_owned()),
        _ => {}
    }
}

fn console(settings: &Settings) -> Console {
    for (key, make) in
        [("file", Console::File as fn(String) -> Console), ("socket", Console::Socket), ("tcp", Console::Tcp)]
    {
        if let Some(value) = settings.text(key) {
            return make(value);
        }
    }
    match settings.first().unwrap_or_default() {
        "off" => Console::Off,
        "null" => Console::Null,
        "pty" => Console::Pty,
        "tty" => Console::Tty,
        other => Console::Other(other.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(arguments: &str) -> CloudHypervisor {
        parse(&arguments.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn a_vm() {
        let found = of("--api-socket path=/run/ch.sock --cpus boot=4,nested=off --memory size=2G,shared=on \
            --memory-zone id=z,size=1G,mergeable=on,file=/dev/shm/z --seccomp log --landlock \
            --landlock-rules path=/data,access=rw --disk path=/a.raw,readonly=on path=/b.qcow2,image_type=qcow2,bw_size=1 \
            --net tap=tap3,mac=12:34:56:78:90:ab --serial socket=/s.sock --console off \
            --vsock cid=3,socket=/v.sock --fs tag=t,socket=/fs.sock --device path=/sys/bus/pci/devices/0000:01:00.0");
        assert_eq!(found.api_socket.as_deref(), Some("/run/ch.sock"));
        assert_eq!((found.vcpus, found.nested, found.landlock), (Some(4), Some(false), true));
        assert_eq!(found.seccomp.as_deref(), Some("log"));
        assert_eq!(found.landlock_rules[0].path, "/data");
        assert_eq!(found.memory.len(), 2);
        assert!(found.memory[0].shared && !found.memory[0].mergeable && found.memory[1].mergeable);
        assert_eq!(found.memory[0].bytes, Some(2 << 30));
        assert_eq!(found.disks.len(), 2);
        assert!(found.disks[0].read_only && found.disks[0].format.is_none() && found.disks[1].limited);
        assert_eq!(found.networks[0].tap.as_deref(), Some("tap3"));
        let consoles =
            [("serial".into(), Console::Socket("/s.sock".into())), ("console".into(), Console::Off)];
        assert_eq!(found.consoles, consoles);
        assert_eq!(found.vsock.expect("vsock").cid, Some(3));
        assert_eq!((found.fs_sockets.len(), found.vfio.len()), (1, 1));
    }

    #[test]
    fn with_equals_signs_and_flags() {
        let found = of("--seccomp=false --api-socket=fd=7 --landlock --disk=path=/a");
        assert_eq!(found.seccomp.as_deref(), Some("false"));
        assert_eq!(found.api_socket.as_deref(), Some("fd=7"));
        assert!(found.landlock);
        assert_eq!(found.disks[0].path.as_deref(), Some("/a"));
        assert_eq!(of("--api-socket /x").api_socket.as_deref(), Some("/x"));
        assert_eq!(of("--kernel /vmlinux"), CloudHypervisor::default());
    }

    proptest! {
        #[test]
        fn anything_comes_back(arguments in prop::collection::vec("(--[a-z]{2,8}=?)?.{0,30}", 0..8)) {
            let _ = parse(&arguments);
        }
    }
}
