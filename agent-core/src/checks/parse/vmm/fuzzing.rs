//! Entry points for the fuzz targets: each runs a family of this module's parsers over arbitrary bytes.

use super::{cloud_hypervisor, domain_xml, firecracker, qemu, redact};

/// A command line as `/proc/PID/cmdline` shows it, read as every VMM's, and without its secrets.
///
/// # Panics
/// When arguments are lost: that is what the fuzzer looks for.
pub fn arguments(data: &[u8]) {
    let arguments = data.split(|byte| *byte == 0).map(|part| String::from_utf8_lossy(part).into_owned());
    let arguments: Vec<String> = arguments.collect();
    let _ = qemu::parse(&arguments);
    let _ = firecracker::parse_arguments(&arguments);
    let _ = cloud_hypervisor::parse(&arguments);
    assert_eq!(redact(&arguments).len(), arguments.len());
}

/// Firecracker's configuration.
pub fn firecracker_config(data: &[u8]) {
    let _ = firecracker::parse_config(data);
}

/// libvirt's domain XML.
pub fn domain_xml(data: &[u8]) {
    let _ = domain_xml::parse(data);
}
