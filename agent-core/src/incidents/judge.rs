//! What is decided about a signal, a command and the passing of time. Everything that follows is an event, and is
//! recorded before it happens.

use super::event::{Event, KeyRef, Seen, Silence};
use super::evidence::bounded;
use super::fold::NOBODY;
use super::incident::Incident;
use super::keys::Key;
use super::notice::What;
use super::policy::{Matcher, Policy};
use super::signal::{Condition, MESSAGE_BYTES_MAX, NAME_BYTES_MAX, Signal, Source, cut};
use super::state::{Closure, Refused, State, Step, Verdict};
use super::{Evidence, Hold, Incidents, NOTE_BYTES_MAX, Outside, SILENCE_NS_MAX};

/// A clock that goes back by less is not worth a record.
const SET_BACK_NS_MIN: i64 = 1_000_000_000;

/// How often it is looked for incidents that nobody took on.
const LOOK_NS: i64 = 10 * 1_000_000_000;

/// What somebody wants silenced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSilence {
    /// Which conditions.
    pub matcher: Matcher,
    /// When it ends, in nanoseconds since the epoch.
    pub until_ns: i64,
    /// Who silences.
    pub by: String,
    /// Why.
    pub reason: String,
}

impl Incidents {
    /// A run begins: the policy holds from here on, and what held before is in doubt until it is seen again.
    ///
    /// # Errors
    /// When it was not recorded; nothing has changed.
    pub fn begin(&mut self, policy: Policy, at_ns: i64, outside: &mut dyn Outside) -> Result<(), Refused> {
        self.set_back(at_ns, outside);
        let event = Event::Began { at_ns, afresh_from: None, policy: Box::new(policy) };
        self.commit(event, outside).map_err(Refused::NotRecorded)
    }

    /// A run begins, and what was recorded before cannot be replayed: nothing is known, and incidents are numbered from
    /// behind `number` on, which no incident has had. Whoever replays later begins with this record.
    ///
    /// # Errors
    /// When it was not recorded; nothing has changed.
    pub fn begin_afresh(
        &mut self,
        number: u64,
        policy: Policy,
        at_ns: i64,
        outside: &mut dyn Outside,
    ) -> Result<(), Refused> {
        let event = Event::Began { at_ns, afresh_from: Some(number), policy: Box::new(policy) };
        self.commit(event, outside).map_err(Refused::NotRecorded)
    }

    /// Another policy holds from here on.
    ///
    /// # Errors
    /// When it was not recorded; nothing has changed.
    pub fn adopt(&mut self, policy: Policy, at_ns: i64, outside: &mut dyn Outside) -> Result<(), Refused> {
        self.commit(Event::Adopted { at_ns, policy: Box::new(policy) }, outside).map_err(Refused::NotRecorded)
    }

    /// Takes a signal in. A signal whose record is refused is lost, and is counted as dropped.
    pub fn offer(&mut self, signal: &Signal, at_ns: i64, outside: &mut dyn Outside) {
        self.tell_of_loss(at_ns, outside);
        let mut text = std::mem::take(&mut self.scratch.0);
        signal.condition.write_key(&mut text);
        let event = match self.keys.find(&text) {
            Some(slot) if signal.is_firing => self.seen_again(slot, signal, at_ns, outside),
            Some(slot) => self.over(slot, signal, at_ns),
            None if signal.is_firing => self.seen_first(signal, at_ns, outside),
            None => Event::Stray { at_ns },
        };
        self.scratch.0 = text;
        if self.commit(event, outside).is_err() {
            self.unrecorded += 1;
        }
    }

    /// What the passing of time brings: silences that end, conditions that are let go or calm, notices that are due,
    /// incidents that nobody looked at. Call it after signals, and every second.
    ///
    /// What is refused by the ledger is tried again by the next call.
    pub fn tick(&mut self, at_ns: i64, outside: &mut dyn Outside) {
        self.set_back(at_ns, outside);
        self.tell_of_loss(at_ns, outside);
        let _ = self
            .end_silences(at_ns, outside)
            .and_then(|()| self.calm(at_ns, outside))
            .and_then(|()| self.release(at_ns, outside))
            .and_then(|()| self.forget_unattended(at_ns, outside))
            .and_then(|()| self.tell_what_is_due(at_ns, outside));
    }

