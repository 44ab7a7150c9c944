//! Entry points for the fuzz targets: each runs one family of this module's parsers over arbitrary bytes.

use super::{
    cgroup_files, cgroup_paths, cold, kernel_release, kvm_stats, process, schedstat, stat_line, taps,
};
use crate::sampling::metrics::Unit;

/// `/proc/PID/stat`, `schedstat`, `status`, `io`, `limits`, `smaps_rollup`.
pub fn process_files(data: &[u8]) {
    let _ = stat_line::parse(data);
    let _ = schedstat::parse(data, data.len());
    let _ = schedstat::parse(data, data.len().saturating_sub(schedstat::TEXT_BYTES_MAX));
    process::fuzz(data);
    cold::fuzz(data);
}

/// Every file of a cgroup, and `/proc/PID/cgroup`.
pub fn cgroups(data: &[u8]) {
    cgroup_files::fuzz(data);
    cgroup_paths::memberships(data).for_each(drop);
}

/// A description of KVM's binary statistics, followed by its data.
pub fn kvm_statistics(data: &[u8]) {
    let _ = kvm_stats::id(data);
    let wanted = [("exits", Unit::Count), ("halt_wait_ns", Unit::Nanoseconds)];
    if let Ok(layout) = kvm_stats::Layout::learn(data, &wanted) {
        layout.values(data).for_each(drop);
        debug_assert!(layout.data_bytes <= kvm_stats::DATA_BYTES_MAX);
    }
}

/// `/proc/net/dev` and a kernel release.
pub fn network_devices(data: &[u8]) {
    for line in data.split(|byte| *byte == b'\n') {
        let _ = taps::Line::parse(line);
    }
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = kernel_release::stats_descriptors_are_safe(text);
    }
}
