//! Faults that begin at once.

use super::Dice;
use super::stage::{Beside, PREFIX, Stage};
use bartizan_core::alerts::Alert;
use bartizan_testkit::cgroup::Cgroup;
use bartizan_testkit::guest::{Command, Guest};
use bartizan_testkit::minivmm::MiniVmm;
use bartizan_testkit::netns::Netns;
use bartizan_testkit::qemu::Qemu;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

/// What is injected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A vCPU computes without end.
    CpuSpin,
    /// A guest exits without end, by way of a port. Its VMM keeps KVM's statistics open, as QEMU does from 8.1 on: with
    /// an older one the agent reads them every tenth tick only.
    ExitStorm,
    /// A guest writes to a device that is not there, without end; in such a VMM too.
    DeviceStorm,
    /// Packets are sent to the guest's tap as fast as one thread can.
    PacketFlood,
    /// Four threads want the CPU that a busy vCPU is pinned to.
    Steal,
    /// The VMM is stopped: its monitor hangs, and so does the guest.
    Stopped,
    /// Only the VMM's main thread is frozen: its monitor hangs, and the guest goes on.
    MonitorHang,
    /// The guest halts for ever: its vCPU stands still.
    VcpuStall,
    /// The VMM dies for the third time in a row.
    CrashLoop,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::CpuSpin,
        Self::ExitStorm,
        Self::DeviceStorm,
        Self::PacketFlood,
        Self::Steal,
        Self::Stopped,
        Self::MonitorHang,
        Self::VcpuStall,
        Self::CrashLoop,
    ];

    /// Those that need no ten minutes of learning before, nor half a minute to be told.
    pub const QUICK: [Self; 4] = [Self::DeviceStorm, Self::Stopped, Self::VcpuStall, Self::CrashLoop];

    /// Its name, in the table and of its VM.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CpuSpin => "cpu-spin",
            Self::ExitStorm => "exit-storm",
            Self::DeviceStorm => "device-storm",
            Self::PacketFlood => "packet-flood",
            Self::Steal => "steal",
            Self::Stopped => "vmm-stopped",
            Self::MonitorHang => "monitor-hang",
            Self::VcpuStall => "vcpu-stall",
            Self::CrashLoop => "crash-loop",
        }
    }

    /// Ticks between two samples of what shows it: KVM's counters are read in every second one.
    #[must_use]
    pub const fn ticks_per_sample(self) -> u64 {
        match self {
            Self::ExitStorm | Self::DeviceStorm => 2,
            _ => 1,
        }
    }

    /// How long it lasts at most.
    const fn lasts(self) -> Duration {
        match self {
            Self::CpuSpin | Self::Steal => Duration::from_secs(45),
            // The monitor is asked once a minute.
            Self::MonitorHang => Duration::from_secs(75),
            _ => Duration::from_secs(20),
        }
    }
}

/// What came of one injection.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was injected.
    pub fault: Fault,
    /// Ticks until the first alert about the VM; `None` when there was none.
    pub delay_ticks: Option<u64>,
    /// The rules that spoke, in their order.
    pub rules: Vec<String>,
}

/// One fault's VM.
pub struct Victim {
    fault: Fault,
    name: String,
    vm: Vm,
    net: Option<Netns>,
    /// Injections so far.
    count: u32,
}

enum Vm {
    Qemu(Box<Qemu>),
    /// `None` between two of its lives.
    Mini(Option<MiniVmm>),
}

type Result<T> = std::result::Result<T, String>;

fn told<T>(result: bartizan_testkit::Result<T>) -> Result<T> {
    result.map_err(|error| error.to_string())
}

