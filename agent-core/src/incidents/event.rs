//! What is recorded: one payload for each decision. The state is a fold over these and over nothing else.
//!
//! ```text
//! payload  ┌───────────┬──────────────────┬─────────────────────────────────┐
//!          │ version 1 │ event number u32 │ its fields, in their order      │   little endian, see `codec`
//!          └───────────┴──────────────────┴─────────────────────────────────┘
//! ```
//! They are records of kind [`Kind::INCIDENT`](crate::ledger::Kind::INCIDENT) in the log of the tenant they are about.
//! Numbers of events are never used again: a new event goes behind the last.

use super::accounts::Hold;
use super::evidence::Evidence;
use super::notice::Notice;
use super::policy::{Matcher, Policy};
use super::signal::Condition;
use super::state::{Closure, State};
use crate::alerts::Severity;
use crate::codec;
use serde::{Deserialize, Serialize};

/// The version of payloads.
pub const VERSION: u8 = 1;

/// The number of [`Event::Told`].
const TOLD: u8 = 11;

/// One decision. Times are `CLOCK_REALTIME` nanoseconds since the epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// A run began, with its policy. What held before is in doubt until it is seen again.
    Began {
        /// When.
        at_ns: i64,
        /// What was known before is not: the records before it are gone or damaged. Incidents are numbered from behind
        /// this on.
        afresh_from: Option<u64>,
        /// How signals are judged from here on.
        policy: Box<Policy>,
    },
    /// A condition that holds opened an incident.
    Opened {
        /// When.
        at_ns: i64,
        /// Which key.
        key: KeyRef,
        /// The new incident's number.
        incident: u64,
        /// What was noticed.
        seen: Box<Seen>,
        /// What is attached.
        evidence: Vec<Evidence>,
    },
    /// A condition that holds joined an incident, or came again.
    Joined {
        /// When.
        at_ns: i64,
        /// Which key.
        key: KeyRef,
        /// The incident.
        incident: u64,
        /// What was noticed.
        seen: Box<Seen>,
        /// What is attached when the incident had nothing like it.
        evidence: Vec<Evidence>,
    },
    /// A condition got worse.
    Raised {
        /// When.
        at_ns: i64,
        /// Which key.
        key: u32,
        /// What was noticed.
        seen: Box<Seen>,
    },
    /// A condition ended.
    Ended {
        /// When.
        at_ns: i64,
        /// Which key.
        key: u32,
        /// Nobody saw its end: it was not seen again after a restart.
        is_unseen: bool,
        /// One sentence for people.
        message: String,
    },
    /// A signal said what was known: deduplicated.
    Repeated {
        /// When.
        at_ns: i64,
        /// Which key.
        key: u32,
    },
    /// The end of something that was not known: deduplicated.
    Stray {
        /// When.
        at_ns: i64,
    },
    /// A signal was held back.
    Held {
        /// When.
        at_ns: i64,
        /// Which key.
        key: KeyRef,
        /// Whether the condition holds or is over.
        is_firing: bool,
        /// Why.
        why: Hold,
        /// What was noticed.
        seen: Box<Seen>,
    },
    /// There was no room for a signal.
    Dropped {
        /// When.
        at_ns: i64,
    },
    /// Signals before this could not be recorded, and are lost.
    Lost {
        /// When.
        at_ns: i64,
        /// How many.
        count: u64,
    },
    /// A condition that came and went is calm again.
    Calmed {
        /// When.
        at_ns: i64,
        /// Which key.
        key: u32,
    },
    /// What was gathered about an incident is told.
    Told {
        /// What is told.
        notice: Box<Notice>,
    },
    /// What was gathered about an incident is not told: it was inhibited, and is over.
    Absorbed {
        /// When.
        at_ns: i64,
        /// The incident.
        incident: u64,
    },
    /// Somebody changed an incident's state.
    Moved {
        /// When.
        at_ns: i64,
        /// The incident.
        incident: u64,
        /// Its new state.
        to: State,
        /// Who.
        by: String,
        /// What they said.
        note: String,
        /// What was written down on closing.
        closure: Option<Box<Closure>>,
    },
    /// Somebody silenced something.
    Silenced {
        /// When.
        at_ns: i64,
        /// The silence.
        silence: Box<Silence>,
    },
    /// A silence ended.
    Unsilenced {
        /// When.
        at_ns: i64,
        /// Its number.
        silence: u64,
        /// Who ended it; empty when its time came.
        by: String,
    },
    /// The clock was set back: what was to come later comes as much later as before.
    ClockSetBack {
        /// The time it shows now.
        at_ns: i64,
    },
    /// Another policy holds from here on.
    Adopted {
        /// When.
        at_ns: i64,
        /// How signals are judged from here on.
        policy: Box<Policy>,
    },
}

/// A key: its place in the table, and what it stands for when it is new.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRef {
    /// The place.
    pub slot: u32,
    /// What it stands for from here on; `None` when that is known.
    pub new: Option<Box<Condition>>,
}

