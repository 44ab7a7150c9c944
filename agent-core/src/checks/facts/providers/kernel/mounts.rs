//! What is mounted where, as the first process sees it.

use crate::checks::fact::{Found, Unavailable};
use crate::checks::facts::Gather;
use crate::checks::parse::etc::mountinfo::{self, Mount};
use std::sync::Arc;

/// The mounts that the host's first process sees; the agent's own may be others, when its unit has a sandbox.
const TABLES: [&str; 2] = ["/proc/1/mountinfo", "/proc/self/mountinfo"];

type Mounts = Result<(&'static str, Vec<Mount>), Unavailable>;

/// Every mount, and the table it is from.
pub(in super::super) fn mounts(gather: &Gather) -> Arc<Mounts> {
    gather.memo("mounts", |gather| {
        let mut first = None;
        for table in TABLES {
            match gather.text(table) {
                Ok(text) => return Ok((table, mountinfo::parse(&text).0)),
                Err(why) => first = first.or(Some(why)),
            }
        }
        Err(match first {
            Some(Unavailable::Absent) | None => Unavailable::NotExposed("no table of mounts".to_owned()),
            Some(why) => why,
        })
    })
}

/// Where file systems of a type are mounted.
///
/// # Errors
/// When the table of mounts cannot be read.
pub(in super::super) fn of_kind(
    gather: &Gather,
    kind: &str,
) -> Result<(&'static str, Vec<String>), Unavailable> {
    match &*mounts(gather) {
        Ok((table, mounts)) => {
            let mut places: Vec<String> =
                mounts.iter().filter(|mount| mount.kind == kind).map(|mount| mount.target.clone()).collect();
            places.sort_unstable();
            places.dedup();
            Ok((table, places))
        }
        Err(why) => Err(why.clone()),
    }
}

pub(super) fn modes(gather: &Gather, kind: &str) -> Found {
    let (table, places) = match of_kind(gather, kind) {
        Ok(found) => found,
        Err(why) => return Found::unavailable(why, TABLES[0]),
    };
    let mut modes = Vec::with_capacity(places.len());
    for place in places {
        match gather.meta(&place) {
            Ok(meta) => modes.push((place, format!("{:04o}", meta.permissions()))),
            // Mounted below a folder that another mount hides.
            Err(Unavailable::Absent) => {}
            Err(why) => return Found::unavailable(why, place),
        }
    }
    Found::value(modes, table)
}

#[cfg(test)]
mod tests {
    use super::super::tests::host;
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn mounts_of_a_type_have_their_modes() {
        let (folder, gather) = host(&[
            (
                "/proc/1/mountinfo",
                "25 1 0:23 / /mnt/huge rw - hugetlbfs none rw\n26 1 0:24 / /mnt/gone rw - hugetlbfs none rw\n\
                 27 1 0:25 / /mnt/other rw - tmpfs none rw\n",
            ),
            ("/proc/self/mountinfo", "25 1 0:23 / /mnt/other rw - hugetlbfs none rw\n"),
            ("/mnt/huge/x", ""),
            ("/mnt/other/x", ""),
        ]);
        let huge = folder.path().join("mnt/huge");
        std::fs::set_permissions(huge, std::fs::Permissions::from_mode(0o1777)).expect("a mode");
        let found = modes(&gather, "hugetlbfs").value.expect("a map");
        assert_eq!(found.to_string(), "/mnt/huge=1777");
        assert!(modes(&gather, "debugfs").value.expect("a map").is_empty());
        let (_folder, bare) = host(&[("/etc/x", "")]);
        assert!(matches!(modes(&bare, "debugfs").value, Err(Unavailable::NotExposed(_))));
    }
}
