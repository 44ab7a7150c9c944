//! Alerts, their accounts, and what the agent costs.

use crate::agent::btz_agent;
use crate::entities::{btz_entity, encode};
use crate::entry::{self, on_agent};
use crate::failure::Failure;
use crate::ledger::attach;
use crate::size::{self, Rows};
use crate::status::btz_status;
use crate::text;
use bartizan_core::alerts::{Alert, AlertState, Severity};
use bartizan_core::sampling::frame::Entity;
use bartizan_core::sampling::metrics::{MetricId, agent};
use std::ffi::c_char;

/// The condition holds. Since: 0.1
pub const BTZ_ALERT_FIRING: u32 = 1;
/// The condition of an earlier alert with the same id no longer holds. Since: 0.1
pub const BTZ_ALERT_RESOLVED: u32 = 2;

/// Worth knowing. Since: 0.1
pub const BTZ_SEVERITY_INFO: u32 = 1;
/// Worth looking at today. Since: 0.1
pub const BTZ_SEVERITY_WARNING: u32 = 2;
/// Worth waking somebody. Since: 0.1
pub const BTZ_SEVERITY_CRITICAL: u32 = 3;

/// One alert. Texts are UTF-8, NUL-terminated. Since: 0.1
#[repr(C)]
#[derive(Clone, Copy)]
pub struct btz_alert {
    /// sizeof(btz_alert), set by the library.
    pub struct_size: u32,
    /// BTZ_ALERT_FIRING or BTZ_ALERT_RESOLVED.
    pub state: u32,
    /// BTZ_SEVERITY_*.
    pub severity: u32,
    /// The metric that was looked at: BTZ_* of bartizan_metrics.h.
    pub metric: u32,
    /// The same for the firing and the resolving of one condition.
    pub id: u64,
    /// Counts all alerts produced, from 1; a gap is a loss or a suppression, and is in the accounts.
    pub sequence: u64,
    /// The number of the tick that made it.
    pub tick: u64,
    /// What it is about.
    pub entity: btz_entity,
    /// When the condition began, CLOCK_MONOTONIC nanoseconds.
    pub since_mono_ns: u64,
    /// When the alert was made, CLOCK_REALTIME nanoseconds since the epoch.
    pub at_wall_ns: i64,
    /// What was seen, in the exported unit; a rate is per second.
    pub observed: f64,
    /// Lower end of what was expected; negative infinity when there is none.
    pub expected_min: f64,
    /// Upper end of what was expected; infinity when there is none.
    pub expected_max: f64,
    /// The VM's UUID; zero when there is none.
    pub uuid: [u8; 16],
    /// The rule that spoke.
    pub rule: [c_char; 56],
    /// The VM it is about, or the device or CPU of the host; empty for the host as a whole.
    pub subject: [c_char; 72],
    /// The VM's tenant; empty when unknown.
    pub tenant: [c_char; 40],
    /// One sentence for people.
    pub message: [c_char; 264],
    /// How likely what was seen is in quiet time, by what was learnt of that; 1 where the rule has learnt nothing.
    /// Since: 0.3
    pub tail_probability: f64,
    /// How many series speak for it; 1 for rules that look at one thing. Since: 0.3
    pub signs: u32,
    /// 0.
    pub reserved: u32,
}

/// What became of the alerts that were produced: at every instant,
/// produced = delivered + suppressed + dropped + in_flight. Since: 0.1
#[repr(C)]
#[derive(Clone, Copy)]
pub struct btz_accounting {
    /// sizeof(btz_accounting).
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// Made by detection.
    pub produced: u64,
    /// Handed to a caller of btz_agent_alerts().
    pub delivered: u64,
    /// Held back on purpose: a rate limit.
    pub suppressed: u64,
    /// Lost because the ring was full.
    pub dropped: u64,
    /// Waiting in the ring.
    pub in_flight: u64,
}