/// What was noticed of a condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// How bad it is.
    pub severity: Severity,
    /// One sentence for people.
    pub message: String,
    /// It was held back before, and is let go now.
    pub is_released: bool,
}

/// Conditions that begin while it holds are held back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// Its number, from 1.
    pub id: u64,
    /// Which conditions.
    pub matcher: Matcher,
    /// When it began.
    pub added_ns: i64,
    /// When it ends.
    pub until_ns: i64,
    /// Who silenced.
    pub by: String,
    /// Why.
    pub reason: String,
}

impl Event {
    /// When it happened.
    #[must_use]
    pub fn at_ns(&self) -> i64 {
        match self {
            Self::Told { notice } => notice.at_ns,
            Self::Began { at_ns, .. }
            | Self::Opened { at_ns, .. }
            | Self::Joined { at_ns, .. }
            | Self::Raised { at_ns, .. }
            | Self::Ended { at_ns, .. }
            | Self::Repeated { at_ns, .. }
            | Self::Stray { at_ns }
            | Self::Held { at_ns, .. }
            | Self::Dropped { at_ns }
            | Self::Lost { at_ns, .. }
            | Self::Calmed { at_ns, .. }
            | Self::Absorbed { at_ns, .. }
            | Self::Moved { at_ns, .. }
            | Self::Silenced { at_ns, .. }
            | Self::Unsilenced { at_ns, .. }
            | Self::Adopted { at_ns, .. }
            | Self::ClockSetBack { at_ns } => *at_ns,
        }
    }

    /// The notice in a record's payload, if it is one that tells: nothing else is decoded.
    #[must_use]
    pub fn notice(payload: &[u8]) -> Option<Notice> {
        if payload.get(..5) != Some(&[VERSION, TOLD, 0, 0, 0]) {
            return None;
        }
        match Self::decode(payload) {
            Ok(Self::Told { notice }) => Some(*notice),
            _ => None,
        }
    }

    /// The payload of its record, in place of what was in `out`.
    pub(super) fn encode(&self, out: &mut Vec<u8>) -> Result<(), String> {
        out.clear();
        out.push(VERSION);
        codec::encode_behind(self, out)
    }

    /// The event in a record's payload.
    ///
    /// # Errors
    /// In words, when it is none of this version.
    pub fn decode(payload: &[u8]) -> Result<Self, String> {
        match payload.split_first() {
            Some((&VERSION, rest)) => codec::decode(rest),
            Some((version, _)) => Err(format!("version {version} is not known here; {VERSION} is")),
            None => Err("it is empty".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The payload of the first notice there is.
    fn incidents_told(incidents: &mut crate::incidents::Incidents, told: &mut Vec<u8>) {
        use crate::incidents::{Outside, Resource, Signal, Source};
        struct Last<'a>(&'a mut Vec<u8>);
        impl Outside for Last<'_> {
            fn record(&mut self, _: &str, payload: &[u8]) -> Result<(), String> {
                self.0.clear();
                self.0.extend_from_slice(payload);
                Ok(())
            }
            fn evidence(&mut self, _: &Condition) -> Vec<Evidence> {
                Vec::new()
            }
        }
        let condition = Condition {
            source: Source::Alert,
            detector: "d".into(),
            resource: Resource::default(),
            part: String::new(),
            cause: String::new(),
        };
        let signal = Signal::new(condition, true, Severity::Critical, "m");
        incidents.offer(&signal, 1, &mut Last(told));
        incidents.tick(1, &mut Last(told));
    }

    /// If this fails, ledgers of released versions can no longer be read: raise [`VERSION`] instead.
    #[test]
    fn the_bytes_of_payloads_never_change() {
        let mut bytes = Vec::new();
        Event::Repeated { at_ns: 1, key: 2 }.encode(&mut bytes).unwrap();
        assert_eq!(bytes, [1, 5, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0]);
        let moved = Event::Moved {
            at_ns: -1,
            incident: 3,
            to: State::Acknowledged,
            by: "o".into(),
            note: String::new(),
            closure: None,
        };
        moved.encode(&mut bytes).unwrap();
        let mut golden = vec![1, 13, 0, 0, 0];
        golden.extend([0xff; 8]);
        golden.extend([3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, b'o']);
        golden.extend([0; 9]);
        assert_eq!(bytes, golden);
        assert_eq!(Event::decode(&bytes), Ok(moved));
        let mut incidents = crate::incidents::Incidents::new();
        let mut bytes_told = Vec::new();
        incidents_told(&mut incidents, &mut bytes_told);
        assert!(Event::notice(&bytes_told).is_some() && Event::notice(&bytes).is_none());
        assert!(Event::decode(&[2, 0]).unwrap_err().contains("version 2"));
        assert!(Event::decode(&[]).is_err());
        bytes.push(0);
        assert!(Event::decode(&bytes).is_err(), "and nothing behind it");
    }
}
