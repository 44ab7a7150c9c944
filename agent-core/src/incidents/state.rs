//! The states of an incident, and which way leads where.
//!
//! ```text
//!          acknowledge        contain          recover          close
//!   open ─────────────▶ acknowledged ──────▶ contained ──────▶ recovered ──────▶ closed
//!    ▲                       │                  │                 │                │
//!    └───────────────────────┴──────────────────┴─────────────────┴────────────────┘
//!                                     reopen, with a reason
//! ```
//! Nothing is skipped. Whoever closes says what it was, why it came, what was done and what came of it.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Where an incident stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum State {
    /// Nobody has taken it on.
    #[default]
    Open = 1,
    /// Somebody has.
    Acknowledged = 2,
    /// It does not spread or get worse.
    Contained = 3,
    /// What it hurt is as it should be.
    Recovered = 4,
    /// It is over, and what it teaches is written down.
    Closed = 5,
}

impl State {
    /// Every state, in order.
    pub const ALL: [Self; 5] =
        [Self::Open, Self::Acknowledged, Self::Contained, Self::Recovered, Self::Closed];

    /// The lower-case word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Contained => "contained",
            Self::Recovered => "recovered",
            Self::Closed => "closed",
        }
    }

    /// The state that comes next.
    #[must_use]
    pub const fn next(self) -> Option<Self> {
        match self {
            Self::Open => Some(Self::Acknowledged),
            Self::Acknowledged => Some(Self::Contained),
            Self::Contained => Some(Self::Recovered),
            Self::Recovered => Some(Self::Closed),
            Self::Closed => None,
        }
    }

    /// The command that leads into it.
    const fn verb(self) -> &'static str {
        match self {
            Self::Open => "reopen",
            Self::Acknowledged => "ack",
            Self::Contained => "contain",
            Self::Recovered => "recover",
            Self::Closed => "close",
        }
    }
}

/// What an incident was, in OCSF's words (`verdict_id`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Verdict {
    /// There was nothing.
    FalsePositive = 1,
    /// It was what it seemed.
    TruePositive = 2,
    /// Not worth looking at.
    Disregard = 3,
    /// It could not be told for sure, and looks bad.
    Suspicious = 4,
    /// It was there, and does no harm.
    Benign = 5,
    /// Somebody tried something out.
    Test = 6,
    /// Too little is known.
    InsufficientData = 7,
    /// A weakness that nobody used.
    SecurityRisk = 8,
    /// Somebody else takes care of it.
    ManagedExternally = 9,
    /// Another incident tells of the same.
    Duplicate = 10,
}

impl Verdict {
    /// Every verdict.
    pub const ALL: [Self; 10] = [
        Self::FalsePositive,
        Self::TruePositive,
        Self::Disregard,
        Self::Suspicious,
        Self::Benign,
        Self::Test,
        Self::InsufficientData,
        Self::SecurityRisk,
        Self::ManagedExternally,
        Self::Duplicate,
    ];

    /// The lower-case word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FalsePositive => "false-positive",
            Self::TruePositive => "true-positive",
            Self::Disregard => "disregard",
            Self::Suspicious => "suspicious",
            Self::Benign => "benign",
            Self::Test => "test",
            Self::InsufficientData => "insufficient-data",
            Self::SecurityRisk => "security-risk",
            Self::ManagedExternally => "managed-externally",
            Self::Duplicate => "duplicate",
        }
    }

    /// The verdict of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.name() == name)
    }
}

/// What is written down when an incident is closed. None of the texts is empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closure {
    /// What it was.
    pub verdict: Verdict,
    /// Why it came.
    pub root_cause: String,
    /// What was done.
    pub response: String,
    /// What came of it.
    pub outcome: String,
}

/// What somebody wants to be done with an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Takes it on.
    Acknowledge,
    /// It no longer spreads; says what was done.
    Contain,
    /// What it hurt is well again; says how that is known.
    Recover,
    /// It is over.
    Close(Closure),
    /// It is not.
    Reopen,
}

impl Step {
    /// The state it leads to.
    #[must_use]
    pub const fn to(&self) -> State {
        match self {
            Self::Acknowledge => State::Acknowledged,
            Self::Contain => State::Contained,
            Self::Recover => State::Recovered,
            Self::Close(_) => State::Closed,
            Self::Reopen => State::Open,
        }
    }

