//! What the types cannot say: ranges, and keys that must fit together.

use super::{Config, MISTAKES_MAX};
use crate::detection;
use std::path::Path;

/// Rules that may be configured.
const RULES_MAX: usize = 512;
/// Ways to find a tenant that may be configured.
const TENANT_RULES_MAX: usize = 64;
/// Witnesses of a ledger that may be configured.
const WITNESSES_MAX: usize = 16;
/// Bytes of a tenant's pattern.
const PATTERN_BYTES_MAX: usize = 1_024;

/// A whole number and the range it must lie in.
pub struct Range {
    /// The dotted path of the key.
    pub key: &'static str,
    /// The least allowed.
    pub min: u32,
    /// The most allowed.
    pub max: u32,
    of: fn(&Config) -> u32,
}

const fn range(key: &'static str, min: u32, max: u32, of: fn(&Config) -> u32) -> Range {
    Range { key, min, max, of }
}

/// Every whole number that can be configured, with its range.
pub const RANGES: &[Range] = &[
    range("limits.vms", 1, 65_536, |c| c.limits.vms),
    range("limits.vcpus", 1, 1_048_576, |c| c.limits.vcpus),
    range("limits.vm_nics", 1, 262_144, |c| c.limits.vm_nics),
    range("limits.vm_disks", 1, 262_144, |c| c.limits.vm_disks),
    range("limits.cpus", 1, 8_192, |c| c.limits.cpus),
    range("limits.nodes", 1, 1_024, |c| c.limits.nodes),
    range("limits.block_devices", 1, 16_384, |c| c.limits.block_devices),
    range("limits.net_devices", 1, 65_536, |c| c.limits.net_devices),
    range("limits.series", 0, 1_048_576, |c| c.limits.series),
    range("limits.alerts", 1, 1_048_576, |c| c.limits.alerts),
    range("limits.history_ticks", 0, 3_600, |c| c.limits.history_ticks),
    range("sampling.interval_ms", 10, 60_000, |c| c.sampling.interval_ms),
    range("sampling.slow_every_ticks", 1, 3_600, |c| c.sampling.slow_every_ticks),
    range("sampling.monitor_every_ticks", 0, 3_600, |c| c.sampling.monitor_every_ticks),
    range("sampling.descriptors_max", 0, 1_048_576, |c| c.sampling.descriptors_max),
    range("discovery.full_scan_s", 1, 86_400, |c| c.discovery.full_scan_s),
    range("budget.cpu_permille", 0, 1_000, |c| c.budget.cpu_permille),
    range("alerts.per_rule_per_minute_max", 1, 100_000, |c| c.alerts.per_rule_per_minute_max),
    range("checks.sweep_s", 10, 86_400, |c| c.checks.sweep_s),
    range("checks.slice_ms", 1, 1_000, |c| c.checks.slice_ms),
    range("ledger.checkpoint_interval_s", 1, 86_400, |c| c.ledger.checkpoint_interval_s),
    range("ledger.size_mib_max", 0, 1_048_576, |c| c.ledger.size_mib_max),
    range("ledger.age_days_max", 0, 36_500, |c| c.ledger.age_days_max),
    range("ledger.reserve_kib", 0, 65_536, |c| c.ledger.reserve_kib),
    range("incidents.keys_max", 16, 1_048_576, |c| c.incidents.keys_max),
    range("incidents.incidents_max", 1, 65_536, |c| c.incidents.incidents_max),
    range("incidents.wait_s", 0, 3_600, |c| c.incidents.wait_s),
    range("incidents.per_tenant_per_minute_max", 1, 100_000, |c| c.incidents.per_tenant_per_minute_max),
    range("incidents.close_after_h", 0, 8_760, |c| c.incidents.close_after_h),
    range("incidents.reconcile_s", 1, 86_400, |c| c.incidents.reconcile_s),
    range("response.vms_max", 1, 1_024, |c| c.response.vms_max),
    range("response.vms_percent_max", 0, 100, |c| c.response.vms_percent_max),
    range("response.per_hour_max", 0, 1_000, |c| c.response.per_hour_max),
];

/// A mistake, and the path to the value that is wrong.
pub(super) struct Mistake {
    pub(super) path: Vec<String>,
    pub(super) message: String,
}

impl Mistake {
    fn at(path: &[&str], message: String) -> Self {
        Self { path: path.iter().map(ToString::to_string).collect(), message }
    }
}

