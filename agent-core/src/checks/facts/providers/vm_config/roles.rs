//! What each socket of a VMM is for: the option that asked for it, joined with what really listens.

use super::asked::{Asked, Options, asked};
use super::place;
use crate::checks::fact::{Found, Unavailable};
use crate::checks::facts::Gather;
use crate::checks::facts::providers::sockets::{held, listening, unix_reached, who_reaches};
use crate::checks::parse::vmm::cloud_hypervisor::Console;
use crate::checks::parse::vmm::endpoint::{Endpoint, Role, Transport, host_and_port};
use crate::checks::parse::vmm::qemu::{Qemu, VncPlace};
use crate::checks::vm::Vm;
use std::net::SocketAddr;
use std::sync::Arc;

/// What no option of the command line asked for.
const UNEXPLAINED: &str = "unexplained";

/// Kinds of unix sockets, as `vm.reach:KIND` knows them, with the roles of each.
const KINDS: &[(&str, &[&str])] = &[
    ("control", &["qmp", "hmp", "gdb", "api", "incoming"]),
    ("console", &["serial", "chardev", "vnc", "spice"]),
    ("backend", &["vhost-user", "vsock"]),
    ("other", &[UNEXPLAINED]),
];

/// The role's word.
pub(super) fn word(role: Role) -> &'static str {
    match role {
        Role::Qmp => "qmp",
        Role::Hmp => "hmp",
        Role::Gdb => "gdb",
        Role::Incoming => "incoming",
        Role::Serial => "serial",
        Role::VhostUser => "vhost-user",
        Role::Chardev => "chardev",
    }
}

/// `vm.endpoint:ROLE`: where a VMM was asked to talk in a role.
pub(super) fn endpoints(gather: &Gather, vm: &Arc<Vm>, role: &str) -> Found {
    let source = vm.proc("cmdline");
    let asked = match asked(gather, vm) {
        Ok(asked) => asked,
        Err(why) => return Found::unavailable(why, source),
    };
    let mut found: Vec<String> = match &asked.options {
        Options::Qemu(qemu) if qemu.reads_config => {
            let why = "-readconfig: options come from a file that is not on the command line";
            return Found::unavailable(Unavailable::NotExposed(why.to_owned()), source);
        }
        Options::Qemu(qemu) => {
            let of_role = qemu.endpoints.iter().filter(|endpoint| word(endpoint.role) == role);
            of_role.map(place::shown).collect()
        }
        Options::CloudHypervisor(ch) if role == "serial" => {
            let tcp = ch.consoles.iter().filter_map(|(_, console)| match console {
                Console::Tcp(at) => Some(format!("tcp:{at}")),
                Console::Socket(path) => Some(format!("unix:{path}")),
                _ => None,
            });
            tcp.collect()
        }
        Options::CloudHypervisor(ch) if role == "gdb" => {
            ch.gdb.iter().map(|path| format!("unix:{path}")).collect()
        }
        _ => Vec::new(),
    };
    found.sort_unstable();
    Found::value(found, source)
}

/// `vm.listen.roles`: every TCP socket that listens, with what it is for.
pub(super) fn listeners(gather: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    let source = vm.proc("cmdline, and the TCP sockets that listen");
    let sockets = match listening(gather, vm) {
        Ok(sockets) => sockets,
        Err(why) => return Found::unavailable(why, source),
    };
    if sockets.is_empty() {
        return Found::value(Vec::<(String, String)>::new(), source);
    }
    let asked = match asked(gather, vm) {
        Ok(asked) => asked,
        Err(why) => return Found::unavailable(why, source),
    };
    let mut found = Vec::with_capacity(sockets.len());
    for socket in sockets {
        let role = role_of(&asked, &socket.address);
        if role == UNEXPLAINED && asked.qemu().is_some_and(|qemu| qemu.reads_config) {
            let why = "-readconfig: options come from a file that is not on the command line";
            return Found::unavailable(Unavailable::NotExposed(why.to_owned()), source);
        }
        found.push((socket.address.to_string(), role.to_owned()));
    }
    found.sort_unstable();
    found.dedup();
    Found::value(found, source)
}

