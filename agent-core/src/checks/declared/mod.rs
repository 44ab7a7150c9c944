//! Rules as they are declared: who is looked at, what is expected, why it matters and how it is put right.

mod comparison;
pub mod condition;
pub mod rule;
pub mod rule_file;
pub mod truth;

pub use comparison::{Comparison, Operand};
pub use condition::Condition;
pub use rule::{Rule, Scope, Severity};
pub use rule_file::{Problem, RuleSet};
pub use truth::Truth;