/// What the agent costs, and what it had to leave out. More of the same is in the metrics BTZ_AGENT_*. Since: 0.1
#[repr(C)]
#[derive(Clone, Copy)]
pub struct btz_cost {
    /// sizeof(btz_cost).
    pub struct_size: u32,
    /// The step of degradation in force to keep the CPU budget; 0 is none.
    pub degradation: u32,
    /// Ticks completed.
    pub ticks: u64,
    /// Ticks whose deadline had passed by a whole period when the sampler came round.
    pub ticks_missed: u64,
    /// CPU time spent in ticks, in nanoseconds.
    pub sampler_cpu_ns: u64,
    /// CPU time spent on what may block, in nanoseconds.
    pub planner_cpu_ns: u64,
    /// These two and the checks, over the last minute, in millionths of one core.
    pub cpu_ppm: u64,
    /// Memory set aside when the agent was made, in bytes.
    pub memory_reserved_bytes: u64,
    /// Descriptors held for sampling.
    pub descriptors: u64,
    /// VMs that were seen but not watched because a declared limit was reached, since the start.
    pub vms_refused: u64,
    /// CPU time spent on checks, in nanoseconds. Since: 0.2
    pub checks_cpu_ns: u64,
}

size::sized!(btz_alert = 552, btz_accounting = 48, btz_cost = 72);

/// The same as BTZ_ACCOUNTING_INIT, for languages without macros: zeroes struct_size bytes and sets the field.
/// Returns BTZ_OK, BTZ_ERR_NULL or BTZ_ERR_SIZE. Threads: any. Blocking: no. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_accounting_init(
    accounting: *mut btz_accounting,
    struct_size: u32,
) -> btz_status {
    // SAFETY: the contract: NULL, or `struct_size` writable bytes.
    entry::plain(std::ptr::null_mut(), || unsafe { size::init(accounting, struct_size) })
}

/// The same as BTZ_COST_INIT, for languages without macros: zeroes struct_size bytes and sets the field.
/// Returns BTZ_OK, BTZ_ERR_NULL or BTZ_ERR_SIZE. Threads: any. Blocking: no. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_cost_init(cost: *mut btz_cost, struct_size: u32) -> btz_status {
    // SAFETY: the contract: NULL, or `struct_size` writable bytes.
    entry::plain(std::ptr::null_mut(), || unsafe { size::init(cost, struct_size) })
}

/// Takes the oldest alerts that wait, at most capacity: they are the caller's from then on and counted as delivered.
/// When fewer than capacity came, none waits any more, and btz_agent_alert_fd() is no longer readable. out: capacity
/// elements, each stride bytes after the one before; stride: sizeof(btz_alert). count: receives how many were written;
/// 0 is no error. Errors: BTZ_ERR_NULL, BTZ_ERR_SIZE: no alert was taken.
/// Threads: any; each alert goes to one caller. Blocking: no; no allocation; with a ledger as btz_agent_record() says.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_agent_alerts(
    agent: *const btz_agent,
    out: *mut btz_alert,
    stride: usize,
    capacity: usize,
    count: *mut usize,
) -> btz_status {
    let read = |agent: &btz_agent| {
        if count.is_null() {
            return Err(Failure::null("count is NULL"));
        }
        // SAFETY: the contract: `capacity` elements of `stride` bytes.
        let mut rows = unsafe { Rows::new(out, stride, capacity)? };
        let mut recorder = attach::recorder(agent);
        while rows.has_room() {
            let Some(alert) = agent.reader.alerts().next() else { break };
            if let Some(recorder) = &mut recorder {
                recorder.alert(&alert);
            }
            rows.push(view(&alert));
        }
        if let Some(recorder) = &mut recorder {
            recorder.settle();
        }
        // SAFETY: the contract: writable.
        unsafe { count.write(rows.written()) };
        Ok(())
    };
    // SAFETY: the contract.
    unsafe { on_agent(agent, std::ptr::null_mut(), read) }
}