fn role_of(asked: &Asked, at: &SocketAddr) -> &'static str {
    match &asked.options {
        Options::Qemu(qemu) => qemu_role(qemu, at),
        Options::CloudHypervisor(ch) => {
            let serial = ch.consoles.iter().any(|(_, console)| match console {
                Console::Tcp(place) => {
                    let (host, port) = host_and_port(place);
                    place::matches(at, &host, &port)
                }
                _ => false,
            });
            if serial { "serial" } else { UNEXPLAINED }
        }
        Options::Firecracker(..) => UNEXPLAINED,
    }
}

fn qemu_role(qemu: &Qemu, at: &SocketAddr) -> &'static str {
    /// Ports of displays: the first, and the last that QEMU's `to=` may end at.
    const VNC_PORTS: std::ops::RangeInclusive<u16> = 5900..=5999;
    const WEB_PORT: u32 = 5700;
    let asked_for = |endpoint: &&Endpoint| match &endpoint.transport {
        Transport::Tcp(host, port) => endpoint.listens && place::matches(at, host, port),
        _ => false,
    };
    if let Some(endpoint) = qemu.endpoints.iter().find(asked_for) {
        return word(endpoint.role);
    }
    for vnc in &qemu.vnc {
        let VncPlace::Tcp(host, Some(port)) = &vnc.place else { continue };
        if place::matches(at, host, &port.to_string()) {
            return "vnc";
        }
        let web = match vnc.websocket.as_deref() {
            Some("on") => Some((port + WEB_PORT).saturating_sub(u32::from(*VNC_PORTS.start())).to_string()),
            other => other.map(|place| host_and_port(&format!(":{place}")).1),
        };
        if web.is_some_and(|web| web == at.port().to_string()) {
            return "vnc-websocket";
        }
    }
    if let Some(spice) = &qemu.spice {
        let port = Some(u64::from(at.port()));
        if spice.port == port || spice.tls_port == port {
            return "spice";
        }
    }
    let named = |place: &str| {
        let (host, port) = host_and_port(place);
        place::matches(at, &host, &port)
    };
    let listens = qemu.networks.iter().filter_map(|network| network.listen.as_deref());
    if listens.into_iter().any(named) {
        return "netdev";
    }
    let forwards = qemu.networks.iter().flat_map(|network| &network.host_forwards);
    let outside = |forward: &String| {
        let place = forward.split_once(':').map_or(forward.as_str(), |(_, rest)| rest);
        place.split('-').next().is_some_and(named)
    };
    if forwards.into_iter().any(outside) {
        return "host-forward";
    }
    // A display that was told to take the next free one.
    let shows = qemu.vnc.iter().any(|vnc| matches!(vnc.place, VncPlace::Tcp(..)));
    if shows && VNC_PORTS.contains(&at.port()) { "vnc" } else { UNEXPLAINED }
}

/// `vm.reach:KIND`: the unix sockets of a kind, with who can connect to each.
pub(super) fn reach(gather: &Gather, vm: &Arc<Vm>, kind: &str) -> Found {
    let source = vm.proc("cmdline, and the unix sockets that listen");
    match reached(gather, vm, kind) {
        Ok((found, modes)) => Found::value(found, source).with_raw(&modes),
        Err(why) => Found::unavailable(why, source),
    }
}

type Reached = (Vec<(String, String)>, String);

