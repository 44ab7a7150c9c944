//! Which of the host's namespaces a VM's process is in, and whether it has a root folder of its own.

use super::of_process;
use crate::checks::fact::{Found, Unavailable};
use crate::checks::facts::Gather;
use crate::checks::host::{Meta, why};
use crate::checks::vm::Vm;
use nix::fcntl::{AtFlags, OFlag};
use nix::sys::stat::fstatat;
use std::sync::Arc;

const KINDS: [&str; 8] = ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"];

pub(super) fn namespace(gather: &Gather, vm: &Arc<Vm>, kind: &str) -> Found {
    let source = vm.proc(&format!("ns/{kind}"));
    if !KINDS.contains(&kind) {
        let why = format!("no namespace is named {kind:?}");
        return Found::unavailable(Unavailable::NotExposed(why), source);
    }
    let own = of_process(gather, vm, gather.host().link(&source));
    let init = gather
        .memo(&format!("/proc/1/ns/{kind}"), |gather| gather.host().link(&format!("/proc/1/ns/{kind}")));
    match (own, init.as_ref()) {
        // A kernel without this kind has one for everybody.
        (Err(Unavailable::Absent), _) => Found::unavailable(
            Unavailable::NotExposed(format!("this kernel has no {kind} namespaces")),
            source,
        ),
        (Err(why), _) => Found::unavailable(why, source),
        (_, Err(why)) => Found::unavailable(why.clone(), format!("/proc/1/ns/{kind}")),
        (Ok(own), Ok(init)) => {
            let raw = format!("{own}; init: {init}");
            Found::value(if own == *init { "host" } else { "own" }, source).with_raw(&raw)
        }
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
    match (own, behind(gather, "/proc/1", "root")) {
        (Ok(own), Ok(init)) => {
            Found::value(if own.identity == init.identity { "host" } else { "own" }, source).with_raw(&link)
        }
        (Err(why), _) | (_, Err(why)) => Found::unavailable(why, source),
    }
}

/// What stands behind a link of `/proc` that leads anywhere. Nothing is opened by this, so nothing can be set off.
pub(super) fn behind(gather: &Gather, folder: &str, name: &str) -> Result<Meta, Unavailable> {
    let folder_fd = gather.host().open(folder, OFlag::O_PATH | OFlag::O_DIRECTORY)?;
    let stat = fstatat(&folder_fd, name, AtFlags::empty())
        .map_err(|errno| why(errno, &format!("{folder}/{name}")))?;
    Ok(Meta::of(&stat))
}
