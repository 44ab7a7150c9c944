//! The packages that dpkg has installed.

use crate::checks::fact::{Found, Unavailable};
use crate::checks::facts::Gather;
use crate::checks::parse::files::dpkg;
use std::collections::HashMap;
use std::sync::Arc;

pub(super) const STATUS: &str = "/var/lib/dpkg/status";
/// A host with everything Debian has would stay below this.
const STATUS_BYTES_MAX: usize = 64 << 20;
const RPM: [&str; 2] = ["/var/lib/rpm", "/usr/lib/sysimage/rpm"];

/// One installed package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Package {
    pub architecture: Box<str>,
    pub version: Box<str>,
    pub source: Box<str>,
    pub source_version: Box<str>,
}

/// Installed packages by name; one name may be there for several architectures.
#[derive(Debug, Default)]
pub(super) struct Installed(pub HashMap<Box<str>, Vec<Package>>);

/// Reads the database.
///
/// # Errors
/// Where it cannot be read, or the host keeps its packages elsewhere.
pub(super) fn installed(gather: &Gather) -> Result<Arc<Installed>, Unavailable> {
    let read = gather.document(STATUS, STATUS_BYTES_MAX, |bytes| {
        let mut all = Installed::default();
        for package in dpkg::packages(bytes) {
            let package = package.map_err(|error| Unavailable::Malformed(error.to_string()))?;
            let (true, Some(version)) = (package.is_present(), package.version) else { continue };
            all.0.entry(package.name.into()).or_default().push(Package {
                architecture: package.architecture.into(),
                version: version.into(),
                source: package.source.into(),
                source_version: package.source_version.unwrap_or(version).into(),
            });
        }
        Ok(all)
    });
    match read {
        Err(Unavailable::Absent) if RPM.iter().any(|path| gather.meta(path).is_ok()) => {
            Err(Unavailable::NotExposed("its packages are rpm's, whose database is not read".to_owned()))
        }
        read => read,
    }
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
        assert_eq!(Tree::new(&[("var/lib/rpm/rpmdb.sqlite", "x")]).told(version, "qemu"), "!not-exposed");
        assert_eq!(Tree::new(&[]).told(version, "qemu"), "!absent");
    }
}
