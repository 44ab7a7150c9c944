//! Real VMs, herds of processes, cgroups, network namespaces and counters for tests and benchmarks.
//!
//! Nothing here is simulated: a VM is one that KVM knows, a cgroup is the kernel's own.
//!
//! | module | gives |
//! |---|---|
//! | [`guest`] | seven hand-written guests (`guests/*.asm`), chosen by [`guest::Guest`] |
//! | [`qemu`] | a running `qemu-system-x86_64` with KVM, QMP, disks, taps; dies on drop |
//! | [`qmp`] | a small blocking QMP client |
//! | [`minivmm`] | a process of ours that holds a real KVM VM and looks like QEMU, Firecracker, … |
//! | [`herd`] | hundreds of such processes, for benchmarks |
//! | [`debugfs`] | debugfs, mounted |
//! | [`proc`] | threads, CPU time, open fds of a process; [`proc::wait_until`] |
//! | [`skip!`] | says loudly that a test cannot run on this machine, and returns |
//!
//! A process started through this crate is killed when its handle is dropped, and by the kernel when the
//! test process dies for whatever reason.

pub mod cli;
pub mod debugfs;
pub mod error;
pub mod guest;
pub mod herd;
mod kvm;
mod launch;
mod member;
pub mod minivmm;
pub mod proc;
pub mod process;
pub mod qemu;
pub mod qmp;
pub mod shape;
mod skip;
mod spawn;

pub use error::{Error, Result};
#[doc(hidden)]
pub use skip::record_skip;
