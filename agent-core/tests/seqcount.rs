//! The sequence count under every order of events that the memory model allows: one writer, two readers.
//!
//! loom takes the place of the atomics, and runs the model once for each order. To look deeper than the bound below:
//! `LOOM_MAX_PREEMPTIONS=5 cargo test -p bartizan-core --release --test seqcount`.

mod atomic {
    pub(super) use loom::sync::atomic::{AtomicU32, Ordering, fence};
}
#[path = "../src/sys/seqcount.rs"]
#[allow(dead_code, unreachable_pub, reason = "the model uses a part of what the library makes public")]
mod seqcount;

use atomic::{AtomicU32, Ordering::Relaxed};
use loom::sync::Arc;
use loom::thread;
use std::sync::atomic::{AtomicUsize, Ordering};

const PREEMPTIONS_MAX: usize = 2;

#[derive(Default)]
struct Row {
    sequence: AtomicU32,
    first: AtomicU32,
    second: AtomicU32,
}

fn model(body: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(PREEMPTIONS_MAX));
    builder.check(body);
}

#[test]
fn no_reader_sees_a_torn_row() {
    // Counted outside of the model, over all orders: a model in which every read fails would prove nothing.
    static WHOLE: AtomicUsize = AtomicUsize::new(0);
    static NEWEST: AtomicUsize = AtomicUsize::new(0);
    model(|| {
        let row = Arc::new(Row::default());
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let row = Arc::clone(&row);
                thread::spawn(move || {
                    let pair = || (row.first.load(Relaxed), row.second.load(Relaxed));
                    if let Some((first, second)) = seqcount::read(&row.sequence, pair) {
                        assert_eq!(first, second, "torn");
                        WHOLE.fetch_add(1, Ordering::Relaxed);
                        NEWEST.fetch_add(usize::from(first == 1), Ordering::Relaxed);
                    }
                })
            })
            .collect();
        seqcount::write(&row.sequence, || {
            row.first.store(1, Relaxed);
            row.second.store(1, Relaxed);
        });
        for reader in readers {
            reader.join().expect("a reader");
        }
        // Whoever comes after the writer gets its last word.
        let pair = || (row.first.load(Relaxed), row.second.load(Relaxed));
        assert_eq!(seqcount::read(&row.sequence, pair), Some((1, 1)));
    });
    assert!(WHOLE.load(Ordering::Relaxed) > 0 && NEWEST.load(Ordering::Relaxed) > 0);
}

#[test]
fn what_a_reader_saw_it_does_not_unsee() {
    model(|| {
        let row = Arc::new(Row::default());
        let reader = {
            let row = Arc::clone(&row);
            thread::spawn(move || {
                let value = || row.first.load(Relaxed);
                let (before, after) =
                    (seqcount::read(&row.sequence, value), seqcount::read(&row.sequence, value));
                if let (Some(before), Some(after)) = (before, after) {
                    assert!(after >= before, "{after} after {before}");
                }
            })
        };
        for value in 1..=2 {
            seqcount::write(&row.sequence, || row.first.store(value, Relaxed));
        }
        reader.join().expect("the reader");
    });
}
