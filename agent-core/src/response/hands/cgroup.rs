//! Limits, freezing and moving, in the VM's own cgroup. Documentation/admin-guide/cgroup-v2.rst; cgroup-v1 where a host
//! still mounts its controllers there.
//!
//! A cgroup that a VM shares with others is refused: they would be hit too.

use super::super::action::{Limit, Target, Undo};
use super::{Deadline, Hands, Standing, Trouble, Undone};
use crate::sampling::vm::own_cgroup;
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

const FILE_BYTES_MAX: usize = 64 * 1024;
/// The period that limits are written with, the kernel's default.
const PERIOD_US: u64 = 100_000;
/// The least quota the kernel takes is a millisecond.
const QUOTA_US_MIN: u64 = 1_000;

/// What would be written to throttle the CPU.
pub(super) fn plan_cpu(hands: &Hands, target: &Target, percent: u32) -> Result<Undo, Trouble> {
    let quota_us = (u64::from(percent) * PERIOD_US / 100).max(QUOTA_US_MIN);
    let (controller, file, dir) = find(hands, target, &[("", "cpu.max"), ("cpu", "cpu.cfs_quota_us")])?;
    let before = read(dir.as_fd(), file)?;
    let (limit_us, period_us) = if controller.is_empty() {
        let (quota, period) = before.split_once(' ').unwrap_or((&before, "100000"));
        (quota.parse().ok(), period.parse().unwrap_or(PERIOD_US))
    } else {
        let period = read(dir.as_fd(), "cpu.cfs_period_us")?;
        // -1 is no limit.
        (before.parse().ok(), period.parse().unwrap_or(PERIOD_US))
    };
    let is_stricter = |limit_us: u64| {
        u128::from(limit_us) * u128::from(PERIOD_US) <= u128::from(quota_us) * u128::from(period_us)
    };
    if limit_us.is_some_and(is_stricter) {
        return Ok(Undo::Nothing);
    }
    let ours = if controller.is_empty() {
        format!("{quota_us} {PERIOD_US}")
    } else {
        // The period stays: other software may rely on it.
        (u64::from(percent) * period_us / 100).max(QUOTA_US_MIN).to_string()
    };
    Ok(Undo::Limits(vec![limit(controller, file, String::new(), before, ours)]))
}

/// What would be written to throttle the disks.
pub(super) fn plan_io(hands: &Hands, target: &Target, bytes_per_s: u64) -> Result<Undo, Trouble> {
    let devices = devices(hands, target)?;
    let candidates = [("", "io.max"), ("blkio", "blkio.throttle.read_bps_device")];
    let (controller, file, dir) = find(hands, target, &candidates)?;
    let files: &[&str] =
        if controller.is_empty() { &[file] } else { &[file, "blkio.throttle.write_bps_device"] };
    let mut limits = Vec::new();
    for file in files {
        let text = read(dir.as_fd(), file)?;
        for device in &devices {
            let before = line_of(&text, device).to_owned();
            let ours = if controller.is_empty() {
                format!("rbps={bytes_per_s} wbps={bytes_per_s}")
            } else {
                bytes_per_s.to_string()
            };
            if !at_most(&before, bytes_per_s) {
                limits.push(limit(controller, file, device.clone(), before, ours));
            }
        }
    }
    Ok(if limits.is_empty() { Undo::Nothing } else { Undo::Limits(limits) })
}

/// Whether the cgroup can be frozen, and is not.
pub(super) fn plan_freeze(hands: &Hands, target: &Target) -> Result<Undo, Trouble> {
    let (_, file, dir) = freezer(hands, target)?;
    let now = read(dir.as_fd(), file)?;
    Ok(if is_frozen_word(&now) { Undo::Nothing } else { Undo::Thaw })
}

/// Whether the process can move to a cgroup, and from which.
pub(super) fn plan_confine(hands: &Hands, target: &Target, cgroup: &str) -> Result<Undo, Trouble> {
    let from = membership(hands, target)?;
    let to = format!("/{}", cgroup.trim_matches('/'));
    if from == to {
        return Ok(Undo::Nothing);
    }
    open_below_root(hands, &to)?;
    Ok(Undo::Return { cgroup: from })
}

