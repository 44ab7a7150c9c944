//! The nine classes of conflict, and the seven rules that resolve them.

use super::claim::{Claim, Part, Token};
use super::party::Party;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What kind of conflict it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Class {
    /// C1: two do the same.
    Duplicate,
    /// C2: one setting, two values; one requires what another forbids; two owners.
    Contradiction,
    /// C3: one destroys what another holds.
    DestroysHeld,
    /// C4: one changes what another needs as it is.
    BrokenPrecondition,
    /// C5: a rule or setting without effect, or with another than it seems to have, because of others before it.
    Shadowed,
    /// C6: something is needed that a confinement takes away.
    Starved,
    /// C7: two mechanisms of one kind side by side.
    TwoMechanisms,
    /// C8: one must do what another forbids.
    ObligationForbidden,
    /// C9: two parties change one setting back and forth.
    ControlFight,
}

/// The rules of resolution; the first that decides, decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Rule {
    /// 1: what is held, by law or as evidence, is not destroyed.
    Hold,
    /// 2: the host's own invariants: the agent, its management, the most VMs that may be disrupted at a time.
    Invariant,
    /// 3: isolation: who forbids or isolates goes before who wants.
    Isolation,
    /// 4: authority by scope: the provider's host, the customer's VM within the contract, the partner reads and holds.
    Authority,
    /// 5: the more specific path.
    Specific,
    /// 6: the declared priority.
    Priority,
    /// 7: who was first keeps it; work that is under way is not torn down.
    Incumbent,
}

impl Class {
    /// All classes.
    pub const ALL: [Self; 9] = [
        Self::Duplicate,
        Self::Contradiction,
        Self::DestroysHeld,
        Self::BrokenPrecondition,
        Self::Shadowed,
        Self::Starved,
        Self::TwoMechanisms,
        Self::ObligationForbidden,
        Self::ControlFight,
    ];

    /// `C1` to `C9`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Duplicate => "C1",
            Self::Contradiction => "C2",
            Self::DestroysHeld => "C3",
            Self::BrokenPrecondition => "C4",
            Self::Shadowed => "C5",
            Self::Starved => "C6",
            Self::TwoMechanisms => "C7",
            Self::ObligationForbidden => "C8",
            Self::ControlFight => "C9",
        }
    }

    /// What it is called, in lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Duplicate => "duplicate",
            Self::Contradiction => "contradiction",
            Self::DestroysHeld => "destroys what is held",
            Self::BrokenPrecondition => "broken precondition",
            Self::Shadowed => "shadowed",
            Self::Starved => "starved requirement",
            Self::TwoMechanisms => "two mechanisms of one kind",
            Self::ObligationForbidden => "obligation against prohibition",
            Self::ControlFight => "control fight",
        }
    }
}

impl Rule {
    /// 1 to 7.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Hold => 1,
            Self::Invariant => 2,
            Self::Isolation => 3,
            Self::Authority => 4,
            Self::Specific => 5,
            Self::Priority => 6,
            Self::Incumbent => 7,
        }
    }

    /// The rule in one clause.
    #[must_use]
    pub const fn says(self) -> &'static str {
        match self {
            Self::Hold => "what is held is not destroyed",
            Self::Invariant => "the host's own invariants stand",
            Self::Isolation => "who forbids or isolates goes first",
            Self::Authority => "authority by scope",
            Self::Specific => "the more specific path goes first",
            Self::Priority => "the higher priority goes first",
            Self::Incumbent => "who was first keeps it",
        }
    }
}

impl fmt::Display for Class {
    /// `C2 contradiction`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code(), self.name())
    }
}

impl fmt::Display for Rule {
    /// `rule 7: who was first keeps it`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule {}: {}", self.number(), self.says())
    }
}

/// One side of a conflict.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Side {
    /// Who.
    pub party: Party,
    /// By which means.
    pub mechanism: String,
    /// What it says or does.
    pub says: String,
    /// Its claim, if it has a number.
    pub token: Option<Token>,
}

impl Side {
    pub(super) fn of(claim: &Claim, part: &Part, token: Option<Token>) -> Self {
        Self { party: claim.party.clone(), mechanism: claim.mechanism.clone(), says: part.to_string(), token }
    }
}

/// A conflict that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Its kind.
    pub class: Class,
    /// The resource.
    pub about: String,
    /// The parties, the one that prevails first where one does.
    pub sides: Vec<Side>,
    /// By which rule it is resolved; `None` where no rule can: somebody has to.
    pub rule: Option<Rule>,
    /// What is in conflict and who prevails, in one sentence.
    pub sentence: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_numbers_follow_the_order() {
        let codes: Vec<_> = Class::ALL.iter().map(|class| class.code()).collect();
        assert_eq!(codes, ["C1", "C2", "C3", "C4", "C5", "C6", "C7", "C8", "C9"]);
        assert_eq!(Rule::Incumbent.to_string(), "rule 7: who was first keeps it");
        assert!(Rule::Hold < Rule::Invariant && Rule::Priority < Rule::Incumbent);
    }
}
