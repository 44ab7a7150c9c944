//! The standalone daemon and command line of Bartizan, as a library so that tests and fuzzers reach its parts.
//!
//! It embeds `bartizan-core` through its public API, as any other host agent would:
//! ```text
//! cli ─▶ commands ─▶ watch (an agent) ─▶ view (numbers for people) ─▶ a terminal, JSON lines, top's screen
//!                                    └─▶ serve (HTTP) ─▶ /metrics, /healthz, /readyz
//! ```

#![forbid(unsafe_code)]

pub mod book;
pub mod cli;
pub mod commands;
pub mod deliver;
pub mod exit;
pub mod files;
pub mod incidents;
pub mod logger;
pub mod notify;
pub mod outlet;
pub mod record_keeper;
pub mod recovery;
pub mod responses;
pub mod serve;
pub mod signals;
pub mod standby;
pub mod top;
pub mod view;
pub mod watch;
