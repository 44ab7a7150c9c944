//! The packages that dpkg has installed.

use super::index;
use crate::checks::fact::{Found, Unavailable};
use crate::checks::facts::{Gather, Texts};
use std::collections::HashMap;
use std::sync::Arc;

pub(super) const STATUS: &str = "/var/lib/dpkg/status";
/// A host with everything Debian has would stay below this.
const STATUS_BYTES_MAX: u64 = 64 << 20;
/// Where rpm keeps its database, and what it is called: by `sqlite`, by `ndb`, and by `bdb` before them.
const RPM_FOLDERS: [&str; 2] = ["/usr/lib/sysimage/rpm", "/var/lib/rpm"];
const RPM_FILES: [&str; 3] = ["rpmdb.sqlite", "Packages.db", "Packages"];

/// One installed package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Package {
    pub architecture: Arc<str>,
    pub version: Arc<str>,
    pub source: Arc<str>,
    pub source_version: Arc<str>,
}

/// Installed packages by name; one name may be there for several architectures.
#[derive(Debug, Default)]
pub(super) struct Installed(pub HashMap<Box<str>, Vec<Package>>);

/// Reads the database.
///
/// # Errors
/// Where it cannot be read, or the host keeps its packages elsewhere.
pub(super) fn installed(gather: &Gather) -> Result<Arc<Installed>, Unavailable> {
    let read = gather.looked_through(STATUS, |file| {
        let mut all = Installed::default();
        let mut texts = Texts::default();
        index::pieces(file, STATUS_BYTES_MAX, &mut |package| {
            let (true, Some(version)) = (package.is_present(), package.version) else { return };
            let packages = all.0.entry(package.name.into()).or_default();
            packages.reserve_exact(1);
            // Most packages have the version of their source, and many the source of others.
            packages.push(Package {
                architecture: texts.get(package.architecture),
                version: texts.get(version),
                source: texts.get(package.source),
                source_version: texts.get(package.source_version.unwrap_or(version)),
            });
        })?;
        all.0.shrink_to_fit();
        Ok(all)
    });
    match read {
        Err(Unavailable::Absent) => Err(of_rpm(gather).unwrap_or(Unavailable::Absent)),
        read => read,
    }
}

/// What is to be said of packages on a host that has rpm's in place of dpkg's.
pub(in super::super) fn of_rpm(gather: &Gather) -> Option<Unavailable> {
    let files = RPM_FOLDERS.iter().flat_map(|folder| RPM_FILES.map(|file| format!("{folder}/{file}")));
    let file = files.into_iter().find(|path| gather.meta(path).is_ok())?;
    let why = format!("{file} has this host's packages, and rpm's databases are not read in this version");
    Some(Unavailable::NotExposed(why))
}

/// `package:NAME`
pub(super) fn version(gather: &Gather, name: &str) -> Found {
    let found = installed(gather).and_then(|all| {
        let package = all.0.get(name).and_then(|packages| packages.first());
        package.map(|package| package.version.to_string()).ok_or(Unavailable::Absent)
    });
    Found::either(found, STATUS)
}

#[cfg(test)]
mod tests {
    use super::super::super::libvirt::testing::Tree;
    use super::*;

    #[test]
    fn what_was_removed_is_not_installed_and_rpm_is_not_nothing() {
        let tree = Tree::new(&[(
            "var/lib/dpkg/status",
            "Package: qemu-utils\nStatus: install ok installed\nVersion: 1:7.2\n\nPackage: gone\n\
             Status: deinstall ok config-files\nVersion: 1\n",
        )]);
        assert_eq!(tree.told(version, "qemu-utils"), "1:7.2");
        assert_eq!(
            (tree.told(version, "gone"), tree.told(version, "never")),
            ("!absent".into(), "!absent".into())
        );
        let rpm = Tree::new(&[("var/lib/rpm/rpmdb.sqlite", "x")]);
        assert_eq!(rpm.told(version, "qemu"), "!not-exposed");
        let why = of_rpm(&rpm.gather()).map(|why| why.to_string()).unwrap_or_default();
        assert!(why.contains("/var/lib/rpm/rpmdb.sqlite has"), "{why}");
        assert_eq!(Tree::new(&[]).told(version, "qemu"), "!absent");
    }
}
