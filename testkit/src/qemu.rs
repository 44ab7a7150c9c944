//! A running `qemu-system-x86_64` with KVM and one of our guests as its firmware.
//!
//! No `SeaBIOS` runs: the guest *is* the 64 KiB firmware image (`-bios`). On the 2-vCPU machine with nested KVM
//! where this was written, [`Builder::start`] returns after about 25 ms, the guest running; QEMU alone takes
//! most of that.

use std::ffi::OsString;
use std::io::Write;
use std::ops::{Deref, DerefMut};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::error::{Doing, Error, Result};
use crate::guest::{self, Guest};
use crate::proc::{self, Thread};
use crate::process::Process;
use crate::qmp::Qmp;
use crate::spawn;

/// How long QEMU may take to have all its vCPUs, on a machine however loaded.
const START_LIMIT: Duration = Duration::from_mins(1);

/// What VM to start. Made by [`Qemu::builder`].
#[derive(Debug, Clone)]
#[must_use]
pub struct Builder {
    name: String,
    uuid: Option<String>,
    machine: String,
    vcpus: u32,
    memory_mib: u32,
    guest: Guest,
    disks_mib: Vec<u32>,
    taps: Vec<String>,
    netns: Option<PathBuf>,
    qmp_sockets: usize,
    sandbox: Option<String>,
    thread_names: bool,
    paused: bool,
    program: OsString,
    extra: Vec<OsString>,
}

/// A running QEMU; killed on drop. What it has in common with any process is in [`Process`].
#[derive(Debug)]
pub struct Qemu {
    // Dropped before the folder, so that QEMU is dead when its files go.
    process: Process,
    folder: TempDir,
    name: String,
    vcpus: u32,
    disks: Vec<PathBuf>,
    qmp_sockets: Vec<PathBuf>,
    /// Kept open: QEMU drops what it has not yet passed to the guest when the peer goes away.
    serial: Option<UnixStream>,
}

/// Why VMs cannot be started here, or `None` when they can: no `/dev/kvm`, no permission, no QEMU.
#[must_use]
pub fn missing() -> Option<String> {
    if let Err(error) = std::fs::OpenOptions::new().read(true).write(true).open("/dev/kvm") {
        return Some(format!("/dev/kvm: {error}"));
    }
    match Command::new("qemu-system-x86_64").arg("--version").stdout(Stdio::null()).status() {
        Ok(status) if status.success() => None,
        Ok(status) => Some(format!("qemu-system-x86_64 --version: {status}")),
        Err(error) => Some(format!("qemu-system-x86_64: {error}")),
    }
}

impl Qemu {
    /// One vCPU, 16 MiB, an idle guest, one QMP socket, named threads, no devices.
    pub fn builder() -> Builder {
        Builder {
            name: "testkit".into(),
            uuid: None,
            machine: "pc".into(),
            vcpus: 1,
            memory_mib: 16,
            guest: Guest::Idle,
            disks_mib: Vec::new(),
            taps: Vec::new(),
            netns: None,
            qmp_sockets: 1,
            sandbox: None,
            thread_names: true,
            paused: false,
            program: "qemu-system-x86_64".into(),
            extra: Vec::new(),
        }
    }

    /// The VM's name (`-name guest=`).
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The `index`-th QMP socket, counted from 0. The first is free too: `start` does not talk to it.
    #[must_use]
    pub fn qmp_path(&self, index: usize) -> &Path {
        &self.qmp_sockets[index]
    }

    /// Connects to the first QMP socket.
    pub fn qmp(&self) -> Result<Qmp> {
        Qmp::connect(self.qmp_path(0))
    }

    /// The raw disk images, in the order in which they were asked for.
    #[must_use]
    pub fn disks(&self) -> &[PathBuf] {
        &self.disks
    }

    /// The folder of this VM's files: sockets, disks, QEMU's standard error in `stderr`.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The vCPU threads (`CPU n/KVM`), by vCPU number. Empty when thread names were turned off.
    pub fn vcpu_threads(&self) -> Result<Vec<Thread>> {
        let mut threads = proc::threads(self.pid())?;
        threads.retain(|thread| vcpu_number(&thread.comm).is_some());
        threads.sort_by_key(|thread| vcpu_number(&thread.comm));
        Ok(threads)
    }

