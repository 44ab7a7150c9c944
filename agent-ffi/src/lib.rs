//! The C ABI. `include/bartizan.h` is generated from this crate and is the authoritative documentation.
//!
//! # The contract of every pointer
//! A pointer that is given must be NULL where that is allowed, or point to as many initialised (for results: writable)
//! bytes as the call says, aligned as C aligns its type, for the duration of the call. Handles are used only between
//! their making and their end. What can be seen to be otherwise is answered with an error code; the rest is the
//! caller's promise, and it is what each `SAFETY` comment in this crate leans on as *the contract*.
//!
//! # How a call goes
//! [`entry`] is the one door: it refuses calls from within the log hook, dead handles, children of a fork and faulted
//! agents, and catches panics. Structs go through [`size`], which follows openat2(2).
//!
//! The crate keeps no state per thread except two flags (inside a call; inside the log hook), and none per process
//! except the log hook, which is set only when asked for, and a panic hook that is quiet about this library's own
//! panics and leaves all others to whoever had them before.

// C's names are C's: btz_agent, btz_value.
#![allow(non_camel_case_types, reason = "these are the names that C sees")]

// In the order of the header.
pub mod version;

pub mod status;

pub mod error;

pub mod names;

pub mod config;

pub mod options;

pub mod agent;

pub mod entities;

pub mod values;

pub mod catalogue;

pub mod alerts;

pub mod rules;

pub mod checks;

pub mod ledger;

pub mod log_hook;

mod entry;
mod failure;
pub mod layout;
mod quiet;
mod size;
mod text;

/// Panics inside a call on an agent, which must then be faulted: for a test, and not part of the C ABI.
///
/// # Safety
/// The contract of every pointer.
#[doc(hidden)]
pub unsafe fn panic_inside_a_call(agent: *const agent::btz_agent) -> status::btz_status {
    // SAFETY: the caller's contract is this function's.
    unsafe { entry::on_agent(agent, std::ptr::null_mut(), |_| panic!("provoked by a test")) }
}
