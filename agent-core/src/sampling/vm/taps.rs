//! Network counters of the VMs' taps, from `/proc/net/dev`.
//!
//! One read for all taps of the host's network namespace, through a kept descriptor: the kernel walks its devices
//! under RCU. An `RTM_GETSTATS` dump would be half as dear when many taps are there, but the kernel takes the RTNL
//! mutex for it, which is held for as long as anybody on the host creates, moves or deletes a device: a tick must not
//! wait for that. `/sys/class/net/*/statistics` needs no mutex either, but a system call per counter.
//!
//! Taps in another network namespace (Firecracker's jailer with `--netns`) are read through that VMM's own
//! `/proc/PID/net/dev`, opened each time: a kept descriptor would pin the namespace after the VM's end.
//!
//! Directions are the host's: what a tap *receives*, its guest sent.

use super::text;
use crate::config::{Config, Roots};
use crate::sampling::availability::Availability;
use crate::sampling::frame::{Entity, FrameWriter, RowWriter, Tick};
use crate::sampling::metrics::{MetricId, Scope, Source, vmnet};
use arrayvec::ArrayString;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use nix::sys::uio::pread;
use std::os::fd::OwnedFd;

/// `IFNAMSIZ`, without the terminating zero.
const NAME_BYTES_MAX: usize = 15;
/// More than 65,536 devices' lines: where a file that does not end is given up.
const FILE_BYTES_MAX: usize = 16 << 20;
/// What is read at once: the kernel gives a page at most.
const CHUNK_BYTES: usize = 8_192;
/// The numbers of a line.
const COLUMNS: usize = 16;

/// The metric of each column of `/proc/net/dev`; compressed packets are left out.
const METRICS: [Option<MetricId>; COLUMNS] = [
    Some(vmnet::RECEIVE),
    Some(vmnet::RECEIVE_PACKETS),
    Some(vmnet::RECEIVE_ERRORS),
    Some(vmnet::RECEIVE_DROPS),
    Some(vmnet::RECEIVE_OVERRUNS),
    Some(vmnet::RECEIVE_FRAME_ERRORS),
    None,
    Some(vmnet::RECEIVE_MULTICAST),
    Some(vmnet::TRANSMIT),
    Some(vmnet::TRANSMIT_PACKETS),
    Some(vmnet::TRANSMIT_ERRORS),
    Some(vmnet::TRANSMIT_DROPS),
    Some(vmnet::TRANSMIT_OVERRUNS),
    Some(vmnet::COLLISIONS),
    Some(vmnet::TRANSMIT_CARRIER_ERRORS),
    None,
];

/// A tap, and the row its counters go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TapRow {
    /// The device's name.
    pub name: ArrayString<NAME_BYTES_MAX>,
    /// Its row.
    pub entity: Entity,
}

impl TapRow {
    /// A name that no device can have is none.
    #[must_use]
    pub fn new(name: &str, entity: Entity) -> Option<Self> {
        let name = ArrayString::from(name).ok().filter(|name| !name.is_empty())?;
        Some(Self { name, entity })
    }
}

/// One line of `/proc/net/dev`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// The device's name.
    pub(super) name: &'a [u8],
    /// The numbers, in the order of the file.
    pub(super) numbers: [u64; COLUMNS],
}

impl<'a> Line<'a> {
    /// Reads a line without its end; `None` for the heading and for what makes no sense.
    #[must_use]
    pub(super) fn parse(line: &'a [u8]) -> Option<Self> {
        let colon = memchr::memchr(b':', line)?;
        let name = line[..colon].trim_ascii();
        let mut words = text::words(&line[colon + 1..]);
        let mut numbers = [0; COLUMNS];
        for number in &mut numbers {
            *number = text::number(words.next()?)?;
        }
        (!name.is_empty()).then_some(Self { name, numbers })
    }

    /// Writes the counters into the tap's row.
    pub(super) fn write(&self, row: &mut RowWriter<'_>, mono_ns: u64) {
        for (metric, number) in METRICS.into_iter().zip(self.numbers) {
            if let Some(metric) = metric {
                row.set_u64(metric, number);
            }
        }
        row.stamp(Source::Tap, mono_ns);
    }
}

