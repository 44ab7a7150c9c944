//! Having checks run, and how far they have come.

use crate::agent::btz_agent;
use crate::entry::{self, on_agent};
use crate::error::btz_error;
use crate::failure::Failure;
use crate::size;
use crate::status::btz_status;
use bartizan_core::checks::Verdict;

/// How far the checks have come, and how many findings there are of each verdict. Those that are waived are counted by
/// their verdict too. Since: 0.2
#[repr(C)]
#[derive(Clone, Copy)]
pub struct btz_check_state {
    /// sizeof(btz_check_state).
    pub struct_size: u32,
    /// 1 when checks are on, 0 when the configuration switches them off.
    pub enabled: u32,
    /// Full runs that were completed; before the first, what is found is not complete.
    pub sweeps: u64,
    /// When the last one was completed, CLOCK_REALTIME nanoseconds since the epoch; 0 is never.
    pub swept_wall_ns: i64,
    /// CPU time spent on checks, in nanoseconds.
    pub cpu_ns: u64,
    /// Facts that are kept.
    pub facts: u64,
    /// Paths that are watched for changes; what is not watched is found by the next full run.
    pub watched: u64,
    /// Findings: as it should be.
    pub passed: u64,
    /// Findings: not as it should be.
    pub failed: u64,
    /// Findings: could not be read.
    pub unknown: u64,
    /// Findings: the rule is broken.
    pub errors: u64,
    /// Findings: the rule makes no sense here.
    pub not_applicable: u64,
    /// Findings that fail or are broken, and that somebody answers for.
    pub waived: u64,
}

size::sized!(btz_check_state = 96);

/// The same as BTZ_CHECK_STATE_INIT, for languages without macros: zeroes struct_size bytes and sets the field.
/// Returns BTZ_OK, BTZ_ERR_NULL or BTZ_ERR_SIZE. Threads: any. Blocking: no. Since: 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_check_state_init(state: *mut btz_check_state, struct_size: u32) -> btz_status {
    // SAFETY: the contract: NULL, or `struct_size` writable bytes.
    entry::plain(std::ptr::null_mut(), || unsafe { size::init(state, struct_size) })
}

/// Works on the checks for about so many nanoseconds, on this thread: first a full run, then what has changed. Only for
/// hosts that drive the agent: VMs come to the checks by btz_agent_maintain(). Call it every second or so, which costs
/// next to nothing while nothing changes, and again when *more is 1; it may run beside btz_agent_step() and
/// btz_agent_maintain() on other threads. budget_ns: one step that the kernel holds up is not cut short. more: receives
/// 1 when there is more to do at once, else 0; may be NULL.
/// Errors: BTZ_ERR_STATE while the agent's own threads run; BTZ_ERR_BUSY while another thread is in this call.
/// Threads: any, one at a time. Blocking: as long as the kernel needs to read files. Since: 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_agent_check(
    agent: *mut btz_agent,
    budget_ns: u64,
    more: *mut u32,
    error: *mut btz_error,
) -> btz_status {
    let work = |agent: &btz_agent| {
        agent.driven(|agent| {
            let left = agent.check(budget_ns)?;
            if !more.is_null() {
                // SAFETY: the contract: writable.
                unsafe { more.write(u32::from(left)) };
            }
            Ok(())
        })
    };
    // SAFETY: the contract.
    unsafe { on_agent(agent, error, work) }
}

/// Asks for a full run of all checks, soon; btz_check_state.sweeps grows when one is done. Full runs come by themselves
/// every checks.sweep_s, and what changed in between is noticed without one. When the host drives the agent,
/// btz_agent_check() does the work. Errors: none of its own. Threads: any. Blocking: no. Since: 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_agent_check_sweep(agent: *const btz_agent) -> btz_status {
    let ask = |agent: &btz_agent| {
        agent.reader.sweep_checks();
        Ok(())
    };
    // SAFETY: the contract.
    unsafe { on_agent(agent, std::ptr::null_mut(), ask) }
}

/// How far the checks have come. out: set struct_size first. Errors: BTZ_ERR_SIZE. Threads: any. Blocking: no.
/// Since: 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_agent_check_state(
    agent: *const btz_agent,
    out: *mut btz_check_state,
) -> btz_status {
    let read = |agent: &btz_agent| {
        if out.is_null() {
            return Err(Failure::null("out is NULL"));
        }
        let board = agent.reader.checks();
        let (state, tally) = (board.state(), board.tally());
        let state = btz_check_state {
            struct_size: 0,
            enabled: u32::from(agent.reader.config().checks.enabled),
            sweeps: state.sweeps,
            swept_wall_ns: state.swept_at_ns,
            cpu_ns: state.cpu_ns,
            facts: state.facts,
            watched: state.watched,
            passed: tally.of(Verdict::Pass),
            failed: tally.of(Verdict::Fail),
            unknown: tally.of(Verdict::Unknown),
            errors: tally.of(Verdict::Error),
            not_applicable: tally.of(Verdict::NotApplicable),
            waived: tally.waived,
        };
        // SAFETY: the contract: NULL, or a struct of the size it says.
        unsafe { size::write_out(out, state) }
    };
    // SAFETY: the contract.
    unsafe { on_agent(agent, std::ptr::null_mut(), read) }
}
