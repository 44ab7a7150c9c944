//! Who listens where: the host's TCP and UDP ports, and each VMM's own sockets with who can reach them.
//!
//! TCP and unix sockets of the live host are told by `sock_diag`, listening ones alone; `/proc/net/tcp` would walk every
//! connection of the host. It is read on recorded hosts, for VMMs in a network namespace of their own, and where the
//! kernel has no `sock_diag`.

mod inet;
mod owners;
mod reach;
mod unix;

pub(in crate::checks::facts::providers) use inet::Listener;
pub(in crate::checks::facts::providers) use owners::{held, listening, own_view};
pub(in crate::checks::facts::providers) use unix::{as_host_sees, unix_reached, who_reaches};

use super::{Provider, Read, Refresh};
use crate::checks::fact::{Found, Unavailable, Value};
use crate::checks::facts::Gather;
use crate::checks::vm::Vm;
use std::sync::Arc;

/// Facts about sockets.
pub const PROVIDERS: &[Provider] = &[
    Provider {
        name: "listen.tcp",
        help: "TCP: every `address:port` that listens on the host with its program, or with a port the addresses alone",
        read: Read::Host(tcp),
        refresh: Refresh::Seconds(1),
    },
    Provider {
        name: "listen.udp",
        help: "UDP: every `address:port` that takes from anybody with its program, or with a port the addresses alone",
        read: Read::Host(udp),
        refresh: Refresh::Seconds(1),
    },
    Provider {
        name: "vm.listen.tcp",
        help: "TCP: every `address:port` on which the VMM listens, in its own network namespace",
        read: Read::Vm(vm_tcp),
        refresh: Refresh::Seconds(1),
    },
    Provider {
        name: "vm.listen.unix",
        help: "every unix socket on which the VMM listens, with who can connect besides its owner and root: `owner` for \
               nobody, `group N`, `others`, `abstract` for everybody in the network namespace, `elsewhere` when it \
               cannot be found from here",
        read: Read::Vm(vm_unix),
        refresh: Refresh::Seconds(1),
    },
];

const TCP: &str = "listening TCP sockets (sock_diag, /proc/net/tcp)";
const UDP: &str = "/proc/net/udp, /proc/net/udp6";

fn tcp(gather: &Gather, port: &str) -> Found {
    ports(gather, port, inet::tcp(gather), TCP)
}

fn udp(gather: &Gather, port: &str) -> Found {
    ports(gather, port, inet::udp(gather), UDP)
}

/// All sockets with their programs, or the addresses of those on one port.
fn ports(
    gather: &Gather,
    port: &str,
    listeners: Result<Arc<Vec<Listener>>, Unavailable>,
    source: &str,
) -> Found {
    let listeners = match listeners {
        Ok(listeners) => listeners,
        Err(why) => return Found::unavailable(why, source),
    };
    if port.is_empty() {
        let programs = owners::programs(gather, &listeners);
        let named = listeners.iter().map(|listener| {
            let program = programs.get(&listener.inode).cloned();
            (listener.address.to_string(), program.unwrap_or_else(|| format!("user {}", listener.uid)))
        });
        let mut named: Vec<(String, String)> = named.collect();
        named.sort_unstable();
        named.dedup();
        return Found::value(named, source);
    }
    let Ok(port) = port.parse::<u16>() else {
        let why = format!("{port:?} is no port");
        return Found::unavailable(Unavailable::Malformed(why), source);
    };
    let on_port = listeners.iter().map(|listener| listener.address).filter(|at| at.port() == port);
    let mut addresses: Vec<String> = on_port.map(|at| at.ip().to_string()).collect();
    addresses.sort_unstable();
    addresses.dedup();
    Found::value(addresses, source)
}

fn vm_tcp(gather: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    let source = vm.proc("fd and listening TCP sockets of its network namespace");
    let listeners = match listening(gather, vm) {
        Ok(listeners) => listeners,
        Err(why) => return Found::unavailable(why, source),
    };
    let mut addresses: Vec<String> = listeners.iter().map(|listener| listener.address.to_string()).collect();
    addresses.sort_unstable();
    addresses.dedup();
    Found::value(addresses, source)
}

fn vm_unix(gather: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    let source = vm.proc("fd and listening unix sockets of its network namespace");
    let sockets = match unix_reached(gather, vm) {
        Ok(sockets) => sockets,
        Err(why) => return Found::unavailable(why, source),
    };
    let mut reached: Vec<(String, String)> =
        sockets.iter().map(|reached| (reached.socket.shown(), reached.who.clone())).collect();
    let modes: String = sockets.iter().map(|reached| reached.modes.as_str()).collect();
    reached.sort_unstable();
    reached.dedup();
    Found::value(Value::Map(reached), source).with_raw(&modes)
}

#[cfg(test)]
mod tests;
