//! Who may use a VM's images besides the VM.

use super::{Image, all, each, users};
use crate::checks::fact::{Found, Unavailable};
use crate::checks::facts::Gather;
use crate::checks::host::why;
use crate::checks::parse::files::acl::{self, Who};
use crate::checks::vm::Vm;
use crate::sys::task::xattr;
use nix::errno::Errno;
use std::ffi::{CStr, CString};
use std::sync::Arc;

pub(super) fn others(gather: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    each(gather, vm, |image| Ok(Some((image.meta.ok_or_else(unseen)?.mode & 0o7).to_string())))
}

pub(super) fn owner(gather: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    let (users, _) = match users(gather, vm) {
        Ok(users) => users,
        Err(why) => return Found::unavailable(why, vm.proc("task/*/status")),
    };
    each(gather, vm, |image| {
        let owner = image.meta.ok_or_else(unseen)?.uid;
        Ok(Some(match owner {
            0 => "root".to_owned(),
            owner if users.contains(&owner) => "vm".to_owned(),
            owner => format!("other:{owner}"),
        }))
    })
}

/// `path: user 1000 rw` for each entry about somebody else.
pub(super) fn acl(gather: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    let source = vm.proc("fd");
    let (images, users) = (all(gather, vm), users(gather, vm));
    let (images, (users, groups)) = match (&*images, users) {
        (Ok(images), Ok(users)) => (images, users),
        (Err(why), _) => return Found::unavailable(why.clone(), source),
        (_, Err(why)) => return Found::unavailable(why, source),
    };
    let mut strangers = Vec::new();
    for image in images {
        let entries = match attribute(gather, vm, image, c"system.posix_acl_access") {
            Ok(None) => continue,
            Ok(Some(value)) => acl::parse(&value),
            Err(why) => return Found::unavailable(why, &image.path),
        };
        let entries = match entries {
            Ok(entries) => entries,
            Err(error) => return Found::unavailable(Unavailable::Malformed(error.to_string()), &image.path),
        };
        for entry in &entries {
            let may = acl::effective(&entries, *entry);
            let who = match entry.who {
                Who::User(user) if user != 0 && !users.contains(&user) => format!("user {user}"),
                Who::NamedGroup(group) if group != 0 && !groups.contains(&group) => format!("group {group}"),
                _ => continue,
            };
            if may & (acl::READ | acl::WRITE) != 0 {
                strangers.push(format!("{}: {who}", image.path));
            }
        }
    }
    Found::value(strangers, source)
}

pub(super) fn labels(gather: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    let found = each(gather, vm, |image| {
        let label = attribute(gather, vm, image, c"security.selinux")?;
        Ok(label.map(|label| String::from_utf8_lossy(&label).trim_end_matches('\0').to_owned()))
    });
    match &found.value {
        Ok(labels) if labels.is_empty() => Found::unavailable(Unavailable::Absent, found.source),
        _ => found,
    }
}

/// An attribute of the very file that the VM has open.
fn attribute(gather: &Gather, vm: &Vm, image: &Image, name: &CStr) -> Result<Option<Vec<u8>>, Unavailable> {
    if !gather.host().is_live() {
        return Err(Unavailable::NotExposed("extended attributes are not recorded".to_owned()));
    }
    let path = vm.proc(&format!("fd/{}", image.descriptor));
    let path = CString::new(path).map_err(|_| Unavailable::Malformed("a path with a NUL".to_owned()))?;
    match xattr(&path, name) {
        // A file system without attributes has none.
        Err(Errno::EOPNOTSUPP) => Ok(None),
        Err(errno) => Err(why(errno, &image.path)),
        Ok(value) => Ok(value),
    }
}

fn unseen() -> Unavailable {
    Unavailable::NotExposed("the image itself is not recorded".to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::tests::host;
    use super::*;
    use crate::checks::facts::providers::process::tests::vm;

    #[test]
    fn modes_and_owners() {
        let host = host("var/vm/a.img", b"");
        host.mode("var/vm/a.img", 0o646);
        let gather = host.gather(&[]);
        let found = others(&gather, &vm(100), "").value.expect("others");
        assert_eq!(found.map().expect("a map")[0].1, "6");
        let found = owner(&gather, &vm(100), "").value.expect("owners");
        let said = &found.map().expect("a map")[0].1;
        assert!(said == "root" || said.starts_with("other:"), "{said}");
        assert!(matches!(acl(&gather, &vm(100), "").value, Err(Unavailable::NotExposed(_))));
    }
}
