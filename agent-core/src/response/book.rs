//! Every response, and how far it has come: a fold over the records it is made of.
//!
//! ```text
//!            ┌────────── refused, declined ───────────────────────────────────┐
//! proposed ──┴▶ asked ──▶ granted ──▶ acting ──▶ holding ──▶ undoing ──▶ ended ◀┘
//!                           (intended, done, failed, doubtful)   (per step, last first)
//! ```
//! Pure: what happened is an [`Entry`] that somebody else has made durable; what is to be done is [`Book::next`].
//! Reading the entries again makes the same book, except that a step which was intended and of which no end is known
//! has become *uncertain*: the host has to be asked before it is touched again.

use super::action::{Action, Target, Undo};
use super::playbook::{Approval, Closing, OnFailure, Otherwise, Step};
use crate::codec;
use crate::ledger::Kind;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Responses that are not ended, at most.
pub const OPEN_MAX: usize = 1_024;
/// Ended ones that are remembered.
const ENDED_MAX: usize = 1_024;
/// How often what is in force is looked at again.
const LOOK_EVERY_NS: i64 = 2_000_000_000;
/// How often taking back is tried before a person is asked.
const UNDO_TRIES_MAX: u32 = 5;
const SECOND_NS: i64 = 1_000_000_000;

/// What happened to a response: the payload of records of kind `action`.
///
/// `id` is the response's number, `step` the place of a step from 0, `why` and `seen` are for a person: a reason, and
/// what was read back from the host. Times are `CLOCK_REALTIME` nanoseconds.
#[expect(missing_docs, reason = "the fields that variants share are told above, once")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entry {
    /// A playbook fits an incident.
    Proposed(Box<Proposal>),
    /// It is not done, and why: a guard rail, another party.
    Refused { id: u64, why: String },
    /// A person is asked.
    Asked { id: u64, until_ns: i64 },
    /// A person answered, or nobody did in time.
    Answered { id: u64, agreed: bool, by: String, why: String },
    /// It may be done.
    Granted { id: u64, why: String, at_ns: i64 },
    /// A step is about to be taken, and would be taken back like this.
    Intended { id: u64, step: u8, undo: Undo },
    /// It was, and this was read back.
    Done { id: u64, step: u8, seen: String, at_ns: i64 },
    /// It was not, and why.
    Failed { id: u64, step: u8, why: String },
    /// It cannot be told whether it was: a person has to look.
    Doubtful { id: u64, step: u8, why: String },
    /// All steps are taken; they stay until then (0 is until a person ends it).
    Held { id: u64, until_ns: i64 },
    /// It is no longer in force, though nobody here has taken it back.
    Lost { id: u64, step: u8, seen: String },
    /// It is no longer in force, and is about to be taken again.
    Reasserted { id: u64, step: u8, seen: String },
    /// It is to be taken back, and who or what says so.
    Ending { id: u64, by: String, why: String },
    /// A step is about to be taken back.
    Undoing { id: u64, step: u8 },
    /// It was; with what was read back. Or was left as somebody else made it meanwhile.
    Undone { id: u64, step: u8, seen: String, left_to_others: bool },
    /// It was not, and why; tried again later.
    UndoFailed { id: u64, step: u8, why: String, at_ns: i64 },
    /// It is over.
    Ended { id: u64, end: End, at_ns: i64 },
}

/// What is proposed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// Its number, from 1.
    pub id: u64,
    /// The incident it answers.
    pub incident: u64,
    /// The playbook.
    pub playbook: String,
    /// The VM.
    pub target: Target,
    /// The steps, as the playbook had them then.
    pub steps: Vec<Step>,
    /// How long the effects last.
    pub lease_s: u32,
    /// Who must agree.
    pub approval: Approval,
    /// What is written down when the incident is over.
    pub closing: Option<Closing>,
    /// When the incident began, `CLOCK_REALTIME` nanoseconds.
    pub began_ns: i64,
    /// When this was proposed.
    pub at_ns: i64,
}