impl Victim {
    /// Starts the VM of a fault.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(fault: Fault) -> Result<Self> {
        let name = format!("{PREFIX}{}", fault.name());
        let mut net = None;
        let vm = if matches!(fault, Fault::CrashLoop | Fault::ExitStorm | Fault::DeviceStorm) {
            Vm::Mini(Some(mini(&name)?))
        } else {
            let mut builder = Qemu::builder().name(&name).guest(Guest::Command).qmp_sockets(2);
            if fault == Fault::PacketFlood {
                let space = told(Netns::new())?;
                told(space.add_tap("tap0"))?;
                told(space.ip(&["address", "add", "10.9.9.1/24", "dev", "tap0"]))?;
                let neighbour = ["neigh", "add", "10.9.9.2", "lladdr", "52:54:00:12:34:56", "dev", "tap0"];
                told(space.ip(&neighbour))?;
                builder = builder.tap("tap0").netns(space.path());
                net = Some(space);
            }
            Vm::Qemu(Box::new(told(builder.start())?))
        };
        Ok(Self { fault, name, vm, net, count: 0 })
    }

    /// What is injected into it.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        self.fault
    }

    /// A short burst of ordinary work.
    ///
    /// # Errors
    /// When the guest cannot be told.
    pub fn burst(&self, dice: &mut Dice) -> Result<()> {
        self.vm.tell(Command::Spin)?;
        std::thread::sleep(Duration::from_millis(50 + dice.below(250)));
        self.vm.tell(Command::Idle)
    }

    /// Injects the fault, waits for what is said, takes the fault away again, and lets the VM settle for so long.
    ///
    /// # Errors
    /// When it cannot be injected.
    pub fn inject(
        &mut self,
        stage: &mut Stage,
        beside: &mut [&mut dyn Beside],
        settle: Duration,
    ) -> Result<Outcome> {
        let before =
            if self.fault == Fault::CrashLoop { self.crash_twice(stage, beside)? } else { stage.tick() };
        let name = self.name.clone();
        let undo = self.begin()?;
        let from_tick = stage.tick();
        let about = |alert: &Alert| {
            use bartizan_core::alerts::AlertState::Firing;
            alert.subject.as_str() == name && alert.state == Firing && alert.tick > from_tick
        };
        let crash = self.fault == Fault::CrashLoop;
        let done = |alert: &Alert| about(alert) && (!crash || alert.rule.as_str() == "vm-crash-loop");
        stage.pass(self.fault.lasts(), beside, done)?;
        // What else is said of it.
        stage.pass(settle.min(Duration::from_secs(2)), beside, |_| false)?;
        self.end(undo)?;
        let until_tick = stage.tick();
        let fired = stage.fired(&name, from_tick).filter(|alert| alert.tick <= until_tick);
        let fired: Vec<_> = fired.filter(|alert| !crash || alert.rule.as_str() == "vm-crash-loop").collect();
        let outcome = Outcome {
            fault: self.fault,
            delay_ticks: fired.first().map(|alert| alert.tick - from_tick),
            rules: fired.iter().map(|alert| alert.rule.to_string()).collect(),
        };
        // Its end may show in a tick that is under way, and a guest that boots again is not at rest.
        stage.pass(settle, beside, |_| false)?;
        let until_tick = stage.tick();
        stage.excuse(&name, before, until_tick);
        Ok(outcome)
    }

    /// Two ends that are no series yet; the tick before the first. Each time by another name: of a VM that is known to
    /// end again and again nothing new is said.
    fn crash_twice(&mut self, stage: &mut Stage, beside: &mut [&mut dyn Beside]) -> Result<u64> {
        let before = stage.tick();
        self.count += 1;
        let next = format!("{PREFIX}{}-{}", self.fault.name(), self.count);
        let last = std::mem::replace(&mut self.name, next);
        self.vm = Vm::Mini(Some(mini(&self.name)?));
        stage.wait_for_vm(&self.name, beside)?;
        stage.excuse(&last, before, stage.tick());
        for _ in 0..2 {
            self.vm = Vm::Mini(None);
            stage.pass(Duration::from_secs(2), beside, |_| false)?;
            self.vm = Vm::Mini(Some(mini(&self.name)?));
            stage.wait_for_vm(&self.name, beside)?;
        }
        Ok(before)
    }

    fn begin(&mut self) -> Result<Undo> {
        let command = match self.fault {
            Fault::CpuSpin | Fault::Steal => Some(Command::Spin),
            Fault::ExitStorm => Some(Command::ExitStorm),
            Fault::DeviceStorm => Some(Command::MmioStorm),
            Fault::VcpuStall => Some(Command::Halt),
            _ => None,
        };
        if let Some(command) = command {
            self.vm.tell(command)?;
        }
        let qemu = match &mut self.vm {
            Vm::Qemu(qemu) => qemu,
            Vm::Mini(_) if command.is_some() => return Ok(Undo::Idle),
            Vm::Mini(vm) => {
                *vm = None;
                return Ok(Undo::Life);
            }
        };
        Ok(match self.fault {
            Fault::PacketFlood => {
                let net = self.net.as_ref().ok_or("no network")?;
                Undo::Work(flood(net)?)
            }
            Fault::Steal => {
                for thread in told(qemu.vcpu_threads())? {
                    pin(i32::try_from(thread.tid).map_err(|error| error.to_string())?)?;
                }
                Undo::Work(hogs(4))
            }
            Fault::Stopped => {
                told(qemu.freeze())?;
                Undo::Thaw
            }
            Fault::MonitorHang => {
                let cgroup = told(Cgroup::v1("freezer", "monitor"))?;
                told(cgroup.write("tasks", &qemu.pid().to_string()))?;
                told(cgroup.freeze())?;
                Undo::Cgroup(cgroup)
            }
            Fault::VcpuStall => Undo::Reset,
            Fault::CpuSpin | Fault::ExitStorm | Fault::DeviceStorm | Fault::CrashLoop => Undo::Idle,
        })
    }

    fn end(&mut self, undo: Undo) -> Result<()> {
        match (undo, &mut self.vm) {
            (Undo::Idle, vm) => vm.tell(Command::Idle)?,
            (Undo::Life, vm) => *vm = Vm::Mini(Some(mini(&self.name)?)),
            (Undo::Thaw, Vm::Qemu(qemu)) => told(qemu.thaw())?,
            (Undo::Reset, Vm::Qemu(qemu)) => {
                // The first socket is the agent's.
                let mut qmp = told(bartizan_testkit::qmp::Qmp::connect(qemu.qmp_path(1)))?;
                told(qmp.execute("system_reset", &serde_json::json!({})))?;
            }
            (Undo::Thaw | Undo::Reset, Vm::Mini(_)) => {}
            (Undo::Cgroup(cgroup), _) => told(cgroup.thaw())?,
            (Undo::Work(work), vm) => {
                work.stop.store(true, Relaxed);
                for thread in work.threads {
                    thread.join().map_err(|_| "a thread panicked")?;
                }
                vm.tell(Command::Idle)?;
            }
        }
        Ok(())
    }
}

