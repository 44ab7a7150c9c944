//! Something for each rule on each subject, as densely as a thousand VMs with a hundred rules each ask for.

use super::board::Key;
use super::vm::VmId;
use std::collections::{BTreeMap, HashMap, VecDeque};

/// Entries that are made room for at a time.
const ROOM: usize = 16;

/// Something of each finding: the host's first, then VM by VM.
#[derive(Debug)]
pub(super) struct BySubject<T>(BTreeMap<Option<VmId>, Vec<(u32, T)>>);

impl<T> Default for BySubject<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> BySubject<T> {
    pub(super) fn get(&self, key: Key) -> Option<&T> {
        let column = self.0.get(&key.vm)?;
        column.binary_search_by_key(&key.rule, |(rule, _)| *rule).ok().map(|at| &column[at].1)
    }

    pub(super) fn insert(&mut self, key: Key, value: T) {
        let column = self.0.entry(key.vm).or_default();
        match column.binary_search_by_key(&key.rule, |(rule, _)| *rule) {
            Ok(at) => column[at].1 = value,
            Err(at) => {
                if column.len() == column.capacity() {
                    column.reserve_exact(ROOM);
                }
                column.insert(at, (key.rule, value));
            }
        }
    }

    /// Takes out everything of one subject.
    pub(super) fn remove_subject(&mut self, vm: Option<VmId>) -> Vec<(u32, T)> {
        self.0.remove(&vm).unwrap_or_default()
    }

    pub(super) fn retain(&mut self, keep: impl Fn(Key) -> bool) {
        for (vm, column) in &mut self.0 {
            column.retain(|(rule, _)| keep(Key { vm: *vm, rule: *rule }));
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.0.keys().flat_map(|vm| self.of(*vm))
    }

    /// Those of one subject.
    pub(super) fn of(&self, vm: Option<VmId>) -> impl Iterator<Item = (Key, &T)> {
        let column = self.0.get(&vm).into_iter().flatten();
        column.map(move |(rule, value)| (Key { vm, rule: *rule }, value))
    }
}

/// Findings that are to be made, each once: subject by subject, in the order in which the subjects came.
#[derive(Debug, Default)]
pub(super) struct Queue {
    subjects: VecDeque<Option<VmId>>,
    /// A bit for each rule.
    rules: HashMap<Option<VmId>, Vec<u64>>,
}

impl Queue {
    pub(super) fn push(&mut self, key: Key) {
        let bits = self.rules.entry(key.vm).or_insert_with(|| {
            self.subjects.push_back(key.vm);
            Vec::new()
        });
        let word = key.rule as usize / 64;
        if bits.len() <= word {
            bits.resize(word + 1, 0);
        }
        bits[word] |= 1 << (key.rule % 64);
    }

    pub(super) fn pop(&mut self) -> Option<Key> {
        loop {
            let vm = *self.subjects.front()?;
            let bits = self.rules.get_mut(&vm).map(Vec::as_mut_slice).unwrap_or_default();
            let Some(word) = bits.iter().position(|bits| *bits != 0) else {
                self.rules.remove(&vm);
                self.subjects.pop_front();
                continue;
            };
            let bit = bits[word].trailing_zeros();
            bits[word] &= bits[word] - 1;
            return Some(Key { vm, rule: u32::try_from(word * 64).unwrap_or(u32::MAX) + bit });
        }
    }

    /// Whether nothing is to be done.
    pub(super) fn is_empty(&self) -> bool {
        self.rules.values().flatten().all(|bits| *bits == 0)
    }

    pub(super) fn remove_subject(&mut self, vm: VmId) {
        self.subjects.retain(|subject| *subject != Some(vm));
        self.rules.remove(&Some(vm));
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "a subject is a VM or, as none, the host")]
    fn vm(pid: i32) -> Option<VmId> {
        Some(VmId { pid, start_ticks: 1 })
    }

    #[test]
    fn a_queue_gives_each_finding_once_and_subject_by_subject() {
        let mut queue = Queue::default();
        for (vm, rule) in [(vm(2), 70), (None, 3), (vm(2), 0), (vm(2), 70), (vm(3), 64)] {
            queue.push(Key { vm, rule });
        }
        queue.remove_subject(VmId { pid: 3, start_ticks: 1 });
        assert!(!queue.is_empty());
        let order: Vec<_> = std::iter::from_fn(|| queue.pop()).map(|key| (key.vm, key.rule)).collect();
        assert_eq!(order, [(vm(2), 0), (vm(2), 70), (None, 3)]);
        assert!(queue.is_empty());
        queue.push(Key { vm: None, rule: 1 });
        queue.clear();
        assert!(queue.is_empty() && queue.pop().is_none());
    }

    #[test]
    fn what_is_kept_is_in_order_and_goes_with_its_subject() {
        let mut kept = BySubject::default();
        for (vm, rule) in [(vm(2), 7), (vm(2), 1), (None, 9), (vm(1), 5)] {
            kept.insert(Key { vm, rule }, rule);
        }
        kept.insert(Key { vm: None, rule: 9 }, 90);
        let all: Vec<_> = kept.iter().map(|(key, value)| (key.vm, *value)).collect();
        assert_eq!(all, [(None, 90), (vm(1), 5), (vm(2), 1), (vm(2), 7)]);
        assert_eq!(
            (kept.get(Key { vm: vm(2), rule: 1 }), kept.get(Key { vm: vm(2), rule: 2 })),
            (Some(&1), None)
        );
        assert_eq!(kept.remove_subject(vm(2)), [(1, 1), (7, 7)]);
        kept.retain(|key| key.vm.is_none());
        assert_eq!(kept.iter().count(), 1);
    }
}
