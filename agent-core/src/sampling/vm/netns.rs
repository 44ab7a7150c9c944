//! Taps that live in the VMM's own network namespace.

use super::process::failed;
use super::slot::Slot;
use super::taps::{Line, TapRow};
use super::text;
use crate::config::Roots;
use crate::sampling::SourceReport;
use crate::sampling::availability::Availability;
use crate::sampling::discovery::VmInfo;
use crate::sampling::frame::{FrameWriter, Tick};
use crate::sampling::metrics::{Scope, Source};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, readlinkat};
use std::os::fd::BorrowedFd;

/// The taps of one VM, by where they are read.
pub(super) struct Taps {
    /// In the host's namespace: read by the sweep.
    pub(super) host: Vec<TapRow>,
    /// In the VMM's namespace.
    own: Vec<TapRow>,
    file: Option<Slot>,
}

impl Taps {
    /// Finds out which taps are where.
    pub(super) fn open(info: &VmInfo, roots: &Roots, proc_dir: BorrowedFd<'_>) -> (Self, SourceReport) {
        let rows = info.nics.iter().filter_map(|nic| TapRow::new(&nic.tap, nic.entity));
        let file = Slot::unread("net/dev").ok();
        // What cannot be told is taken for the host's: a tap that is not there reads as gone.
        let apart = namespaces_differ(roots, proc_dir).unwrap_or(false);
        let mut buffer = vec![0; 65_536];
        let bytes = match &file {
            Some(file) if apart => file.read(proc_dir, &mut buffer).unwrap_or_default(),
            _ => &[],
        };
        let (own, host): (Vec<_>, Vec<_>) = rows.partition(|row| lines(bytes).any(|line| is(row, &line)));
        let (tier, reason) = match (own.is_empty(), host.is_empty()) {
            (true, true) => ("none", "the VM has no tap".to_owned()),
            (true, false) => ("kept-fd", "one read of /proc/net/dev for all taps".to_owned()),
            (false, _) => {
                ("open-each", "/proc/PID/net/dev: the VMM has its own network namespace".to_owned())
            }
        };
        let availability = if tier == "none" { Availability::Unsupported } else { Availability::Ok };
        let file = file.filter(|_| !own.is_empty());
        (Self { host, own, file }, SourceReport { source: Source::Tap, tier, availability, reason })
    }

    /// Reads the taps of the VMM's own namespace.
    pub(super) fn sample(
        &self,
        proc_dir: BorrowedFd<'_>,
        buffer: &mut [u8],
        tick: Tick,
        writer: &mut FrameWriter,
    ) {
        let Some(file) = &self.file else { return };
        let bytes = file.read(proc_dir, buffer);
        for tap in &self.own {
            let line = match bytes {
                Ok(bytes) => lines(bytes).find(|line| is(tap, line)).ok_or(Availability::Gone),
                Err(errno) => Err(failed(errno)),
            };
            let mut row = writer.row(Scope::VmNet, tap.entity.row);
            match line {
                Ok(line) => line.write(&mut row, tick.mono_ns),
                Err(availability) => row.fail_source(Source::Tap, availability),
            }
        }
    }
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = Line<'_>> {
    text::lines(bytes).filter_map(Line::parse)
}

fn is(tap: &TapRow, line: &Line<'_>) -> bool {
    tap.name.as_bytes() == line.name
}

fn namespaces_differ(roots: &Roots, proc_dir: BorrowedFd<'_>) -> Result<bool, Errno> {
    let ours = readlinkat(AT_FDCWD, &roots.proc.join("self/ns/net"))?;
    let theirs = readlinkat(proc_dir, "ns/net")?;
    Ok(ours != theirs)
}