/// How a response ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// Nothing was done.
    NotDone,
    /// All was done, and taken back or meant to stay.
    Complete,
    /// A step failed; what was done before it was taken back, or stays where the playbook says so.
    Failed,
    /// Something needs a person's eye: a step whose effect cannot be told, or that cannot be taken back.
    NeedsPerson,
}

/// Where a response stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Nobody has decided yet.
    Proposed,
    /// A person is asked until then.
    Asked {
        /// `CLOCK_REALTIME` nanoseconds.
        until_ns: i64,
    },
    /// It was agreed to.
    Agreed,
    /// Its steps are taken.
    Acting,
    /// Its effects are in force until then; 0 is until a person ends it.
    Holding {
        /// `CLOCK_REALTIME` nanoseconds.
        until_ns: i64,
    },
    /// Its steps are taken back.
    Undoing,
    /// It is over.
    Ended(End),
}

/// Where a step stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StepState {
    /// Not begun.
    Waiting,
    /// About to be taken.
    Intended,
    /// It was about to be taken when the agent ended.
    Uncertain,
    /// Taken.
    Done,
    /// Not taken.
    Failed,
    /// It cannot be told.
    Doubtful,
    /// About to be taken back.
    Undoing,
    /// It was about to be taken back when the agent ended.
    UndoUncertain,
    /// Taken back.
    Undone,
}

/// One response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    /// What was proposed.
    pub proposal: Proposal,
    /// Where it stands.
    pub phase: Phase,
    /// Where each step stands, and how it is taken back.
    pub steps: Vec<(StepState, Undo)>,
    /// The last reason that was given, for a person.
    pub why: String,
    /// When it was granted.
    pub granted_ns: i64,
    tries: u32,
    not_before_ns: i64,
    looked_ns: i64,
}

/// What is to be done next for a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Guard rails and other parties are to be asked.
    Decide,
    /// Nobody answered in time: this is what happens then.
    TimeUp(Otherwise),
    /// A step is to be prepared, recorded and taken.
    Take(u8),
    /// The host is to be asked whether a step was taken before the crash.
    Settle(u8),
    /// All steps are taken: the lease begins.
    Hold,
    /// What is in force is to be looked at.
    Look,
    /// The lease ended.
    LeaseOver,
    /// A step is to be taken back.
    TakeBack(u8),
    /// The host is to be asked whether a step was taken back before the crash.
    SettleBack(u8),
    /// Nothing is left to do.
    Close(End),
}

/// All responses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Book {
    open: BTreeMap<u64, Response>,
    ended: BTreeMap<u64, Response>,
    last_id: u64,
}

impl Book {
    /// The number of the next proposal.
    #[must_use]
    pub const fn next_id(&self) -> u64 {
        self.last_id + 1
    }

