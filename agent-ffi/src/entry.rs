//! The one door of the ABI.
//!
//! A call passes, in this order: not from within the log hook; the handle is not NULL and alive; this is the process
//! that made it; nothing of it has failed. Then it runs, and a panic becomes an error code. A panic in a call on an
//! agent leaves the agent *faulted*: locks here do not poison, so nobody else would notice what was left half done.

use crate::agent::btz_agent;
use crate::error::{btz_error, report};
use crate::failure::{Failure, Outcome};
use crate::quiet;
use crate::status::{
    BTZ_ERR_FAULTED, BTZ_ERR_FORKED, BTZ_ERR_HANDLE, BTZ_ERR_INTERNAL, BTZ_ERR_NULL, BTZ_ERR_REENTRY, BTZ_OK,
    btz_status,
};
use bartizan_core::engine::AgentState;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::{AcqRel, Acquire};

/// A call that belongs to no agent.
pub(crate) fn plain(error: *mut btz_error, run: impl FnOnce() -> Outcome) -> btz_status {
    finish(error, || {
        not_in_log_hook()?;
        caught(run).unwrap_or_else(|()| {
            Err(Failure::new(BTZ_ERR_INTERNAL, "the library failed in this call; please report it"))
        })
    })
}

/// A call on an agent.
pub(crate) unsafe fn on_agent(
    agent: *const btz_agent,
    error: *mut btz_error,
    run: impl FnOnce(&btz_agent) -> Outcome,
) -> btz_status {
    finish(error, || {
        not_in_log_hook()?;
        // SAFETY: the caller's contract is this function's.
        let agent = unsafe { alive(agent)? };
        let _inside = Inside::enter(agent)?;
        if agent.forked() {
            return Err(Failure::new(BTZ_ERR_FORKED, "the agent belongs to the parent process"));
        }
        if agent.faulted.load(Acquire) || agent.reader.state() == AgentState::Faulted {
            return Err(Failure::new(BTZ_ERR_FAULTED, "the agent has failed; only btz_agent_free() works"));
        }
        caught(|| run(agent)).unwrap_or_else(|()| {
            agent.faulted.store(true, std::sync::atomic::Ordering::Release);
            Err(Failure::new(BTZ_ERR_FAULTED, "the agent failed in this call; only btz_agent_free() works"))
        })
    })
}

/// The handle, if it looks like one of ours.
pub(crate) unsafe fn alive<'a>(agent: *const btz_agent) -> Result<&'a btz_agent, Failure> {
    if agent.is_null() {
        return Err(Failure::new(BTZ_ERR_NULL, "the agent is NULL"));
    }
    if !agent.is_aligned() {
        return Err(dead());
    }
    // SAFETY: the contract: a handle between its making and its end. A freed one is looked for in its first word, which
    // is all that can be done for a caller who breaks the contract.
    let agent = unsafe { &*agent };
    if agent.is_alive() { Ok(agent) } else { Err(dead()) }
}

/// The failure of a handle that is none.
pub(crate) fn dead() -> Failure {
    Failure::new(BTZ_ERR_HANDLE, "this is not an agent, or it was freed")
}

/// Runs, and turns a panic into `Err(())`.
pub(crate) fn caught<T>(run: impl FnOnce() -> T) -> Result<T, ()> {
    let _quiet = quiet::Guard::enter();
    // What a panic leaves half done is not used again: the agent is faulted, or there is none.
    catch_unwind(AssertUnwindSafe(run)).map_err(|payload| {
        // A payload that panics when it is dropped would take the host down.
        std::mem::forget(payload);
    })
}

/// Turns the outcome into a status, and fills the caller's error.
pub(crate) fn finish(error: *mut btz_error, run: impl FnOnce() -> Outcome) -> btz_status {
    match run() {
        Ok(()) => BTZ_OK,
        Err(failure) => {
            // SAFETY: the contract: NULL, or a struct of the size it says.
            unsafe { report(error, &failure) };
            failure.code
        }
    }
}

pub(crate) fn not_in_log_hook() -> Outcome {
    if quiet::in_log_hook() {
        return Err(Failure::new(BTZ_ERR_REENTRY, "no function may be called from within the log hook"));
    }
    Ok(())
}

/// Counts the calls that are inside an agent, so that it is not freed under them.
struct Inside<'a>(&'a btz_agent);

impl<'a> Inside<'a> {
    fn enter(agent: &'a btz_agent) -> Result<Self, Failure> {
        agent.calls.fetch_add(1, AcqRel);
        let inside = Self(agent);
        // Looked at again: a free that began meanwhile has either seen this call, or is seen here.
        if agent.is_alive() { Ok(inside) } else { Err(dead()) }
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, AcqRel);
    }
}
