//! The only place with `unsafe`: thin, safe covers over the kernel's interfaces.

mod atomic {
    pub(super) use std::sync::atomic::{AtomicU32, Ordering, fence};
}
pub mod audit;
pub mod bpf;
pub mod capability;
pub mod clock;
pub mod descriptors;
pub mod dump;
pub mod epoll;
pub mod file;
pub mod lock;
pub mod lsm;
pub mod mapping;
pub mod netlink;
pub mod perf;
pub mod pidfd;
pub mod prefetch;
pub mod route;
pub mod seqcount;
pub mod sock_diag;
pub mod task;
pub mod thread;
pub mod timex;
pub mod zeroed;
