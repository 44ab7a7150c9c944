//! Which of the host's namespaces a VM's process is in, and whether it has a root folder of its own.

use super::binary::open_folders;
use super::of_process;
use crate::checks::fact::{Found, Unavailable};
use crate::checks::facts::Gather;
use crate::checks::host::{Meta, why};
use crate::checks::parse::etc::mountinfo;
use crate::checks::vm::Vm;
use nix::fcntl::{AtFlags, OFlag};
use nix::sys::stat::fstatat;
use std::sync::Arc;

/// Where the numbers begin that the kernel gives to namespaces that somebody made (`PROC_DYNAMIC_FIRST`).
const DYNAMIC_FIRST: u32 = 0xF000_0000;
/// Those that the kernel made for itself have had these numbers ever since they had any
/// (`include/uapi/linux/nsfs.h`); of mounts and of the network, only since 6.18.
const INITIAL: [(&str, u32); 6] = [
    ("ipc", 0xEFFF_FFFF),
    ("uts", 0xEFFF_FFFE),
    ("user", 0xEFFF_FFFD),
    ("pid", 0xEFFF_FFFC),
    ("cgroup", 0xEFFF_FFFB),
    ("time", 0xEFFF_FFFA),
];
const KINDS: [&str; 8] = ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"];

pub(super) fn namespace(gather: &Gather, vm: &Arc<Vm>, kind: &str) -> Found {
    let source = vm.proc(&format!("ns/{kind}"));
    if !KINDS.contains(&kind) {
        let why = format!("no namespace is named {kind:?}");
        return Found::unavailable(Unavailable::NotExposed(why), source);
    }
    let own = match of_process(gather, vm, gather.host().link(&source)) {
        Ok(own) => own,
        // A kernel without this kind has one for everybody.
        Err(Unavailable::Absent) => {
            let why = format!("this kernel has no {kind} namespaces");
            return Found::unavailable(Unavailable::NotExposed(why), source);
        }
        Err(why) => return Found::unavailable(why, source),
    };
    let hosts = gather.memo(&format!("/proc/1/ns/{kind}"), |gather| hosts(gather, kind));
    let value = match hosts.as_ref() {
        Hosts::Known(hosts) => Ok(if own == *hosts { "host" } else { "own" }),
        // The agent runs on the host, so what is the agent's is not the VM's own.
        Hosts::Closed(agents, _) if own == *agents => Ok("host"),
        Hosts::Closed(_, why) => Err(why.clone()),
    };
    Found::either(value, source).with_raw(&own)
}

/// The host's namespace of a kind.
enum Hosts {
    /// As `/proc` shows it.
    Known(String),
    /// It may not be seen: the agent's own, and why.
    Closed(String, Unavailable),
}

fn hosts(gather: &Gather, kind: &str) -> Hosts {
    let host = gather.host();
    let why = match host.link(&format!("/proc/1/ns/{kind}")) {
        Ok(init) => return Hosts::Known(init),
        Err(why) => why,
    };
    if !host.is_live() {
        return Hosts::Closed(String::new(), why);
    }
    let agents = host.link(&format!("/proc/self/ns/{kind}")).unwrap_or_default();
    let number = |link: &str| {
        link.split_once('[').and_then(|(_, rest)| rest.trim_end_matches(']').parse::<u32>().ok())
    };
    if number(&agents).is_some_and(|number| number < DYNAMIC_FIRST) {
        return Hosts::Known(agents);
    }
    match INITIAL.iter().find(|(known, _)| *known == kind) {
        Some((_, inode)) => Hosts::Known(format!("{kind}:[{inode}]")),
        None => Hosts::Closed(agents, why),
    }
}

/// The link says `/` both for the host's root and for that of a process whose mount namespace has another folder at
/// its root, so the folders themselves are compared.
pub(super) fn root(gather: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    let source = vm.proc("root");
    let link = of_process(gather, vm, gather.host().link(&source));
    let link = match link {
        Ok(link) => link,
        Err(why) => return Found::unavailable(why, source),
    };
    if link != "/" {
        return Found::value("own", source).with_raw(&link);
    }
    if !gather.host().is_live() {
        let why = "which folder stands behind `/` is not recorded".to_owned();
        return match namespace(gather, vm, "mnt").value {
            // In one mount namespace, one name is one folder.
            Ok(value) if value.text() == Some("host") => Found::value("host", source),
            _ => Found::unavailable(Unavailable::NotExposed(why), source),
        };
    }
    let own = of_process(gather, vm, behind(gather, &vm.proc(""), "root"));
    let own = match own {
        Ok(own) => own.identity,
        Err(why) => return Found::unavailable(why, source),
    };
    let value = match (behind(gather, "/proc/1", "root"), gather.host().meta("/")) {
        (Ok(init), _) => Ok(if own == init.identity { "host" } else { "own" }),
        // As with namespaces: what is the agent's is not the VM's own.
        (Err(_), Ok(agents)) if own == agents.identity => Ok("host"),
        (Err(why), _) => Err(why),
    };
    Found::either(value, source).with_raw(&link)
}

