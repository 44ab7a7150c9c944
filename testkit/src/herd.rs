//! Hundreds of VM-shaped processes at once, for benchmarks at 256 and 1,000 VMs.
//!
//! Each is a [`crate::minivmm`] of its own (program `qemu-system-x86_64`, `-name guest=vm0000 -uuid …`), with
//! six threads by default: main, four vCPUs, one I/O thread. Without KVM they only look like VMs; with it each
//! holds a VM and its vCPUs, and the statistics fds if wanted.

use std::fs::File;

use crate::error::Result;
use crate::guest::Guest;
use crate::launch::{self, Pipes, Program};
use crate::member::Options;
use crate::process::Process;
use crate::shape::{Facts, Shape};

/// What herd to start. Made by [`Herd::builder`].
#[derive(Debug, Clone)]
#[must_use]
pub struct Builder {
    count: usize,
    options: Options,
    busy_permille: u32,
}

/// A herd of running processes; all are killed on drop.
#[derive(Debug)]
pub struct Herd {
    /// Closed first: at its end all members exit at the same time, so that reaping waits for none.
    lifeline: Option<File>,
    members: Vec<Process>,
    _program: Program,
}

impl Herd {
    /// `count` processes of six threads each, asleep, without KVM.
    pub fn builder(count: usize) -> Builder {
        Builder {
            count,
            options: Options {
                shape: Shape::Qemu,
                vcpus: 4,
                other_threads: 1,
                memory_mib: 1,
                kvm: false,
                stats_fds: false,
                guest: None,
                busy_threads: 0,
                burst_us: 100,
            },
            busy_permille: 0,
        }
    }

    /// The members, in the order of their names.
    #[must_use]
    pub fn members(&self) -> &[Process] {
        &self.members
    }

    /// All process ids, in the order of the members' names.
    #[must_use]
    pub fn pids(&self) -> Vec<u32> {
        self.members.iter().map(Process::pid).collect()
    }

    /// Kills the last member and reaps it; its pid, or `None` when the herd is empty.
    pub fn kill_last(&mut self) -> Option<u32> {
        self.members.pop().map(|member| member.pid())
    }
}

impl Drop for Herd {
    fn drop(&mut self) {
        self.lifeline.take();
        self.members.clear();
    }
}

/// The name of member `index`: `vm0000`, `vm0001`, …
#[must_use]
pub fn member_name(index: usize) -> String {
    format!("vm{index:04}")
}

/// The UUID of member `index`.
#[must_use]
pub fn member_uuid(index: usize) -> String {
    format!("00000000-0000-4000-8000-{index:012x}")
}

impl Builder {
    /// Threads of each process, at least 2: the main thread, the vCPUs, one I/O thread if more than 2.
    pub fn threads(mut self, count: u32) -> Self {
        self.options.other_threads = u32::from(count > 2);
        self.options.vcpus = count.max(2) - 1 - self.options.other_threads;
        self
    }

    /// Each holds a real KVM VM with a vCPU per vCPU thread.
    pub fn kvm(mut self) -> Self {
        self.options.kvm = true;
        self
    }

    /// Each keeps its vCPUs' binary statistics fds open, as QEMU does from 8.1 on. Implies KVM.
    pub fn stats_fds(mut self) -> Self {
        self.options.stats_fds = true;
        self.kvm()
    }

    /// Each runs this guest on its vCPUs. Implies KVM. Mind what the guest costs, times the herd's size.
    pub fn guest(mut self, guest: Guest) -> Self {
        self.options.guest = Some(guest);
        self.kvm()
    }

    /// So many of 1000 threads burn CPU for `burst_us` microseconds once a second; threads that run a guest
    /// do not. The rest sleeps.
    pub fn busy(mut self, permille: u32, burst_us: u32) -> Self {
        self.busy_permille = permille.min(1000);
        self.options.burst_us = burst_us;
        self
    }

    /// Starts them; returns when every thread of every process runs.
    pub fn start(self) -> Result<Herd> {
        let program = Program::named(self.options.shape.program())?;
        let pipes = Pipes::new()?;
        let mut members = Vec::with_capacity(self.count);
        let threads = u64::from(self.options.vcpus + self.options.other_threads);
        for index in 0..self.count {
            let (name, uuid) = (member_name(index), member_uuid(index));
            let Options { vcpus, memory_mib, shape, .. } = self.options;
            let facts = Facts { name: &name, uuid: Some(&uuid), vcpus, memory_mib };
            // Spread evenly: as many of the first (index + 1) members' threads as the share says.
            let busy_of = |members: usize| {
                u64::try_from(members).unwrap_or(0) * threads * u64::from(self.busy_permille) / 1000
            };
            let busy_threads = u32::try_from(busy_of(index + 1) - busy_of(index)).unwrap_or(0);
            let options = Options { busy_threads, ..self.options.clone() };
            let child = launch::start(&program, &shape.arguments(facts), &options, &pipes, None)?;
            members.push(Process::new(child));
        }
        let Pipes { stdin: (_, lifeline), stdout: (stdout, writer) } = pipes;
        drop(writer);
        launch::wait_until_ready(stdout, self.count)?;
        Ok(Herd { lifeline: Some(lifeline.into()), members, _program: program })
    }
}
