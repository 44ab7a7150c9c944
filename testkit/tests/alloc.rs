//! The counting allocator counts what its own thread does, and nothing else.

use bartizan_testkit::alloc::{CountingAllocator, Counts, count};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

#[test]
fn allocations_growth_and_frees_are_counted() {
    let (mut list, counts) = count(|| Vec::<u8>::with_capacity(100));
    assert_eq!(counts, Counts { allocs: 1, bytes: 100, ..Counts::default() });
    let ((), counts) = count(|| list.reserve_exact(300));
    assert_eq!(counts, Counts { reallocs: 1, bytes: 200, ..Counts::default() });
    let ((), counts) = count(|| drop(list));
    assert_eq!(counts, Counts { frees: 1, ..Counts::default() });
}

#[test]
fn a_quiet_path_counts_zero_while_another_thread_allocates() {
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                drop(std::hint::black_box(vec![0_u8; 64]));
            }
        });
        let (sum, counts) = count(|| (0..100_000_u64).map(std::hint::black_box).sum::<u64>());
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(sum, 4_999_950_000);
        assert!(counts.is_zero(), "{counts:?}");
    });
}
