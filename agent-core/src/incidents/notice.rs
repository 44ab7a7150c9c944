//! What is told of an incident: whole in itself, so that whoever receives it needs nothing else.

use super::evidence::Evidence;
use super::signal::{Resource, Source};
use super::state::{Closure, State};
use crate::alerts::Severity;
use crate::checks::report::json::rfc3339;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Conditions that a notice names; of the others it tells how many there are.
pub const MEMBERS_MAX: usize = 16;

/// One thing that happened to an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[repr(u16)]
pub enum What {
    /// It was opened.
    Opened = 1,
    /// A condition joined, got worse, ended while others hold, or was lost in a restart.
    Changed = 1 << 1,
    /// A condition comes and goes; what it does is no longer told.
    Flapping = 1 << 2,
    /// None of its conditions holds any more.
    Over = 1 << 3,
    /// One holds again.
    Again = 1 << 4,
    /// Somebody took it on.
    Acknowledged = 1 << 5,
    /// It no longer spreads.
    Contained = 1 << 6,
    /// What it hurt is well.
    Recovered = 1 << 7,
    /// It was closed.
    Closed = 1 << 8,
    /// It was opened again.
    Reopened = 1 << 9,
}

impl What {
    /// Everything there is.
    pub const ALL: [Self; 10] = [
        Self::Opened,
        Self::Changed,
        Self::Flapping,
        Self::Over,
        Self::Again,
        Self::Acknowledged,
        Self::Contained,
        Self::Recovered,
        Self::Closed,
        Self::Reopened,
    ];

    /// The lower-case word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Changed => "changed",
            Self::Flapping => "flapping",
            Self::Over => "over",
            Self::Again => "again",
            Self::Acknowledged => "acknowledged",
            Self::Contained => "contained",
            Self::Recovered => "recovered",
            Self::Closed => "closed",
            Self::Reopened => "reopened",
        }
    }
}

/// Several things that happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes(pub(super) u16);

impl Changes {
    /// Whether something is among them.
    #[must_use]
    pub const fn has(self, what: What) -> bool {
        self.0 & what as u16 != 0
    }

    /// All of them.
    pub fn all(self) -> impl Iterator<Item = What> {
        What::ALL.into_iter().filter(move |what| self.has(*what))
    }

    pub(super) fn add(&mut self, what: What) {
        self.0 |= what as u16;
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// One condition of an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The rule or the check.
    pub detector: String,
    /// The VM's name, or `host`.
    pub subject: String,
    /// The part of it.
    pub part: String,
    /// Whether it holds.
    pub is_firing: bool,
    /// Whether it comes and goes.
    pub is_flapping: bool,
    /// How bad it is.
    pub severity: Severity,
    /// Signals about it.
    pub count: u64,
    /// When it was first noticed, in nanoseconds since the epoch.
    pub first_ns: i64,
    /// When it was last noticed.
    pub last_ns: i64,
    /// What was last said of it.
    pub message: String,
}

/// An incident at one instant, and what brought it there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The incident's number.
    pub incident: u64,
    /// Counts the notices of this incident, from 1.
    pub number: u32,
    /// When, in nanoseconds since the epoch.
    pub at_ns: i64,
    /// What happened since the notice before.
    pub changes: Changes,
    /// Where it stands.
    pub state: State,
    /// How bad it is, or was at its worst.
    pub severity: Severity,
    /// Which stage noticed it.
    pub source: Source,
    /// The rule or check that noticed it first.
    pub detector: String,
    /// What it is about.
    pub resource: Resource,
    /// The cause its conditions share.
    pub cause: String,
    /// When it was opened.
    pub opened_ns: i64,
    /// When it came into its state.
    pub state_since_ns: i64,
    /// When the last of its conditions ended; `None` while one holds.
    pub over_ns: Option<i64>,
    /// Signals about it.
    pub count: u64,
    /// How often it was opened again.
    pub reopened: u32,
    /// Its conditions, those that hold first.
    pub members: Vec<Member>,
    /// How many more there are.
    pub members_left_out: u32,
    /// One sentence for people.
    pub message: String,
    /// Who changed its state last; empty when nobody did.
    pub by: String,
    /// What they said.
    pub note: String,
    /// What was written down when it was closed.
    pub closure: Option<Closure>,
    /// What was attached when it opened; only in the first notice, and where it is asked for.
    pub evidence: Vec<Evidence>,
}

impl Notice {
    /// Whether one of its conditions holds.
    #[must_use]
    pub fn is_firing(&self) -> bool {
        self.over_ns.is_none()
    }

    /// As JSON: times are RFC 3339 in UTC, a value that was not available is `null`.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "incident": self.incident,
            "number": self.number,
            "time": rfc3339(self.at_ns),
            "changes": self.changes.all().map(What::name).collect::<Vec<_>>(),
            "state": self.state.name(),
            "state_since": rfc3339(self.state_since_ns),
            "firing": self.is_firing(),
            "severity": self.severity.name(),
            "source": self.source.name(),
            "detector": self.detector,
            "resource": {
                "kind": if self.resource.is_host() { "host" } else { "vm" },
                "id": self.resource.vm,
                "name": self.resource.shown(),
                "tenant": self.resource.tenant,
            },
            "cause": self.cause,
            "opened": rfc3339(self.opened_ns),
            "over": self.over_ns.map(rfc3339),
            "count": self.count,
            "reopened": self.reopened,
            "message": self.message,
            "by": self.by,
            "note": self.note,
            "closure": self.closure.as_ref().map(|closure| json!({
                "verdict": closure.verdict.name(),
                "root_cause": closure.root_cause,
                "response": closure.response,
                "outcome": closure.outcome,
            })),
            "conditions": self.members.iter().map(Member::json).collect::<Vec<_>>(),
            "conditions_left_out": self.members_left_out,
            "evidence": self.evidence.iter().map(Evidence::json).collect::<Vec<_>>(),
        })
    }
}

impl Member {
    fn json(&self) -> Value {
        json!({
            "detector": self.detector,
            "subject": self.subject,
            "part": self.part,
            "firing": self.is_firing,
            "flapping": self.is_flapping,
            "severity": self.severity.name(),
            "count": self.count,
            "first": rfc3339(self.first_ns),
            "last": rfc3339(self.last_ns),
            "message": self.message,
        })
    }
}

impl Evidence {
    /// As JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "name": self.name,
            "source": self.source,
            "text": self.text,
            "points": self.points.iter().map(|point| json!([rfc3339(point.at_ns), point.ok()])).collect::<Vec<_>>(),
            "cut": self.cut,
        })
    }
}