    /// Whether it may be taken from a state, by somebody, with a note.
    ///
    /// # Errors
    /// Why it may not.
    pub fn check(&self, from: State, by: &str, note: &str) -> Result<(), Refused> {
        if by.trim().is_empty() {
            return Err(Refused::Missing("who does it"));
        }
        match self {
            Self::Reopen if from == State::Open => return Err(Refused::AlreadyOpen),
            Self::Reopen if note.trim().is_empty() => return Err(Refused::Missing("the reason")),
            Self::Reopen => return Ok(()),
            _ if from.next() != Some(self.to()) => return Err(Refused::Order { from, to: self.to() }),
            Self::Contain if note.trim().is_empty() => {
                return Err(Refused::Missing("what was done to contain it"));
            }
            Self::Recover if note.trim().is_empty() => {
                return Err(Refused::Missing("how it is known to have recovered"));
            }
            Self::Acknowledge | Self::Contain | Self::Recover => {}
            Self::Close(closure) => {
                let texts = [
                    (&closure.root_cause, "the root cause"),
                    (&closure.response, "the response"),
                    (&closure.outcome, "the outcome"),
                ];
                if let Some((_, what)) = texts.into_iter().find(|(text, _)| text.trim().is_empty()) {
                    return Err(Refused::Missing(what));
                }
            }
        }
        Ok(())
    }
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The way does not lead there.
    Order {
        /// Where it stands.
        from: State,
        /// Where it was to go.
        to: State,
    },
    /// It is open already.
    AlreadyOpen,
    /// Something must be said, and is not.
    Missing(&'static str),
    /// There is no such incident, or it was closed so long ago that only the ledger has it.
    NoIncident(u64),
    /// There is no such silence, or it has ended.
    NoSilence(u64),
    /// Another incident is open for the same.
    Superseded {
        /// The one that is open.
        by: u64,
    },
    /// A silence that is over before it begins, or lasts too long.
    Until(&'static str),
    /// A silence that would silence everything.
    Everything,
    /// There are as many silences as there may be.
    TooMany(u32),
    /// The ledger did not take it: nothing was done.
    NotRecorded(String),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Order { from: State::Closed, .. } => {
                f.write_str("it is closed; reopen it first, with a reason")
            }
            Self::Order { from, to } => {
                let next = from.next().unwrap_or(State::Closed);
                write!(
                    f,
                    "it is {}, and cannot become {} from there; next comes {} ({})",
                    from.name(),
                    to.name(),
                    next.name(),
                    next.verb()
                )
            }
            Self::AlreadyOpen => f.write_str("it is open already"),
            Self::Missing(what) => write!(f, "{what} must be said"),
            Self::NoIncident(id) => {
                write!(
                    f,
                    "there is no incident {id}, or it was closed so long ago that only the ledger still has it"
                )
            }
            Self::NoSilence(id) => write!(f, "there is no silence {id}, or it has ended"),
            Self::Superseded { by } => write!(f, "incident {by} is open for the same; go on there"),
            Self::Until(why) => f.write_str(why),
            Self::Everything => f.write_str(
                "it would silence everything; say at least one of tenant, vm, detector, cause or source",
            ),
            Self::TooMany(max) => write!(f, "there are {max} silences already; end one first"),
            Self::NotRecorded(why) => write!(f, "nothing was done, because it could not be recorded: {why}"),
        }
    }
}

impl std::error::Error for Refused {}

#[cfg(test)]
mod tests {
    use super::*;

    fn closure() -> Closure {
        let text = || "x".to_owned();
        Closure { verdict: Verdict::TruePositive, root_cause: text(), response: text(), outcome: text() }
    }

    #[test]
    fn every_way_is_allowed_or_refused_with_a_reason() {
        let steps = [Step::Acknowledge, Step::Contain, Step::Recover, Step::Close(closure()), Step::Reopen];
        for from in State::ALL {
            for step in &steps {
                let checked = step.check(from, "ops", "note");
                let allowed =
                    if *step == Step::Reopen { from != State::Open } else { from.next() == Some(step.to()) };
                assert_eq!(checked.is_ok(), allowed, "{from:?} {step:?}");
                if let Err(refused) = checked {
                    assert!(refused.to_string().len() > 10, "{refused}");
                }
            }
        }
    }

    #[test]
    fn what_must_be_said_must_be_said() {
        for (index, what) in ["root cause", "response", "outcome"].into_iter().enumerate() {
            let mut closure = closure();
            *[&mut closure.root_cause, &mut closure.response, &mut closure.outcome][index] = " ".to_owned();
            let refused = Step::Close(closure).check(State::Recovered, "ops", "").unwrap_err();
            assert!(refused.to_string().contains(what), "{refused}");
        }
        assert!(Step::Acknowledge.check(State::Open, " ", "").is_err());
        assert!(Step::Contain.check(State::Acknowledged, "ops", "").is_err());
        assert!(Step::Recover.check(State::Contained, "ops", "").is_err());
        assert!(Step::Reopen.check(State::Closed, "ops", " ").is_err());
        assert!(
            Step::Contain
                .check(State::Open, "ops", "x")
                .unwrap_err()
                .to_string()
                .contains("acknowledged (ack)")
        );
    }
}