    /// Whether there is room for another response.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.open.len() < OPEN_MAX
    }

    /// Those that are not ended, by number.
    pub fn open(&self) -> impl Iterator<Item = &Response> {
        self.open.values()
    }

    /// The last that ended, by number.
    pub fn ended(&self) -> impl Iterator<Item = &Response> {
        self.ended.values()
    }

    /// A response by its number.
    #[must_use]
    pub fn find(&self, id: u64) -> Option<&Response> {
        self.open.get(&id).or_else(|| self.ended.get(&id))
    }

    /// The responses to an incident.
    pub fn of_incident(&self, incident: u64) -> impl Iterator<Item = &Response> {
        self.open().chain(self.ended()).filter(move |response| response.proposal.incident == incident)
    }

    /// Whether a playbook has answered an incident already, or does.
    #[must_use]
    pub fn has_answered(&self, incident: u64, playbook: &str) -> bool {
        let is_it = |response: &Response| {
            response.proposal.incident == incident && response.proposal.playbook == playbook
        };
        self.open().any(is_it) || self.ended().any(is_it)
    }

    /// VMs on which something is in force or under way.
    #[must_use]
    pub fn acted_on(&self) -> Vec<(i32, u64)> {
        let acting = self.open().filter(|response| response.touches());
        acting.map(|response| (response.proposal.target.pid, response.proposal.target.start_ticks)).collect()
    }

    /// When responses were granted.
    #[must_use]
    pub fn granted_ns(&self) -> Vec<i64> {
        let all = self.open().chain(self.ended());
        all.filter(|response| response.granted_ns != 0).map(|response| response.granted_ns).collect()
    }

    /// Takes in what happened. What does not fit (an entry of an unknown response, out of order) is refused and changes
    /// nothing.
    ///
    /// # Errors
    /// Says what does not fit.
    pub fn take(&mut self, entry: &Entry) -> Result<(), String> {
        let response = self.after(entry)?;
        let id = response.proposal.id;
        self.last_id = self.last_id.max(id);
        if matches!(response.phase, Phase::Ended(_)) {
            self.open.remove(&id);
            self.ended.insert(id, response);
            if self.ended.len() > ENDED_MAX {
                self.ended.pop_first();
            }
        } else {
            self.open.insert(id, response);
        }
        Ok(())
    }

    /// The response that an entry is about, as it would be after it.
    ///
    /// # Errors
    /// Says what does not fit.
    pub fn after(&self, entry: &Entry) -> Result<Response, String> {
        if let Entry::Proposed(proposal) = entry {
            // Records of the first may have been removed for their age.
            let fits = proposal.id > self.last_id && !proposal.steps.is_empty();
            return if fits {
                Ok(Response::new(proposal))
            } else {
                Err(format!("response {} cannot follow {}", proposal.id, self.last_id))
            };
        }
        let id = entry.id();
        let mut response = self.open.get(&id).ok_or_else(|| format!("response {id} is not open"))?.clone();
        response.take(entry)?;
        Ok(response)
    }

    /// To be called once when all entries of earlier runs are taken in: what was under way is uncertain now.
    pub fn resume(&mut self) {
        for (state, _) in self.open.values_mut().flat_map(|response| &mut response.steps) {
            match state {
                StepState::Intended => *state = StepState::Uncertain,
                StepState::Undoing => *state = StepState::UndoUncertain,
                _ => {}
            }
        }
    }

    /// What is to be done next, and for which response: the lowest number first.
    #[must_use]
    pub fn next(&self, now_ns: i64) -> Option<(u64, Next)> {
        self.open.iter().find_map(|(id, response)| Some((*id, response.next(now_ns)?)))
    }

    /// What is in force was looked at: not again for a while. No record is made of this.
    pub fn looked(&mut self, id: u64, now_ns: i64) {
        if let Some(response) = self.open.get_mut(&id) {
            response.looked_ns = now_ns;
        }
    }
}

impl Entry {
    /// What it is recorded as in the [ledger](crate::ledger).
    pub const KIND: Kind = Kind::ACTION;

    /// The bytes of a record.
    ///
    /// # Errors
    /// When it is longer than a record may be.
    pub fn to_bytes(&self) -> Result<Vec<u8>, String> {
        codec::encode(self)
    }

    /// The entry in a record's bytes.
    ///
    /// # Errors
    /// They are not of one.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        codec::decode(bytes)
    }

    /// The response it is about.
    #[must_use]
    pub const fn id(&self) -> u64 {
        match self {
            Self::Proposed(proposal) => proposal.id,
            Self::Refused { id, .. }
            | Self::Asked { id, .. }
            | Self::Answered { id, .. }
            | Self::Granted { id, .. }
            | Self::Intended { id, .. }
            | Self::Done { id, .. }
            | Self::Failed { id, .. }
            | Self::Doubtful { id, .. }
            | Self::Held { id, .. }
            | Self::Lost { id, .. }
            | Self::Reasserted { id, .. }
            | Self::Ending { id, .. }
            | Self::Undoing { id, .. }
            | Self::Undone { id, .. }
            | Self::UndoFailed { id, .. }
            | Self::Ended { id, .. } => *id,
        }
    }
}

impl Response {
    fn new(proposal: &Proposal) -> Self {
        Self {
            proposal: proposal.clone(),
            phase: Phase::Proposed,
            steps: vec![(StepState::Waiting, Undo::Nothing); proposal.steps.len()],
            why: String::new(),
            granted_ns: 0,
            tries: 0,
            not_before_ns: 0,
            looked_ns: 0,
        }
    }

