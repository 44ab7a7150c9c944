//! The fold: what an event does to the state. Nothing is decided here.

use super::damping::{Bucket, Rate};
use super::event::{Event, KeyRef, Seen};
use super::incident::Incident;
use super::keys::Key;
use super::notice::{Changes, What};
use super::policy::Policy;
use super::state::{Closure, State};
use super::{Corrupt, Hold, Incidents};
use crate::alerts::Severity;
use std::collections::BTreeSet;

/// Who acts when nobody does.
pub(super) const NOBODY: &str = "bartizan";
/// The bucket of tenants beyond those that have one of their own. No tenant has this name: it has a control character.
pub(super) const OTHERS: &str = "\u{0}";

impl Policy {
    pub(super) fn rate(&self) -> Rate {
        Rate { per_minute: self.rate_per_minute, burst: self.rate_burst }
    }
}

impl Incidents {
    /// Takes an event into the state.
    pub(super) fn apply(&mut self, event: Event) -> Result<(), Corrupt> {
        let at_ns = event.at_ns();
        self.check(&event)?;
        match event {
            Event::Began { afresh_from, policy, .. } => {
                if let Some(number) = afresh_from {
                    let unrecorded = self.unrecorded;
                    *self = Self { next_incident: number, unrecorded, ..Self::default() };
                }
                self.policy = *policy;
                self.epoch += 1;
                self.keys.judge_anew(&self.policy);
            }
            Event::Adopted { policy, .. } => {
                self.policy = *policy;
                self.keys.judge_anew(&self.policy);
            }
            Event::Opened { key, incident, seen, evidence, .. } => {
                let slot = self.enter(key, at_ns);
                self.open(slot, incident, at_ns, &seen, evidence);
                self.begins(slot, incident, at_ns, *seen, What::Opened);
            }
            Event::Joined { key, incident, seen, evidence, .. } => {
                let slot = self.enter(key, at_ns);
                let again = self.by_id.get(&incident).is_some_and(|one| one.over_ns.is_some());
                if let Some(one) = self.by_id.get_mut(&incident)
                    && one.evidence.is_empty()
                {
                    one.evidence = evidence;
                }
                self.begins(slot, incident, at_ns, *seen, if again { What::Again } else { What::Changed });
            }
            Event::Raised { key, seen, .. } => self.raise(key, at_ns, *seen),
            Event::Ended { key, message, .. } => self.ends(key, at_ns, message),
            Event::Repeated { key, .. } => self.repeat(key, at_ns),
            Event::Stray { .. } => {
                self.accounts.produced += 1;
                self.accounts.suppressed.deduplicated += 1;
            }
            Event::Held { key, is_firing, why, seen, .. } => {
                let slot = self.enter(key, at_ns);
                self.hold(slot, at_ns, is_firing, why, *seen);
            }
            Event::Dropped { .. } => {
                self.accounts.produced += 1;
                self.accounts.dropped += 1;
            }
            Event::Lost { count, .. } => {
                self.accounts.produced += count;
                self.accounts.dropped += count;
            }
            Event::Calmed { key, .. } => {
                let incident = self.keys.get(key).map_or(0, |key| key.incident);
                self.change_key(key, at_ns, |key| key.is_flapping = false);
                let key = self.keys.touch(key);
                let (severity, message) = (key.severity, key.message.clone());
                self.tell(incident, What::Changed, severity, message, at_ns);
            }
            Event::Told { notice } => {
                self.accounts.delivered += self.take_gathered(notice.incident);
                if let Some(incident) = self.by_id.get_mut(&notice.incident) {
                    incident.told = notice.number;
                }
            }
            Event::Absorbed { incident, .. } => {
                self.accounts.suppressed.inhibited += self.take_gathered(incident);
            }
            Event::Moved { incident, to, by, note, closure, .. } => {
                self.move_to(incident, to, by, note, closure.map(|closure| *closure), at_ns);
            }
            Event::Silenced { silence, .. } => {
                self.next_silence = silence.id;
                self.silences.insert(silence.id, *silence);
            }
            Event::Unsilenced { silence, .. } => {
                self.silences.remove(&silence);
            }
            Event::ClockSetBack { .. } => {
                let back_ns = self.now_ns.saturating_sub(at_ns);
                self.due.clear();
                for incident in self.by_id.values_mut() {
                    incident.due_ns = incident.due_ns.map(|due_ns| due_ns.saturating_sub(back_ns));
                    self.due.extend(incident.due_ns.map(|due_ns| (due_ns, incident.id)));
                }
            }
        }
        self.now_ns = at_ns;
        debug_assert!(self.accounts.balances(), "{:?}", self.accounts);
        Ok(())
    }

