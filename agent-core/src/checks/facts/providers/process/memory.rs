//! A guest's memory as the host sees it: who else maps it, whether it is merged, and whether a core dump holds it.

use super::of_process;
use crate::checks::fact::{Found, Unavailable};
use crate::checks::facts::Gather;
use crate::checks::parse::proc::ksm;
use crate::checks::parse::proc::maps::{self, Mapping};
use crate::checks::vm::Vm;
use crate::sampling::discovery::process::Process;
use nix::fcntl::OFlag;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::Read;
use std::sync::Arc;

/// Memory that a guest could run in; less is the VMM's own.
const RAM_BYTES_MIN: u64 = 1 << 20;
/// `smaps` makes the kernel walk every page that is there. Beyond this much it is not asked for.
const WALKED_KIB_MAX: u64 = 4 << 20;
/// Bytes of `maps` or `smaps` that are read.
const MAPS_BYTES_MAX: u64 = 32 << 20;
/// The kernel gives a page at a time of these files, whatever it is asked for.
const PIECE_BYTES: usize = 4 << 10;
/// Where files stand that are memory.
const MEMORY_PLACES: [&str; 4] = ["/dev/shm/", "/dev/hugepages", "/run/", "/mnt/huge"];

type Memory = ((u32, u32), u64);

/// What of a process's mappings matters.
#[derive(Default)]
pub(super) struct Maps {
    /// Memory that others could map too: large, shared, writable.
    shared: BTreeMap<Memory, Mapping>,
    /// Code that runs although its file is deleted or was replaced.
    stale_code: BTreeSet<String>,
    /// Where the largest mapping is that may be guest memory, and its bytes: the first of several.
    largest: Option<(u64, u64)>,
}

/// The mappings of a VM's process. Read once a round.
pub(super) fn all(gather: &Gather, vm: &Arc<Vm>) -> Arc<Result<Maps, Unavailable>> {
    gather.memo(&vm.proc("maps"), |gather| {
        let mut found = Maps::default();
        let read = each(gather, &vm.proc("maps"), &mut |mapping| {
            if mapping.may_be_guest_ram(RAM_BYTES_MIN)
                && found.largest.is_none_or(|(_, bytes)| bytes < mapping.bytes())
            {
                found.largest = Some((mapping.start, mapping.bytes()));
            }
            if mapping.looks_like_guest_ram(RAM_BYTES_MIN)
                && let Some(memory) = mapping.shared_memory()
            {
                found.shared.insert(memory, mapping);
            } else if mapping.executable
                && mapping.deleted
                && let Some(path) =
                    mapping.path.filter(|path| path.starts_with('/') && !path.starts_with("/memfd:"))
            {
                found.stale_code.insert(path);
            }
            true
        });
        of_process(gather, vm, read.map(|()| found))
    })
}

/// Shared memory that has a name in a file system, and what others may do with it.
pub(super) fn files(gather: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    let maps = all(gather, vm);
    let maps = match &*maps {
        Ok(maps) => maps,
        Err(why) => return Found::unavailable(why.clone(), vm.proc("maps")),
    };
    let mut others = Vec::new();
    for mapping in maps.shared.values().filter(|mapping| !mapping.deleted) {
        let Some(path) =
            mapping.path.as_deref().filter(|path| path.starts_with('/') && !path.starts_with("/memfd:"))
        else {
            continue;
        };
        match gather.meta(path) {
            Ok(meta) if meta.identity.1 == mapping.inode => {
                others.push((path.to_owned(), (meta.mode & 0o7).to_string()));
            }
            // Another file by now, or in a jail: nobody gets at it by this name.
            Ok(_) | Err(Unavailable::Absent) => {}
            Err(why) => return Found::unavailable(why, path),
        }
    }
    if others.is_empty() {
        return Found::unavailable(Unavailable::Absent, vm.proc("maps"));
    }
    Found::value(others, vm.proc("maps"))
}

