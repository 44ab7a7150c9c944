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
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::AcqRel;

/// A call that belongs to no agent.
pub(crate) fn plain(error: *mut btz_error, run: impl FnOnce() -> Outcome) -> btz_status {
    finish(error, || {
        not_in_log_hook()?;
        caught(run).unwrap_or_else(|()| {
            Err(Failure::new(BTZ_ERR_INTERNAL, "the library failed in this call; please report it"))
        })
    })
}

/// A handle that may be used by many threads: agents and ledgers.
pub(crate) trait Handle {
    /// Static: some calls promise not to allocate, not even to be refused.
    const WORDS: Words;
    /// Whether its first word says that it is one of ours, and was not freed.
    fn is_alive(&self) -> bool;
    /// Calls that are inside now.
    fn calls(&self) -> &AtomicU32;
    /// Whether another process made it.
    fn forked(&self) -> bool;
    /// Whether a part of it has failed.
    fn has_failed(&self) -> bool;
    /// A call on it panicked.
    fn fault(&self);
}

/// What is said of a handle that cannot be used.
pub(crate) struct Words {
    pub(crate) null: &'static str,
    pub(crate) dead: &'static str,
    pub(crate) forked: &'static str,
    pub(crate) failed: &'static str,
    pub(crate) fails: &'static str,
}

/// A call on an agent.
pub(crate) unsafe fn on_agent(
    agent: *const btz_agent,
    error: *mut btz_error,
    run: impl FnOnce(&btz_agent) -> Outcome,
) -> btz_status {
    // SAFETY: the caller's contract is this function's.
    unsafe { on(agent, error, run) }
}

/// A call on a handle.
pub(crate) unsafe fn on<H: Handle>(
    handle: *const H,
    error: *mut btz_error,
    run: impl FnOnce(&H) -> Outcome,
) -> btz_status {
    finish(error, || {
        not_in_log_hook()?;
        // SAFETY: the caller's contract is this function's.
        let handle = unsafe { alive(handle)? };
        let _inside = Inside::enter(handle)?;
        if handle.forked() {
            return Err(Failure::new(BTZ_ERR_FORKED, H::WORDS.forked));
        }
        if handle.has_failed() {
            return Err(Failure::new(BTZ_ERR_FAULTED, H::WORDS.failed));
        }
        caught(|| run(handle)).unwrap_or_else(|()| {
            handle.fault();
            Err(Failure::new(BTZ_ERR_FAULTED, H::WORDS.fails))
        })
    })
}

/// The handle, if it looks like one of ours.
pub(crate) unsafe fn alive<'a, H: Handle>(handle: *const H) -> Result<&'a H, Failure> {
    if handle.is_null() {
        return Err(Failure::new(BTZ_ERR_NULL, H::WORDS.null));
    }
    if !handle.is_aligned() {
        return Err(dead::<H>());
    }
    // SAFETY: the contract: a handle between its making and its end. A freed one is looked for in its first word, which
    // is all that can be done for a caller who breaks the contract.
    let handle = unsafe { &*handle };
    if handle.is_alive() { Ok(handle) } else { Err(dead::<H>()) }
}

/// The failure of a handle that is none.
pub(crate) fn dead<H: Handle>() -> Failure {
    Failure::new(BTZ_ERR_HANDLE, H::WORDS.dead)
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

/// Counts the calls that are inside a handle, so that it is not freed under them.
struct Inside<'a, H: Handle>(&'a H);

impl<'a, H: Handle> Inside<'a, H> {
    fn enter(handle: &'a H) -> Result<Self, Failure> {
        handle.calls().fetch_add(1, AcqRel);
        let inside = Self(handle);
        // Looked at again: a free that began meanwhile has either seen this call, or is seen here.
        if handle.is_alive() { Ok(inside) } else { Err(dead::<H>()) }
    }
}

impl<H: Handle> Drop for Inside<'_, H> {
    fn drop(&mut self) {
        self.0.calls().fetch_sub(1, AcqRel);
    }
}