/// Folders above the VM's own root that somebody other than root could change.
pub(super) fn root_parents(gather: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    let source = vm.proc("root");
    let path = of_process(gather, vm, gather.host().link(&source)).and_then(|link| match link.as_str() {
        "/" => pivoted(gather, vm),
        _ => Ok(link),
    });
    match path {
        Ok(path) => Found::either(open_folders(gather, &path), source).with_raw(&path),
        Err(why) => Found::unavailable(why, source),
    }
}

/// The host's path of a root that `pivot_root(2)` made: what of a file system is mounted there, and where the host has
/// that file system.
fn pivoted(gather: &Gather, vm: &Vm) -> Result<String, Unavailable> {
    let content = of_process(gather, vm, gather.host().read(&vm.proc("mountinfo"), 4 << 20))?;
    let (own, _) = mountinfo::parse(&String::from_utf8_lossy(&content.bytes));
    let content = gather.host().read("/proc/1/mountinfo", 4 << 20)?;
    let (host, _) = mountinfo::parse(&String::from_utf8_lossy(&content.bytes));
    let root = own.iter().rev().find(|mount| mount.target == "/");
    let found = root.and_then(|root| {
        host.iter().filter(|mount| mount.device == root.device).find_map(|mount| {
            let rest = root.root.strip_prefix(mount.root.trim_end_matches('/'))?;
            rest.starts_with('/').then(|| format!("{}{rest}", mount.target.trim_end_matches('/')))
        })
    });
    found.ok_or_else(|| Unavailable::NotExposed("where on the host its root is cannot be told".to_owned()))
}

/// What stands behind a link of `/proc` that leads anywhere. Nothing is opened by this, so nothing can be set off.
pub(super) fn behind(gather: &Gather, folder: &str, name: &str) -> Result<Meta, Unavailable> {
    let folder_fd = gather.host().open(folder, OFlag::O_PATH | OFlag::O_DIRECTORY)?;
    let stat = fstatat(&folder_fd, name, AtFlags::empty())
        .map_err(|errno| why(errno, &format!("{folder}/{name}")))?;
    Ok(Meta::of(&stat))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::facts::providers::process::tests::{Recorded, vm};

    #[test]
    fn a_namespace_is_the_hosts_when_init_is_in_it() {
        let host = Recorded::new();
        host.process(100).link("proc/100/ns/net", "net:[5]").link("proc/1/ns/net", "net:[5]");
        host.link("proc/100/ns/mnt", "mnt:[6]").link("proc/1/ns/mnt", "mnt:[5]");
        let gather = host.gather(&[]);
        assert_eq!(namespace(&gather, &vm(100), "net").value, Ok("host".into()));
        assert_eq!(namespace(&gather, &vm(100), "mnt").value, Ok("own".into()));
        assert!(matches!(namespace(&gather, &vm(100), "uts").value, Err(Unavailable::NotExposed(_))));
        assert!(namespace(&gather, &vm(100), "../../x").value.is_err());
    }

    #[test]
    fn a_root_of_ones_own_is_found_on_the_host() {
        let host = Recorded::new();
        host.process(100).link("proc/100/root", "/").file("srv/jailer/fc/1/root/vm.sock", "");
        host.link("proc/100/ns/mnt", "mnt:[6]").link("proc/1/ns/mnt", "mnt:[5]");
        host.file("proc/100/mountinfo", "9 8 8:1 /jailer/fc/1/root / rw - ext4 a rw\n");
        host.file("proc/1/mountinfo", "1 0 8:2 / / rw - ext4 b rw\n2 1 8:1 / /srv rw - ext4 a rw\n");
        host.mode("srv/jailer/fc", 0o777);
        let gather = host.gather(&[]);
        assert!(matches!(root(&gather, &vm(100), "").value, Err(Unavailable::NotExposed(_))), "not recorded");
        let found = root_parents(&gather, &vm(100), "");
        assert_eq!(found.raw, "/srv/jailer/fc/1/root");
        let folders = found.value.expect("folders");
        assert!(folders.items().iter().any(|folder| folder.starts_with("/srv/jailer/fc (")), "{folders}");
    }
}