pub(super) fn stale_code(gather: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    match &*all(gather, vm) {
        Ok(maps) => Found::value(maps.stale_code.iter().cloned().collect::<Vec<_>>(), vm.proc("maps")),
        Err(why) => Found::unavailable(why.clone(), vm.proc("maps")),
    }
}

/// The programs of other processes that map the memory which the VM shares. All processes are looked at, and only when
/// some VM shares memory at all.
pub(super) fn mappers(gather: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    let source = "/proc/*/maps";
    let maps = all(gather, vm);
    let maps = match &*maps {
        Ok(maps) => maps,
        Err(why) => return Found::unavailable(why.clone(), source),
    };
    if maps.shared.is_empty() {
        return Found::unavailable(Unavailable::Absent, source);
    }
    let users = match &*everybody(gather) {
        Ok(users) => maps.shared.keys().filter_map(|memory| users.get(memory)).flatten().copied().collect(),
        Err(why) => return Found::unavailable(why.clone(), source),
    };
    let users: BTreeSet<i32> = users;
    let mut names: Vec<String> = Vec::new();
    for pid in users.into_iter().filter(|pid| *pid != vm.id.pid) {
        let name = match gather.vms().iter().find(|other| other.id.pid == pid) {
            Some(other) => format!("VM {}", other.name),
            None => comm(gather, pid).unwrap_or_else(|| "a process that ended".to_owned()),
        };
        names.push(name);
    }
    names.sort_unstable();
    names.dedup();
    Found::value(names, source)
}

/// Processes that map the memory which VMs share, other than the VMs' own memory only. Read once a round.
fn everybody(gather: &Gather) -> Arc<Result<HashMap<Memory, BTreeSet<i32>>, Unavailable>> {
    gather.memo("memory that VMs share", |gather| {
        let mut wanted: HashMap<Memory, BTreeSet<i32>> = HashMap::new();
        for vm in gather.vms() {
            if let Ok(maps) = &*all(gather, vm) {
                wanted.extend(maps.shared.keys().map(|memory| (*memory, BTreeSet::new())));
            }
        }
        for name in gather.host().list("/proc")? {
            let Ok(pid) = name.parse::<i32>() else { continue };
            let read = each(gather, &format!("/proc/{pid}/maps"), &mut |mapping| {
                if let Some(memory) = mapping.shared_memory()
                    && let Some(users) = wanted.get_mut(&memory)
                {
                    users.insert(pid);
                }
                true
            });
            match read {
                // One that ended meanwhile, or a kernel thread.
                Ok(()) | Err(Unavailable::Absent | Unavailable::Gone | Unavailable::Malformed(_)) => {}
                Err(why) => return Err(why),
            }
        }
        Ok(wanted)
    })
}

/// The name of a process.
pub(super) fn comm(gather: &Gather, pid: i32) -> Option<String> {
    Process::new(&gather.host().roots().proc, pid).stat().ok().map(|stat| stat.comm)
}

/// Whether the kernel was told that it may merge some of the process's pages with those of others.
pub(super) fn mergeable(gather: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    let source = vm.proc("ksm_stat");
    let content = of_process(gather, vm, gather.host().read(&source, 4096));
    let content = match content {
        Ok(content) => content,
        Err(Unavailable::Absent) => {
            let why = "this kernel has no ksm_stat (Linux 6.1, CONFIG_KSM)".to_owned();
            return Found::unavailable(Unavailable::NotExposed(why), source);
        }
        Err(why) => return Found::unavailable(why, source),
    };
    let text = String::from_utf8_lossy(&content.bytes).into_owned();
    let value = match ksm::parse(&content.bytes) {
        // Before 6.13 the kernel tells what is merged and not what may be.
        Ok(stat) => match (stat.mergeable, stat.merge_any, stat.merging_pages) {
            (Some(true), ..) | (_, Some(true), _) | (None, _, Some(1..)) => Ok(true),
            (Some(false), ..) => Ok(false),
            _ => Err(Unavailable::NotExposed(
                "nothing is merged now; what may be is told from 6.13 on".to_owned(),
            )),
        },
        Err(error) => Err(Unavailable::Malformed(error.to_string())),
    };
    Found::either(value, source).with_raw(&text)
}