    /// Whether something of it is in force or under way.
    fn touches(&self) -> bool {
        matches!(self.phase, Phase::Acting | Phase::Holding { .. } | Phase::Undoing)
            && self.proposal.steps.iter().any(|step| step.action.is_disruptive())
    }

    /// The action of a step.
    #[must_use]
    pub fn action(&self, step: u8) -> Option<&Action> {
        self.proposal.steps.get(usize::from(step)).map(|step| &step.action)
    }

    fn take(&mut self, entry: &Entry) -> Result<(), String> {
        let fits = match entry {
            Entry::Proposed(_) => false,
            Entry::Asked { .. } => self.phase == Phase::Proposed,
            Entry::Answered { .. } => matches!(self.phase, Phase::Asked { .. }),
            Entry::Refused { .. } | Entry::Granted { .. } => {
                matches!(self.phase, Phase::Proposed | Phase::Agreed)
            }
            Entry::Held { .. } | Entry::Intended { .. } | Entry::Done { .. } | Entry::Failed { .. } => {
                self.phase == Phase::Acting
            }
            Entry::Doubtful { .. } => matches!(self.phase, Phase::Acting | Phase::Undoing),
            Entry::Lost { .. } | Entry::Reasserted { .. } => matches!(self.phase, Phase::Holding { .. }),
            Entry::Ending { .. } => matches!(self.phase, Phase::Acting | Phase::Holding { .. }),
            Entry::Undoing { .. } | Entry::Undone { .. } | Entry::UndoFailed { .. } => {
                self.phase == Phase::Undoing
            }
            Entry::Ended { .. } => !matches!(self.phase, Phase::Ended(_)),
        };
        if !fits {
            return Err(format!("response {} is {:?}: {entry:?} does not fit", self.proposal.id, self.phase));
        }
        match entry {
            // It begins a response, and never follows in one.
            Entry::Proposed(_) => {}
            Entry::Refused { why, .. } => self.end(End::NotDone, why),
            Entry::Asked { until_ns, .. } => self.phase = Phase::Asked { until_ns: *until_ns },
            Entry::Answered { agreed: true, by, .. } => {
                self.why = format!("agreed to by {by}");
                self.phase = Phase::Agreed;
            }
            Entry::Answered { by, why, .. } => self.end(End::NotDone, &format!("declined by {by}: {why}")),
            Entry::Granted { why, at_ns, .. } => {
                (self.granted_ns, self.phase) = (*at_ns, Phase::Acting);
                self.why.clone_from(why);
            }
            Entry::Intended { step, undo, .. } => {
                let place = self.step(*step)?;
                *place = (StepState::Intended, undo.clone());
            }
            Entry::Done { step, .. } => self.step(*step)?.0 = StepState::Done,
            Entry::Failed { step, why, .. } => {
                self.step(*step)?.0 = StepState::Failed;
                self.why = format!("step {}: {why}", u16::from(*step) + 1);
            }
            Entry::Doubtful { step, why, .. } => {
                self.step(*step)?.0 = StepState::Doubtful;
                self.why = format!("step {}: {why}", u16::from(*step) + 1);
            }
            Entry::Held { until_ns, .. } => self.phase = Phase::Holding { until_ns: *until_ns },
            Entry::Lost { step, seen, .. } => {
                // Somebody else's hand: it is theirs now, and there is nothing of ours to take back.
                self.step(*step)?.0 = StepState::Undone;
                self.why = format!("step {} is no longer in force: {seen}", u16::from(*step) + 1);
            }
            Entry::Reasserted { seen, .. } => self.why = format!("taken again: {seen}"),
            Entry::Ending { by, why, .. } => {
                self.phase = Phase::Undoing;
                self.why = format!("{by}: {why}");
            }
            Entry::Undoing { step, .. } => self.step(*step)?.0 = StepState::Undoing,
            Entry::Undone { step, .. } => {
                self.step(*step)?.0 = StepState::Undone;
                (self.tries, self.not_before_ns) = (0, 0);
            }
            Entry::UndoFailed { step, why, at_ns, .. } => {
                self.step(*step)?.0 = StepState::Done;
                self.tries += 1;
                // 1, 2, 4, ... seconds.
                self.not_before_ns = at_ns.saturating_add(SECOND_NS << (self.tries - 1).min(10));
                self.why.clone_from(why);
            }
            Entry::Ended { end, .. } => {
                let why = std::mem::take(&mut self.why);
                self.end(*end, &why);
            }
        }
        Ok(())
    }