    /// Whether an event follows from the state: what it points at is there.
    fn check(&self, event: &Event) -> Result<(), Corrupt> {
        let corrupt = |what: String| Err(Corrupt { what });
        let known = |slot: u32| match self.keys.get(slot) {
            Some(_) => Ok(()),
            None => Err(Corrupt { what: format!("there is no key {slot}") }),
        };
        let entered = |key: &KeyRef| match &key.new {
            None => known(key.slot),
            Some(_) if self.keys.next_slot(self.policy.keys_max) == Some(key.slot) => Ok(()),
            Some(_) => Err(Corrupt { what: format!("key {} is not the next", key.slot) }),
        };
        let there = |id: u64| match self.by_id.get(&id) {
            Some(incident) => Ok(incident),
            None => Err(Corrupt { what: format!("there is no incident {id}") }),
        };
        match event {
            Event::Opened { key, incident, .. } => {
                entered(key)?;
                if *incident != self.next_incident + 1 {
                    return corrupt(format!("incident {incident} is not the next"));
                }
            }
            Event::Joined { key, incident, .. } => {
                entered(key)?;
                there(*incident)?;
            }
            Event::Held { key, .. } => entered(key)?,
            Event::Raised { key, .. }
            | Event::Ended { key, .. }
            | Event::Repeated { key, .. }
            | Event::Calmed { key, .. } => known(*key)?,
            Event::Told { notice } => {
                if there(notice.incident)?.told + 1 != notice.number {
                    let (number, id) = (notice.number, notice.incident);
                    return corrupt(format!("notice {number} of incident {id} is not the next"));
                }
            }
            Event::Absorbed { incident, .. } => {
                there(*incident)?;
            }
            Event::Moved { incident, to, .. } => {
                let from = there(*incident)?.state;
                if from.next() != Some(*to) && *to != State::Open {
                    return corrupt(format!(
                        "incident {incident} went from {} to {}",
                        from.name(),
                        to.name()
                    ));
                }
            }
            Event::Began { afresh_from: Some(number), .. } if *number >= u64::MAX / 2 => {
                return corrupt(format!("incidents cannot be numbered from {number}"));
            }
            Event::Lost { count, .. } if *count > u64::from(u32::MAX) => {
                return corrupt(format!("{count} signals were lost at once"));
            }
            Event::Silenced { silence, .. } if silence.id != self.next_silence + 1 => {
                return corrupt(format!("silence {} is not the next", silence.id));
            }
            Event::Began { .. }
            | Event::Adopted { .. }
            | Event::Stray { .. }
            | Event::Dropped { .. }
            | Event::Lost { .. }
            | Event::Silenced { .. }
            | Event::Unsilenced { .. }
            | Event::ClockSetBack { .. } => {}
        }
        Ok(())
    }

    /// Makes room for a new key, or finds a known one.
    fn enter(&mut self, key: KeyRef, at_ns: i64) -> u32 {
        if let Some(condition) = key.new {
            let old = self.keys.place(key.slot, Key::new(condition, at_ns), &self.policy);
            let incident = old.and_then(|old| self.by_id.get_mut(&old.incident));
            if let Some(incident) = incident {
                incident.members.retain(|slot| *slot != key.slot);
            }
        }
        key.slot
    }

    /// Makes an incident; the one that was closed first makes room.
    fn open(&mut self, slot: u32, id: u64, at_ns: i64, seen: &Seen, evidence: Vec<super::Evidence>) {
        if self.by_id.len() >= self.policy.incidents_max as usize
            && let Some(oldest) = self.oldest_closed()
            && let Some(gone) = self.by_id.remove(&oldest)
        {
            for slot in gone.members {
                self.keys.touch(slot).incident = 0;
            }
            // Told at the moment it was closed: nothing of it is in flight, unless the ledger refused the notice.
            self.accounts.in_flight -= gone.pending;
            self.accounts.dropped += gone.pending;
            self.due.retain(|(_, id)| *id != oldest);
        }
        let Some(condition) = self.keys.get(slot).map(|key| key.condition.clone()) else { return };
        let group = self.policy.group(&condition);
        self.groups.insert(group.clone(), id);
        self.next_incident = id;
        self.by_id.insert(
            id,
            Box::new(Incident {
                id,
                state: State::Open,
                severity: seen.severity,
                source: condition.source,
                detector: condition.detector,
                resource: condition.resource,
                cause: condition.cause,
                opened_ns: at_ns,
                state_since_ns: at_ns,
                over_ns: None,
                count: 0,
                reopened: 0,
                message: String::new(),
                by: String::new(),
                note: String::new(),
                closure: None,
                evidence,
                told: 0,
                due_ns: None,
                changes: Changes::default(),
                pending: 0,
                members: Vec::new(),
                active: 0,
                group,
            }),
        );
    }