/// The accounts of all alerts since the agent was made. out: set struct_size first. Errors: BTZ_ERR_SIZE.
/// Threads: any. Blocking: no; no allocation. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_agent_accounting(
    agent: *const btz_agent,
    out: *mut btz_accounting,
) -> btz_status {
    let read = |agent: &btz_agent| {
        let accounts = agent.reader.alerts().accounting();
        let accounts = btz_accounting {
            struct_size: 0,
            reserved: 0,
            produced: accounts.produced,
            delivered: accounts.delivered,
            suppressed: accounts.suppressed,
            dropped: accounts.dropped,
            in_flight: accounts.in_flight,
        };
        // SAFETY: the contract: NULL, or a struct of the size it says.
        unsafe { size::write_out(out, accounts) }
    };
    // SAFETY: the contract.
    unsafe { on_agent(agent, std::ptr::null_mut(), read) }
}

/// What the agent costs. out: set struct_size first. Errors: BTZ_ERR_SIZE. Threads: any. Blocking: no. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_agent_cost(agent: *const btz_agent, out: *mut btz_cost) -> btz_status {
    let read = |agent: &btz_agent| {
        let cost = agent.reader.cost();
        // Before the first tick nothing was counted, which is what 0 says here.
        let own = |metric: MetricId| {
            agent.reader.read(Entity::AGENT, metric).ok().and_then(|raw| u64::try_from(raw).ok()).unwrap_or(0)
        };
        let cost = btz_cost {
            struct_size: 0,
            degradation: u32::from(cost.degradation),
            ticks: agent.reader.tick().number,
            ticks_missed: own(agent::TICKS_MISSED),
            sampler_cpu_ns: cost.sampler_cpu_ns,
            planner_cpu_ns: cost.planner_cpu_ns,
            cpu_ppm: cost.cpu_ppm,
            memory_reserved_bytes: cost.memory_reserved_bytes,
            descriptors: own(agent::DESCRIPTORS),
            vms_refused: cost.vms_refused,
            checks_cpu_ns: cost.checks_cpu_ns,
        };
        // SAFETY: the contract: NULL, or a struct of the size it says.
        unsafe { size::write_out(out, cost) }
    };
    // SAFETY: the contract.
    unsafe { on_agent(agent, std::ptr::null_mut(), read) }
}

fn view(alert: &Alert) -> btz_alert {
    btz_alert {
        struct_size: 0,
        state: u32::from(alert.state as u8),
        severity: u32::from(alert.severity as u8),
        metric: u32::from(alert.metric.number()),
        id: alert.id,
        sequence: alert.sequence,
        tick: alert.tick,
        entity: encode(alert.entity),
        since_mono_ns: alert.since_mono_ns,
        at_wall_ns: alert.at_wall_ns,
        observed: alert.observed,
        expected_min: alert.expected_min,
        expected_max: alert.expected_max,
        uuid: alert.uuid,
        rule: text::array(&alert.rule),
        subject: text::array(&alert.subject),
        tenant: text::array(&alert.tenant),
        message: text::array(&alert.message),
        tail_probability: alert.tail_probability,
        signs: alert.signs,
        reserved: 0,
    }
}

// The numbers of the ABI are those of the core.
const _: () = {
    assert!(BTZ_ALERT_FIRING == AlertState::Firing as u32);
    assert!(BTZ_ALERT_RESOLVED == AlertState::Resolved as u32);
    assert!(BTZ_SEVERITY_INFO == Severity::Info as u32);
    assert!(BTZ_SEVERITY_WARNING == Severity::Warning as u32);
    assert!(BTZ_SEVERITY_CRITICAL == Severity::Critical as u32);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_of_an_alert_is_cut() {
        fn fits<const CORE: usize, const C: usize>(
            _: fn(&Alert) -> &arrayvec::ArrayString<CORE>,
            _: fn(&btz_alert) -> &[c_char; C],
        ) {
            assert!(CORE < C, "{CORE} bytes and a NUL do not fit into {C}");
        }
        fits(|a| &a.rule, |b| &b.rule);
        fits(|a| &a.subject, |b| &b.subject);
        fits(|a| &a.tenant, |b| &b.tenant);
        fits(|a| &a.message, |b| &b.message);
    }
}
