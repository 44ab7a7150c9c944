//! One incident, as it is kept.

use super::evidence::Evidence;
use super::keys::{Key, Keys};
use super::notice::{Changes, MEMBERS_MAX, Member, Notice};
use super::signal::{Resource, Source};
use super::state::{Closure, State};
use crate::alerts::Severity;
use serde::{Deserialize, Serialize};

/// One incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Its number, from 1.
    pub id: u64,
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
    /// When it was opened, in nanoseconds since the epoch.
    pub opened_ns: i64,
    /// When it came into its state.
    pub state_since_ns: i64,
    /// When the last of its conditions ended; `None` while one holds.
    pub over_ns: Option<i64>,
    /// Signals about it.
    pub count: u64,
    /// How often it was opened again.
    pub reopened: u32,
    /// What was last said about it.
    pub message: String,
    /// Who changed its state last.
    pub by: String,
    /// What they said.
    pub note: String,
    /// What was written down when it was closed.
    pub closure: Option<Closure>,
    /// What was attached when it opened.
    pub evidence: Vec<Evidence>,
    /// Notices that were made of it.
    pub told: u32,
    /// What is gathered is told at this time.
    pub(super) due_ns: Option<i64>,
    /// What is gathered.
    pub(super) changes: Changes,
    /// Signals that are told with it.
    pub(super) pending: u64,
    /// Its keys, in the order they joined.
    pub(super) members: Vec<u32>,
    /// Those of them that hold or flap.
    pub(super) active: u32,
    /// What conditions of one incident share, as text.
    pub(super) group: String,
}

impl Incident {
    pub(super) fn notice(&self, keys: &Keys, at_ns: i64, changes: Changes, with_evidence: bool) -> Notice {
        let mut members: Vec<&Key> = self.members.iter().filter_map(|slot| keys.get(*slot)).collect();
        members.sort_by_key(|key| (!key.is_active(), std::cmp::Reverse(key.severity)));
        let left_out = members.len().saturating_sub(MEMBERS_MAX);
        members.truncate(MEMBERS_MAX);
        Notice {
            incident: self.id,
            number: self.told + 1,
            at_ns,
            changes,
            state: self.state,
            severity: self.severity,
            source: self.source,
            detector: self.detector.clone(),
            resource: self.resource.clone(),
            cause: self.cause.clone(),
            opened_ns: self.opened_ns,
            state_since_ns: self.state_since_ns,
            over_ns: self.over_ns,
            count: self.count,
            reopened: self.reopened,
            members: members.into_iter().map(member).collect(),
            members_left_out: u32::try_from(left_out).unwrap_or(u32::MAX),
            message: self.message.clone(),
            by: self.by.clone(),
            note: self.note.clone(),
            closure: self.closure.clone(),
            evidence: if with_evidence { self.evidence.clone() } else { Vec::new() },
        }
    }
}

fn member(key: &Key) -> Member {
    Member {
        detector: key.condition.detector.clone(),
        subject: key.condition.resource.shown().to_owned(),
        part: key.condition.part.clone(),
        is_firing: key.is_firing,
        is_flapping: key.is_flapping,
        severity: key.severity,
        count: key.count,
        first_ns: key.first_ns,
        last_ns: key.last_ns,
        message: key.message.clone(),
    }
}