    pub(super) fn oldest_closed(&self) -> Option<u64> {
        let closed = self.by_id.values().filter(|incident| incident.state == State::Closed);
        closed.min_by_key(|incident| (incident.state_since_ns, incident.id)).map(|incident| incident.id)
    }

    /// A condition begins, or is let go, and belongs to an incident.
    fn begins(&mut self, slot: u32, incident: u64, at_ns: i64, seen: Seen, what: What) {
        let before = self.keys.get(slot).map_or(0, |key| key.incident);
        if before != incident {
            let was_active = self.keys.get(slot).is_some_and(Key::is_active);
            if let Some(old) = self.by_id.get_mut(&before) {
                old.members.retain(|member| *member != slot);
                old.active -= u32::from(was_active);
            }
            self.keys.touch(slot).incident = incident;
            if let Some(new) = self.by_id.get_mut(&incident) {
                new.members.push(slot);
                new.active += u32::from(was_active);
            }
        }
        self.take_token(slot, at_ns);
        let (half_life_ns, high, epoch) = (self.policy.flap_half_life_ns, self.policy.flap_high, self.epoch);
        let Seen { severity, message, is_released } = seen;
        let mut starts_to_flap = false;
        self.change_key(slot, at_ns, |key| {
            (key.is_firing, key.held, key.epoch) = (true, None, epoch);
            (key.severity, key.message, key.last_ns) = (severity, message.clone(), at_ns);
            key.count += 1;
            if !is_released {
                key.penalty = key.penalty.raised(at_ns, half_life_ns);
                starts_to_flap = key.penalty.at(at_ns, half_life_ns) >= high;
                key.is_flapping |= starts_to_flap;
            }
        });
        self.tell(incident, what, severity, message, at_ns);
        if let Some(one) = self.by_id.get_mut(&incident) {
            if starts_to_flap {
                one.changes.add(What::Flapping);
            }
            if one.state == State::Recovered {
                (one.state, one.state_since_ns) = (State::Open, at_ns);
                one.reopened += 1;
                one.changes.add(What::Reopened);
                NOBODY.clone_into(&mut one.by);
                "a condition holds again".clone_into(&mut one.note);
            }
        }
    }

    fn raise(&mut self, slot: u32, at_ns: i64, seen: Seen) {
        let Seen { severity, message, .. } = seen;
        let epoch = self.epoch;
        let key = self.keys.touch(slot);
        (key.severity, key.last_ns, key.epoch) = (severity, at_ns, epoch);
        key.message.clone_from(&message);
        key.count += 1;
        let incident = key.incident;
        self.tell(incident, What::Changed, severity, message, at_ns);
    }

    fn repeat(&mut self, slot: u32, at_ns: i64) {
        let epoch = self.epoch;
        let key = self.keys.touch(slot);
        key.count += 1;
        key.last_ns = at_ns;
        if key.is_firing {
            key.epoch = epoch;
        }
        let incident = key.incident;
        if let Some(incident) = self.by_id.get_mut(&incident) {
            incident.count += 1;
        }
        self.accounts.produced += 1;
        self.accounts.suppressed.deduplicated += 1;
    }

    /// Takes what was gathered about an incident: it is in flight no longer.
    fn take_gathered(&mut self, id: u64) -> u64 {
        let Some(incident) = self.by_id.get_mut(&id) else { return 0 };
        incident.changes = Changes::default();
        if let Some(due_ns) = incident.due_ns.take() {
            self.due.remove(&(due_ns, id));
        }
        let pending = std::mem::take(&mut incident.pending);
        self.accounts.in_flight -= pending;
        pending
    }

    fn ends(&mut self, slot: u32, at_ns: i64, message: String) {
        let incident = self.keys.get(slot).map_or(0, |key| key.incident);
        self.change_key(slot, at_ns, |key| {
            (key.is_firing, key.last_ns) = (false, at_ns);
            key.message.clone_from(&message);
            key.count += 1;
        });
        self.tell(incident, What::Changed, Severity::Info, message, at_ns);
    }

    fn hold(&mut self, slot: u32, at_ns: i64, is_firing: bool, why: Hold, seen: Seen) {
        let (half_life_ns, epoch) = (self.policy.flap_half_life_ns, self.epoch);
        self.change_key(slot, at_ns, |key| {
            let begins = is_firing && !key.is_firing;
            if begins {
                key.penalty = key.penalty.raised(at_ns, half_life_ns);
            }
            if is_firing {
                (key.severity, key.epoch) = (seen.severity, epoch);
            }
            key.message = seen.message;
            key.last_ns = at_ns;
            key.count += 1;
            key.is_firing = is_firing;
            // What flaps is an active member all the same: that it does has been told.
            key.held = (is_firing && why != Hold::Flapping).then_some(why);
        });
        let incident = self.keys.get(slot).map_or(0, |key| key.incident);
        if let Some(incident) = self.by_id.get_mut(&incident) {
            incident.count += 1;
        }
        self.accounts.produced += 1;
        *self.accounts.suppressed.of(why) += 1;
    }