/// Whether a core dump of the process would hold guest memory: yes or no.
pub(super) fn dumped(gather: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    let source = vm.proc("smaps");
    let kib = of_process(gather, vm, resident_kib(gather, vm));
    match kib {
        Ok(kib) if kib > WALKED_KIB_MAX => {
            let why = format!("{kib} KiB are there, too many for the kernel to walk through");
            return Found::unavailable(Unavailable::TooMuch(why), source);
        }
        Ok(_) => {}
        Err(why) => return Found::unavailable(why, source),
    }
    // For each mapping that is looked at here the kernel walks its pages: nothing is, behind the one that counts.
    let last = all(gather, vm).as_ref().as_ref().ok().and_then(|maps| maps.largest);
    let mut largest: Option<Mapping> = None;
    let read = each(gather, &source, &mut |mapping| {
        let place = (mapping.start, mapping.bytes());
        if mapping.looks_like_guest_ram(RAM_BYTES_MIN)
            && largest.as_ref().is_none_or(|known| known.bytes() < mapping.bytes())
        {
            largest = Some(mapping);
            return last != Some(place);
        }
        true
    });
    if let Err(why) = of_process(gather, vm, read) {
        return Found::unavailable(why, source);
    }
    let flags = largest.as_ref().and_then(|mapping| mapping.flags);
    let Some(flags) = flags else {
        let why = "no mapping looks like guest memory, or the kernel tells no VmFlags".to_owned();
        return Found::unavailable(Unavailable::NotExposed(why), source);
    };
    let raw = format!("the largest mapping that looks like guest memory: dd is {}", flags.dont_dump);
    Found::value(!flags.dont_dump, source).with_raw(&raw)
}

fn resident_kib(gather: &Gather, vm: &Vm) -> Result<u64, Unavailable> {
    let path = vm.proc("status");
    let content = gather.host().read(&path, 65_536)?;
    let text = String::from_utf8_lossy(&content.bytes);
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()).and_then(|kib| kib.parse().ok());
    kib.ok_or_else(|| Unavailable::Malformed(format!("{path} has no VmRSS")))
}

/// Every mapping of `maps` or `smaps`, a piece at a time, for as long as it is told to go on.
fn each(gather: &Gather, path: &str, visit: &mut dyn FnMut(Mapping) -> bool) -> Result<(), Unavailable> {
    let fd = gather.host().open(path, OFlag::O_RDONLY | OFlag::O_NONBLOCK)?;
    let mut file = File::from(fd).take(MAPS_BYTES_MAX);
    let mut reader = maps::Reader::default();
    let mut piece = [0; PIECE_BYTES];
    let malformed =
        |error: crate::checks::parse::proc::Malformed| Unavailable::Malformed(format!("{path}: {error}"));
    let mut go_on = true;
    while go_on {
        match file.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => {
                let mut visit = |mapping| go_on = go_on && visit(mapping);
                reader.push(&piece[..length], &mut visit).map_err(malformed)?;
            }
            Err(error) => {
                let errno = nix::errno::Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO));
                return Err(crate::checks::host::why(errno, path));
            }
        }
    }
    if file.limit() == 0 {
        return Err(Unavailable::TooMuch(format!("{path} is longer than {MAPS_BYTES_MAX} bytes")));
    }
    if !go_on {
        return Ok(());
    }
    reader
        .finish(&mut |mapping| {
            visit(mapping);
        })
        .map_err(malformed)
}