    /// Sends one letter to the guest's serial port; only [`Guest::Command`] listens.
    pub fn tell(&self, command: guest::Command) -> Result<()> {
        let mut stream = self
            .serial
            .as_ref()
            .ok_or_else(|| Error::new("tell the guest", "only Guest::Command has a serial port"))?;
        stream.write_all(&[command.letter()]).doing(|| "write to the serial port")
    }

    /// Kills QEMU (SIGKILL), reaps it and removes its files.
    pub fn kill9(self) {
        drop(self);
    }

    fn vcpu_fds(&self) -> usize {
        let links = proc::fd_links(self.pid()).unwrap_or_default();
        links.iter().filter(|(_, target)| is_vcpu_fd(target)).count()
    }
}

impl Deref for Qemu {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl DerefMut for Qemu {
    fn deref_mut(&mut self) -> &mut Process {
        &mut self.process
    }
}

impl Builder {
    /// The VM's name. Commas are doubled as QEMU asks for it.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The VM's UUID (`-uuid`); none by default.
    pub fn uuid(mut self, uuid: impl Into<String>) -> Self {
        self.uuid = Some(uuid.into());
        self
    }

    /// Machine type (`-machine`): `pc`, `q35`, `microvm`, with options if wanted. `pc` by default.
    pub fn machine(mut self, machine: impl Into<String>) -> Self {
        self.machine = machine.into();
        self
    }

    /// Number of vCPUs. The guest runs on the first; the others wait for a wake-up that never comes.
    pub fn vcpus(mut self, count: u32) -> Self {
        self.vcpus = count;
        self
    }

    /// Guest memory in MiB.
    pub fn memory_mib(mut self, mib: u32) -> Self {
        self.memory_mib = mib;
        self
    }

    /// What the VM does.
    pub fn guest(mut self, guest: Guest) -> Self {
        self.guest = guest;
        self
    }

    /// Adds a virtio disk on a new sparse raw image of `mib` MiB.
    pub fn disk_mib(mut self, mib: u32) -> Self {
        self.disks_mib.push(mib);
        self
    }

    /// Adds a virtio network card on an existing tap device, in the network namespace given by
    /// [`Builder::netns`] if any.
    pub fn tap(mut self, interface: impl Into<String>) -> Self {
        self.taps.push(interface.into());
        self
    }

    /// Runs QEMU in the network namespace at this path (`/run/netns/NAME`, `/proc/PID/ns/net`).
    pub fn netns(mut self, path: impl Into<PathBuf>) -> Self {
        self.netns = Some(path.into());
        self
    }

    /// Number of QMP sockets; 1 by default.
    pub fn qmp_sockets(mut self, count: usize) -> Self {
        self.qmp_sockets = count;
        self
    }

    /// Turns QEMU's seccomp filter on the way libvirt does.
    pub fn sandbox(self) -> Self {
        self.sandbox_options("on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny")
    }

    /// Passes `-sandbox` with other options.
    pub fn sandbox_options(mut self, options: impl Into<String>) -> Self {
        self.sandbox = Some(options.into());
        self
    }

    /// Whether threads are named (`debug-threads=on`, as libvirt has it). Without it each is `qemu-system-x86`.
    pub fn thread_names(mut self, named: bool) -> Self {
        self.thread_names = named;
        self
    }

    /// Starts with the vCPUs stopped (`-S`).
    pub fn paused(mut self) -> Self {
        self.paused = true;
        self
    }

    /// Another QEMU program than `qemu-system-x86_64` of the PATH.
    pub fn program(mut self, program: impl Into<OsString>) -> Self {
        self.program = program.into();
        self
    }

    /// Adds an argument at the end of the command line.
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.extra.push(argument.into());
        self
    }

