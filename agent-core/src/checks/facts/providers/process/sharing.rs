//! What a VM shares with other VMs that each should have to itself: users, groups, labels, cgroups, cookies, images.
//!
//! All VMs are looked at once, and who shares what is looked up from that for each: with a thousand VMs, comparing each
//! with each other would cost more than all other checks.

use super::{cgroup, label, scheduling, threads};
use crate::checks::fact::{Found, Unavailable};
use crate::checks::facts::Gather;
use crate::checks::facts::providers::image;
use crate::checks::vm::{Vm, VmId};
use std::collections::HashMap;
use std::sync::Arc;

/// Names of others that are told.
const NAMES_MAX: usize = 8;
/// How long what was seen of all VMs serves: as long as it takes to go through them.
const KEPT_NS: u64 = 5_000_000_000;

/// What two VMs may share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A user of the VMM's threads, unless labels keep the two apart.
    User,
    /// A group, likewise.
    Group,
    /// What sets their labels apart.
    Label,
    /// A cgroup of some controller.
    Cgroup,
    /// A core-scheduling cookie, unless they are of one tenant.
    Core,
    /// An image that both write.
    Written,
    /// An image that one writes and the other reads.
    Read,
}

/// One VM that has something.
#[derive(Clone, Debug)]
struct Holder {
    vm: VmId,
    name: String,
    tenant: String,
    /// What sets its label apart, where that matters.
    guard: Option<String>,
    writes: bool,
    shareable: bool,
}

/// Who has what.
struct Index {
    holders: HashMap<String, Vec<Holder>>,
    /// What each VM has.
    own: HashMap<VmId, Result<Vec<String>, Unavailable>>,
    /// Why some VM could not be looked into.
    unread: Option<Unavailable>,
}

/// The names of other VMs that share something (`user`, `group`, `label`, `cgroup`, `core`, `written`, `read`) with one.
pub(super) fn sharers(gather: &Gather, vm: &Arc<Vm>, what: &str) -> Found {
    let source = "all VMs";
    let kind = match what {
        "user" => Kind::User,
        "group" => Kind::Group,
        "label" => Kind::Label,
        "cgroup" => Kind::Cgroup,
        "core" => Kind::Core,
        "written" => Kind::Written,
        "read" => Kind::Read,
        other => {
            let why = format!("nothing that VMs share is named {other:?}");
            return Found::unavailable(Unavailable::NotExposed(why), source);
        }
    };
    let index = gather.memo_for(what, KEPT_NS, |gather| index(gather, kind));
    let own = match index.own.get(&vm.id) {
        Some(Ok(own)) => own,
        Some(Err(why)) => return Found::unavailable(why.clone(), source),
        None => return Found::unavailable(Unavailable::Gone, source),
    };
    let (mut names, mut things) = (Vec::new(), Vec::new());
    for thing in own {
        let holders = index.holders.get(thing).map_or(&[][..], Vec::as_slice);
        let Some(itself) = holders.iter().find(|holder| holder.vm == vm.id) else { continue };
        let before = names.len();
        let others = holders.iter().filter(|other| other.vm != vm.id && shares(kind, itself, other));
        // One more than is told is enough to say that there are more.
        names.extend(others.map(|other| other.name.clone()).take(NAMES_MAX + 1));
        if names.len() > before {
            things.push(thing.clone());
        }
    }
    names.sort_unstable();
    names.dedup();
    if names.len() > NAMES_MAX {
        names.truncate(NAMES_MAX);
        names.push("others".to_owned());
    }
    match &index.unread {
        // What was seen is enough to say that it shares something, and not that it shares nothing.
        Some(why) if names.is_empty() => Found::unavailable(why.clone(), source),
        _ => Found::value(names, source).with_raw(&things.join(", ")),
    }
}

fn shares(kind: Kind, a: &Holder, b: &Holder) -> bool {
    let one_tenant = !a.tenant.is_empty() && a.tenant == b.tenant;
    match kind {
        Kind::User | Kind::Group => a.guard.is_none() || b.guard.is_none() || a.guard == b.guard,
        Kind::Label | Kind::Cgroup => true,
        Kind::Core => !one_tenant,
        Kind::Written => a.writes && b.writes && !(one_tenant && a.shareable && b.shareable),
        Kind::Read => a.writes != b.writes && !(one_tenant && a.shareable && b.shareable),
    }
}

fn index(gather: &Gather, kind: Kind) -> Index {
    let mut index = Index { holders: HashMap::new(), own: HashMap::new(), unread: None };
    for vm in gather.vms() {
        let things = things(gather, vm, kind);
        let own = things.map(|things| {
            let mut own: Vec<String> = Vec::new();
            for (thing, holder) in things {
                if !own.contains(&thing) {
                    own.push(thing.clone());
                    index.holders.entry(thing).or_default().push(holder);
                }
            }
            own
        });
        match &own {
            // One that ended shares nothing any more.
            Ok(_) | Err(Unavailable::Gone) => {}
            Err(why) => index.unread = Some(why.clone()),
        }
        index.own.insert(vm.id, own);
    }
    index
}

