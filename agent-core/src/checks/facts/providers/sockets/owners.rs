//! Whose socket it is: descriptors named `socket:[INODE]`.
//!
//! Looking through descriptors is what costs, so it is done again only when another socket listens, another VM is there,
//! or a minute went by (a socket may be handed over while it listens).

use super::inet::{self, Listener};
use super::unix;
use crate::checks::fact::Unavailable;
use crate::checks::facts::Gather;
use crate::checks::host::why;
use crate::checks::parse::proc::sockets::InetSocket;
use crate::checks::vm::{Vm, VmId};
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, readlinkat};
use std::collections::hash_map::DefaultHasher;
use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::os::fd::AsFd;
use std::sync::Arc;

const NS_PER_S: u64 = 1_000_000_000;
/// How long what was seen of descriptors is believed, in seconds.
const BELIEVED_S: u64 = 60;
/// The same for namespaces of their own, whose tables are long texts.
const APART_S: u64 = 10;
/// Descriptors of one process that are looked at.
const DESCRIPTORS_MAX: usize = 65_536;

/// The inodes of one process's sockets.
pub(super) type Inodes = Result<HashSet<u64>, Unavailable>;

/// The TCP sockets on which a VMM listens.
pub(in crate::checks::facts::providers) fn listening(
    gather: &Gather,
    vm: &Arc<Vm>,
) -> Result<Vec<Listener>, Unavailable> {
    let table = if own_view(gather, vm, "net")? { apart(gather, vm)? } else { inet::tcp(gather)? };
    let own = of_vm(gather, vm)?;
    Ok(table.iter().filter(|listener| own.contains(&listener.inode)).copied().collect())
}

/// Whether a VMM has a namespace of its own (`net`, `mnt`) and not the host's.
pub(in crate::checks::facts::providers) fn own_view(
    gather: &Gather,
    vm: &Vm,
    namespace: &str,
) -> Result<bool, Unavailable> {
    let theirs = match gather.link(&vm.proc(&format!("ns/{namespace}"))) {
        Ok(theirs) => theirs,
        Err(Unavailable::Absent) => {
            // A recorded host may have no namespaces recorded, which is as good as one for all.
            return if gather.host().is_live() { Err(Unavailable::Gone) } else { Ok(false) };
        }
        Err(why) => return Err(why),
    };
    let host = gather.memo(namespace, |gather| {
        // The first process may be closed to this one, which is then taken for the host itself.
        let first = gather.link(&format!("/proc/1/ns/{namespace}"));
        first.or_else(|_| gather.link(&format!("/proc/self/ns/{namespace}")))
    });
    match &*host {
        Ok(host) => Ok(*host != theirs),
        Err(Unavailable::Absent) => Ok(false),
        Err(why) => Err(why.clone()),
    }
}

/// The inodes of a VMM's sockets.
pub(super) fn of_vm(gather: &Gather, vm: &Vm) -> Result<HashSet<u64>, Unavailable> {
    let mut stamp = DefaultHasher::new();
    for other in gather.vms() {
        other.id.hash(&mut stamp);
    }
    if let Ok(listeners) = inet::tcp(gather) {
        listeners.iter().for_each(|listener| listener.inode.hash(&mut stamp));
    }
    if let Ok(sockets) = unix::host(gather) {
        sockets.iter().for_each(|socket| socket.inode.hash(&mut stamp));
    }
    (gather.clock().mono_ns() / (BELIEVED_S * NS_PER_S)).hash(&mut stamp);
    let all = gather.kept("sockets of VMMs", stamp.finish(), |gather| {
        let each = |vm: &Arc<Vm>| (vm.id, sockets_of(gather, &vm.proc("fd")));
        gather.vms().iter().map(each).collect::<HashMap<VmId, Inodes>>()
    });
    match all.get(&vm.id) {
        Some(inodes) => inodes.clone(),
        None => sockets_of(gather, &vm.proc("fd")),
    }
}