    /// Starts QEMU; returns when every vCPU exists and every QMP socket listens.
    pub fn start(self) -> Result<Qemu> {
        let folder = tempfile::Builder::new()
            .prefix("bartizan-qemu-")
            .tempdir()
            .doing(|| "make a folder for the VM's files")?;
        let path = |name: String| folder.path().join(name);
        let disks: Vec<_> = (0..self.disks_mib.len()).map(|index| path(format!("disk{index}.raw"))).collect();
        let qmp_sockets: Vec<_> = (0..self.qmp_sockets).map(|index| path(format!("qmp{index}"))).collect();
        std::fs::write(path("guest.rom".into()), self.guest.rom()).doing(|| "write the guest's ROM")?;
        for (disk, mib) in disks.iter().zip(&self.disks_mib) {
            std::fs::File::create(disk)
                .and_then(|file| file.set_len(u64::from(*mib) << 20))
                .doing(|| format!("make {}", disk.display()))?;
        }
        let stderr = std::fs::File::create(path("stderr".into())).doing(|| "make a file for stderr")?;
        let mut command = self.command(folder.path(), &disks, &qmp_sockets);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr);
        if let Some(netns) = &self.netns {
            spawn::enter_netns(&mut command, netns)?;
        }
        let child = spawn::spawn(command).doing(|| format!("start {}", self.program.display()))?;
        let mut qemu = Qemu {
            process: Process::new(child),
            folder,
            name: self.name,
            vcpus: self.vcpus,
            disks,
            qmp_sockets,
            serial: None,
        };
        qemu.wait_until_ready()?;
        if self.guest == Guest::Command {
            let serial = qemu.folder.path().join("serial");
            qemu.serial = Some(UnixStream::connect(serial).doing(|| "connect to the serial port")?);
        }
        Ok(qemu)
    }

    fn command(&self, folder: &Path, disks: &[PathBuf], qmp_sockets: &[PathBuf]) -> Command {
        let mut command = Command::new(&self.program);
        let threads = if self.thread_names { ",debug-threads=on" } else { "" };
        command.args(["-name", &format!("guest={}{threads}", doubled_commas(&self.name))]);
        command.args(["-machine", &self.machine, "-accel", "kvm", "-nodefaults", "-display", "none"]);
        command.args(["-vga", "none"]).arg("-bios").arg(folder.join("guest.rom"));
        command.args(["-smp", &self.vcpus.to_string(), "-m", &format!("{}M", self.memory_mib)]);
        if let Some(uuid) = &self.uuid {
            command.args(["-uuid", uuid]);
        }
        if let Some(options) = &self.sandbox {
            command.args(["-sandbox", options]);
        }
        if self.paused {
            command.arg("-S");
        }
        for (index, socket) in qmp_sockets.iter().enumerate() {
            let socket = doubled_commas(&socket.display().to_string());
            command.args(["-chardev", &format!("socket,id=qmp{index},path={socket},server=on,wait=off")]);
            command.args(["-mon", &format!("chardev=qmp{index},mode=control")]);
        }
        if self.guest == Guest::Command {
            let socket = doubled_commas(&folder.join("serial").display().to_string());
            command.args(["-chardev", &format!("socket,id=serial0,path={socket},server=on,wait=off")]);
            command.args(["-serial", "chardev:serial0"]);
        }
        for (index, disk) in disks.iter().enumerate() {
            let disk = doubled_commas(&disk.display().to_string());
            command.args(["-drive", &format!("file={disk},format=raw,if=none,id=disk{index}")]);
            command.args(["-device", &format!("virtio-blk-pci,drive=disk{index}")]);
        }
        for (index, tap) in self.taps.iter().enumerate() {
            command.args(["-netdev", &format!("tap,id=net{index},ifname={tap},script=no,downscript=no")]);
            // An empty romfile: no network boot, and no firmware package needed.
            command.args(["-device", &format!("virtio-net-pci,netdev=net{index},romfile=")]);
        }
        command.args(&self.extra);
        command
    }
}

impl Qemu {
    fn wait_until_ready(&mut self) -> Result<()> {
        let wanted = usize::try_from(self.vcpus).unwrap_or(usize::MAX);
        let mut ended = None;
        let ready = proc::wait_until(START_LIMIT, || {
            ended = self.process.child().try_wait().ok().flatten();
            ended.is_some()
                || (self.vcpu_fds() >= wanted && self.qmp_sockets.iter().all(|socket| socket.exists()))
        });
        let said = || std::fs::read_to_string(self.folder.path().join("stderr")).unwrap_or_default();
        match ended {
            Some(status) => Err(Error::new("start QEMU", format!("{status}; it said: {}", said().trim()))),
            None if ready => Ok(()),
            None => {
                Err(Error::new("wait for QEMU's vCPUs", format!("timed out; it said: {}", said().trim())))
            }
        }
    }
}

/// `n` of `CPU n/KVM`.
fn vcpu_number(comm: &str) -> Option<u32> {
    comm.strip_prefix("CPU ")?.strip_suffix("/KVM")?.parse().ok()
}

fn is_vcpu_fd(target: &Path) -> bool {
    target.to_str().is_some_and(|target| target.starts_with("anon_inode:kvm-vcpu:"))
}

/// QEMU's option parser takes two commas for one.
fn doubled_commas(text: &str) -> String {
    text.replace(',', ",,")
}
