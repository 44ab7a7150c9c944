//! An agent that records what it tells before it is told.

use super::handle::{Server, btz_ledger, closed};
use crate::agent::btz_agent;
use crate::entry::{self, Handle, on_agent};
use crate::error::btz_error;
use crate::failure::Failure;
use crate::status::{BTZ_ERR_FORKED, BTZ_ERR_STATE, btz_status};
use bartizan_core::engine::Recorder;
use bartizan_core::ledger::Keeper;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{AcqRel, Acquire};
use std::time::Duration;

/// The longest hold_ms. Since: 0.3
pub const BTZ_HOLD_MS_MAX: u32 = 10000;

/// A ledger that an agent records in. While it lives, the ledger is not freed.
pub(crate) struct Attached {
    keeper: Keeper,
    hold: Duration,
    count: Arc<AtomicU32>,
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.count.fetch_sub(1, AcqRel);
    }
}

/// Attaches a ledger to an agent: from here on every alert that btz_agent_alerts() hands out, and every change that
/// btz_agent_check_changes() does, is appended first, to its tenant's log, and held back until it is durable, but no longer
/// than hold_ms: on a disk that hangs or is full what happened must still be told. What left that way is counted in
/// btz_ledger_status.left_early, stays queued, and becomes durable when the disk is back. Those two calls then allocate, and
/// wait up to hold_ms; ticks and checks never wait. One ledger may be attached to several agents.
/// ledger: with a thread of its own; not freed before it is detached, or the agent freed. NULL detaches. hold_ms: at most
/// BTZ_HOLD_MS_MAX; 0 appends and does not wait. Errors: BTZ_ERR_STATE: the ledger is driven by the host, or closed.
/// BTZ_ERR_ARGUMENT. Threads: any. Blocking: while another thread takes alerts. Since: 0.3
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_agent_record(
    agent: *mut btz_agent,
    ledger: *mut btz_ledger,
    hold_ms: u32,
    error: *mut btz_error,
) -> btz_status {
    let attach = |agent: &btz_agent| {
        if hold_ms > BTZ_HOLD_MS_MAX {
            return Err(Failure::argument("hold_ms is above BTZ_HOLD_MS_MAX"));
        }
        let attached = if ledger.is_null() {
            None
        } else {
            // SAFETY: the contract: a handle between its making and its end.
            let ledger = unsafe { entry::alive(ledger)? };
            Some(attached(ledger, Duration::from_millis(hold_ms.into()))?)
        };
        // The one before it goes here, and its ledger may be freed from then on.
        *agent.attached.write() = attached;
        Ok(())
    };
    // SAFETY: the contract.
    unsafe { on_agent(agent, error, attach) }
}

fn attached(ledger: &btz_ledger, hold: Duration) -> Result<Attached, Failure> {
    if ledger.forked() {
        return Err(Failure::new(BTZ_ERR_FORKED, btz_ledger::WORDS.forked));
    }
    if ledger.closed.load(Acquire) {
        return Err(closed());
    }
    let Server::Own(keeper) = &ledger.server else {
        let message = "the ledger is driven by the host; open it with a thread of its own";
        return Err(Failure::new(BTZ_ERR_STATE, message));
    };
    ledger.attached.fetch_add(1, AcqRel);
    Ok(Attached { keeper: keeper.clone(), hold, count: Arc::clone(&ledger.attached) })
}

/// Who records what is about to be handed out; `None` when no ledger is attached.
pub(crate) fn recorder(agent: &btz_agent) -> Option<Recorder> {
    let attached = agent.attached.read();
    attached.as_ref().map(|attached| Recorder::new(attached.keeper.clone(), attached.hold))
}
