//! What a rule looks like in TOML.

use crate::alerts::Severity;
use serde::{Deserialize, Serialize};

/// One rule of detection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleConfig {
    /// Its name, unique among all rules: lower case and dashes.
    pub name: String,
    /// The metric it looks at, such as `vm_state`.
    pub metric: String,
    /// How bad it is when it fires.
    #[serde(default)]
    pub severity: Severity,
}

/// A rule that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError {
    /// The rule's name.
    pub rule: String,
    /// What is wrong, and the cure.
    pub message: String,
}

impl std::fmt::Display for RuleError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "rule {:?}: {}", self.rule, self.message)
    }
}

impl std::error::Error for RuleError {}