/// Everything that is wrong with a configuration whose types are right.
pub(super) fn mistakes(config: &Config) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    for range in RANGES {
        let value = (range.of)(config);
        if value < range.min || value > range.max {
            let path: Vec<_> = range.key.split('.').collect();
            let message = format!("`{}` is {value}; allowed are {} to {}", range.key, range.min, range.max);
            mistakes.push(Mistake::at(&path, message));
        }
    }
    let alarms = config.detection.false_alarms_per_host_week;
    if !(0.001..=10_000.0).contains(&alarms) {
        let message =
            format!("`detection.false_alarms_per_host_week` is {alarms}; allowed are 0.001 to 10000");
        mistakes.push(Mistake::at(&["detection", "false_alarms_per_host_week"], message));
    }
    roots(config, &mut mistakes);
    for (key, path) in [("folder", &config.checks.folder), ("waivers", &config.checks.waivers)] {
        if !path.starts_with('/') || path.contains('\0') {
            let message = format!("`checks.{key}` is {path:?}; an absolute path is expected here");
            mistakes.push(Mistake::at(&["checks", key], message));
        }
    }
    ledger(config, &mut mistakes);
    tenants(config, &mut mistakes);
    for (index, key, wrong) in super::incidents::mistakes(&config.deliver) {
        let message = format!("`deliver.{key}` {wrong}");
        mistakes.push(Mistake::at(&["deliver", &index.to_string(), key], message));
    }
    if config.rules.len() > RULES_MAX {
        let message = format!("{} rules; allowed are at most {RULES_MAX}", config.rules.len());
        mistakes.push(Mistake::at(&["rules"], message));
    } else {
        for error in detection::mistakes(config) {
            let mut path =
                if error.off { vec!["rules_off", &error.rule] } else { vec!["rules", &error.rule] };
            path.extend(error.key);
            mistakes.push(Mistake::at(&path, error.to_string()));
        }
    }
    mistakes.truncate(MISTAKES_MAX);
    mistakes
}

fn roots(config: &Config, mistakes: &mut Vec<Mistake>) {
    let roots = &config.roots;
    let all: [(&str, &Path); 6] = [
        ("proc", &roots.proc),
        ("sys", &roots.sys),
        ("cgroup", &roots.cgroup),
        ("run", &roots.run),
        ("debugfs", &roots.debugfs),
        ("root", &roots.root),
    ];
    for (key, path) in all {
        if !path.is_absolute() || path.as_os_str().as_encoded_bytes().contains(&0) {
            let message =
                format!("`roots.{key}` is \"{}\"; an absolute path is expected here", path.display());
            mistakes.push(Mistake::at(&["roots", key], message));
        }
    }
}

fn ledger(config: &Config, mistakes: &mut Vec<Mistake>) {
    let folder = &config.ledger.folder;
    let is_empty = folder.as_os_str().is_empty();
    if !is_empty && (!folder.is_absolute() || folder.as_os_str().as_encoded_bytes().contains(&0)) {
        let message =
            format!("`ledger.folder` is \"{}\"; an absolute path is expected here", folder.display());
        mistakes.push(Mistake::at(&["ledger", "folder"], message));
    }
    let witnesses = &config.ledger.witnesses;
    if witnesses.len() > WITNESSES_MAX {
        let message = format!("{} witnesses; allowed are at most {WITNESSES_MAX}", witnesses.len());
        mistakes.push(Mistake::at(&["ledger", "witnesses"], message));
    }
    for (index, text) in witnesses.iter().enumerate().take(WITNESSES_MAX) {
        if super::ledger::witness(text).is_none() {
            let message = format!(
                "`ledger.witnesses` has {text:?}; the public key of a witness is expected here, name+id+base64, as \
                 the witness prints it for cosignature/v1"
            );
            mistakes.push(Mistake::at(&["ledger", "witnesses", &index.to_string()], message));
        }
    }
}

fn tenants(config: &Config, mistakes: &mut Vec<Mistake>) {
    let tenant = &config.discovery.tenant;
    if tenant.len() > TENANT_RULES_MAX {
        let message =
            format!("{} ways to find a tenant; allowed are at most {TENANT_RULES_MAX}", tenant.len());
        mistakes.push(Mistake::at(&["discovery", "tenant"], message));
    }
    for (index, rule) in tenant.iter().enumerate().take(TENANT_RULES_MAX) {
        let wrong = if rule.pattern.len() > PATTERN_BYTES_MAX {
            format!("is longer than {PATTERN_BYTES_MAX} bytes")
        } else if rule.pattern.matches("{tenant}").count() != 1 {
            format!("is {:?}; it must contain {{tenant}} once, where the tenant's name stands", rule.pattern)
        } else {
            continue;
        };
        let message = format!("`discovery.tenant.pattern` {wrong}");
        mistakes.push(Mistake::at(&["discovery", "tenant", &index.to_string(), "pattern"], message));
    }
}