/// Writes limits. All or none: when one is refused, those before it are taken back.
pub(super) fn write_limits(hands: &Hands, target: &Target, limits: &[Limit]) -> Result<(), Trouble> {
    for (index, limit) in limits.iter().enumerate() {
        let dir = own(hands, target, &limit.controller)?;
        if let Err(errno) = write(dir.as_fd(), &limit.file, &line(&limit.device, &limit.ours)) {
            restore_limits(hands, target, &limits[..index])?;
            let (file, ours) = (&limit.file, &limit.ours);
            return Err(Trouble::Failed(format!("{file} does not take `{ours}`: {errno}")));
        }
    }
    Ok(())
}

/// Whether limits say what we wrote.
pub(super) fn verify_limits(hands: &Hands, target: &Target, limits: &[Limit]) -> Standing {
    let mut seen = Vec::new();
    for limit in limits {
        match current(hands, target, limit) {
            Ok(now) if says(&now, &limit.ours) => seen.push(format!("{} is {now}", limit.file)),
            Ok(now) => return Standing::NotInForce(format!("{} is {now}, not {}", limit.file, limit.ours)),
            Err(trouble) => return Standing::Unknown(trouble.to_string()),
        }
    }
    Standing::InForce(seen.join("; "))
}

/// Gives limits back what they said, where they still say what we wrote.
pub(super) fn restore_limits(hands: &Hands, target: &Target, limits: &[Limit]) -> Result<Undone, Trouble> {
    let (mut seen, mut theirs) = (Vec::new(), false);
    for limit in limits.iter().rev() {
        let now = current(hands, target, limit)?;
        if says(&now, &limit.ours) {
            let dir = own(hands, target, &limit.controller)?;
            let before = if limit.before.is_empty() { unlimited(&limit.file) } else { &limit.before };
            write(dir.as_fd(), &limit.file, &line(&limit.device, before)).map_err(|errno| {
                Trouble::Failed(format!("{} does not take `{before}`: {errno}", limit.file))
            })?;
        } else if now != limit.before {
            theirs = true;
        }
        seen.push(format!("{} is {}", limit.file, current(hands, target, limit)?));
    }
    let seen = seen.join("; ");
    Ok(if theirs { Undone::LeftToOthers(seen) } else { Undone::Restored(seen) })
}

/// Freezes, and waits until the kernel says that everything in it stands still.
pub(super) fn freeze(hands: &Hands, target: &Target, deadline: Deadline) -> Result<(), Trouble> {
    let (controller, file, dir) = freezer(hands, target)?;
    let word = if controller.is_empty() { "1" } else { "FROZEN" };
    write(dir.as_fd(), file, word).map_err(|errno| Trouble::Failed(format!("{file}: {errno}")))?;
    let frozen = deadline.poll(|| is_frozen(controller, dir.as_fd()).ok().filter(|frozen| *frozen));
    if frozen.is_some() {
        return Ok(());
    }
    let _ = write(dir.as_fd(), file, thawed(controller));
    Err(Trouble::Failed("it did not come to a stand in time, and was thawed".to_owned()))
}

/// Whether everything in the cgroup stands still.
pub(super) fn verify_freeze(hands: &Hands, target: &Target) -> Standing {
    let found = freezer(hands, target).and_then(|(controller, _, dir)| is_frozen(controller, dir.as_fd()));
    match found {
        Ok(true) => Standing::InForce("frozen".to_owned()),
        Ok(false) => Standing::NotInForce("not frozen".to_owned()),
        Err(trouble) => Standing::Unknown(trouble.to_string()),
    }
}

/// Lets everything in the cgroup go on.
pub(super) fn thaw(hands: &Hands, target: &Target, deadline: Deadline) -> Result<Undone, Trouble> {
    let (controller, file, dir) = freezer(hands, target)?;
    write(dir.as_fd(), file, thawed(controller))
        .map_err(|errno| Trouble::Failed(format!("{file}: {errno}")))?;
    deadline
        .poll(|| is_frozen(controller, dir.as_fd()).ok().filter(|frozen| !frozen))
        .map(|_| Undone::Restored("thawed".to_owned()))
        .ok_or_else(|| Trouble::Failed("it is still frozen: a cgroup above may be".to_owned()))
}

/// Moves the process, with all its threads.
pub(super) fn confine(hands: &Hands, target: &Target, cgroup: &str) -> Result<(), Trouble> {
    let dir = open_below_root(hands, cgroup)?;
    write(dir.as_fd(), "cgroup.procs", &target.pid.to_string())
        .map_err(|errno| Trouble::Failed(format!("the cgroup {cgroup} does not take the process: {errno}")))
}

