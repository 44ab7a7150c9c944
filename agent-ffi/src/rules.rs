//! The rules of detection, for people.

use crate::agent::btz_agent;
use crate::config::btz_config;
use crate::entities::list;
use crate::entry::{self, on_agent};
use crate::error::btz_error;
use crate::failure::{Failure, Outcome};
use crate::size;
use crate::status::{BTZ_ERR_CONFIG, btz_status};
use crate::text;
use bartizan_core::config::Config;
use bartizan_core::detection::{self, RuleInfo, RuleKind};
use bartizan_core::sampling::metrics::MetricId;
use std::ffi::c_char;

/// A level is passed. Since: 0.1
pub const BTZ_RULE_THRESHOLD: u32 = 1;
/// The value changes by so much within a window. Since: 0.1
pub const BTZ_RULE_CHANGE: u32 = 2;
/// What moved moves no more, or what was read can be read no more. Since: 0.1
pub const BTZ_RULE_ABSENCE: u32 = 3;
/// The value is, or is not, one of some. Since: 0.1
pub const BTZ_RULE_STATE: u32 = 4;
/// The value is far from what is usual for this very row. Since: 0.1
pub const BTZ_RULE_BASELINE: u32 = 5;
/// A VM's process is gone. Since: 0.1
pub const BTZ_RULE_GONE: u32 = 6;
/// What is unusual for this very row: a sign that is told together with others. Since: 0.3
pub const BTZ_RULE_UNUSUAL: u32 = 7;
/// The signs about one VM, or about the host, taken together. Since: 0.3
pub const BTZ_RULE_UNUSUAL_TOGETHER: u32 = 8;
/// A resource will be used up. Since: 0.3
pub const BTZ_RULE_EXHAUSTION: u32 = 9;
/// A counter that should move has stopped. Since: 0.3
pub const BTZ_RULE_STANDSTILL: u32 = 10;

/// A rule of detection. Texts are UTF-8, NUL-terminated, cut to fit. Since: 0.1
#[repr(C)]
#[derive(Clone, Copy)]
pub struct btz_rule {
    /// sizeof(btz_rule), set by the library.
    pub struct_size: u32,
    /// BTZ_RULE_*: how it judges.
    pub kind: u32,
    /// BTZ_SEVERITY_*: how bad it is when it fires.
    pub severity: u32,
    /// BTZ_SCOPE_*: what it watches.
    pub scope: u32,
    /// The metric it looks at, BTZ_METRIC_*; 0 when it looks at none.
    pub metric: u32,
    /// 1 when it is in force, 0 when it is switched off.
    pub enabled: u8,
    /// 1 when it is shipped, 0 when it is configured.
    pub shipped: u8,
    /// 0.
    pub reserved: [u8; 2],
    /// Its name.
    pub name: [c_char; 56],
    /// Why it is there, and where its levels come from.
    pub description: [c_char; 512],
}

size::sized!(btz_rule = 592);

/// The rules an agent works by, and those that are switched off. out, stride, capacity, total: as in btz_agent_vms();
/// stride: sizeof(btz_rule). Errors: BTZ_ERR_NULL, BTZ_ERR_SIZE. Threads: any. Blocking: no; allocates. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_agent_rules(
    agent: *const btz_agent,
    out: *mut btz_rule,
    stride: usize,
    capacity: usize,
    total: *mut usize,
) -> btz_status {
    // SAFETY: the contract, twice.
    let read = |agent: &btz_agent| unsafe { rules(&agent.reader.config(), out, stride, capacity, total) };
    // SAFETY: the contract.
    unsafe { on_agent(agent, std::ptr::null_mut(), read) }
}

/// The rules an agent with this configuration would work by. Otherwise as btz_agent_rules(). Errors: BTZ_ERR_CONFIG when
/// a rule makes no sense. Threads: one at a time per config. Blocking: no. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_config_rules(
    config: *const btz_config,
    out: *mut btz_rule,
    stride: usize,
    capacity: usize,
    total: *mut usize,
    error: *mut btz_error,
) -> btz_status {
    entry::plain(error, || {
        // SAFETY: the contract: a live configuration.
        let handle = unsafe { btz_config::alive(config)? };
        // SAFETY: the contract.
        unsafe { rules(&handle.config, out, stride, capacity, total) }
    })
}

unsafe fn rules(
    config: &Config,
    out: *mut btz_rule,
    stride: usize,
    capacity: usize,
    total: *mut usize,
) -> Outcome {
    let infos = detection::list(config).map_err(|error| Failure::new(BTZ_ERR_CONFIG, error.to_string()))?;
    // SAFETY: the caller's contract is this function's.
    unsafe { list(out, stride, capacity, total, |rows| Ok(rows.fill(infos.iter().map(view)))) }
}

fn view(rule: &RuleInfo) -> btz_rule {
    btz_rule {
        struct_size: 0,
        kind: u32::from(rule.kind as u8),
        severity: u32::from(rule.severity as u8),
        scope: u32::from(rule.scope as u8),
        metric: MetricId::by_name(&rule.metric).map_or(0, |metric| u32::from(metric.number())),
        enabled: u8::from(rule.enabled),
        shipped: u8::from(rule.shipped),
        reserved: [0; 2],
        name: text::array(&rule.name),
        description: text::array(&rule.description),
    }
}

// The numbers of the ABI are those of the core.
const _: () = {
    assert!(BTZ_RULE_THRESHOLD == RuleKind::Threshold as u32 && BTZ_RULE_CHANGE == RuleKind::Change as u32);
    assert!(BTZ_RULE_ABSENCE == RuleKind::Absence as u32 && BTZ_RULE_STATE == RuleKind::State as u32);
    assert!(BTZ_RULE_BASELINE == RuleKind::Baseline as u32 && BTZ_RULE_GONE == RuleKind::Gone as u32);
    assert!(BTZ_RULE_UNUSUAL == RuleKind::Unusual as u32);
    assert!(BTZ_RULE_UNUSUAL_TOGETHER == RuleKind::UnusualTogether as u32);
    assert!(BTZ_RULE_EXHAUSTION == RuleKind::Exhaustion as u32);
    assert!(BTZ_RULE_STANDSTILL == RuleKind::Standstill as u32);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_of_a_shipped_rule_is_cut() {
        for rule in detection::list(&Config::default()).expect("the shipped rules make sense") {
            assert!(rule.name.len() < 56, "{}", rule.name);
            assert!(rule.description.len() < 512, "{}: {}", rule.name, rule.description.len());
            assert!(rule.metric.is_empty() || MetricId::by_name(&rule.metric).is_some(), "{}", rule.name);
        }
    }
}
