//! The scalars of a configuration as a struct, for hosts that keep their configuration elsewhere than in TOML.

use crate::entry;
use crate::failure::{Failure, Outcome};
use crate::size;
use crate::status::btz_status;
use bartizan_core::config::{Config, KvmTierChoice, ThreadTierChoice};

/// In a field of btz_options: zero, none, off. (0 there means: leave as it is.) Since: 0.1
pub const BTZ_ZERO: u32 = 0xffff_ffff;

/// In btz_options: on. Since: 0.1
pub const BTZ_ON: u32 = 1;

/// The cheapest way that works. Since: 0.1
pub const BTZ_THREAD_TIER_AUTO: u32 = 1;
/// A kept descriptor per thread. Since: 0.1
pub const BTZ_THREAD_TIER_KEPT_FD: u32 = 2;
/// Open, read, close. Since: 0.1
pub const BTZ_THREAD_TIER_OPEN_EACH: u32 = 3;
/// A program in the kernel that reads all threads of all VMs in one run. Since: 0.1
pub const BTZ_THREAD_TIER_BPF: u32 = 4;

/// The cheapest way that works. Since: 0.1
pub const BTZ_KVM_TIER_AUTO: u32 = 1;
/// KVM's binary statistics, from descriptors duplicated out of the VMM. Since: 0.1
pub const BTZ_KVM_TIER_STATS_FD: u32 = 2;
/// The text files in debugfs. Since: 0.1
pub const BTZ_KVM_TIER_DEBUGFS: u32 = 3;
/// QMP query-stats. Since: 0.1
pub const BTZ_KVM_TIER_QMP: u32 = 4;
/// Not at all. Since: 0.1
pub const BTZ_KVM_TIER_OFF: u32 = 5;
/// A program in the kernel that reads the counters of all VMs in one run. Since: 0.1
pub const BTZ_KVM_TIER_BPF: u32 = 6;

/// Numbers of a configuration. In every field 0 means "leave as it is", and BTZ_ZERO means 0 (none, off, automatic).
/// What the numbers do, and their ranges, is described in docs/configuration.md under the same names. Since: 0.1
#[repr(C)]
#[derive(Clone, Copy)]
pub struct btz_options {
    /// sizeof(btz_options).
    pub struct_size: u32,
    /// limits.vms: virtual machines that can be watched.
    pub vms: u32,
    /// limits.vcpus: virtual CPUs of all VMs.
    pub vcpus: u32,
    /// limits.vm_nics: network interfaces of all VMs.
    pub vm_nics: u32,
    /// limits.vm_disks: disks of all VMs.
    pub vm_disks: u32,
    /// limits.cpus: logical CPUs of the host.
    pub cpus: u32,
    /// limits.nodes: NUMA nodes of the host.
    pub nodes: u32,
    /// limits.block_devices: block devices of the host.
    pub block_devices: u32,
    /// limits.net_devices: network devices of the host.
    pub net_devices: u32,
    /// limits.alerts: alerts that can wait.
    pub alerts: u32,
    /// limits.history_ticks: ticks kept in the flight recorder.
    pub history_ticks: u32,
    /// sampling.interval_ms: time between two ticks.
    pub interval_ms: u32,
    /// sampling.slow_every_ticks: period of the dear sources.
    pub slow_every_ticks: u32,
    /// sampling.monitor_every_ticks: period of questions to monitors; BTZ_ZERO is never.
    pub monitor_every_ticks: u32,
    /// sampling.descriptors_max: descriptors the sampler may keep; BTZ_ZERO is what the soft limit leaves.
    pub descriptors_max: u32,
    /// sampling.perf_events: BTZ_ON or BTZ_ZERO.
    pub perf_events: u32,
    /// sampling.thread_tier: BTZ_THREAD_TIER_*.
    pub thread_tier: u32,
    /// sampling.kvm_tier: BTZ_KVM_TIER_*.
    pub kvm_tier: u32,
    /// discovery.full_scan_s: seconds between two full scans.
    pub full_scan_s: u32,
    /// discovery.without_kvm: also watch emulated guests; BTZ_ON or BTZ_ZERO.
    pub without_kvm: u32,
    /// budget.cpu_permille: thousandths of one core; BTZ_ZERO is no budget.
    pub cpu_permille: u32,
    /// alerts.per_rule_per_minute_max: more alerts than that are suppressed, and counted.
    pub alerts_per_rule_per_minute_max: u32,
    /// checks.enabled: whether isolation and configuration are checked; BTZ_ON or BTZ_ZERO. Since: 0.2
    pub checks: u32,
    /// checks.sweep_s: seconds between two full runs of the checks. Since: 0.2
    pub checks_sweep_s: u32,
    /// checks.slice_ms: checks work so long at a time, and pause for nine times as long. Since: 0.2
    pub checks_slice_ms: u32,
    /// limits.series: series of `unusual` rules that have a detector; BTZ_ZERO is none. Since: 0.3
    pub series: u32,
    /// detection.false_alarms_per_host_week, in thousandths: 1000 is one a week. Since: 0.3
    pub false_alarms_per_host_week_permille: u32,
}

