//! Resources that are used up steadily, until they are gone.

use super::Dice;
use super::stage::{Beside, PREFIX};
use bartizan_core::alerts::{Alert, AlertState};
use bartizan_testkit::cgroup::Cgroup;
use bartizan_testkit::guest::Guest;
use bartizan_testkit::minivmm::MiniVmm;
use bartizan_testkit::qemu::Qemu;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const MEMORY_LIMIT_MIB: u64 = 384;
const TASKS_LIMIT: u64 = 256;
const DISK_MIB: u64 = 256;

/// What is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// Memory of the VM's cgroup.
    Memory,
    /// Threads of the VM's cgroup.
    Tasks,
    /// Room on the file system that holds the image of the VM's disk.
    Disk,
}

impl Resource {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Memory, Self::Tasks, Self::Disk];

    /// Its name, in the table and of its VM.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory-leak",
            Self::Tasks => "thread-leak",
            Self::Disk => "disk-filling",
        }
    }

    /// How long until it is gone, in seconds. The room for a disk is read every ten seconds only, and its trend takes
    /// three minutes.
    const fn lasts(self, dice: &mut Dice) -> u64 {
        match self {
            Self::Memory | Self::Tasks => 150 + dice.below(90),
            Self::Disk => 330 + dice.below(120),
        }
    }

    /// The rule that predicts it, and the level it predicts.
    const fn rule(self) -> (&'static str, f64) {
        match self {
            Self::Memory => ("vm-cgroup-memory-exhaustion", 0.95),
            Self::Tasks => ("vm-tasks-exhaustion", 0.95),
            Self::Disk => ("vmdisk-room-exhaustion", 0.97),
        }
    }
}

/// What came of one leak.
#[derive(Clone, Copy, Debug)]
pub struct Foretold {
    /// What leaked.
    pub resource: Resource,
    /// How long it took from the beginning to the end, in seconds.
    pub took_s: f64,
    /// Time between the alert and the end, in seconds; `None` when nothing was said in time.
    pub lead_s: Option<f64>,
    /// Whether the interval of the alert held the end.
    pub held: bool,
}

/// A VM, what it may use at most, and a process that uses it up.
pub struct Leak {
    resource: Resource,
    name: String,
    // Dropped before its place.
    _vm: Box<dyn Send>,
    place: Place,
    running: Option<Running>,
    /// What came of those before.
    pub foretold: Vec<Foretold>,
}

/// Where the limit is.
enum Place {
    Cgroup(Cgroup),
    Disk(Disk),
}

/// A small file system in memory.
struct Disk(tempfile::TempDir);

impl Disk {
    fn mount() -> Result<Self> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let options = format!("size={DISK_MIB}m");
        mount(Some("tmpfs"), folder.path(), Some("tmpfs"), MsFlags::empty(), Some(options.as_str()))
            .map_err(|errno| format!("mount a tmpfs: {errno}"))?;
        Ok(Self(folder))
    }

    fn filler(&self) -> PathBuf {
        self.0.path().join("filler")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Err(errno) = umount2(self.0.path(), MntFlags::MNT_DETACH) {
            eprintln!("faults: left behind: {}: {errno}", self.0.path().display());
        }
    }
}

struct Running {
    child: Child,
    began_s: f64,
    told: Option<Alert>,
}

type Result<T> = std::result::Result<T, String>;

fn told<T>(result: bartizan_testkit::Result<T>) -> Result<T> {
    result.map_err(|error| error.to_string())
}

