//! VMs that end again and again: the times of the last few ends of each, under its UUID or name.

use super::speak::{FNV_BASIS, fnv1a};
use crate::sampling::frame::{OutOfMemory, zeroed};
use crate::sampling::vm::VmIdentity;
use crate::sys::zeroed::Zeroed;
use bytemuck::Zeroable;

/// Ends that are remembered of one VM.
pub(super) const TIMES_MAX: usize = 8;

/// The ends of one VM, oldest first. All zeroes is a free place.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
struct Ends {
    /// 0 is nobody.
    key: u64,
    at_ns: [u64; TIMES_MAX],
}

/// Places for as many VMs as are watched at once; when all are taken, the VM that ended longest ago is forgotten.
#[derive(Default)]
pub(super) struct Recurrences(Zeroed<Ends>);

impl std::fmt::Debug for Recurrences {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recurrences").field("places", &self.0.len()).finish()
    }
}

impl Recurrences {
    pub(super) const BYTES_PER_VM: usize = size_of::<Ends>();

    pub(super) fn new(vms: usize) -> Result<Self, OutOfMemory> {
        zeroed(vms).map(Self)
    }

    /// A VM ended.
    pub(super) fn note(&mut self, identity: &VmIdentity, now_ns: u64) {
        let key = key(identity);
        let known = self.0.iter().position(|ends| ends.key == key);
        let last = |index: &usize| self.0[*index].at_ns[TIMES_MAX - 1];
        let Some(place) = known.or_else(|| (0..self.0.len()).min_by_key(last)) else { return };
        let ends = &mut self.0[place];
        if known.is_none() {
            *ends = Ends { key, at_ns: [0; TIMES_MAX] };
        }
        ends.at_ns.copy_within(1.., 0);
        ends.at_ns[TIMES_MAX - 1] = now_ns;
    }

    /// How often it ended within a time up to now, as far as that is remembered.
    pub(super) fn count(&self, identity: &VmIdentity, now_ns: u64, within_ns: u64) -> usize {
        let key = key(identity);
        let recent = |at_ns: &&u64| **at_ns != 0 && now_ns.saturating_sub(**at_ns) <= within_ns;
        let ends = self.0.iter().find(|ends| ends.key == key);
        ends.map_or(0, |ends| ends.at_ns.iter().filter(recent).count())
    }

    /// Takes over what another one remembers.
    pub(super) fn adopt(&mut self, old: &mut Self) {
        if self.0.len() == old.0.len() {
            std::mem::swap(&mut self.0, &mut old.0);
        }
    }
}

/// The UUID, or where there is none the name: a VM that is started again has the same.
fn key(identity: &VmIdentity) -> u64 {
    let bytes: &[u8] =
        if identity.uuid == [0; 16] { identity.name.as_bytes() } else { identity.uuid.as_slice() };
    fnv1a(bytes, FNV_BASIS).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrayvec::ArrayString;

    fn vm(name: &str) -> VmIdentity {
        VmIdentity { name: ArrayString::from(name).expect("fits"), ..VmIdentity::default() }
    }

    #[test]
    fn ends_within_the_window_are_counted_for_each_vm_by_itself() {
        let mut ends = Recurrences::new(4).expect("memory");
        for at_ns in [10, 20, 30] {
            ends.note(&vm("a"), at_ns);
        }
        ends.note(&vm("b"), 25);
        assert_eq!(ends.count(&vm("a"), 30, 20), 3);
        assert_eq!(ends.count(&vm("a"), 35, 20), 2);
        assert_eq!(ends.count(&vm("b"), 35, 20), 1);
        assert_eq!(ends.count(&vm("c"), 35, 20), 0);
    }

    #[test]
    fn the_vm_that_ended_longest_ago_makes_room() {
        let mut ends = Recurrences::new(2).expect("memory");
        for (name, at_ns) in [("a", 10), ("b", 20), ("a", 30), ("c", 40)] {
            ends.note(&vm(name), at_ns);
        }
        let counts = ["a", "b", "c"].map(|name| ends.count(&vm(name), 40, 100));
        assert_eq!(counts, [2, 0, 1]);
        Recurrences::new(0).expect("nothing").note(&vm("a"), 1);
    }
}