    /// Changes a key, and what its incident has of it.
    fn change_key(&mut self, slot: u32, at_ns: i64, change: impl FnOnce(&mut Key)) {
        let Some(before) = self.keys.get(slot).map(Key::is_active) else { return };
        self.keys.change(slot, change);
        let Some((after, incident)) = self.keys.get(slot).map(|key| (key.is_active(), key.incident)) else {
            return;
        };
        let Some(incident) = self.by_id.get_mut(&incident) else { return };
        incident.active = incident.active + u32::from(after) - u32::from(before);
        match (incident.active, incident.over_ns) {
            (0, None) => {
                incident.over_ns = Some(at_ns);
                // Of one that was closed meanwhile nothing is told.
                if incident.state != State::Closed {
                    incident.changes.add(What::Over);
                }
            }
            (1.., Some(_)) => incident.over_ns = None,
            _ => {}
        }
    }

    /// Something is to be told of an incident, at a time or before.
    fn note(incident: &mut Incident, due: &mut BTreeSet<(i64, u64)>, what: What, at_ns: i64) {
        incident.changes.add(what);
        let before = incident.due_ns;
        let due_ns = before.map_or(at_ns, |due_ns| due_ns.min(at_ns));
        if before != Some(due_ns) {
            due.extend(Some((due_ns, incident.id)));
            before.map(|before| due.remove(&(before, incident.id)));
            incident.due_ns = Some(due_ns);
        }
    }

    /// A signal is gathered for the next notice of an incident.
    fn tell(&mut self, incident: u64, what: What, severity: Severity, message: String, at_ns: i64) {
        self.accounts.produced += 1;
        let Some(incident) = self.by_id.get_mut(&incident) else {
            // It was closed so long ago that it had to make room.
            self.accounts.suppressed.deduplicated += 1;
            return;
        };
        incident.count += 1;
        incident.severity = incident.severity.max(severity);
        incident.message = message;
        if incident.state == State::Closed {
            // Somebody closed it while its conditions held, and knows.
            self.accounts.suppressed.deduplicated += 1;
            return;
        }
        let is_urgent = severity == Severity::Critical;
        let due_ns = if is_urgent { at_ns } else { at_ns.saturating_add(self.policy.wait_ns) };
        Self::note(incident, &mut self.due, what, due_ns);
        incident.pending += 1;
        self.accounts.in_flight += 1;
    }

    fn move_to(
        &mut self,
        id: u64,
        to: State,
        by: String,
        note: String,
        closure: Option<Closure>,
        at_ns: i64,
    ) {
        let Some(incident) = self.by_id.get_mut(&id) else { return };
        let what = match to {
            State::Open => What::Reopened,
            State::Acknowledged => What::Acknowledged,
            State::Contained => What::Contained,
            State::Recovered => What::Recovered,
            State::Closed => What::Closed,
        };
        Self::note(incident, &mut self.due, what, at_ns);
        (incident.state, incident.state_since_ns) = (to, at_ns);
        (incident.by, incident.note) = (by, note);
        match to {
            State::Closed => {
                incident.closure = closure;
                if self.groups.get(&incident.group) == Some(&id) {
                    self.groups.remove(&incident.group);
                }
            }
            State::Open => {
                incident.reopened += 1;
                incident.closure = None;
                self.groups.insert(incident.group.clone(), id);
            }
            _ => {}
        }
    }

    /// The name of the bucket that a tenant draws from.
    pub(super) fn bucket_of<'a>(&self, tenant: &'a str) -> &'a str {
        let is_known = self.buckets.contains_key(tenant);
        let has_room = self.buckets.len() < self.policy.tenants_max as usize;
        if is_known || has_room { tenant } else { OTHERS }
    }

    fn take_token(&mut self, slot: u32, at_ns: i64) {
        let Some(key) = self.keys.get(slot) else { return };
        let name = self.bucket_of(&key.condition.resource.tenant);
        let rate = self.policy.rate();
        if let Some(bucket) = self.buckets.get_mut(name) {
            *bucket = bucket.taken(at_ns, rate);
        } else {
            let name = name.to_owned();
            self.buckets.insert(name, Bucket::default().taken(at_ns, rate));
        }
        if self.buckets.len() >= self.policy.tenants_max as usize {
            // A full one is as good as one that is not there.
            self.buckets.retain(|_, bucket| !bucket.is_full(at_ns));
        }
    }
}
