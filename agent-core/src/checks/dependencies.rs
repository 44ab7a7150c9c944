//! Which findings saw which facts. VMs that are alike have rules that saw the same: what they saw is kept once.

use super::board::Key;
use super::by_subject::BySubject;
use super::facts::{NameId, Place};
use super::vm::VmId;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

/// What a finding saw of its own VM (`true`) and of the host.
type Seen = Arc<[(NameId, bool)]>;

/// Which findings saw which facts.
#[derive(Default)]
pub(super) struct Dependencies {
    seen: BySubject<Seen>,
    lists: HashSet<Seen>,
    /// What findings saw of VMs that they are not about, both ways.
    across: BTreeMap<Key, Vec<Place>>,
    seen_across: BTreeMap<Place, BTreeSet<Key>>,
}

impl Dependencies {
    /// Says what a finding saw.
    pub(super) fn set(&mut self, key: Key, saw: &[Place]) {
        let is_own = |place: &&Place| place.vm.is_none() || place.vm == key.vm;
        let mut own: Vec<_> =
            saw.iter().filter(is_own).map(|place| (place.name, place.vm.is_some())).collect();
        own.sort_unstable();
        own.dedup();
        match self.seen.get(key) {
            Some(known) if **known == *own => {}
            _ => {
                let known = self.lists.get(own.as_slice()).map(Arc::clone);
                let list = known.unwrap_or_else(|| {
                    let list: Seen = own.into();
                    self.lists.insert(Arc::clone(&list));
                    list
                });
                self.seen.insert(key, list);
            }
        }
        self.unlink(key);
        let others: Vec<Place> = saw.iter().filter(|place| !is_own(place)).copied().collect();
        for place in &others {
            self.seen_across.entry(*place).or_default().insert(key);
        }
        if !others.is_empty() {
            self.across.insert(key, others);
        }
    }

    /// The findings that saw a fact.
    pub(super) fn of(&self, place: Place) -> Vec<Key> {
        let wanted = (place.name, place.vm.is_some());
        let lists = self.lists_with(|seen| *seen == wanted);
        let mut found: Vec<Key> = match place.vm {
            _ if lists.is_empty() => Vec::new(),
            Some(vm) => those(self.seen.of(Some(vm)), &lists).collect(),
            None => those(self.seen.iter(), &lists).collect(),
        };
        found.extend(self.seen_across.get(&place).into_iter().flatten());
        found
    }

    /// The findings that saw a fact of the host of such a name.
    pub(super) fn of_names(&self, which: impl Fn(NameId) -> bool) -> Vec<Key> {
        let lists = self.lists_with(|(name, own)| !own && which(*name));
        those(self.seen.iter(), &lists).collect()
    }

    /// Every finding.
    pub(super) fn keys(&self) -> Vec<Key> {
        self.seen.iter().map(|(key, _)| key).collect()
    }

    /// A VM ended: its findings are forgotten. Those of others that saw something of it are returned.
    pub(super) fn forget(&mut self, vm: VmId) -> Vec<Key> {
        drop(self.seen.remove_subject(Some(vm)));
        self.lists.retain(|list| Arc::strong_count(list) > 1);
        let own: Vec<Key> = self.across.keys().filter(|key| key.vm == Some(vm)).copied().collect();
        for key in own {
            self.unlink(key);
        }
        let gone: Vec<Place> =
            self.seen_across.keys().filter(|place| place.vm == Some(vm)).copied().collect();
        gone.iter().filter_map(|place| self.seen_across.remove(place)).flatten().collect()
    }

    fn lists_with(&self, which: impl Fn(&(NameId, bool)) -> bool) -> HashSet<*const (NameId, bool)> {
        self.lists.iter().filter(|list| list.iter().any(&which)).map(|list| list.as_ptr()).collect()
    }

    fn unlink(&mut self, key: Key) {
        for place in self.across.remove(&key).unwrap_or_default() {
            if let Some(keys) = self.seen_across.get_mut(&place) {
                keys.remove(&key);
                if keys.is_empty() {
                    self.seen_across.remove(&place);
                }
            }
        }
    }
}

fn those<'s>(
    seen: impl Iterator<Item = (Key, &'s Seen)>,
    lists: &HashSet<*const (NameId, bool)>,
) -> impl Iterator<Item = Key> {
    seen.filter(|(_, list)| lists.contains(&list.as_ptr())).map(|(key, _)| key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::facts::Facts;

    #[test]
    fn whoever_saw_a_fact_is_found_and_nobody_else() {
        let facts = Facts::fixed([], Vec::new());
        let [one, two] = [1, 2].map(|pid| Some(VmId { pid, start_ticks: 1 }));
        let place = |vm, key| facts.place(vm, key);
        let key = |vm, rule| Key { vm, rule };
        let mut all = Dependencies::default();
        all.set(key(one, 1), &[place(one, "vm.a"), place(None, "h")]);
        all.set(key(two, 1), &[place(two, "vm.a"), place(None, "h")]);
        all.set(key(two, 2), &[place(two, "vm.b"), place(one, "vm.a")]);
        all.set(key(None, 3), &[place(None, "vm.a")]);
        assert_eq!(all.of(place(one, "vm.a")), [key(one, 1), key(two, 2)]);
        assert_eq!(all.of(place(two, "vm.a")), [key(two, 1)]);
        assert_eq!(all.of(place(None, "h")), [key(one, 1), key(two, 1)]);
        assert_eq!(all.of(place(None, "vm.a")), [key(None, 3)], "a host's fact of a VM's fact's name");
        assert_eq!(all.of(place(one, "vm.b")), []);
        assert_eq!(all.lists.len(), 3, "what two VMs saw alike is kept once");
        // Looked again, and saw something else.
        all.set(key(two, 2), &[place(None, "h")]);
        assert_eq!(all.of(place(one, "vm.a")), [key(one, 1)]);
        assert_eq!(all.of_names(|name| name == place(None, "h").name).len(), 3);
        all.set(key(two, 2), &[place(one, "vm.a")]);
        assert_eq!(all.forget(one.expect("a VM")), [key(two, 2)]);
        assert_eq!(all.keys(), [key(None, 3), key(two, 1), key(two, 2)]);
        assert_eq!(all.of(place(None, "h")), [key(two, 1)]);
    }
}
