//! Signals become incidents: one for what belongs together, told when it should be, and none lost.
//!
//! ```text
//! Alert ─┐          key known?  held back?   room?      gather
//!        ├─▶ Signal ──────────▶ ─────────▶ ─────▶ Incident ─────▶ Notice ─▶ delivery
//! Change ┘              │            │        │        ▲
//!                  deduplicated  suppressed dropped    └─ ack, contain, recover, close, reopen
//! ```
//!
//! # A fold over records
//! Every decision is an [`Event`]: it is handed to [`Outside::record`] first, and changes the state only when that has
//! taken it. So the state is a function of what was recorded, and [`Incidents::replay`] of the same records gives the
//! same state, bit for bit, whenever the agent was stopped. Nothing here reads a clock, a file or a random number.
//!
//! # Accounts
//! `produced = delivered + suppressed + dropped + in flight`, always: see [`Accounts`]. What is gathered for the next
//! notice is in flight.
//!
//! # Memory
//! Bounded by [`Policy`]: keys, incidents, silences, tenants and evidence have capacities, texts have lengths.

mod accounts;
mod damping;
mod delivery;
mod event;
mod evidence;
mod fold;
pub mod fuzzing;
mod incident;
mod judge;
mod keys;
mod notice;
pub mod ocsf;
mod participant;
mod policy;
mod signal;
mod state;

pub use accounts::{Accounts, Hold, Suppressed};
pub use delivery::Delivery;
pub use event::{Event, KeyRef, Seen, Silence, VERSION};
pub use evidence::{Evidence, Point};
pub use incident::Incident;
pub use judge::NewSilence;
pub use notice::{Changes, MEMBERS_MAX, Member, Notice, What};
pub use participant::Returning;
pub use policy::{GroupBy, INHIBITIONS_MAX, Inhibition, Matcher, Policy};
pub use signal::{Condition, MESSAGE_BYTES_MAX, NAME_BYTES_MAX, Resource, Signal, Source};
pub use state::{Closure, Refused, State, Step, Verdict};

use damping::Bucket;
use keys::{Keys, SavedKeys};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Bytes of what somebody says about an incident; what is longer is cut.
pub const NOTE_BYTES_MAX: usize = 1_024;
/// A silence lasts at most this long: 366 days.
pub const SILENCE_NS_MAX: i64 = 366 * 86_400 * 1_000_000_000;

/// What is asked of the world outside.
pub trait Outside {
    /// Appends a payload to the trail, in a tenant's log (empty: the host's).
    ///
    /// # Errors
    /// In words, when it was not taken: then what it tells of has not happened.
    fn record(&mut self, tenant: &str, payload: &[u8]) -> Result<(), String>;

    /// What can be attached to an incident about a condition, the most telling first.
    fn evidence(&mut self, condition: &Condition) -> Vec<Evidence>;
}

/// Why records cannot be replayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corrupt {
    /// What does not fit.
    pub what: String,
}

impl std::fmt::Display for Corrupt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the records of incidents do not follow from each other: {}", self.what)
    }
}

impl std::error::Error for Corrupt {}

/// All incidents of a host. See the module's documentation.
#[derive(Clone, Debug, Default)]
pub struct Incidents {
    policy: Policy,
    /// Counts the runs.
    epoch: u32,
    /// When the last event was.
    now_ns: i64,
    next_incident: u64,
    next_silence: u64,
    keys: Keys,
    by_id: BTreeMap<u64, Box<Incident>>,
    /// Those with news, by the time at which they are told.
    due: BTreeSet<(i64, u64)>,
    /// The incident that is not closed of each group.
    groups: HashMap<String, u64>,
    silences: BTreeMap<u64, Silence>,
    buckets: BTreeMap<String, Bucket>,
    accounts: Accounts,
    /// Signals that could not be recorded, and are not in the accounts yet. Not part of the state.
    unrecorded: u64,
    /// When it was last looked for incidents that nobody took on. Not part of the state.
    looked_ns: i64,
    /// Memory for one key and one payload. Not part of the state.
    scratch: (String, Vec<u8>),
}

/// What is saved of the state; the rest follows from that.
#[derive(Serialize, Deserialize)]
struct Saved {
    policy: Policy,
    epoch: u32,
    now_ns: i64,
    next_incident: u64,
    next_silence: u64,
    keys: SavedKeys,
    incidents: Vec<Incident>,
    silences: Vec<Silence>,
    buckets: BTreeMap<String, Bucket>,
    accounts: Accounts,
}

