//! What a run of the program says of one VM, and of one thread.
//!
//! ```text
//! record, 128 bytes   tid u32, cpu u32 | run_ns | wait_ns | timeslices | start_ns | state u32, policy u32 | utime_ns
//!                     | stime_ns | gtime_ns | voluntary | involuntary | minor | major | read | written
//!                     | static priority i32, realtime priority u32
//! ```

use crate::sampling::vm::schedstat::Schedstat;
use nix::errno::Errno;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// Words of a record.
pub(super) const RECORD_WORDS: usize = 16;

/// What one run said of one VM.
#[derive(Clone, Copy)]
pub(in crate::sampling::vm) struct View<'a> {
    records: &'a [AtomicU64],
    /// Threads that the process has.
    pub(in crate::sampling::vm) threads: u32,
    /// Threads that ran since the run before, or were not in their place then.
    pub(in crate::sampling::vm) moved: u32,
    /// When the process started, since boot.
    pub(super) start_ns: u64,
}

impl<'a> View<'a> {
    pub(super) fn of(slot: &[AtomicU64], records: &'a [AtomicU64], run: u32) -> Result<Self, Errno> {
        let [_, _, when, what, start, ..] = slot else { return Err(Errno::EAGAIN) };
        let [by, found]: [u32; 2] = bytemuck::cast(when.load(Relaxed));
        if by != run {
            return Err(Errno::EAGAIN);
        }
        if found == 0 {
            return Err(Errno::ESRCH);
        }
        let [threads, moved] = bytemuck::cast(what.load(Relaxed));
        Ok(Self { records, threads, moved, start_ns: start.load(Relaxed) })
    }

    /// Threads for which there was no record.
    pub(in crate::sampling::vm) fn beyond(&self) -> u32 {
        let capacity = u32::try_from(self.records.len() / RECORD_WORDS).unwrap_or(u32::MAX);
        self.threads.saturating_sub(capacity)
    }

    /// The record of a thread, and where it is. Threads keep their order, so it is mostly where it was.
    ///
    /// # Errors
    /// `ESRCH` when the thread is gone; `ENOSPC` when it may be one of those for which there was no record.
    #[inline]
    pub(in crate::sampling::vm) fn find(&self, tid: i32, hint: u32) -> Result<(u32, Record<'a>), Errno> {
        let tid = tid.unsigned_abs();
        let is_it = |index: &u32| self.record(*index).is_some_and(|record| record.tid() == tid);
        let found = if is_it(&hint) { Some(hint) } else { (0..self.threads).find(is_it) };
        match found.and_then(|index| Some((index, self.record(index)?))) {
            Some(found) => Ok(found),
            None if self.beyond() > 0 => Err(Errno::ENOSPC),
            None => Err(Errno::ESRCH),
        }
    }

    fn record(&self, index: u32) -> Option<Record<'a>> {
        let begin = index as usize * RECORD_WORDS;
        let words = if index < self.threads { self.records.get(begin..begin + RECORD_WORDS) } else { None };
        Some(Record { words: words?.first_chunk()? })
    }
}

/// One thread's record.
#[derive(Clone, Copy)]
pub(in crate::sampling::vm) struct Record<'a> {
    words: &'a [AtomicU64; RECORD_WORDS],
}

impl Record<'_> {
    fn word(self, index: usize) -> u64 {
        self.words[index].load(Relaxed)
    }

    /// Two numbers in a word, in the order of their addresses.
    fn halves(self, index: usize) -> [u32; 2] {
        bytemuck::cast(self.word(index))
    }

    fn tid(self) -> u32 {
        self.halves(0)[0]
    }

    pub(in crate::sampling::vm) fn schedstat(self) -> Schedstat {
        Schedstat { run_ns: self.word(1), wait_ns: self.word(2), timeslices: self.word(3) }
    }

    /// When the thread started: a number that no other thread of its TID has.
    pub(in crate::sampling::vm) fn start_ns(self) -> u64 {
        self.word(4)
    }

    pub(in crate::sampling::vm) fn processor(self) -> u64 {
        u64::from(self.halves(0)[1])
    }

    /// The letter that `/proc` shows (`get_task_state`, fs/proc/array.c; `TASK_*`, include/linux/sched.h).
    pub(in crate::sampling::vm) fn state(self) -> u8 {
        const REPORTED: u32 = 0x7f;
        const IDLE: u32 = 0x402;
        const SHOWN_AS_UNINTERRUPTIBLE: u32 = 0x1000 | 0x8000;
        let [state, _] = self.halves(5);
        if state & IDLE == IDLE {
            return b'I';
        }
        if state & SHOWN_AS_UNINTERRUPTIBLE != 0 {
            return b'D';
        }
        let highest = (u32::BITS - (state & REPORTED).leading_zeros()) as usize;
        b"RSDTtXZP".get(highest).copied().unwrap_or(b'?')
    }

    pub(in crate::sampling::vm) fn policy(self) -> u64 {
        u64::from(self.halves(5)[1])
    }

    /// User and system time as they were sampled by the timer's tick: only their ratio is meant (see [`Split`]).
    pub(in crate::sampling::vm) fn sampled_ns(self) -> (u64, u64) {
        (self.word(6), self.word(7))
    }

    pub(in crate::sampling::vm) fn guest_ns(self) -> u64 {
        self.word(8)
    }

    pub(in crate::sampling::vm) fn faults(self) -> (u64, u64) {
        (self.word(11), self.word(12))
    }

    pub(in crate::sampling::vm) fn nice(self) -> i64 {
        /// `DEFAULT_PRIO`: nice 0.
        const NICE_0: i64 = 120;
        i64::from(self.halves(15)[0].cast_signed()) - NICE_0
    }

    pub(in crate::sampling::vm) fn realtime_priority(self) -> u64 {
        u64::from(self.halves(15)[1])
    }
}