    /// What fired in an earlier run and was not seen since is over: everything that still holds has had time to be
    /// seen again. Call it for findings after the first full run of the checks, for alerts when the longest patience of
    /// a rule has passed.
    pub fn reconcile(&mut self, source: Source, at_ns: i64, outside: &mut dyn Outside) {
        let doubtful = |key: &Key| key.is_firing && key.epoch < self.epoch && key.condition.source == source;
        let slots: Vec<u32> =
            self.keys.iter().filter(|(_, key)| doubtful(key)).map(|(slot, _)| slot).collect();
        for slot in slots {
            let Some(key) = self.keys.get(slot) else { continue };
            let message = format!("{}: not seen again after a restart", key.message);
            let signal = Signal::new((*key.condition).clone(), false, key.severity, &message);
            let event = match self.over(slot, &signal, at_ns) {
                Event::Ended { at_ns, key, message, .. } => {
                    Event::Ended { at_ns, key, is_unseen: true, message }
                }
                event => event,
            };
            if self.commit(event, outside).is_err() {
                return;
            }
        }
    }

    /// Somebody takes a step with an incident.
    ///
    /// # Errors
    /// Why it may not be taken; nothing has changed.
    pub fn step(
        &mut self,
        id: u64,
        step: Step,
        by: &str,
        note: &str,
        at_ns: i64,
        outside: &mut dyn Outside,
    ) -> Result<(), Refused> {
        let incident = self.by_id.get(&id).ok_or(Refused::NoIncident(id))?;
        step.check(incident.state, by, note)?;
        if let Some(other) = self.groups.get(&incident.group).filter(|other| **other != id)
            && step == Step::Reopen
        {
            return Err(Refused::Superseded { by: *other });
        }
        let to = step.to();
        let closure = match step {
            Step::Close(Closure { verdict, mut root_cause, mut response, mut outcome }) => {
                for text in [&mut root_cause, &mut response, &mut outcome] {
                    cut(text, NOTE_BYTES_MAX);
                }
                Some(Box::new(Closure { verdict, root_cause, response, outcome }))
            }
            _ => None,
        };
        let (mut by, mut note) = (by.trim().to_owned(), note.trim().to_owned());
        cut(&mut by, NAME_BYTES_MAX);
        cut(&mut note, NOTE_BYTES_MAX);
        let event = Event::Moved { at_ns, incident: id, to, by, note, closure };
        self.commit(event, outside).map_err(Refused::NotRecorded)
    }

    /// Somebody silences conditions that will begin. What has been told goes on: acknowledge it instead.
    ///
    /// # Errors
    /// Why not; nothing has changed.
    pub fn silence(
        &mut self,
        silence: NewSilence,
        at_ns: i64,
        outside: &mut dyn Outside,
    ) -> Result<u64, Refused> {
        let NewSilence { mut matcher, until_ns, mut by, mut reason } = silence;
        let missing = [(&by, "who silences"), (&reason, "the reason")];
        if let Some((_, what)) = missing.into_iter().find(|(text, _)| text.trim().is_empty()) {
            return Err(Refused::Missing(what));
        }
        if until_ns <= at_ns {
            return Err(Refused::Until("it would be over before it begins"));
        }
        if until_ns.saturating_sub(at_ns) > SILENCE_NS_MAX {
            return Err(Refused::Until("it would last longer than 366 days"));
        }
        if matcher.is_everything() {
            return Err(Refused::Everything);
        }
        if self.silences.len() >= self.policy.silences_max as usize {
            return Err(Refused::TooMany(self.policy.silences_max));
        }
        for text in [&mut matcher.tenant, &mut matcher.vm, &mut matcher.detector, &mut matcher.cause, &mut by]
        {
            cut(text, NAME_BYTES_MAX);
        }
        cut(&mut reason, NOTE_BYTES_MAX);
        let id = self.next_silence + 1;
        let silence = Box::new(Silence { id, matcher, added_ns: at_ns, until_ns, by, reason });
        self.commit(Event::Silenced { at_ns, silence }, outside).map_err(Refused::NotRecorded)?;
        Ok(id)
    }