size::sized!(btz_options = 96);

/// The same as BTZ_OPTIONS_INIT, for languages without macros: zeroes struct_size bytes and sets the field.
/// Returns BTZ_OK, BTZ_ERR_NULL or BTZ_ERR_SIZE. Threads: any. Blocking: no. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_options_init(options: *mut btz_options, struct_size: u32) -> btz_status {
    // SAFETY: the contract: NULL, or `struct_size` writable bytes.
    entry::plain(std::ptr::null_mut(), || unsafe { size::init(options, struct_size) })
}

/// Every number that is only a number, with its place in the configuration.
fn numbers<'a>(options: &'a mut btz_options, config: &'a mut Config) -> [(&'a mut u32, &'a mut u32); 20] {
    let btz_options {
        vms,
        vcpus,
        vm_nics,
        vm_disks,
        cpus,
        nodes,
        block_devices,
        net_devices,
        alerts,
        history_ticks,
        interval_ms,
        slow_every_ticks,
        monitor_every_ticks,
        descriptors_max,
        full_scan_s,
        cpu_permille,
        alerts_per_rule_per_minute_max,
        checks_sweep_s,
        checks_slice_ms,
        series,
        false_alarms_per_host_week_permille: _,
        struct_size: _,
        perf_events: _,
        thread_tier: _,
        kvm_tier: _,
        without_kvm: _,
        checks: _,
    } = options;
    let limits = &mut config.limits;
    let sampling = &mut config.sampling;
    [
        (vms, &mut limits.vms),
        (vcpus, &mut limits.vcpus),
        (vm_nics, &mut limits.vm_nics),
        (vm_disks, &mut limits.vm_disks),
        (cpus, &mut limits.cpus),
        (nodes, &mut limits.nodes),
        (block_devices, &mut limits.block_devices),
        (net_devices, &mut limits.net_devices),
        (alerts, &mut limits.alerts),
        (history_ticks, &mut limits.history_ticks),
        (interval_ms, &mut sampling.interval_ms),
        (slow_every_ticks, &mut sampling.slow_every_ticks),
        (monitor_every_ticks, &mut sampling.monitor_every_ticks),
        (descriptors_max, &mut sampling.descriptors_max),
        (full_scan_s, &mut config.discovery.full_scan_s),
        (cpu_permille, &mut config.budget.cpu_permille),
        (alerts_per_rule_per_minute_max, &mut config.alerts.per_rule_per_minute_max),
        (checks_sweep_s, &mut config.checks.sweep_s),
        (checks_slice_ms, &mut config.checks.slice_ms),
        (series, &mut limits.series),
    ]
}

const THREAD_TIERS: [(u32, ThreadTierChoice); 4] = [
    (BTZ_THREAD_TIER_AUTO, ThreadTierChoice::Auto),
    (BTZ_THREAD_TIER_KEPT_FD, ThreadTierChoice::KeptFd),
    (BTZ_THREAD_TIER_OPEN_EACH, ThreadTierChoice::OpenEach),
    (BTZ_THREAD_TIER_BPF, ThreadTierChoice::Bpf),
];

const KVM_TIERS: [(u32, KvmTierChoice); 6] = [
    (BTZ_KVM_TIER_AUTO, KvmTierChoice::Auto),
    (BTZ_KVM_TIER_STATS_FD, KvmTierChoice::StatsFd),
    (BTZ_KVM_TIER_DEBUGFS, KvmTierChoice::Debugfs),
    (BTZ_KVM_TIER_QMP, KvmTierChoice::Qmp),
    (BTZ_KVM_TIER_OFF, KvmTierChoice::Off),
    (BTZ_KVM_TIER_BPF, KvmTierChoice::Bpf),
];