/// User and system time as `/proc` tells them: the exact run time, divided in the ratio of what the timer's tick sampled,
/// neither part ever falling (`cputime_adjust`, kernel/sched/cputime.c).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::sampling::vm) struct Split {
    pub(in crate::sampling::vm) user_ns: u64,
    pub(in crate::sampling::vm) system_ns: u64,
}

impl Split {
    pub(in crate::sampling::vm) fn advance(&mut self, run_ns: u64, (user_ns, system_ns): (u64, u64)) {
        if self.user_ns.saturating_add(self.system_ns) >= run_ns {
            return;
        }
        let system_ns = match (user_ns, system_ns) {
            (_, 0) => 0,
            (0, _) => run_ns,
            (user, system) => {
                let part = u128::from(system) * u128::from(run_ns) / (u128::from(user) + u128::from(system));
                u64::try_from(part).unwrap_or(run_ns)
            }
        };
        let system_ns = system_ns.max(self.system_ns).min(run_ns - self.user_ns.min(run_ns));
        *self = Self { user_ns: run_ns - system_ns, system_ns };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(of: &[[u64; RECORD_WORDS]]) -> Vec<AtomicU64> {
        of.iter().flatten().map(|word| AtomicU64::new(*word)).collect()
    }

    fn record_of(tid: u32, state: u32) -> [u64; RECORD_WORDS] {
        let mut record = [0; RECORD_WORDS];
        record[0] = bytemuck::cast([tid, 3]);
        record[5] = bytemuck::cast([state, 0]);
        record
    }

    #[test]
    fn states_are_the_letters_of_the_kernel() {
        for (state, letter) in [
            (0, b'R'),
            (1, b'S'),
            (2, b'D'),
            (4, b'T'),
            (8, b't'),
            (0x80 | 0x10, b'X'),
            (0x80 | 0x20, b'Z'),
            (0x40, b'P'),
            (0x402, b'I'),
            (0x8000, b'D'),
            (0x2001, b'S'),
        ] {
            let words = words(&[record_of(1, state)]);
            let record = Record { words: words.first_chunk().expect("a record") };
            assert_eq!(char::from(record.state()), char::from(letter), "{state:#x}");
        }
    }

    #[test]
    fn a_thread_is_found_where_it_was_and_elsewhere() {
        let records = words(&[record_of(7, 0), record_of(8, 0), record_of(9, 0)]);
        let view = View { records: &records, threads: 3, moved: 0, start_ns: 1 };
        for hint in [0, 1, 2, 3, u32::MAX] {
            assert_eq!(view.find(9, hint).map(|(at, record)| (at, record.tid())), Ok((2, 9)));
            assert_eq!(view.find(10, hint).err(), Some(Errno::ESRCH));
        }
        let fewer = View { threads: 2, ..view };
        assert_eq!(fewer.find(9, 2).err(), Some(Errno::ESRCH), "an old record behind the last is none");
        let more = View { threads: 5, ..view };
        assert_eq!((more.beyond(), more.find(10, 0).err()), (2, Some(Errno::ENOSPC)));
    }

    #[test]
    fn only_what_the_last_run_wrote_counts() {
        let slot = |run: u32, found: u32| {
            [0, 0, bytemuck::cast([run, found]), bytemuck::cast([4_u32, 2]), 99, 0, 0, 0].map(AtomicU64::new)
        };
        assert_eq!(View::of(&slot(6, 1), &[], 7).err(), Some(Errno::EAGAIN));
        assert_eq!(View::of(&slot(7, 0), &[], 7).err(), Some(Errno::ESRCH));
        let slot = slot(7, 1);
        let view = View::of(&slot, &[], 7).expect("a view");
        assert_eq!((view.threads, view.moved, view.start_ns), (4, 2, 99));
    }

    proptest! {
        #[test]
        fn user_and_system_time_are_all_of_it_and_never_fall(
            steps in prop::collection::vec((0_u64..1 << 40, 0_u64..1 << 30, 0_u64..1 << 30), 1..40)
        ) {
            let mut split = Split::default();
            let (mut run_ns, mut user_ns, mut system_ns) = (0, 0, 0);
            for (run, user, system) in steps {
                (run_ns, user_ns, system_ns) = (run_ns + run, user_ns + user, system_ns + system);
                let before = split;
                split.advance(run_ns, (user_ns, system_ns));
                prop_assert_eq!(split.user_ns + split.system_ns, run_ns);
                prop_assert!(split.user_ns >= before.user_ns && split.system_ns >= before.system_ns);
            }
        }
    }
}
