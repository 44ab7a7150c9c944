//! Entry points for the fuzz targets: each runs a family of this module's parsers over arbitrary bytes.

use super::{acl, advisories, dpkg, elf, qcow2, x509};

/// A disk image's header.
pub fn qcow2(data: &[u8]) {
    let _ = qcow2::parse(data);
}

/// An executable.
pub fn elf(data: &[u8]) {
    let _ = elf::parse(data);
}

/// Certificates, and an access control list.
pub fn certificates(data: &[u8]) {
    x509::certificates(data).for_each(drop);
    let _ = x509::certificate(data);
    let _ = acl::parse(data);
}

/// A package database, two versions, and advisories.
///
/// # Panics
/// When versions have no order: that is what the fuzzer looks for.
pub fn packages(data: &[u8]) {
    let mut versions = dpkg::packages(data).flatten().filter_map(|package| package.version);
    if let (Some(a), Some(b)) = (versions.next(), versions.next()) {
        assert_eq!(dpkg::compare_versions(a, b), dpkg::compare_versions(b, a).reverse());
    }
    let _ = advisories::parse(data, &mut |advisory| {
        let _ = advisory.affects("qemu", "12", "1:7.2");
    });
}