/// Lays options over a configuration; does not check the ranges.
pub(crate) fn apply(mut options: btz_options, config: &mut Config) -> Outcome {
    for (option, setting) in numbers(&mut options, config) {
        match *option {
            0 => {}
            BTZ_ZERO => *setting = 0,
            number => *setting = number,
        }
    }
    if options.false_alarms_per_host_week_permille != 0 {
        // BTZ_ZERO is no number of alarms, and is refused with all others that are out of range.
        config.detection.false_alarms_per_host_week =
            f64::from(options.false_alarms_per_host_week_permille) / 1_000.0;
    }
    switch("perf_events", options.perf_events, &mut config.sampling.perf_events)?;
    switch("without_kvm", options.without_kvm, &mut config.discovery.without_kvm)?;
    switch("checks", options.checks, &mut config.checks.enabled)?;
    choice("thread_tier", options.thread_tier, &THREAD_TIERS, &mut config.sampling.thread_tier)?;
    choice("kvm_tier", options.kvm_tier, &KVM_TIERS, &mut config.sampling.kvm_tier)
}

fn switch(name: &str, option: u32, setting: &mut bool) -> Outcome {
    match option {
        0 => {}
        BTZ_ON => *setting = true,
        BTZ_ZERO => *setting = false,
        other => return Err(Failure::argument(format!("{name} is {other}; use 0, BTZ_ON or BTZ_ZERO"))),
    }
    Ok(())
}

fn choice<T: Copy>(name: &str, option: u32, known: &[(u32, T)], setting: &mut T) -> Outcome {
    if option == 0 {
        return Ok(());
    }
    let found = known.iter().find(|(number, _)| *number == option);
    *setting =
        found.ok_or_else(|| Failure::argument(format!("{name} is {option}, which stands for nothing")))?.1;
    Ok(())
}

/// A configuration's numbers as options that, applied to any configuration, make its numbers equal.
pub(crate) fn effective(config: &Config) -> btz_options {
    let mut options = <btz_options as size::Sized32>::empty();
    for (option, setting) in numbers(&mut options, &mut config.clone()) {
        *option = if *setting == 0 { BTZ_ZERO } else { *setting };
    }
    let on = |setting| if setting { BTZ_ON } else { BTZ_ZERO };
    options.perf_events = on(config.sampling.perf_events);
    options.without_kvm = on(config.discovery.without_kvm);
    options.checks = on(config.checks.enabled);
    options.false_alarms_per_host_week_permille = permille(config.detection.false_alarms_per_host_week);
    options.thread_tier = number_of(&THREAD_TIERS, config.sampling.thread_tier);
    options.kvm_tier = number_of(&KVM_TIERS, config.sampling.kvm_tier);
    options
}

/// Thousandths of a number that is in its range: from 1 to ten million.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
fn permille(number: f64) -> u32 {
    (number * 1_000.0).round().clamp(1.0, 1e7) as u32
}

fn number_of<T: PartialEq + Copy>(known: &[(u32, T)], setting: T) -> u32 {
    known.iter().find(|(_, choice)| *choice == setting).map_or(0, |(number, _)| *number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bartizan_core::config::{RANGES, Range};

    #[test]
    fn options_carry_every_number_over() {
        let mut config = Config::default();
        let mut options = <btz_options as size::Sized32>::empty();
        for (place, (option, _)) in (1..).zip(numbers(&mut options, &mut config.clone())) {
            *option = 1_000 + place;
        }
        options.thread_tier = BTZ_THREAD_TIER_OPEN_EACH;
        options.kvm_tier = BTZ_KVM_TIER_OFF;
        options.perf_events = BTZ_ZERO;
        options.without_kvm = BTZ_ZERO;
        options.checks = BTZ_ZERO;
        options.false_alarms_per_host_week_permille = 2_500;
        apply(options, &mut config).expect("applies");
        let mut other = Config::default();
        apply(effective(&config), &mut other).expect("applies");
        assert_eq!(other, config);
        // A ledger is opened with options of its own; incidents are a daemon's.
        let elsewhere = |range: &&Range| {
            ["ledger.", "incidents.", "response."].iter().any(|section| range.key.starts_with(section))
        };
        let count = RANGES.iter().filter(|range| !elsewhere(range)).count();
        assert_eq!(count, 20, "a number was added to the configuration: add it to btz_options");
    }

    #[test]
    fn nothing_is_left_as_it_is_and_zero_is_zero() {
        let mut config = Config::default();
        apply(<btz_options as size::Sized32>::empty(), &mut config).expect("applies");
        assert_eq!(config, Config::default());
        let mut options = <btz_options as size::Sized32>::empty();
        options.history_ticks = BTZ_ZERO;
        apply(options, &mut config).expect("applies");
        assert_eq!(config.limits.history_ticks, 0);
        options.kvm_tier = 77;
        assert!(apply(options, &mut config).is_err());
        options.kvm_tier = 0;
        options.perf_events = 2;
        assert!(apply(options, &mut config).is_err());
    }
}