impl Leak {
    /// Starts the VM in a cgroup of its own.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(resource: Resource) -> Result<Self> {
        let name = format!("{PREFIX}{}", resource.name());
        let in_cgroup = |controller, file, limit: u64| -> Result<(Box<dyn Send>, Place)> {
            let cgroup = told(Cgroup::v1(controller, resource.name()))?;
            told(cgroup.write(file, &limit.to_string()))?;
            let vm = told(MiniVmm::builder().name(&name).guest(Guest::Timer).stats_fds().start())?;
            told(cgroup.add(vm.pid()))?;
            Ok((Box::new(vm), Place::Cgroup(cgroup)))
        };
        let (vm, place) = match resource {
            Resource::Memory => in_cgroup("memory", "memory.limit_in_bytes", MEMORY_LIMIT_MIB << 20)?,
            Resource::Tasks => in_cgroup("pids", "pids.max", TASKS_LIMIT)?,
            Resource::Disk => {
                let disk = Disk::mount()?;
                let image = disk.0.path().join("image.raw");
                let made = File::create(&image).and_then(|file| file.set_len(1 << 30));
                made.map_err(|error| format!("{}: {error}", image.display()))?;
                let drive = format!("if=virtio,format=raw,file={}", image.display());
                let qemu = Qemu::builder().name(&name).guest(Guest::Timer).arg("-drive").arg(drive);
                (Box::new(told(qemu.start())?) as Box<dyn Send>, Place::Disk(disk))
            }
        };
        Ok(Self { resource, name, _vm: vm, place, running: None, foretold: Vec::new() })
    }

    /// The VM's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Begins to leak, fast enough to be at the end within a few minutes.
    ///
    /// # Errors
    /// When the leaking process cannot be started.
    pub fn begin(&mut self, dice: &mut Dice) -> Result<()> {
        let seconds = self.resource.lasts(dice);
        let own = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut command = Command::new(own);
        command.args([
            "--leak",
            self.resource.name(),
            &seconds.to_string(),
            &dice.below(1 << 32).to_string(),
        ]);
        if let Place::Disk(disk) = &self.place {
            command.arg(disk.filler());
        }
        let child =
            command.stdin(Stdio::null()).spawn().map_err(|error| format!("start the leak: {error}"))?;
        if let Place::Cgroup(cgroup) = &self.place {
            told(cgroup.add(child.id()))?;
        }
        self.running = Some(Running { child, began_s: now_s(), told: None });
        Ok(())
    }

    /// Whether it leaks now.
    #[must_use]
    pub const fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Ends it before its time.
    ///
    /// # Errors
    /// When the process cannot be ended.
    pub fn stop(&mut self) -> Result<()> {
        let Some(mut running) = self.running.take() else { return Ok(()) };
        running.child.kill().and_then(|()| running.child.wait()).map_err(|error| error.to_string())?;
        if let Place::Disk(disk) = &self.place {
            std::fs::remove_file(disk.filler()).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// How much is used of what there is.
    fn used(&self) -> Result<f64> {
        let number = |text: &str| text.trim().parse::<f64>().map_err(|error| error.to_string());
        match &self.place {
            Place::Disk(disk) => {
                let room = nix::sys::statvfs::statvfs(disk.0.path()).map_err(|errno| errno.to_string())?;
                let float =
                    |blocks: u64| u32::try_from(blocks).map(f64::from).map_err(|error| error.to_string());
                Ok(1.0 - float(room.blocks_available())? / float(room.blocks())?)
            }
            Place::Cgroup(cgroup) if self.resource == Resource::Memory => {
                let stat = told(cgroup.read("memory.stat"))?;
                let of =
                    |key: &str| stat.lines().find_map(|line| line.strip_prefix(key)).map_or(Ok(0.0), number);
                let limit =
                    f64::from(u32::try_from(MEMORY_LIMIT_MIB << 20).map_err(|error| error.to_string())?);
                Ok((of("total_rss ")? + of("total_shmem ")?) / limit)
            }
            Place::Cgroup(cgroup) => {
                let limit = f64::from(u32::try_from(TASKS_LIMIT).map_err(|error| error.to_string())?);
                Ok(number(&told(cgroup.read("pids.current"))?)? / limit)
            }
        }
    }
}

impl Beside for Leak {
    fn look(&mut self, said: &[Alert]) -> Result<()> {
        let (rule, level) = self.resource.rule();
        let used = self.used()?;
        let Some(running) = &mut self.running else { return Ok(()) };
        let fires = |alert: &&Alert| {
            alert.rule.as_str() == rule
                && alert.subject.as_str() == self.name
                && alert.state == AlertState::Firing
        };
        running.told = running.told.or_else(|| said.iter().find(fires).copied());
        if used < level {
            return Ok(());
        }
        let now_s = now_s();
        let lead_s = running.told.as_ref().map(|alert| now_s - wall_s(alert));
        let held = lead_s.zip(running.told.as_ref()).is_some_and(|(lead_s, alert)| {
            // The end is seen by us ten times a second, by the agent once: it cannot be told more sharply.
            alert.expected_min - 1.0 <= lead_s && lead_s <= alert.expected_max + 1.0
        });
        let took_s = now_s - running.began_s;
        self.foretold.push(Foretold { resource: self.resource, took_s, lead_s, held });
        self.stop()
    }
}

impl Drop for Leak {
    fn drop(&mut self) {
        if let Err(problem) = self.stop() {
            eprintln!("faults: {problem}");
        }
    }
}

fn now_s() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

#[expect(clippy::cast_precision_loss, reason = "a microsecond is enough")]
fn wall_s(alert: &Alert) -> f64 {
    alert.at_wall_ns as f64 * 1e-9
}

/// The process that leaks: reaches its limit after so many seconds, in uneven steps. Never returns.
///
/// # Errors
/// When the words make no sense, or there is nothing left to leak.
pub fn leak(words: &[String]) -> Result<()> {
    let [resource, seconds, seed, filler @ ..] = words else {
        return Err("--leak RESOURCE SECONDS SEED [FILE]".into());
    };
    let number = |text: &String| text.parse::<u64>().map_err(|error| format!("{text}: {error}"));
    let (seconds, mut dice) = (number(seconds)?, Dice::new(number(seed)?));
    // It must not outlive the one who would end it.
    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL).map_err(|errno| errno.to_string())?;
    let mut held = Vec::new();
    let mut file = filler.first().map(File::create).transpose().map_err(|error| error.to_string())?;
    let resource =
        Resource::ALL.into_iter().find(|known| known.name() == resource).ok_or("no such resource")?;
    // Ten steps a second, each between half and one and a half times as large as the middle one.
    let per_step = |whole: u64| whole / (seconds * 10);
    loop {
        std::thread::sleep(Duration::from_millis(100));
        let uneven = |middle: u64, dice: &mut Dice| middle / 2 + dice.below(middle + 1);
        match resource {
            Resource::Memory => {
                let bytes = uneven(per_step(MEMORY_LIMIT_MIB << 20), &mut dice);
                held.push(vec![1u8; usize::try_from(bytes).map_err(|error| error.to_string())?]);
            }
            Resource::Disk => {
                let bytes = uneven(per_step(DISK_MIB << 20), &mut dice);
                let chunk = vec![1u8; usize::try_from(bytes).map_err(|error| error.to_string())?];
                let file = file.as_mut().ok_or("a file to fill is missing")?;
                file.write_all(&chunk).map_err(|error| error.to_string())?;
            }
            Resource::Tasks => {
                if dice.below(1_000) < TASKS_LIMIT * 1_000 / (seconds * 10) {
                    std::thread::Builder::new()
                        .stack_size(16 << 10)
                        .spawn(|| std::thread::sleep(Duration::from_hours(1)))
                        .map_err(|error| error.to_string())?;
                }
            }
        }
    }
}
