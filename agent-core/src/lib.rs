//! Bartizan's core: samples a hypervisor host and its virtual machines, and says what is wrong with them.
//!
//! # Principles
//! 1. **Plan, then tick.** Whatever allocates, opens or may block happens on the cold side ([`engine::Planner`]).
//!    The hot side ([`engine::Sampler`]) walks what was prepared: no allocation, no free, no lock that the cold side
//!    can hold, only bounded system calls that do not block.
//! 2. **Unavailable is never zero.** Every value has an availability and an age.
//! 3. **Nothing is lost unnoticed.** `produced = delivered + suppressed + dropped + in flight`, at every stage.
//! 4. **A guest in someone's process.** No global state, no signal handlers, no output, no exit.
//!
//! # Flow
//! ```text
//! sys ─▶ sampling (discovery ─▶ plans ─▶ Frame) ─▶ detection (Signal) ─▶ alerts (Alert) ─▶ the embedding agent
//! ```
//! Strictly left to right: each stage owns its output type, takes the one before by reference and never calls back.
//! [`engine`] is the only module that knows the order.

pub mod alerts;
pub mod checks;
mod codec;
pub mod config;
pub mod coordination;
pub mod detection;
pub mod engine;
pub mod incidents;
pub mod learning;
pub mod ledger;
pub mod recovery;
pub mod response;
pub mod sampling;
pub mod sys;
pub mod trace;