/// Whether a file stands for memory rather than for a disk.
pub(in super::super) fn is_memory(path: &str) -> bool {
    MEMORY_PLACES.iter().any(|place| path.starts_with(place))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::fact::Value;
    use crate::checks::facts::providers::process::tests::{Recorded, vm};

    const RAM: &str = "7f1d00000000-7f1d40000000 rw-s 00000000 00:01 1039      /memfd:pc.ram (deleted)\n";

    fn host() -> Recorded {
        let host = Recorded::new();
        host.process(100).file("proc/100/maps", RAM);
        host
    }

    #[test]
    fn whoever_maps_the_shared_memory_is_named() {
        let host = host();
        host.process(101)
            .file("proc/101/maps", "7f0000000000-7f0000001000 rw-s 0 00:01 1039 /memfd:pc.ram (deleted)\n");
        host.process(102).file("proc/102/maps", RAM.replace("1039", "1040"));
        let found = mappers(&host.gather(&[vm(100)]), &vm(100), "").value;
        assert_eq!(found, Ok(Value::List(vec!["vmm".to_owned()])));
        let found = mappers(&host.gather(&[vm(100), vm(101)]), &vm(100), "").value;
        assert_eq!(found, Ok(Value::List(vec!["VM vm-101".to_owned()])));
        host.file("proc/100/maps", RAM.replace("rw-s", "rw-p"));
        assert_eq!(mappers(&host.gather(&[vm(100)]), &vm(100), "").value, Err(Unavailable::Absent));
    }

    #[test]
    fn code_of_a_deleted_library_is_named_and_guest_memory_is_none() {
        let host = host();
        host.file("proc/100/maps", format!("{RAM}1000-2000 r-xp 0 08:02 7 /usr/lib/libz.so.1 (deleted)\n"));
        let found = stale_code(&host.gather(&[]), &vm(100), "").value;
        assert_eq!(found, Ok(Value::List(vec!["/usr/lib/libz.so.1".to_owned()])));
    }

    #[test]
    fn what_ksm_may_merge_is_told_only_by_kernels_that_say_it() {
        let host = host();
        let value = |text: &str| {
            host.file("proc/100/ksm_stat", text);
            mergeable(&host.gather(&[]), &vm(100), "").value
        };
        assert_eq!(value("ksm_merging_pages 0\nksm_mergeable: no\nksm_merge_any: no\n"), Ok("no".into()));
        assert_eq!(value("ksm_merging_pages 0\nksm_mergeable: yes\n"), Ok("yes".into()));
        assert_eq!(value("ksm_merging_pages 5\n"), Ok("yes".into()));
        assert!(matches!(value("ksm_merging_pages 0\n"), Err(Unavailable::NotExposed(_))));
    }

    #[test]
    fn guest_memory_in_a_dump_is_seen_by_its_flags_and_large_guests_are_not_walked() {
        let host = host();
        let value = |flags: &str, rss: &str| {
            host.file("proc/100/smaps", format!("{RAM}VmFlags: rd wr {flags}\n"));
            host.file("proc/100/status", format!("Name:\tx\nVmRSS:\t {rss} kB\n"));
            dumped(&host.gather(&[]), &vm(100), "").value
        };
        assert_eq!(value("dd", "100"), Ok("no".into()));
        assert_eq!(value("sd", "100"), Ok("yes".into()));
        assert!(matches!(value("dd", "99999999"), Err(Unavailable::TooMuch(_))));
        // Nothing is read behind the mapping that counts, and a smaller one before it is not taken for it.
        let small = "7f1c00000000-7f1c00200000 rw-p 0 00:00 0\nVmFlags: rd wr\n";
        let behind = "7f2000000000-7f2000200000 rw-p 0 00:00 0\nVmFlags: rd wr\njunk\n".repeat(200);
        host.file("proc/100/smaps", format!("{small}{RAM}VmFlags: rd wr dd\n{behind}"));
        host.file("proc/100/status", "VmRSS:\t 100 kB\n");
        assert!(matches!(dumped(&host.gather(&[]), &vm(100), "").value, Err(Unavailable::Malformed(_))));
        let behind = behind.replacen("junk\n", "", 100);
        host.file("proc/100/smaps", format!("{small}{RAM}VmFlags: rd wr dd\n{behind}"));
        assert_eq!(dumped(&host.gather(&[]), &vm(100), "").value, Ok("no".into()));
    }
}