    /// Somebody ends a silence before its time.
    ///
    /// # Errors
    /// Why not; nothing has changed.
    pub fn end_silence(
        &mut self,
        id: u64,
        by: &str,
        at_ns: i64,
        outside: &mut dyn Outside,
    ) -> Result<(), Refused> {
        if !self.silences.contains_key(&id) {
            return Err(Refused::NoSilence(id));
        }
        if by.trim().is_empty() {
            return Err(Refused::Missing("who ends it"));
        }
        let mut by = by.trim().to_owned();
        cut(&mut by, NAME_BYTES_MAX);
        self.commit(Event::Unsilenced { at_ns, silence: id, by }, outside).map_err(Refused::NotRecorded)
    }

    /// A condition that was never seen, or so long ago that it had to make room.
    fn seen_first(&self, signal: &Signal, at_ns: i64, outside: &mut dyn Outside) -> Event {
        let Some(slot) = self.keys.next_slot(self.policy.keys_max) else {
            return Event::Dropped { at_ns };
        };
        let condition = &signal.condition;
        let key = KeyRef { slot, new: Some(Box::new(condition.clone())) };
        let masks = self.policy.masks(condition);
        self.begins_or_is_held(key, condition, masks, false, seen(signal, false), at_ns, outside)
    }

    fn seen_again(&self, slot: u32, signal: &Signal, at_ns: i64, outside: &mut dyn Outside) -> Event {
        let Some(key) = self.keys.get(slot) else { return Event::Stray { at_ns } };
        let known = KeyRef { slot, new: None };
        match key.held {
            _ if key.is_flapping => held(known, at_ns, true, Hold::Flapping, seen(signal, false)),
            _ if !key.is_firing => self.begins_or_is_held(
                known,
                &signal.condition,
                key.masks,
                false,
                seen(signal, false),
                at_ns,
                outside,
            ),
            Some(why) => held(known, at_ns, true, why, seen(signal, false)),
            None if signal.severity > key.severity => {
                Event::Raised { at_ns, key: slot, seen: Box::new(seen(signal, false)) }
            }
            None => Event::Repeated { at_ns, key: slot },
        }
    }