struct Watched {
    tap: TapRow,
    /// The tick in which it was last there.
    seen: u64,
}

/// Reads all taps of the host's network namespace, once per tick. Allocates only when it is made.
pub struct TapSweep {
    file: Result<OwnedFd, Errno>,
    /// Sorted by name; never grows beyond its first capacity.
    taps: Vec<Watched>,
    chunk: Box<[u8]>,
}

impl TapSweep {
    /// Opens the file, and makes room for the declared number of interfaces.
    #[must_use]
    pub fn open(config: &Config) -> Self {
        Self {
            file: open_net_dev(&config.roots),
            taps: Vec::with_capacity(config.limits.rows(Scope::VmNet)),
            chunk: vec![0; CHUNK_BYTES].into_boxed_slice(),
        }
    }

    /// Watches more taps.
    pub fn enter(&mut self, taps: &[TapRow]) {
        for tap in taps {
            if self.taps.len() == self.taps.capacity() {
                return;
            }
            let at = self.taps.partition_point(|watched| watched.tap.name <= tap.name);
            self.taps.insert(at, Watched { tap: *tap, seen: 0 });
        }
    }

    /// Watches these no longer.
    pub fn leave(&mut self, taps: &[TapRow]) {
        self.taps.retain(|watched| !taps.contains(&watched.tap));
    }

    /// Reads the file and fills the rows. A tap that is not in it is gone.
    pub fn sample(&mut self, tick: Tick, writer: &mut FrameWriter) {
        if self.taps.is_empty() {
            return;
        }
        if let Err(errno) = self.sweep(tick, writer) {
            for watched in &self.taps {
                let mut row = writer.row(Scope::VmNet, watched.tap.entity.row);
                row.fail_source(Source::Tap, Availability::from_errno(errno));
            }
            return;
        }
        for watched in self.taps.iter().filter(|watched| watched.seen != tick.number) {
            let mut row = writer.row(Scope::VmNet, watched.tap.entity.row);
            row.fail_source(Source::Tap, Availability::Gone);
        }
    }

    fn sweep(&mut self, tick: Tick, writer: &mut FrameWriter) -> Result<(), Errno> {
        let file = self.file.as_ref().map_err(|errno| *errno)?;
        let mut offset = 0;
        // Bytes at the chunk's beginning that belong to a line not yet complete.
        let mut rest = 0;
        while offset < FILE_BYTES_MAX {
            let position = i64::try_from(offset).unwrap_or(i64::MAX);
            let count = pread(file, &mut self.chunk[rest..], position)?;
            if count == 0 {
                return Ok(());
            }
            offset += count;
            let filled = rest + count;
            let whole = memchr::memrchr(b'\n', &self.chunk[..filled]).map_or(0, |end| end + 1);
            for line in text::lines(&self.chunk[..whole]) {
                let Some(line) = Line::parse(line) else { continue };
                record(&mut self.taps, &line, tick, writer);
            }
            self.chunk.copy_within(whole..filled, 0);
            rest = filled - whole;
            if rest == self.chunk.len() {
                return Err(Errno::EBADMSG);
            }
        }
        Err(Errno::EFBIG)
    }

    /// File descriptors it holds.
    #[must_use]
    pub const fn descriptors(&self) -> usize {
        if self.file.is_ok() { 1 } else { 0 }
    }
}

fn record(taps: &mut [Watched], line: &Line<'_>, tick: Tick, writer: &mut FrameWriter) {
    let first = taps.partition_point(|watched| watched.tap.name.as_bytes() < line.name);
    for watched in &mut taps[first..] {
        if watched.tap.name.as_bytes() != line.name {
            return;
        }
        watched.seen = tick.number;
        line.write(&mut writer.row(Scope::VmNet, watched.tap.entity.row), tick.mono_ns);
    }
}

/// The agent's own network namespace, which is the host's.
fn open_net_dev(roots: &Roots) -> Result<OwnedFd, Errno> {
    let path = roots.proc.join("net/dev");
    open(&path, OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK, Mode::empty())
}

#[cfg(test)]
#[path = "taps_tests.rs"]
mod tests;
