//! Real VMs, herds of processes, cgroups, network namespaces and counters for tests and benchmarks.
//!
//! Nothing here is simulated: a VM is one that KVM knows, a cgroup is the kernel's own.
//!
//! | module | gives |
//! |---|---|
//! | [`guest`] | seven hand-written guests (`guests/*.asm`), chosen by [`guest::Guest`] |
//! | [`qemu`] | a running `qemu-system-x86_64` with KVM, QMP, disks, taps |
//! | [`minivmm`] | a process of ours that holds a real KVM VM and looks like QEMU, Firecracker, … |
//! | [`herd`] | hundreds of such processes, for benchmarks |
//! | [`process`] | what all of them can: freeze, thaw, be killed |
//! | [`shape`] | the program names, command lines and thread names of VMMs |
//! | [`qmp`] | a small blocking QMP client |
//! | [`cgroup`] | a cgroup (v1 or v2): membership, freezer, CPU quota |
//! | [`netns`] | a network namespace with taps and veth pairs |
//! | [`debugfs`] | debugfs, mounted |
//! | [`tracefs`] | tracefs, mounted; how often a tracepoint was passed |
//! | [`tree`] | a recorded host, laid out from one text |
//! | [`proc`] | threads, CPU time, open fds of a process; [`proc::wait_until`] |
//! | [`alloc`] | an allocator that counts |
//! | [`skip!`] | says loudly that a test cannot run on this machine, and returns |
//!
//! ```no_run
//! use bartizan_testkit::guest::{Command, Guest};
//! use bartizan_testkit::{minivmm::MiniVmm, netns::Netns, qemu::Qemu, shape::Shape};
//!
//! # fn main() -> bartizan_testkit::Result<()> {
//! let net = Netns::new()?;
//! net.add_tap("tap0")?;
//! let vm = Qemu::builder().name("web").vcpus(2).disk_mib(64).tap("tap0").netns(net.path());
//! let vm = vm.guest(Guest::Command).start()?;
//! vm.tell(Command::Spin)?; // now vCPU 0 burns its core
//! vm.freeze()?; // and now the whole process stands still
//!
//! let new_qemu = MiniVmm::builder().vcpus(4).stats_fds().guest(Guest::ExitStorm).start()?;
//! let micro = MiniVmm::builder().shape(Shape::Firecracker).name("fn-1").start()?;
//! # Ok(())
//! # }
//! ```
//!
//! The programs `bartizan-minivmm` and `bartizan-herd` do the same from a shell.
//!
//! # Lifetime
//! A process started through this crate is killed and reaped when its handle is dropped. When the test process
//! dies, however that happens, the kernel kills it: it does not matter on which thread it was started. Drop a
//! cgroup that is frozen before the process in it, or the drop waits ten seconds for a process that cannot die.
//!
//! # What it costs
//! Debug build, 2 vCPUs (Xeon, itself a VM; nested KVM by software, "PVM"), Linux 6.18, QEMU 7.2; median of 11
//! to 21, start and kill together:
//!
//! | | |
//! |---|---|
//! | QEMU, `pc`, 1 vCPU (`q35` and `microvm` take as long) | 29 ms |
//! | QEMU, 4 vCPUs, a disk, [`guest::Guest::Command`] | 32 ms |
//! | mini VMM, 1 or 4 vCPUs | 16 ms |
//! | mini VMM with a timer ([`guest::Guest::Timer`], [`guest::Guest::Command`]) | 24 ms |
//! | mini VMM without KVM | 2.3 ms |
//! | herd of 256 / 1,000 processes, six threads each | 0.3 s / 1.6 s |
//! | the same with a KVM VM, four vCPUs and their statistics fds each | 0.5 s / 2.9 s |
//! | network namespace with a tap | 7 ms |
//! | cgroup | 0.1 ms |
//!
//! A mini VMM has 0.2 MiB of memory of its own and shares the rest of its 2.2 MiB. A herd of 1,000 with four
//! vCPUs each takes about 850 MiB of the machine, most of it KVM's.
//!
//! # What KVM counts here
//! Where real mode is emulated by KVM (software-assisted nesting, old Intel CPUs) a spinning guest's CPU time is
//! the vCPU thread's *system* time and guest time is 0; `insn_emulation` grows by two million a second;
//! port exits are counted in `exits` only, MMIO exits in `mmio_exits` too. Tests should look at
//! [`proc::CpuTicks::total`] and at `exits`.

pub mod alloc;
pub mod cgroup;
pub mod cli;
pub mod debugfs;
pub mod error;
pub mod fork;
pub mod guest;
pub mod herd;
mod kvm;
mod launch;
mod member;
pub mod minivmm;
pub mod netns;
pub mod proc;
pub mod process;
pub mod qemu;
pub mod qmp;
pub mod shape;
mod skip;
mod spawn;
pub mod tracefs;
pub mod tree;

pub use error::{Error, Result};
#[doc(hidden)]
pub use skip::record_skip;
