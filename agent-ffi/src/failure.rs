//! A call that did not succeed, on its way to the caller.

use crate::status::{
    BTZ_ERR_ARGUMENT, BTZ_ERR_BUSY, BTZ_ERR_CONFIG, BTZ_ERR_DAMAGED, BTZ_ERR_DISK, BTZ_ERR_FAULTED,
    BTZ_ERR_FORKED, BTZ_ERR_FULL, BTZ_ERR_LOCKED, BTZ_ERR_MEMORY, BTZ_ERR_NULL, BTZ_ERR_RESTART,
    BTZ_ERR_STATE, BTZ_ERR_SYSTEM, BTZ_ERR_TIMEOUT, btz_status,
};
use bartizan_core::config::ConfigError;
use bartizan_core::engine::{BuildError, RunnerError};
use bartizan_core::ledger::LedgerError;
use std::borrow::Cow;

/// Code and text. Texts of the calls that promise not to allocate are static.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: btz_status,
    pub(crate) message: Cow<'static, str>,
}

/// What the inside of a call returns.
pub(crate) type Outcome = Result<(), Failure>;

impl Failure {
    pub(crate) fn new(code: btz_status, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into() }
    }

    /// A required pointer is NULL.
    pub(crate) fn null(what: &'static str) -> Self {
        Self::new(BTZ_ERR_NULL, what)
    }

    pub(crate) fn argument(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(BTZ_ERR_ARGUMENT, message)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(BTZ_ERR_CONFIG, error.to_string())
    }
}

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        let code = match &error {
            BuildError::Memory(_) => BTZ_ERR_MEMORY,
            BuildError::Descriptor(_) => BTZ_ERR_SYSTEM,
            BuildError::Rule(_) => BTZ_ERR_CONFIG,
        };
        Self::new(code, error.to_string())
    }
}

impl From<RunnerError> for Failure {
    fn from(error: RunnerError) -> Self {
        let (code, message): (_, Cow<'static, str>) = match &error {
            // Static: btz_agent_step() must not allocate, not even to be refused.
            RunnerError::Running => {
                (BTZ_ERR_STATE, "the agent runs on threads of its own; stop it first".into())
            }
            RunnerError::Busy => (BTZ_ERR_BUSY, "another thread is in this call".into()),
            RunnerError::Faulted => {
                (BTZ_ERR_FAULTED, "the agent has failed; only btz_agent_free() works".into())
            }
            RunnerError::Forked => (BTZ_ERR_FORKED, "the agent belongs to the parent process".into()),
            RunnerError::Timeout => {
                (BTZ_ERR_TIMEOUT, "the agent's threads did not end in time; call again".into())
            }
            RunnerError::Thread(_) => (BTZ_ERR_SYSTEM, error.to_string().into()),
            RunnerError::NeedsRestart(_) => (BTZ_ERR_RESTART, error.to_string().into()),
            RunnerError::Rule(_) => (BTZ_ERR_CONFIG, error.to_string().into()),
        };
        Self { code, message }
    }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        let code = match &error {
            LedgerError::Disk { .. } => BTZ_ERR_DISK,
            LedgerError::Damaged { .. } => BTZ_ERR_DAMAGED,
            LedgerError::Full => BTZ_ERR_FULL,
            LedgerError::Record(_) | LedgerError::Key(_) => BTZ_ERR_ARGUMENT,
            LedgerError::Locked => BTZ_ERR_LOCKED,
            LedgerError::Stopped => BTZ_ERR_STATE,
        };
        Self::new(code, error.to_string())
    }
}
