//! The table of keys: bounded, found by their text, and the one that was quiet longest makes room.

use super::accounts::Hold;
use super::damping::Penalty;
use super::policy::Policy;
use super::signal::Condition;
use crate::alerts::Severity;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};

/// What is known of one condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Key {
    pub(super) condition: Box<Condition>,
    /// The incident it belongs to; 0 is none.
    pub(super) incident: u64,
    pub(super) is_firing: bool,
    /// It fires, and that is not told.
    pub(super) held: Option<Hold>,
    pub(super) is_flapping: bool,
    pub(super) penalty: Penalty,
    pub(super) severity: Severity,
    pub(super) message: String,
    pub(super) count: u64,
    pub(super) first_ns: i64,
    pub(super) last_ns: i64,
    /// The run in which it was last seen to fire.
    pub(super) epoch: u32,
    /// Grows with every time a key became idle: the smallest is the one that was quiet longest.
    idle_since: u64,
    /// The inhibitions it sets off, and those that hold it back.
    #[serde(skip)]
    pub(super) masks: (u32, u32),
}

impl Key {
    pub(super) fn new(condition: Box<Condition>, at_ns: i64) -> Self {
        Self {
            condition,
            incident: 0,
            is_firing: false,
            held: None,
            is_flapping: false,
            penalty: Penalty::default(),
            severity: Severity::Info,
            message: String::new(),
            count: 0,
            first_ns: at_ns,
            last_ns: at_ns,
            epoch: 0,
            idle_since: 0,
            masks: (0, 0),
        }
    }

    /// Whether its incident goes on because of it.
    pub(super) fn is_active(&self) -> bool {
        self.is_flapping || (self.is_firing && self.held.is_none())
    }

    fn is_idle(&self) -> bool {
        !self.is_firing && !self.is_flapping
    }
}

/// The table.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    slots: Vec<Key>,
    /// Counts how often a key became idle.
    idled: u64,
    index: HashMap<Box<str>, u32>,
    idle: BTreeSet<(u64, u32)>,
    held: BTreeSet<u32>,
    /// Those that flap, by the time at which they are calm.
    flapping: BTreeSet<(i64, u32)>,
    /// Half-life and lower limit of the penalty, as the policy has them.
    calms: (i64, u32),
    /// Keys that fire and set off each inhibition.
    inhibiting: [u32; 32],
}

/// What is saved of it; the rest follows from that.
#[derive(Serialize, Deserialize)]
pub(super) struct SavedKeys {
    slots: Vec<Key>,
    idled: u64,
}

impl Keys {
    pub(super) fn find(&self, text: &str) -> Option<u32> {
        self.index.get(text).copied()
    }

    pub(super) fn get(&self, slot: u32) -> Option<&Key> {
        self.slots.get(slot as usize)
    }

    /// The slot that the next new key gets; `None` when all fire.
    pub(super) fn next_slot(&self, keys_max: u32) -> Option<u32> {
        let used = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        if used < keys_max { Some(used) } else { self.idle.first().map(|(_, slot)| *slot) }
    }

    /// Puts a new key into a slot; returns the one that made room.
    pub(super) fn place(&mut self, slot: u32, mut key: Key, policy: &Policy) -> Option<Key> {
        key.masks = policy.masks(&key.condition);
        let mut text = String::new();
        key.condition.write_key(&mut text);
        let at = slot as usize;
        let old = if at < self.slots.len() {
            let mut old_text = String::new();
            self.slots[at].condition.write_key(&mut old_text);
            self.index.remove(old_text.as_str());
            self.forget(slot);
            Some(std::mem::replace(&mut self.slots[at], key))
        } else {
            self.slots.push(key);
            None
        };
        self.index.insert(text.into_boxed_str(), slot);
        self.note(slot);
        old
    }

    /// Changes a key, and all that follows from it.
    pub(super) fn change(&mut self, slot: u32, change: impl FnOnce(&mut Key)) {
        let was_idle = self.slots[slot as usize].is_idle();
        self.forget(slot);
        let key = &mut self.slots[slot as usize];
        change(key);
        if key.is_idle() && !was_idle {
            self.idled += 1;
            key.idle_since = self.idled;
        }
        self.note(slot);
    }

    /// Changes what nothing follows from: counts, times, the incident.
    pub(super) fn touch(&mut self, slot: u32) -> &mut Key {
        &mut self.slots[slot as usize]
    }

    pub(super) fn held(&self) -> impl Iterator<Item = u32> + '_ {
        self.held.iter().copied()
    }

    /// Those that flapped and are calm at a time.
    pub(super) fn calm(&self, at_ns: i64) -> impl Iterator<Item = u32> + '_ {
        self.flapping.iter().take_while(move |(calm_ns, _)| *calm_ns <= at_ns).map(|(_, slot)| *slot)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Key)> {
        (0..).zip(&self.slots)
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether a condition other than itself holds that holds this one back.
    pub(super) fn is_inhibited(&self, (source, target): (u32, u32), is_firing: bool) -> bool {
        (0..32).any(|bit| {
            let own = u32::from(is_firing && source >> bit & 1 == 1);
            target >> bit & 1 == 1 && self.inhibiting[bit] > own
        })
    }

    /// Another policy is in force.
    pub(super) fn judge_anew(&mut self, policy: &Policy) {
        let slots = std::mem::take(&mut self.slots);
        let idled = self.idled;
        *self = Self::restored(SavedKeys { slots, idled }, policy);
    }

    pub(super) fn saved(&self) -> SavedKeys {
        SavedKeys { slots: self.slots.clone(), idled: self.idled }
    }

    pub(super) fn restored(saved: SavedKeys, policy: &Policy) -> Self {
        let mut keys = Self {
            slots: saved.slots,
            idled: saved.idled,
            calms: (policy.flap_half_life_ns, policy.flap_low),
            ..Self::default()
        };
        let mut text = String::new();
        for slot in 0..u32::try_from(keys.slots.len()).unwrap_or(u32::MAX) {
            let key = &mut keys.slots[slot as usize];
            key.masks = policy.masks(&key.condition);
            key.condition.write_key(&mut text);
            keys.index.insert(text.as_str().into(), slot);
            keys.note(slot);
        }
        keys
    }

    fn note(&mut self, slot: u32) {
        self.derive(slot, true);
    }

    fn forget(&mut self, slot: u32) {
        self.derive(slot, false);
    }

    /// Enters a key into what follows from it, or takes it out.
    fn derive(&mut self, slot: u32, enter: bool) {
        fn put<T: Ord>(set: &mut BTreeSet<T>, item: T, enter: bool) {
            if enter {
                set.insert(item);
            } else {
                set.remove(&item);
            }
        }
        let key = &self.slots[slot as usize];
        if key.is_idle() {
            put(&mut self.idle, (key.idle_since, slot), enter);
        }
        if key.is_firing && key.held.is_some() {
            put(&mut self.held, slot, enter);
        }
        if key.is_flapping {
            let (half_life_ns, low) = self.calms;
            put(&mut self.flapping, (key.penalty.falls_to(low, half_life_ns), slot), enter);
        }
        if key.is_firing && key.masks.0 != 0 {
            for (bit, count) in self.inhibiting.iter_mut().enumerate() {
                if key.masks.0 >> bit & 1 == 1 {
                    *count = if enter { *count + 1 } else { count.saturating_sub(1) };
                }
            }
        }
    }
}