/// Whether the process is there.
pub(super) fn verify_confine(hands: &Hands, target: &Target, cgroup: &str) -> Standing {
    match membership(hands, target) {
        Ok(now) if now.trim_matches('/') == cgroup.trim_matches('/') => {
            Standing::InForce(format!("it is in {now}"))
        }
        Ok(now) => Standing::NotInForce(format!("it is in {now}")),
        Err(trouble) => Standing::Unknown(trouble.to_string()),
    }
}

/// Moves the process back.
pub(super) fn give_back(hands: &Hands, target: &Target, cgroup: &str) -> Result<Undone, Trouble> {
    confine(hands, target, cgroup)?;
    Ok(Undone::Restored(format!("it is in {}", membership(hands, target)?)))
}

fn limit(controller: &str, file: &str, device: String, before: String, ours: String) -> Limit {
    Limit { controller: controller.to_owned(), file: file.to_owned(), device, before, ours }
}

fn line(device: &str, value: &str) -> String {
    if device.is_empty() { value.to_owned() } else { format!("{device} {value}") }
}

/// What a file or its line for a device says now; empty for a device without a line.
fn current(hands: &Hands, target: &Target, limit: &Limit) -> Result<String, Trouble> {
    let dir = own(hands, target, &limit.controller)?;
    let text = read(dir.as_fd(), &limit.file)?;
    Ok(if limit.device.is_empty() { text } else { line_of(&text, &limit.device).to_owned() })
}

fn line_of<'a>(text: &'a str, device: &str) -> &'a str {
    text.lines().find_map(|line| line.strip_prefix(device)?.strip_prefix(' ')).unwrap_or("")
}

/// The kernel says more than was written (`riops=max`), never less.
fn says(now: &str, ours: &str) -> bool {
    ours.split(' ').all(|part| now.split(' ').any(|word| word == part))
}

/// Whether a line of a device allows no more than this already.
fn at_most(before: &str, bytes_per_s: u64) -> bool {
    let limit =
        |prefix: &str| before.split(' ').find_map(|word| word.strip_prefix(prefix)?.parse::<u64>().ok());
    match (limit("rbps="), limit("wbps="), before.parse::<u64>()) {
        (Some(read), Some(write), _) => read <= bytes_per_s && write <= bytes_per_s,
        (_, _, Ok(limit)) => limit <= bytes_per_s,
        _ => false,
    }
}

/// How no limit is written for a device that had no line.
fn unlimited(file: &str) -> &'static str {
    if file == "io.max" { "rbps=max wbps=max" } else { "0" }
}

fn thawed(controller: &str) -> &'static str {
    if controller.is_empty() { "0" } else { "THAWED" }
}

fn is_frozen_word(text: &str) -> bool {
    matches!(text, "1" | "FROZEN" | "FREEZING")
}

fn is_frozen(controller: &str, dir: BorrowedFd<'_>) -> Result<bool, Trouble> {
    if controller.is_empty() {
        Ok(read(dir, "cgroup.events")?.lines().any(|line| line == "frozen 1"))
    } else {
        Ok(read(dir, "freezer.state")? == "FROZEN")
    }
}

fn freezer(hands: &Hands, target: &Target) -> Result<(&'static str, &'static str, OwnedFd), Trouble> {
    find(hands, target, &[("", "cgroup.freeze"), ("freezer", "freezer.state")])
}

/// The first hierarchy in which the VM has a cgroup of its own with this file.
fn find(
    hands: &Hands,
    target: &Target,
    candidates: &[(&'static str, &'static str)],
) -> Result<(&'static str, &'static str, OwnedFd), Trouble> {
    let mut reasons = Vec::new();
    for (controller, file) in candidates {
        match own(hands, target, controller) {
            Ok(dir) if openat(dir.as_fd(), *file, READ, Mode::empty()).is_ok() => {
                return Ok((controller, file, dir));
            }
            Ok(_) => reasons.push(format!("its cgroup has no {file}")),
            Err(trouble) => reasons.push(trouble.to_string()),
        }
    }
    Err(Trouble::Refused(reasons.join("; ")))
}

