//! A mini VMM: a process that holds a real KVM VM, runs a real guest, and looks like the VMM of your choice.
//!
//! Starts in a fraction of QEMU's time and costs about 1 MiB, so a test can have dozens.

use std::fs::File;
use std::io::Write;
use std::ops::{Deref, DerefMut};
use std::path::PathBuf;

use crate::error::{Doing, Error, Result};
use crate::guest::{Command, Guest};
use crate::launch::{self, Pipes, Program};
use crate::member::Options;
use crate::proc::{self, Thread};
use crate::process::Process;
use crate::shape::{Facts, Shape};

/// What mini VMM to start. Made by [`MiniVmm::builder`].
#[derive(Debug, Clone)]
#[must_use]
pub struct Builder {
    name: String,
    uuid: Option<String>,
    options: Options,
    arguments: Option<Vec<String>>,
    extra: Vec<String>,
    netns: Option<PathBuf>,
}

/// A running mini VMM; killed on drop. What it has in common with any process is in [`Process`].
#[derive(Debug)]
pub struct MiniVmm {
    process: Process,
    serial: File,
    shape: Shape,
    vcpus: u32,
    _program: Program,
}

/// Why KVM cannot be used here, or `None` when it can.
#[must_use]
pub fn missing() -> Option<String> {
    let opened = std::fs::OpenOptions::new().read(true).write(true).open("/dev/kvm");
    opened.err().map(|error| format!("/dev/kvm: {error}"))
}

impl MiniVmm {
    /// One vCPU that runs [`Guest::Idle`], 1 MiB, shaped like QEMU, no statistics fds.
    pub fn builder() -> Builder {
        Builder {
            name: "mini".into(),
            uuid: None,
            options: Options {
                shape: Shape::Qemu,
                vcpus: 1,
                other_threads: 0,
                memory_mib: 1,
                kvm: true,
                stats_fds: false,
                guest: Some(Guest::Idle),
                busy_threads: 0,
                burst_us: 0,
            },
            arguments: None,
            extra: Vec::new(),
            netns: None,
        }
    }

    /// The vCPU threads, by vCPU number.
    pub fn vcpu_threads(&self) -> Result<Vec<Thread>> {
        let threads = proc::threads(self.pid())?;
        let named = |number| {
            let name = self.shape.vcpu_thread(number);
            threads.iter().find(|thread| thread.comm == name).cloned()
        };
        Ok((0..self.vcpus).filter_map(named).collect())
    }

    /// Sends one letter to the guest's serial port; only [`Guest::Command`] listens.
    pub fn tell(&self, command: Command) -> Result<()> {
        (&self.serial).write_all(&[command.letter()]).doing(|| "write to the serial port")
    }

    /// Kills it (SIGKILL) and reaps it.
    pub fn kill9(self) {
        drop(self);
    }
}

impl Deref for MiniVmm {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl DerefMut for MiniVmm {
    fn deref_mut(&mut self) -> &mut Process {
        &mut self.process
    }
}

impl Builder {
    /// The VM's name, which stands in the command line where the shape's VMM has it.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The VM's UUID, for shapes whose command line has one.
    pub fn uuid(mut self, uuid: impl Into<String>) -> Self {
        self.uuid = Some(uuid.into());
        self
    }

    /// Which VMM it looks like.
    pub fn shape(mut self, shape: Shape) -> Self {
        self.options.shape = shape;
        self
    }

    /// Number of vCPUs, each on its own thread. All run the guest, but only the first runs
    /// [`Guest::Command`], and only the first is woken by [`Guest::Timer`].
    pub fn vcpus(mut self, count: u32) -> Self {
        self.options.vcpus = count;
        self
    }

    /// Guest memory in MiB, at least 1. Costs nothing until the guest touches it.
    pub fn memory_mib(mut self, mib: u32) -> Self {
        self.options.memory_mib = mib;
        self
    }

    /// What the VM does.
    pub fn guest(mut self, guest: Guest) -> Self {
        self.options.guest = Some(guest);
        self
    }

    /// The vCPUs exist but are never run; their threads sleep.
    pub fn not_running(mut self) -> Self {
        self.options.guest = None;
        self
    }

    /// Keeps the binary statistics fd of each vCPU open (`anon_inode:kvm-vcpu-stats:N`), as QEMU does from
    /// 8.1 on.
    pub fn stats_fds(mut self) -> Self {
        self.options.stats_fds = true;
        self
    }

    /// Holds no KVM VM at all: only looks like a VMM.
    pub fn without_kvm(mut self) -> Self {
        self.options.kvm = false;
        self
    }

    /// Further threads that sleep, named as the shape's I/O threads are.
    pub fn other_threads(mut self, count: u32) -> Self {
        self.options.other_threads = count;
        self
    }

    /// Runs in the network namespace at this path (`/run/netns/NAME`, `/proc/PID/ns/net`).
    pub fn netns(mut self, path: impl Into<PathBuf>) -> Self {
        self.netns = Some(path.into());
        self
    }

    /// Replaces the shape's command line (what follows `argv[0]`).
    pub fn arguments<S: Into<String>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.arguments = Some(arguments.into_iter().map(Into::into).collect());
        self
    }

    /// Adds an argument at the end of the command line. It is only shown.
    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        self.extra.push(argument.into());
        self
    }

    /// Starts it; returns when all vCPUs exist and all threads run.
    pub fn start(self) -> Result<MiniVmm> {
        let Options { shape, vcpus, memory_mib, .. } = self.options;
        if self.options.guest == Some(Guest::MemoryTouch) && memory_mib < 16 {
            return Err(Error::new("start a mini VMM", "Guest::MemoryTouch needs 16 MiB"));
        }
        let facts = Facts { name: &self.name, uuid: self.uuid.as_deref(), vcpus, memory_mib };
        let mut arguments = self.arguments.unwrap_or_else(|| shape.arguments(facts));
        arguments.extend(self.extra);
        let program = Program::named(shape.program())?;
        let pipes = Pipes::new()?;
        let child = launch::start(&program, &arguments, &self.options, &pipes, self.netns.as_deref())?;
        let process = Process::new(child);
        let Pipes { stdin: (_, serial), stdout: (stdout, writer) } = pipes;
        drop(writer);
        launch::wait_until_ready(stdout, 1)?;
        Ok(MiniVmm { process, serial: serial.into(), shape, vcpus, _program: program })
    }
}
