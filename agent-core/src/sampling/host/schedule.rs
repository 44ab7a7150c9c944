//! Which tick a file is read in: what is dear is read rarely, and not all of it in the same tick.

use crate::sampling::frame::Tick;

/// When it is a file's turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Turn {
    period_ticks: u64,
    phase: u64,
    taken: bool,
}

impl Turn {
    /// Every so many ticks; `phase` tells files of the same period apart.
    pub(super) fn new(period_ticks: u32, phase: usize) -> Self {
        let period_ticks = u64::from(period_ticks.max(1));
        Self { period_ticks, phase: (phase as u64) % period_ticks, taken: false }
    }

    /// In every tick.
    pub(super) fn is_always(self) -> bool {
        self.period_ticks <= 1
    }

    /// Whether it is due. `firsts_left` is how many files may be read in this tick although it is not their turn,
    /// because they have not been read at all.
    pub(super) fn is_due(&mut self, tick: Tick, firsts_left: &mut usize) -> bool {
        let mut due = self.is_always() || tick.number % self.period_ticks == self.phase;
        if !due && !self.taken && *firsts_left > 0 {
            *firsts_left -= 1;
            due = true;
        }
        self.taken |= due;
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tick(number: u64) -> Tick {
        Tick { number, ..Tick::default() }
    }

    #[test]
    fn once_at_first_and_then_once_a_period() {
        let mut turns: Vec<_> = (0..30).map(|phase| Turn::new(10, phase)).collect();
        let mut counts = vec![0; turns.len()];
        let mut busiest = 0;
        for number in 1..=40 {
            let mut firsts = 4;
            let mut due = 0;
            for (turn, count) in turns.iter_mut().zip(&mut counts) {
                if turn.is_due(tick(number), &mut firsts) {
                    *count += 1;
                    due += 1;
                }
            }
            busiest = busiest.max(due);
            if number == 8 {
                assert!(counts.iter().all(|count| *count > 0), "all were read once: {counts:?}");
            }
        }
        assert!(counts.iter().all(|count| (4..=5).contains(count)), "{counts:?}");
        assert!(busiest <= 4 + 3, "{busiest}");
    }

    #[test]
    fn always_is_always() {
        let mut turn = Turn::new(1, 7);
        assert!((1..20).all(|number| turn.is_due(tick(number), &mut 0)));
    }
}