impl Incidents {
    /// No incident yet. [`Incidents::begin`] comes first, or a replay.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes what a record of kind [`Kind::INCIDENT`](crate::ledger::Kind::INCIDENT) says into the state, and hands it
    /// back: for those who keep what is to be told.
    ///
    /// # Errors
    /// When it does not follow from the records before it; the state is as it was.
    pub fn replay(&mut self, payload: &[u8]) -> Result<Event, Corrupt> {
        let event = Event::decode(payload).map_err(|what| Corrupt { what })?;
        self.apply(event.clone())?;
        Ok(event)
    }

    /// The whole state as bytes: equal states have equal bytes. At most 4 MiB; see [`Incidents::restore`].
    ///
    /// # Errors
    /// In words, when it has more.
    pub fn snapshot(&self) -> Result<Vec<u8>, String> {
        let saved = Saved {
            policy: self.policy.clone(),
            epoch: self.epoch,
            now_ns: self.now_ns,
            next_incident: self.next_incident,
            next_silence: self.next_silence,
            keys: self.keys.saved(),
            incidents: self.by_id.values().map(|incident| (**incident).clone()).collect(),
            silences: self.silences.values().cloned().collect(),
            buckets: self.buckets.clone(),
            accounts: self.accounts,
        };
        crate::codec::encode(&saved)
    }

    /// The state that a snapshot was taken of.
    ///
    /// # Errors
    /// When the bytes are not of one.
    pub fn restore(bytes: &[u8]) -> Result<Self, Corrupt> {
        let saved: Saved = crate::codec::decode(bytes).map_err(|what| Corrupt { what })?;
        let incidents: BTreeMap<u64, Box<Incident>> =
            saved.incidents.into_iter().map(|incident| (incident.id, Box::new(incident))).collect();
        let keys = Keys::restored(saved.keys, &saved.policy);
        let dangling = incidents.values().flat_map(|one| &one.members).any(|slot| keys.get(*slot).is_none());
        let active = |incident: &Incident| {
            incident.members.iter().filter(|slot| keys.get(**slot).is_some_and(keys::Key::is_active)).count()
        };
        if !dangling && incidents.values().any(|one| active(one) != one.active as usize)
            || !saved.accounts.balances()
        {
            return Err(Corrupt { what: "the counts of a snapshot are not those of what it has".to_owned() });
        }
        if dangling || keys.iter().any(|(_, key)| key.incident != 0 && !incidents.contains_key(&key.incident))
        {
            return Err(Corrupt { what: "a snapshot points at what it does not have".to_owned() });
        }
        let open = incidents.values().filter(|incident| incident.state != State::Closed);
        Ok(Self {
            groups: open.map(|incident| (incident.group.clone(), incident.id)).collect(),
            policy: saved.policy,
            epoch: saved.epoch,
            now_ns: saved.now_ns,
            next_incident: saved.next_incident,
            next_silence: saved.next_silence,
            keys,
            due: incidents.values().filter_map(|one| Some((one.due_ns?, one.id))).collect(),
            by_id: incidents,
            silences: saved.silences.into_iter().map(|silence| (silence.id, silence)).collect(),
            buckets: saved.buckets,
            accounts: saved.accounts,
            unrecorded: 0,
            looked_ns: 0,
            scratch: Default::default(),
        })
    }

    /// The policy in force.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// What became of every signal.
    #[must_use]
    pub fn accounts(&self) -> Accounts {
        let lost = self.unrecorded;
        Accounts {
            produced: self.accounts.produced + lost,
            dropped: self.accounts.dropped + lost,
            ..self.accounts
        }
    }

    /// Every incident in memory, the oldest first.
    #[must_use]
    pub fn all(&self) -> impl DoubleEndedIterator<Item = &Incident> {
        self.by_id.values().map(Box::as_ref)
    }

    /// An incident.
    #[must_use]
    pub fn get(&self, id: u64) -> Option<&Incident> {
        self.by_id.get(&id).map(Box::as_ref)
    }

    /// An incident as it is now, with its conditions and its evidence; its number is that of the next notice.
    #[must_use]
    pub fn view(&self, id: u64) -> Option<Notice> {
        let incident = self.by_id.get(&id)?;
        Some(incident.notice(&self.keys, self.now_ns, incident.changes, true))
    }

    /// The silences in force, the oldest first.
    pub fn silences(&self) -> impl Iterator<Item = &Silence> {
        self.silences.values()
    }

    /// Keys that are remembered.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.keys.len()
    }
}

#[cfg(test)]
mod tests;
