//! What changed about the findings: a descriptor to poll, a batch to take, and the accounts.

use super::findings::{Seen, btz_finding};
use crate::agent::{btz_agent, descriptor};
use crate::alerts::btz_accounting;
use crate::entry::on_agent;
use crate::failure::Failure;
use crate::ledger::attach;
use crate::size::{self, Rows};
use crate::status::btz_status;

/// A descriptor that is readable while changes wait for btz_agent_check_changes(). Poll it (level-triggered); never
/// read, write or close it. Valid until btz_agent_free(). CLOEXEC. Errors: a negative BTZ_ERR_* in place of the
/// descriptor. Threads: any. Blocking: no. Since: 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_agent_check_fd(agent: *const btz_agent) -> i32 {
    // SAFETY: the contract.
    unsafe { descriptor(agent, |agent| agent.check_fd) }
}

/// Takes the oldest changes that wait, at most capacity: each is the finding as it is after the change (or, of one
/// that is gone, as it was), with change and sequence set. They are the caller's from then on and counted as delivered. When
/// fewer than capacity came, none waits any more. What does not fit into the queue is dropped, the oldest first: after a
/// gap in sequence, btz_agent_findings() has what is true now. out: capacity elements, each stride bytes after the one
/// before; stride: sizeof(btz_finding). count: receives how many were written; 0 is no error. Errors: BTZ_ERR_NULL,
/// BTZ_ERR_SIZE: no change was taken. Threads: any; each change goes to one caller. Blocking: no; allocates; with a
/// ledger as btz_agent_record() says. Since: 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_agent_check_changes(
    agent: *const btz_agent,
    out: *mut btz_finding,
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
        let seen = Seen::by(agent);
        let mut recorder = attach::recorder(agent);
        for change in agent.reader.checks().take(capacity) {
            if let Some(recorder) = &mut recorder {
                recorder.finding(&change, seen.rules());
            }
            let finding = seen.view(&change.finding);
            rows.push(btz_finding { change: change.kind as u32, sequence: change.sequence, ..finding });
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

/// The accounts of all changes since the agent was made; none is ever suppressed. out: set struct_size first. Errors:
/// BTZ_ERR_SIZE. Threads: any. Blocking: no; no allocation. Since: 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_agent_check_accounting(
    agent: *const btz_agent,
    out: *mut btz_accounting,
) -> btz_status {
    let read = |agent: &btz_agent| {
        let accounts = agent.reader.checks().accounts();
        let accounts = btz_accounting {
            struct_size: 0,
            reserved: 0,
            produced: accounts.produced,
            delivered: accounts.delivered,
            suppressed: 0,
            dropped: accounts.dropped,
            in_flight: accounts.in_flight,
        };
        // SAFETY: the contract: NULL, or a struct of the size it says.
        unsafe { size::write_out(out, accounts) }
    };
    // SAFETY: the contract.
    unsafe { on_agent(agent, std::ptr::null_mut(), read) }
}
