//! The only place with `unsafe`: thin, safe covers over the kernel's interfaces.

mod atomic {
    pub(super) use std::sync::atomic::{AtomicU32, Ordering, fence};
}
pub mod clock;
pub mod descriptors;
pub mod epoll;
pub mod file;
pub mod netlink;
pub mod perf;
pub mod pidfd;
pub mod prefetch;
pub mod seqcount;
pub mod zeroed;
