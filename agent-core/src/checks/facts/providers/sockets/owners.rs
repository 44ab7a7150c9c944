//! Whose socket it is, and what else a VMM holds: where the links of its descriptors point.
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
use std::collections::{BTreeSet, HashMap};
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

/// What one process holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::checks::facts::providers) struct Held {
    /// The inodes of its sockets, with the descriptor of each.
    pub(in crate::checks::facts::providers) sockets: HashMap<u64, i32>,
    /// Whether it holds a VM of KVM's.
    pub(in crate::checks::facts::providers) kvm: bool,
    /// Its nodes of `/dev/vfio`, of `/dev/bus/usb` and the like, by path.
    pub(in crate::checks::facts::providers) devices: BTreeSet<String>,
}

type Holds = Result<Arc<Held>, Unavailable>;
type Apart = HashMap<VmId, Result<Arc<Vec<Listener>>, Unavailable>>;

/// The TCP sockets on which a VMM listens.
pub(in crate::checks::facts::providers) fn listening(
    gather: &Gather,
    vm: &Arc<Vm>,
) -> Result<Vec<Listener>, Unavailable> {
    let table = if own_view(gather, vm, "net")? { apart(gather, vm)? } else { inet::tcp(gather)? };
    let own = held(gather, vm)?;
    Ok(table.iter().filter(|listener| own.sockets.contains_key(&listener.inode)).copied().collect())
}

/// Whether a VMM has another namespace (`net`, `mnt`) than the one this thread looks from.
pub(in crate::checks::facts::providers) fn own_view(
    gather: &Gather,
    vm: &Vm,
    namespace: &str,
) -> Result<bool, Unavailable> {
    let told = gather.memo(&format!("{namespace} of {}", vm.id.pid), |gather| {
        let theirs = match gather.host().link(&vm.proc(&format!("ns/{namespace}"))) {
            Ok(theirs) => theirs,
            // A recorded host may have no namespaces recorded, which is as good as one for all.
            Err(Unavailable::Absent) if !gather.host().is_live() => return Ok(false),
            Err(Unavailable::Absent) => return Err(Unavailable::Gone),
            Err(why) => return Err(why),
        };
        let of = |process: &str| gather.host().link(&format!("/proc/{process}/ns/{namespace}"));
        match if gather.host().is_live() { of("thread-self") } else { of("1") } {
            Ok(host) => Ok(host != theirs),
            Err(Unavailable::Absent) => Ok(false),
            Err(why) => Err(why),
        }
    });
    (*told).clone()
}

/// What a VMM holds.
pub(in crate::checks::facts::providers) fn held(gather: &Gather, vm: &Vm) -> Holds {
    let all = gather.memo("descriptors of VMMs", |gather| {
        gather.kept("descriptors of VMMs", stamp(gather), |gather| {
            let each = |vm: &Arc<Vm>| (vm.id, held_by(gather, &vm.proc("fd")));
            gather.vms().iter().map(each).collect::<HashMap<VmId, Holds>>()
        })
    });
    match all.get(&vm.id) {
        Some(held) => held.clone(),
        None => held_by(gather, &vm.proc("fd")),
    }
}

/// Changes when somebody may hold something else.
fn stamp(gather: &Gather) -> u64 {
    let mut stamp = DefaultHasher::new();
    for vm in gather.vms() {
        vm.id.hash(&mut stamp);
    }
    if let Ok(listeners) = inet::tcp(gather) {
        listeners.iter().for_each(|listener| listener.inode.hash(&mut stamp));
    }
    if let Ok(sockets) = unix::host(gather) {
        sockets.iter().for_each(|socket| socket.inode.hash(&mut stamp));
    }
    (gather.clock().mono_ns() / (BELIEVED_S * NS_PER_S)).hash(&mut stamp);
    stamp.finish()
}

/// The TCP sockets that listen in a VMM's own network namespace.
fn apart(gather: &Gather, vm: &Vm) -> Result<Arc<Vec<Listener>>, Unavailable> {
    let mut stamp = DefaultHasher::new();
    (gather.clock().mono_ns() / (APART_S * NS_PER_S)).hash(&mut stamp);
    gather.vms().iter().for_each(|vm| vm.id.hash(&mut stamp));
    let all = gather.kept("tcp listeners of VMMs apart", stamp.finish(), |gather| {
        let each = |vm: &Arc<Vm>| {
            let apart = own_view(gather, vm, "net").unwrap_or(false);
            apart.then(|| (vm.id, text(gather, vm)))
        };
        gather.vms().iter().filter_map(each).collect::<Apart>()
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
            let Ok(held) = held_by(gather, &format!("/proc/{pid}/fd")) else { continue };
            let hit: Vec<u64> =
                held.sockets.keys().filter(|inode| wanted.binary_search(inode).is_ok()).copied().collect();
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

/// What a process holds, by the links in its folder of descriptors.
fn held_by(gather: &Gather, folder: &str) -> Holds {
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
    let mut held = Held::default();
    for name in names {
        // A descriptor that was closed meanwhile is none.
        let Ok(target) = readlinkat(directory.as_fd(), name.as_c_str()) else { continue };
        let target = target.to_string_lossy();
        if let Some(inode) = target.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']')) {
            let number = name.to_str().ok().and_then(|name| name.parse::<i32>().ok());
            held.sockets.extend(inode.parse::<u64>().ok().zip(number));
        } else if target == "anon_inode:kvm-vm" {
            held.kvm = true;
        } else if target.starts_with("/dev/vfio/") || target.starts_with("/dev/bus/usb/") {
            held.devices.insert(target.into_owned());
        }
    }
    Ok(Arc::new(held))
}
