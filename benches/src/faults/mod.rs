//! Faults injected into real VMs, and what the unchanged agent says of them.
//!
//! The agent runs as shipped: default configuration, shipped rules, a tick a second, on its own threads. Each fault has
//! a VM of its own (a real QEMU with KVM, or a mini VMM where the VM must be restarted), which does its ordinary work
//! before: a timer a hundred times a second, and a short burst now and then. What is said of a VM while its fault lasts
//! is a detection; what is said of any VM at another time is a false alarm.

pub mod leaks;
pub mod report;
pub mod stage;
pub mod steps;

/// `xorshift64*`: the same seed injects the same faults in the same order.
#[derive(Debug)]
pub struct Dice(u64);

impl Dice {
    /// Begins with a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below the bound.
    pub const fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) % bound
    }

    /// Puts a list into another order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let bound = u64::try_from(last + 1).unwrap_or(u64::MAX);
            items.swap(last, usize::try_from(self.below(bound)).unwrap_or(0));
        }
    }
}
