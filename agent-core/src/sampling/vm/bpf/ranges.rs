//! Who has which entries of an array: ranges, taken and given back on the cold side.

/// Entries that are free.
pub(super) struct Ranges {
    /// Start and length, by start; no two touch.
    free: Vec<(u32, u32)>,
}

impl Ranges {
    pub(super) fn new(entries: u32) -> Self {
        Self { free: vec![(0, entries)] }
    }

    /// Takes the first range of this length; `None` when there is none.
    pub(super) fn take(&mut self, length: u32) -> Option<u32> {
        let index = self.free.iter().position(|(_, free)| *free >= length)?;
        let (start, free) = self.free[index];
        if free == length {
            self.free.remove(index);
        } else {
            self.free[index] = (start + length, free - length);
        }
        Some(start)
    }

    /// Gives a range back that was taken.
    pub(super) fn give_back(&mut self, start: u32, length: u32) {
        let index = self.free.partition_point(|(other, _)| *other < start);
        self.free.insert(index, (start, length));
        let joins = |free: &[(u32, u32)], at: usize| {
            free.get(at + 1).is_some_and(|next| free[at].0 + free[at].1 == next.0)
        };
        if joins(&self.free, index) {
            self.free[index].1 += self.free.remove(index + 1).1;
        }
        if index > 0 && joins(&self.free, index - 1) {
            self.free[index - 1].1 += self.free.remove(index).1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_given_back_can_be_taken_as_one() {
        let mut ranges = Ranges::new(10);
        let taken: Vec<_> = [3, 3, 4].iter().map(|length| ranges.take(*length)).collect();
        assert_eq!(taken, [Some(0), Some(3), Some(6)]);
        assert_eq!(ranges.take(1), None);
        ranges.give_back(0, 3);
        ranges.give_back(6, 4);
        assert_eq!(ranges.take(5), None, "not in one piece");
        ranges.give_back(3, 3);
        assert_eq!(ranges.take(10), Some(0));
    }

    proptest! {
        #[test]
        fn nobody_shares_and_nothing_is_lost(steps in prop::collection::vec((1_u32..9, any::<bool>()), 1..60)) {
            const ENTRIES: u32 = 40;
            let mut ranges = Ranges::new(ENTRIES);
            let mut held: Vec<(u32, u32)> = Vec::new();
            for (length, take) in steps {
                if take || held.is_empty() {
                    if let Some(start) = ranges.take(length) {
                        prop_assert!(start + length <= ENTRIES);
                        prop_assert!(held.iter().all(|(other, of)| start + length <= *other || other + of <= start));
                        held.push((start, length));
                    }
                } else {
                    let (start, of) = held.swap_remove(length as usize % held.len());
                    ranges.give_back(start, of);
                }
                let free: u32 = ranges.free.iter().map(|(_, length)| length).sum();
                prop_assert_eq!(free + held.iter().map(|(_, length)| length).sum::<u32>(), ENTRIES);
                prop_assert!(ranges.free.windows(2).all(|pair| pair[0].0 + pair[0].1 < pair[1].0));
            }
        }
    }
}