fn own(hands: &Hands, target: &Target, controller: &str) -> Result<OwnedFd, Trouble> {
    let controller = (!controller.is_empty()).then_some(controller);
    own_cgroup(&hands.roots, target.pid, controller).map_err(Trouble::Refused)
}

/// The v2 cgroup a process is in.
fn membership(hands: &Hands, target: &Target) -> Result<String, Trouble> {
    let path = hands.roots.proc.join(format!("{}/cgroup", target.pid));
    let text = std::fs::read_to_string(&path)
        .map_err(|error| Trouble::Refused(format!("{}: {error}", path.display())))?;
    let found = text.lines().find_map(|line| line.strip_prefix("0::"));
    found.map(str::to_owned).ok_or_else(|| Trouble::Refused("the VMM is in no cgroup v2".to_owned()))
}

fn open_below_root(hands: &Hands, cgroup: &str) -> Result<OwnedFd, Trouble> {
    use nix::fcntl::{OpenHow, ResolveFlag, openat2};
    let root = [hands.roots.cgroup.clone(), hands.roots.cgroup.join("unified")]
        .into_iter()
        .find(|root| root.join("cgroup.controllers").exists())
        .ok_or_else(|| Trouble::Refused("there is no cgroup v2 hierarchy".to_owned()))?;
    let refused = |errno: Errno| Trouble::Refused(format!("the cgroup {cgroup}: {errno}"));
    let root = nix::fcntl::open(&root, FOLDER, Mode::empty()).map_err(refused)?;
    let how =
        OpenHow::new().flags(FOLDER).resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS);
    let below = cgroup.trim_matches('/');
    openat2(root.as_fd(), if below.is_empty() { "." } else { below }, how).map_err(refused)
}

const READ: OFlag = OFlag::O_RDONLY.union(OFlag::O_CLOEXEC);
const FOLDER: OFlag = READ.union(OFlag::O_DIRECTORY);

fn read(dir: BorrowedFd<'_>, file: &str) -> Result<String, Trouble> {
    let failed = |error: String| Trouble::Failed(format!("{file}: {error}"));
    let fd = openat(dir, file, READ, Mode::empty()).map_err(|errno| failed(errno.to_string()))?;
    let mut bytes = vec![0; FILE_BYTES_MAX];
    let mut length = 0;
    while length < bytes.len() {
        match nix::unistd::read(fd.as_fd(), &mut bytes[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(failed(errno.to_string())),
        }
    }
    bytes.truncate(length);
    Ok(String::from_utf8(bytes).map_err(|error| failed(error.to_string()))?.trim_end().to_owned())
}

fn write(dir: BorrowedFd<'_>, file: &str, text: &str) -> Result<(), Errno> {
    let fd = openat(dir, file, OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    match nix::unistd::write(fd.as_fd(), text.as_bytes())? {
        count if count == text.len() => Ok(()),
        _ => Err(Errno::EIO),
    }
}

/// The whole disks that the VM's images lie on, or that it was given, `MAJOR:MINOR`.
fn devices(hands: &Hands, target: &Target) -> Result<Vec<String>, Trouble> {
    let mut found = Vec::new();
    for path in &target.disks {
        let metadata = std::fs::metadata(path)
            .map_err(|error| Trouble::Refused(format!("{}: {error}", path.display())))?;
        let is_device = metadata.mode() & libc::S_IFMT == libc::S_IFBLK;
        let number = if is_device { metadata.rdev() } else { metadata.dev() };
        found.push(whole_disk(&hands.roots.sys, number).ok_or_else(|| {
            Trouble::Refused(format!(
                "{} lies on no block device whose rate could be limited",
                path.display()
            ))
        })?);
    }
    found.sort();
    found.dedup();
    if found.is_empty() {
        return Err(Trouble::Refused("no disk of the VM is known".to_owned()));
    }
    Ok(found)
}

/// Limits are set on whole disks; a partition's is the disk it is a part of.
fn whole_disk(sys: &Path, number: u64) -> Option<String> {
    let name = format!("{}:{}", nix::sys::stat::major(number), nix::sys::stat::minor(number));
    let folder = sys.join("dev/block").join(&name);
    if folder.join("partition").exists() {
        let disk = std::fs::read_to_string(std::fs::canonicalize(folder).ok()?.parent()?.join("dev")).ok()?;
        return Some(disk.trim_end().to_owned());
    }
    folder.exists().then_some(name)
}