/// The TCP sockets that listen in a VMM's own network namespace.
fn apart(gather: &Gather, vm: &Vm) -> Result<Arc<Vec<Listener>>, Unavailable> {
    let mut stamp = DefaultHasher::new();
    (gather.clock().mono_ns() / (APART_S * NS_PER_S)).hash(&mut stamp);
    gather.vms().iter().for_each(|vm| vm.id.hash(&mut stamp));
    let all = gather.kept("tcp listeners of VMMs apart", stamp.finish(), |gather| {
        let each = |vm: &Arc<Vm>| {
            let apart = own_view(gather, vm, "net").ok().filter(|apart| *apart)?;
            apart.then(|| (vm.id, text(gather, vm)))
        };
        gather
            .vms()
            .iter()
            .filter_map(each)
            .collect::<HashMap<VmId, Result<Arc<Vec<Listener>>, Unavailable>>>()
    });
    all.get(&vm.id).cloned().unwrap_or_else(|| text(gather, vm))
}

fn text(gather: &Gather, vm: &Vm) -> Result<Arc<Vec<Listener>>, Unavailable> {
    inet::text(gather, &vm.proc("net"), &["tcp", "tcp6"], InetSocket::listens).map(Arc::new)
}

/// The programs that hold some sockets, by inode, as far as this process may see; looked for again when others listen.
pub(super) fn programs(gather: &Gather, listeners: &[Listener]) -> Arc<HashMap<u64, String>> {
    let mut wanted: Vec<u64> = listeners.iter().map(|listener| listener.inode).collect();
    wanted.sort_unstable();
    let mut stamp = DefaultHasher::new();
    wanted.hash(&mut stamp);
    gather.kept(&format!("programs of {} sockets", wanted.len()), stamp.finish(), |gather| {
        let mut found = HashMap::new();
        let pids = gather.host().list("/proc").unwrap_or_default();
        let mut pids: Vec<i32> = pids.iter().filter_map(|pid| pid.parse().ok()).collect();
        // Those that were there first hold most of what listens.
        pids.sort_unstable();
        for pid in pids {
            if found.len() == wanted.len() {
                break;
            }
            let Ok(inodes) = sockets_of(gather, &format!("/proc/{pid}/fd")) else { continue };
            let hit: Vec<u64> = inodes.into_iter().filter(|i| wanted.binary_search(i).is_ok()).collect();
            if hit.is_empty() {
                continue;
            }
            let Ok(name) = gather.host().read(&format!("/proc/{pid}/comm"), 64) else { continue };
            let name = String::from_utf8_lossy(name.bytes.trim_ascii()).into_owned();
            for inode in hit {
                found.entry(inode).or_insert_with(|| name.clone());
            }
        }
        found
    })
}

/// The sockets among a process's descriptors.
fn sockets_of(gather: &Gather, folder: &str) -> Inodes {
    let failed = |errno: Errno| why(errno, folder);
    let gone = |why| if why == Unavailable::Absent { Unavailable::Gone } else { why };
    let fd = gather.host().open(folder, OFlag::O_RDONLY | OFlag::O_DIRECTORY).map_err(gone)?;
    let mut directory = Dir::from_fd(fd).map_err(failed)?;
    let mut names = Vec::new();
    for entry in directory.iter() {
        names.push(entry.map_err(failed)?.file_name().to_owned());
        if names.len() > DESCRIPTORS_MAX {
            return Err(Unavailable::TooMuch(format!("{folder} holds more than {DESCRIPTORS_MAX} names")));
        }
    }
    let mut found = HashSet::new();
    for name in names {
        // A descriptor that was closed meanwhile is none.
        let Ok(target) = readlinkat(directory.as_fd(), name.as_c_str()) else { continue };
        let target = target.to_string_lossy();
        let inode = target.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']'));
        found.extend(inode.and_then(|inode| inode.parse::<u64>().ok()));
    }
    Ok(found)
}