impl Vm {
    fn tell(&self, command: Command) -> Result<()> {
        match self {
            Self::Qemu(qemu) => told(qemu.tell(command)),
            Self::Mini(Some(vm)) => told(vm.tell(command)),
            Self::Mini(None) => Ok(()),
        }
    }
}

/// How a fault is taken away.
enum Undo {
    Idle,
    /// Another life of a mini VMM.
    Life,
    Thaw,
    Reset,
    Cgroup(Cgroup),
    Work(Work),
}

struct Work {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

fn mini(name: &str) -> Result<MiniVmm> {
    told(MiniVmm::builder().name(name).guest(Guest::Command).stats_fds().start())
}

/// To the last CPU: others commonly begin with the first.
fn pin(tid: i32) -> Result<()> {
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut set = CpuSet::new();
    set.set(cpus - 1).map_err(|error| error.to_string())?;
    sched_setaffinity(Pid::from_raw(tid), &set).map_err(|error| format!("pin thread {tid}: {error}"))
}

fn hogs(count: usize) -> Work {
    let stop = Arc::new(AtomicBool::new(false));
    let hog = |_| {
        let stop = Arc::clone(&stop);
        std::thread::spawn(move || {
            if pin(0).is_ok() {
                while !stop.load(Relaxed) {
                    std::hint::spin_loop();
                }
            }
        })
    };
    Work { threads: (0..count).map(hog).collect(), stop }
}

fn flood(net: &Netns) -> Result<Work> {
    let socket = told(net.run(|| UdpSocket::bind("10.9.9.1:0")))?.map_err(|error| error.to_string())?;
    socket.connect("10.9.9.2:9").map_err(|error| error.to_string())?;
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let sender = std::thread::spawn(move || {
        while !stopped.load(Relaxed) {
            // A full queue refuses it, which is the point.
            let _refused = socket.send(&[0; 18]);
        }
    });
    Ok(Work { stop, threads: vec![sender] })
}
