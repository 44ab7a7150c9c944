//! Frames become alerts: thresholds, rates, absence and baselines, declared as data.

mod rule;

pub use rule::{Direction, GuardConfig, Missing, Of, RuleConfig, RuleError, RuleInfo, RuleKind};

use crate::alerts::AlertSink;
use crate::config::Config;
use crate::engine::Roster;
use crate::sampling::frame::{Frame, Tick};

/// All rules, compiled, with the state of every series they watch. Memory is decided when it is built.
pub struct Detector {}

/// Everything that is wrong with the configured rules.
#[must_use]
pub fn mistakes(config: &Config) -> Vec<RuleError> {
    config
        .rules
        .iter()
        .filter(|rule| rule.name.is_empty())
        .map(|rule| RuleError {
            rule: rule.name.clone(),
            key: Some("name"),
            off: false,
            message: "has no name".to_owned(),
        })
        .collect()
}

impl Detector {
    /// Compiles the shipped rules and the configured ones.
    ///
    /// # Errors
    /// When a rule makes no sense: names the rule and the cure.
    pub fn build(_config: &Config) -> Result<Self, RuleError> {
        Ok(Self {})
    }

    /// Looks at a frame and pushes what it finds. Allocates nothing.
    pub fn evaluate(&mut self, _tick: Tick, _frame: &Frame, _roster: &Roster, _sink: &mut AlertSink) {}
}
