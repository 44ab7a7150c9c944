//! How many file descriptors this process may still open. The limit belongs to the embedding process: it is looked
//! at, never raised.

use nix::sys::resource::{Resource, getrlimit};

/// At least this many descriptors stay free for the rest of the process.
const RESERVE_MIN: usize = 64;
/// The reserve is this part of the limit otherwise.
const RESERVE_PART: usize = 4;
/// But never more than this.
const RESERVE_MAX: usize = 1_024;

/// Descriptors that may be opened without touching the reserve.
#[must_use]
pub fn left() -> usize {
    let Ok((soft, _)) = getrlimit(Resource::RLIMIT_NOFILE) else { return 0 };
    // This process's own, whatever root the rest is read below. An uncountable table counts as full.
    let open = std::fs::read_dir("/proc/self/fd").map_or(usize::MAX, Iterator::count);
    budget(usize::try_from(soft).unwrap_or(usize::MAX), open)
}

fn budget(soft: usize, open: usize) -> usize {
    let reserve = (soft / RESERVE_PART).clamp(RESERVE_MIN, RESERVE_MAX);
    soft.saturating_sub(reserve).saturating_sub(open)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserve_stays_for_the_host() {
        assert_eq!(budget(1_024, 100), 1_024 - 256 - 100);
        assert_eq!(budget(20_000, 0), 20_000 - 1_024);
        assert_eq!(budget(100, 50), 0);
        assert_eq!(budget(1_024, usize::MAX), 0);
    }

    #[test]
    fn opening_files_leaves_fewer() {
        let before = left();
        let files: Vec<_> = (0..200).map(|_| std::fs::File::open("/dev/null").expect("a file")).collect();
        // Other tests of this process open and close files meanwhile, but not nearly as many.
        assert!(left() < before, "{before} before, {} with {} more files open", left(), files.len());
    }
}