fn reached(gather: &Gather, vm: &Arc<Vm>, kind: &str) -> Result<Reached, Unavailable> {
    let Some((_, roles)) = KINDS.iter().find(|(known, _)| *known == kind) else {
        return Err(Unavailable::NotExposed(format!("there is no kind {kind:?} of socket")));
    };
    let sockets = unix_reached(gather, vm)?;
    // Where the options are not read, every socket is one that nothing explains.
    let (asked, held) = (asked(gather, vm), held(gather, vm)?);
    let (mut found, mut modes) = (Vec::new(), String::new());
    for one in sockets.iter() {
        let fd = held.sockets.get(&one.socket.inode).copied();
        let role = asked.as_ref().map_or(UNEXPLAINED, |asked| unix_role(asked, &one.socket.shown(), fd));
        if roles.contains(&role) {
            found.push((one.socket.shown(), one.who.clone()));
            modes.push_str(&one.modes);
        }
    }
    if let (Ok(asked), true) = (&asked, kind == "backend") {
        for path in backends(asked) {
            found.push((path.clone(), who_reaches(gather, vm, &path)?));
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok((found, modes))
}

/// Sockets of backends to which the VMM connects itself.
fn backends(asked: &Asked) -> Vec<String> {
    match &asked.options {
        Options::Qemu(qemu) => {
            let filesystems = qemu.devices.iter().any(|device| device.driver.starts_with("vhost-user"));
            let connects = qemu.endpoints.iter().filter(|endpoint| {
                !endpoint.listens
                    && (endpoint.role == Role::VhostUser || (filesystems && endpoint.role == Role::Chardev))
            });
            let path = |endpoint: &Endpoint| match &endpoint.transport {
                Transport::Unix(path) => Some(path.clone()),
                _ => None,
            };
            connects.filter_map(path).collect()
        }
        Options::CloudHypervisor(ch) => {
            let disks = ch.disks.iter().filter_map(|disk| disk.vhost_socket.clone());
            let networks = ch.networks.iter().filter_map(|network| network.vhost_socket.clone());
            disks.chain(networks).chain(ch.fs_sockets.iter().cloned()).collect()
        }
        Options::Firecracker(..) => Vec::new(),
    }
}

fn unix_role(asked: &Asked, name: &str, fd: Option<i32>) -> &'static str {
    let is = |path: &str| path == name;
    match &asked.options {
        Options::Qemu(qemu) => {
            let asked_for = |endpoint: &&Endpoint| match &endpoint.transport {
                Transport::Unix(path) => is(path),
                Transport::Abstract(abstract_name) => name.strip_prefix('@') == Some(abstract_name),
                Transport::Fd(number) => fd.is_some_and(|fd| number.parse() == Ok(fd)),
                _ => false,
            };
            if let Some(endpoint) = qemu.endpoints.iter().find(asked_for) {
                return word(endpoint.role);
            }
            let shown = |place: &VncPlace| matches!(place, VncPlace::Unix(path) if is(path));
            if qemu.vnc.iter().any(|vnc| shown(&vnc.place)) {
                return "vnc";
            }
            let spice = qemu.spice.as_ref().filter(|spice| spice.unix);
            if spice.is_some_and(|spice| spice.address.as_deref().is_some_and(is)) {
                return "spice";
            }
            UNEXPLAINED
        }
        Options::Firecracker(arguments, config) => {
            let vsock = config.as_ref().as_ref().ok().and_then(|config| config.vsock.as_ref());
            let api = arguments.api_socket.as_deref().unwrap_or("/run/firecracker.socket");
            match vsock {
                _ if is(api) => "api",
                Some(vsock) if is(&vsock.uds_path) => "vsock",
                _ => UNEXPLAINED,
            }
        }
        Options::CloudHypervisor(ch) => {
            let serial =
                ch.consoles.iter().any(|(_, console)| matches!(console, Console::Socket(path) if is(path)));
            let number = fd.map(|fd| format!("fd={fd}"));
            match (&ch.api_socket, &ch.gdb, &ch.vsock) {
                (Some(api), ..) if is(api) || number.as_ref() == Some(api) => "api",
                (_, Some(gdb), _) if is(gdb) => "gdb",
                (.., Some(vsock)) if vsock.socket.as_deref().is_some_and(is) => "vsock",
                _ if serial => "serial",
                _ => UNEXPLAINED,
            }
        }
    }
}