/// What one VM has.
fn things(gather: &Gather, vm: &Arc<Vm>, kind: Kind) -> Result<Vec<(String, Holder)>, Unavailable> {
    let holder = Holder {
        vm: vm.id,
        name: vm.name.clone(),
        tenant: vm.tenant.clone(),
        guard: None,
        writes: false,
        shareable: false,
    };
    let plain = |things: Vec<String>| things.into_iter().map(|thing| (thing, holder.clone())).collect();
    Ok(match kind {
        Kind::User | Kind::Group => {
            let users = if kind == Kind::User { threads::user_numbers } else { threads::group_numbers };
            let holder = Holder { guard: label::guard(gather, vm)?, ..holder.clone() };
            let users = users(gather, vm)?.into_iter();
            users.map(|user| (user.to_string(), holder.clone())).collect()
        }
        Kind::Label => plain(label::guard(gather, vm)?.into_iter().collect()),
        Kind::Cgroup => {
            let places = cgroup::places(gather, vm);
            let places = places.as_ref().as_ref().map_err(Clone::clone)?;
            plain(places.iter().map(cgroup::Place::identity).collect())
        }
        Kind::Core => {
            plain(scheduling::all(gather, vm)?.into_iter().filter(|cookie| cookie != "none").collect())
        }
        Kind::Written | Kind::Read => image::identities(gather, vm)?
            .into_iter()
            .map(|image| {
                let holder = Holder { writes: image.writable, shareable: image.shareable, ..holder.clone() };
                (image.file, holder)
            })
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::fact::Value;
    use crate::checks::facts::providers::process::tests::{Recorded, vm};

    fn host(uids: &[u32]) -> (Recorded, Vec<Arc<Vm>>) {
        let host = Recorded::new();
        let mut vms = Vec::new();
        for (pid, uid) in (100..).zip(uids) {
            let status = format!("Uid:\t{uid}\t{uid}\t{uid}\t{uid}\n");
            host.process(pid).file(&format!("proc/{pid}/task/{pid}/status"), status);
            vms.push(vm(pid));
        }
        (host, vms)
    }

    fn names(found: Found) -> Result<Vec<String>, Unavailable> {
        found.value.map(|value| match value {
            Value::List(names) => names,
            other => panic!("{other}"),
        })
    }

    #[test]
    fn vms_of_one_user_are_named_unless_their_labels_differ() {
        let (host, vms) = host(&[7, 7, 8, 7]);
        let users = |index: usize| names(sharers(&host.gather(&vms), &vms[index], "user"));
        assert_eq!(users(0), Ok(vec!["vm-101".to_owned(), "vm-103".to_owned()]));
        assert_eq!(users(2), Ok(Vec::new()));
        for pid in [100, 101, 103] {
            let profile = format!("libvirt-{} (enforce)\n", pid % 2);
            host.file(&format!("proc/{pid}/attr/apparmor/current"), profile);
        }
        assert_eq!(users(0), Ok(Vec::new()));
        assert_eq!(users(1), Ok(vec!["vm-103".to_owned()]), "one label, one user");
        let labels = names(sharers(&host.gather(&vms), &vms[1], "label"));
        assert_eq!(labels, Ok(vec!["vm-103".to_owned()]));
        host.file("proc/101/attr/apparmor/current", "unconfined\n");
        assert_eq!(users(0), Ok(vec!["vm-101".to_owned()]), "one that is not confined reaches all");
    }

    #[test]
    fn a_vm_that_cannot_be_looked_into_may_share_anything() {
        let (host, vms) = host(&[7, 7, 8]);
        host.file("proc/102/task/102/status", "Uid:\tx\n");
        let users = |index: usize| names(sharers(&host.gather(&vms), &vms[index], "user"));
        assert!(users(0).is_ok(), "it shares already");
        host.file("proc/101/task/101/status", "Uid:\t9\t9\t9\t9\n");
        assert!(matches!(users(0), Err(Unavailable::Malformed(_))));
        std::fs::remove_dir_all(host.path().join("proc/102")).expect("it ends");
        assert_eq!(users(0), Ok(Vec::new()));
    }

    #[test]
    fn many_are_not_all_named() {
        let (host, vms) = host(&[7; 40]);
        let names = names(sharers(&host.gather(&vms), &vms[0], "user")).expect("names");
        assert_eq!((names.len(), names.last().map(String::as_str)), (NAMES_MAX + 1, Some("others")));
    }

    #[test]
    fn images_are_joined_by_what_they_are() {
        let (host, vms) = host(&[1, 2, 3]);
        host.file("var/a.img", vec![0; 8_192]).file("var/base.img", vec![0; 8_192]).link("srv", "/var");
        for (pid, path, flags) in
            [(100, "/var/a.img", "02"), (101, "/srv/a.img", "02"), (102, "/srv/a.img", "00")]
        {
            host.link(&format!("proc/{pid}/fd/5"), path).link(&format!("proc/{pid}/fd/6"), "/var/base.img");
            host.file(&format!("proc/{pid}/fdinfo/5"), format!("flags:\t{flags}\n"));
            host.file(&format!("proc/{pid}/fdinfo/6"), "flags:\t00\n");
        }
        let gather = host.gather(&vms);
        let shared = |index: usize, what: &str| names(sharers(&gather, &vms[index], what)).expect("names");
        assert_eq!(shared(0, "written"), ["vm-101"]);
        assert_eq!(shared(0, "read"), ["vm-102"]);
        assert_eq!(shared(2, "written"), Vec::<String>::new());
        assert_eq!(shared(2, "read"), ["vm-100", "vm-101"]);
    }

    #[test]
    fn a_cluster_disk_is_shared_within_one_tenant_alone() {
        let holder = |tenant: &str, shareable| Holder {
            vm: VmId { pid: 1, start_ticks: 1 },
            name: String::new(),
            tenant: tenant.to_owned(),
            guard: None,
            writes: true,
            shareable,
        };
        assert!(!shares(Kind::Written, &holder("a", true), &holder("a", true)));
        assert!(shares(Kind::Written, &holder("a", true), &holder("a", false)));
        assert!(shares(Kind::Written, &holder("a", true), &holder("b", true)));
        assert!(shares(Kind::Written, &holder("", true), &holder("", true)), "strangers");
        assert!(!shares(Kind::Core, &holder("a", false), &holder("a", false)));
        assert!(shares(Kind::Core, &holder("", false), &holder("", false)));
    }
}