    fn over(&self, slot: u32, signal: &Signal, at_ns: i64) -> Event {
        let Some(key) = self.keys.get(slot) else { return Event::Stray { at_ns } };
        let known = KeyRef { slot, new: None };
        match key.held {
            _ if !key.is_firing => Event::Repeated { at_ns, key: slot },
            _ if key.is_flapping => held(known, at_ns, false, Hold::Flapping, seen(signal, false)),
            Some(why) => held(known, at_ns, false, why, seen(signal, false)),
            None => Event::Ended { at_ns, key: slot, is_unseen: false, message: signal.message.clone() },
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a new key and a known one have these in common")]
    fn begins_or_is_held(
        &self,
        key: KeyRef,
        condition: &Condition,
        masks: (u32, u32),
        is_firing: bool,
        seen: Seen,
        at_ns: i64,
        outside: &mut dyn Outside,
    ) -> Event {
        match self.hold_of(condition, masks, is_firing, at_ns) {
            Some(why) => held(key, at_ns, true, why, seen),
            None => self.beginning(key, condition, seen, at_ns, outside).unwrap_or(Event::Dropped { at_ns }),
        }
    }

    /// Why a condition that begins now is held back, if it is.
    fn hold_of(&self, condition: &Condition, masks: (u32, u32), is_firing: bool, at_ns: i64) -> Option<Hold> {
        let is_silenced = |silence: &Silence| silence.until_ns > at_ns && silence.matcher.matches(condition);
        if self.silences.values().any(is_silenced) {
            return Some(Hold::Silenced);
        }
        if self.keys.is_inhibited(masks, is_firing) {
            return Some(Hold::Inhibited);
        }
        let bucket = self.buckets.get(self.bucket_of(&condition.resource.tenant)).copied();
        (!bucket.unwrap_or_default().admits(at_ns, self.policy.rate())).then_some(Hold::RateLimited)
    }

    /// The event of a condition that is not held back; `None` when there is no room for an incident.
    fn beginning(
        &self,
        key: KeyRef,
        condition: &Condition,
        seen: Seen,
        at_ns: i64,
        outside: &mut dyn Outside,
    ) -> Option<Event> {
        let seen = Box::new(seen);
        let mut evidence = || bounded(outside.evidence(condition), self.policy.evidence_bytes_max as usize);
        if let Some(incident) = self.groups.get(&self.policy.group(condition)) {
            let has_none = self.by_id.get(incident).is_some_and(|one| one.evidence.is_empty());
            let evidence: Vec<Evidence> = if has_none { evidence() } else { Vec::new() };
            return Some(Event::Joined { at_ns, key, incident: *incident, seen, evidence });
        }
        let has_room = self.by_id.len() < self.policy.incidents_max as usize;
        if !has_room && self.oldest_closed().is_none() {
            return None;
        }
        let evidence = evidence();
        Some(Event::Opened { at_ns, key, incident: self.next_incident + 1, seen, evidence })
    }

    fn end_silences(&mut self, at_ns: i64, outside: &mut dyn Outside) -> Result<(), String> {
        let over = |silence: &&Silence| silence.until_ns <= at_ns;
        let over: Vec<u64> = self.silences.values().filter(over).map(|silence| silence.id).collect();
        over.into_iter().try_for_each(|silence| {
            self.commit(Event::Unsilenced { at_ns, silence, by: String::new() }, outside)
        })
    }

    fn calm(&mut self, at_ns: i64, outside: &mut dyn Outside) -> Result<(), String> {
        let calm: Vec<u32> = self.keys.calm(at_ns).collect();
        calm.into_iter().try_for_each(|key| self.commit(Event::Calmed { at_ns, key }, outside))
    }

    /// Lets go what is no longer held back, the worst first.
    fn release(&mut self, at_ns: i64, outside: &mut dyn Outside) -> Result<(), String> {
        let mut held: Vec<u32> = self.keys.held().collect();
        held.sort_by_key(|slot| self.keys.get(*slot).map(|key| std::cmp::Reverse(key.severity)));
        for slot in held {
            let Some(key) = self.keys.get(slot) else { continue };
            if self.hold_of(&key.condition, key.masks, true, at_ns).is_some() {
                continue;
            }
            let condition = key.condition.clone();
            let seen = Seen { severity: key.severity, message: key.message.clone(), is_released: true };
            // Without room it stays held back: as long as it holds it is not lost.
            if let Some(event) = self.beginning(KeyRef { slot, new: None }, &condition, seen, at_ns, outside)
            {
                self.commit(event, outside)?;
            }
        }
        Ok(())
    }

    fn tell_what_is_due(&mut self, at_ns: i64, outside: &mut dyn Outside) -> Result<(), String> {
        let due: Vec<u64> =
            self.due.iter().take_while(|(due_ns, _)| *due_ns <= at_ns).map(|(_, id)| *id).collect();
        for id in due {
            let Some(incident) = self.by_id.get(&id) else { continue };
            // Nothing was told of it yet, and what is wrong with the host came just behind it.
            let is_inhibited = incident.told == 0 && incident.by.is_empty() && self.is_inhibited(incident);
            let event = match (is_inhibited, incident.over_ns) {
                (true, None) => continue,
                (true, Some(_)) => Event::Absorbed { at_ns, incident: id },
                _ => {
                    let is_first = incident.told == 0;
                    let notice = incident.notice(&self.keys, at_ns, incident.changes, is_first);
                    Event::Told { notice: Box::new(notice) }
                }
            };
            self.commit(event, outside)?;
        }
        Ok(())
    }

    fn is_inhibited(&self, incident: &Incident) -> bool {
        !incident.members.is_empty()
            && incident
                .members
                .iter()
                .filter_map(|slot| self.keys.get(*slot))
                .all(|key| self.keys.is_inhibited(key.masks, key.is_firing))
    }

    /// Closes what ended by itself and nobody took on.
    fn forget_unattended(&mut self, at_ns: i64, outside: &mut dyn Outside) -> Result<(), String> {
        let after_ns = self.policy.close_after_ns;
        if after_ns == 0 || (0..LOOK_NS).contains(&at_ns.saturating_sub(self.looked_ns)) {
            return Ok(());
        }
        self.looked_ns = at_ns;
        let is_left = |incident: &Incident| {
            incident.state == State::Open
                && incident.over_ns.is_some_and(|over_ns| at_ns.saturating_sub(over_ns) >= after_ns)
        };
        let left: Vec<u64> = self.all().filter(|one| is_left(one)).map(|one| one.id).collect();
        let text = |text: &str| text.to_owned();
        for id in left {
            let closure = Closure {
                verdict: Verdict::InsufficientData,
                root_cause: text("not looked for: nobody took the incident on"),
                response: text("none"),
                outcome: text("its conditions ended by themselves and did not come back"),
            };
            let steps = [Step::Acknowledge, Step::Contain, Step::Recover, Step::Close(closure)];
            for step in steps {
                self.step(id, step, NOBODY, "its conditions ended by themselves", at_ns, outside)
                    .map_err(|refused| refused.to_string())?;
            }
        }
        Ok(())
    }

    fn set_back(&mut self, at_ns: i64, outside: &mut dyn Outside) {
        if self.now_ns.saturating_sub(at_ns) >= SET_BACK_NS_MIN {
            // Not recorded: the next tick finds the clock as far back as this one.
            let _ = self.commit(Event::ClockSetBack { at_ns }, outside);
        }
    }

    fn tell_of_loss(&mut self, at_ns: i64, outside: &mut dyn Outside) {
        let count = std::mem::take(&mut self.unrecorded);
        if count > 0 && self.commit(Event::Lost { at_ns, count }, outside).is_err() {
            self.unrecorded = count;
        }
    }

    /// Records an event, and takes it into the state once that was taken.
    fn commit(&mut self, event: Event, outside: &mut dyn Outside) -> Result<(), String> {
        let mut payload = std::mem::take(&mut self.scratch.1);
        let recorded =
            event.encode(&mut payload).and_then(|()| outside.record(self.tenant_of(&event), &payload));
        self.scratch.1 = payload;
        recorded?;
        self.apply(event).map_err(|corrupt| corrupt.what)
    }

    fn tenant_of<'a>(&'a self, event: &'a Event) -> &'a str {
        let of_key = |slot: u32| self.keys.get(slot).map_or("", |key| key.condition.resource.tenant.as_str());
        let of_ref = |key: &'a KeyRef| match &key.new {
            Some(condition) => condition.resource.tenant.as_str(),
            None => of_key(key.slot),
        };
        match event {
            Event::Opened { key, .. } | Event::Joined { key, .. } | Event::Held { key, .. } => of_ref(key),
            Event::Raised { key, .. }
            | Event::Ended { key, .. }
            | Event::Repeated { key, .. }
            | Event::Calmed { key, .. } => of_key(*key),
            Event::Told { notice } => &notice.resource.tenant,
            Event::Absorbed { incident, .. } | Event::Moved { incident, .. } => {
                self.by_id.get(incident).map_or("", |incident| incident.resource.tenant.as_str())
            }
            Event::Began { .. }
            | Event::Adopted { .. }
            | Event::Stray { .. }
            | Event::Dropped { .. }
            | Event::Lost { .. }
            | Event::Silenced { .. }
            | Event::Unsilenced { .. }
            | Event::ClockSetBack { .. } => "",
        }
    }
}

fn seen(signal: &Signal, is_released: bool) -> Seen {
    debug_assert!(signal.message.len() <= MESSAGE_BYTES_MAX, "made by Signal::new");
    Seen { severity: signal.severity, message: signal.message.clone(), is_released }
}

fn held(key: KeyRef, at_ns: i64, is_firing: bool, why: Hold, seen: Seen) -> Event {
    Event::Held { at_ns, key, is_firing, why, seen: Box::new(seen) }
}

impl Incident {
    /// Whether something is gathered that was not told yet.
    #[must_use]
    pub fn has_news(&self) -> bool {
        !self.changes.is_empty()
    }

    /// Whether something that happened is among it.
    #[must_use]
    pub fn will_tell(&self, what: What) -> bool {
        self.changes.has(what)
    }
}