    fn end(&mut self, end: End, why: &str) {
        self.phase = Phase::Ended(end);
        why.clone_into(&mut self.why);
    }

    fn step(&mut self, step: u8) -> Result<&mut (StepState, Undo), String> {
        let id = self.proposal.id;
        self.steps.get_mut(usize::from(step)).ok_or_else(|| format!("response {id} has no step {step}"))
    }

    fn next(&self, now_ns: i64) -> Option<Next> {
        match self.phase {
            Phase::Proposed | Phase::Agreed => Some(Next::Decide),
            Phase::Asked { until_ns } => match self.proposal.approval {
                Approval::Asked { otherwise, .. } if now_ns >= until_ns => Some(Next::TimeUp(otherwise)),
                _ => None,
            },
            Phase::Acting => self.next_step(),
            Phase::Holding { until_ns } if until_ns != 0 && now_ns >= until_ns => Some(Next::LeaseOver),
            Phase::Holding { .. } => {
                let is_held = |(state, _): &(StepState, Undo)| *state == StepState::Done;
                (self.steps.iter().any(is_held) && now_ns - self.looked_ns >= LOOK_EVERY_NS)
                    .then_some(Next::Look)
            }
            Phase::Undoing if now_ns < self.not_before_ns => None,
            Phase::Undoing => Some(self.next_back()),
            Phase::Ended(_) => None,
        }
    }

    fn next_step(&self) -> Option<Next> {
        for (index, (state, _)) in (0u8..).zip(&self.steps) {
            match state {
                StepState::Waiting => return Some(Next::Take(index)),
                // It is under way just now.
                StepState::Intended => return None,
                StepState::Uncertain => return Some(Next::Settle(index)),
                StepState::Doubtful => return Some(Next::Close(End::NeedsPerson)),
                StepState::Failed => match self.proposal.steps[usize::from(index)].on_failure {
                    OnFailure::Continue => {}
                    OnFailure::Stop => {
                        return Some(if self.is_held() { Next::Hold } else { Next::Close(End::Failed) });
                    }
                    OnFailure::Undo => return Some(Next::LeaseOver),
                },
                StepState::Done | StepState::Undone | StepState::Undoing | StepState::UndoUncertain => {}
            }
        }
        Some(if self.is_held() { Next::Hold } else { Next::Close(self.outcome()) })
    }

    /// Whether something is in force that ends with a lease.
    fn is_held(&self) -> bool {
        let mut steps = self.proposal.steps.iter().zip(&self.steps);
        steps.any(|(step, (state, undo))| {
            *state == StepState::Done && step.action.is_held() && *undo != Undo::Nothing
        })
    }

    fn next_back(&self) -> Next {
        let places = (0u8..).zip(&self.steps).collect::<Vec<_>>();
        for (index, (state, undo)) in places.into_iter().rev() {
            match state {
                StepState::Done if *undo != Undo::Nothing => {
                    return if self.tries >= UNDO_TRIES_MAX {
                        Next::Close(End::NeedsPerson)
                    } else {
                        Next::TakeBack(index)
                    };
                }
                StepState::UndoUncertain | StepState::Uncertain => return Next::SettleBack(index),
                _ => {}
            }
        }
        Next::Close(self.outcome())
    }

    fn outcome(&self) -> End {
        let is = |wanted: &StepState| self.steps.iter().any(|(state, _)| state == wanted);
        if is(&StepState::Doubtful) {
            End::NeedsPerson
        } else if is(&StepState::Failed) {
            End::Failed
        } else {
            End::Complete
        }
    }
}

#[cfg(test)]
#[path = "book_tests.rs"]
mod tests;
