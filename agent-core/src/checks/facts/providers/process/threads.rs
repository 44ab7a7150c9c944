//! Who the threads of a VM's process run as, and what the kernel lets them do.

use super::of_process;
use crate::checks::fact::{Found, Unavailable};
use crate::checks::facts::Gather;
use crate::checks::parse::proc::status::{
    self, CAPABILITIES, Seccomp, Speculation, Status, capability_names,
};
use crate::checks::vm::Vm;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;

/// More than the kernel writes for a process in 65,536 groups.
const STATUS_BYTES_MAX: usize = 1 << 20;

/// One thread.
#[derive(Clone, Debug)]
pub struct Thread {
    /// Its ID.
    pub tid: i32,
    /// What the kernel says of it.
    pub status: Status,
}

/// All threads of a VM's process, or why they cannot be read. Read once a round.
pub type Threads = Result<Vec<Thread>, Unavailable>;

/// All threads of a VM's process.
#[must_use]
pub fn all(gather: &Gather, vm: &Arc<Vm>) -> Arc<Threads> {
    gather.memo(&vm.proc("task"), |gather| of_process(gather, vm, of_pid(gather, vm.id.pid)))
}

/// All threads of any process; that it is still the same process is the caller's to see.
///
/// # Errors
/// When they may not be read, or there is no such process.
pub fn of_pid(gather: &Gather, pid: i32) -> Threads {
    let folder = format!("/proc/{pid}/task");
    let mut threads = Vec::new();
    for name in gather.host().list(&folder)? {
        let Ok(tid) = name.parse() else { continue };
        let path = format!("{folder}/{name}/status");
        let content = match gather.host().read(&path, STATUS_BYTES_MAX) {
            Ok(content) => content,
            // A thread that ended meanwhile is none.
            Err(Unavailable::Absent | Unavailable::Gone) => continue,
            Err(why) => return Err(why),
        };
        let status = status::parse(&content.bytes)
            .map_err(|error| Unavailable::Malformed(format!("{path}: {error}")))?;
        threads.push(Thread { tid, status });
    }
    if threads.is_empty() { Err(Unavailable::Gone) } else { Ok(threads) }
}

/// The users of all threads, each once.
pub(super) fn user_numbers(gather: &Gather, vm: &Arc<Vm>) -> Result<BTreeSet<u32>, Unavailable> {
    distinct(gather, vm, "Uid", |status| status.uids)
}

/// The groups of all threads, each once; supplementary ones are left out.
pub(super) fn group_numbers(gather: &Gather, vm: &Arc<Vm>) -> Result<BTreeSet<u32>, Unavailable> {
    distinct(gather, vm, "Gid", |status| status.gids)
}

fn distinct(
    gather: &Gather,
    vm: &Arc<Vm>,
    line: &str,
    tell: impl Fn(&Status) -> Option<[u32; 4]>,
) -> Result<BTreeSet<u32>, Unavailable> {
    let threads = all(gather, vm);
    let threads = threads.as_ref().as_ref().map_err(Clone::clone)?;
    let told = threads.iter().map(|thread| tell(&thread.status).ok_or_else(|| no_line(line)));
    Ok(told.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

pub(super) fn uids(gather: &Gather, vm: &Arc<Vm>, which: &str) -> Found {
    numbers(gather, vm, which, "Uid", |status| status.uids.map(|uids| uids.to_vec()))
}

pub(super) fn gids(gather: &Gather, vm: &Arc<Vm>, which: &str) -> Found {
    numbers(gather, vm, which, "Gid", |status| status.gids.map(|gids| gids.to_vec()))
}

pub(super) fn groups(gather: &Gather, vm: &Arc<Vm>, which: &str) -> Found {
    numbers(gather, vm, which, "Groups", |status| status.groups.clone())
}

pub(super) fn group_names(gather: &Gather, vm: &Arc<Vm>, which: &str) -> Found {
    const GROUP: &str = "/etc/group";
    let known = match gather.text(GROUP) {
        Ok(text) => text,
        Err(why) => return Found::unavailable(why, GROUP),
    };
    let name = |gid: u32| {
        let mut lines = known.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let wanted = gid.to_string();
        lines
            .find(|parts| parts.get(2) == Some(&wanted.as_str()))
            .map_or(wanted.clone(), |parts| parts[0].to_owned())
    };
    told(gather, vm, which, "Groups", |status| {
        let own = status.gids?.into_iter().chain(status.groups.clone()?);
        let own: BTreeSet<u32> = own.collect();
        Some(own.into_iter().map(name).collect())
    })
}

pub(super) fn caps_effective(gather: &Gather, vm: &Arc<Vm>, which: &str) -> Found {
    capabilities(gather, vm, which, "CapEff", |status| status.cap_effective)
}

pub(super) fn caps_permitted(gather: &Gather, vm: &Arc<Vm>, which: &str) -> Found {
    capabilities(gather, vm, which, "CapPrm", |status| status.cap_permitted)
}

pub(super) fn caps_inheritable(gather: &Gather, vm: &Arc<Vm>, which: &str) -> Found {
    capabilities(gather, vm, which, "CapInh", |status| status.cap_inheritable)
}

pub(super) fn caps_ambient(gather: &Gather, vm: &Arc<Vm>, which: &str) -> Found {
    capabilities(gather, vm, which, "CapAmb", |status| status.cap_ambient)
}

pub(super) fn caps_bounding(gather: &Gather, vm: &Arc<Vm>, which: &str) -> Found {
    capabilities(gather, vm, which, "CapBnd", |status| status.cap_bounding)
}

pub(super) fn no_new_privs(gather: &Gather, vm: &Arc<Vm>, which: &str) -> Found {
    told(gather, vm, which, "NoNewPrivs", |status| {
        status.no_new_privs.map(|set| vec![u8::from(set).to_string()])
    })
}

pub(super) fn seccomp(gather: &Gather, vm: &Arc<Vm>, which: &str) -> Found {
    told(gather, vm, which, "Seccomp", |status| {
        status.seccomp.map(|mode| {
            vec![match mode {
                Seccomp::Disabled => "0".to_owned(),
                Seccomp::Strict => "1".to_owned(),
                Seccomp::Filter => "2".to_owned(),
                Seccomp::Other(mode) => mode.to_string(),
            }]
        })
    })
}

pub(super) fn seccomp_filters(gather: &Gather, vm: &Arc<Vm>, which: &str) -> Found {
    let threads = match chosen(gather, vm, which) {
        Ok(threads) => threads,
        Err(why) => return Found::unavailable(why, source(vm)),
    };
    let fewest: Option<Vec<u32>> = threads.iter().map(|thread| thread.status.seccomp_filters).collect();
    match fewest.and_then(|counts| counts.into_iter().min()) {
        Some(fewest) => Found::value(i64::from(fewest), source(vm)),
        None => Found::unavailable(no_line("Seccomp_filters"), source(vm)),
    }
}

pub(super) fn tracer(gather: &Gather, vm: &Arc<Vm>, which: &str) -> Found {
    told(gather, vm, which, "TracerPid", |status| {
        let pid = status.tracer_pid?;
        if pid == 0 {
            return Some(vec!["none".to_owned()]);
        }
        let name = gather.host().read(&format!("/proc/{pid}/comm"), 256);
        let name = name.map(|content| String::from_utf8_lossy(&content.bytes).trim_end().to_owned());
        Some(vec![name.unwrap_or_else(|_| "a process that cannot be seen".to_owned())])
    })
}

pub(super) fn speculation(gather: &Gather, vm: &Arc<Vm>, kind: &str) -> Found {
    let word = |speculation: &Speculation| {
        vec![match speculation {
            Speculation::NotAffected => "not affected".to_owned(),
            Speculation::ClosedForAll => "closed for all".to_owned(),
            Speculation::ClosedForThread { .. } => "closed for the thread".to_owned(),
            Speculation::OpenInThread => "open, and the thread could close it".to_owned(),
            Speculation::OpenForAll => "open for all".to_owned(),
            Speculation::Unknown => "unknown to the kernel".to_owned(),
            Speculation::Other(text) => text.clone(),
        }]
    };
    match kind {
        "store-bypass" => told(gather, vm, "", "Speculation_Store_Bypass", |status| {
            status.speculation_store_bypass.as_ref().map(word)
        }),
        "indirect-branch" => told(gather, vm, "", "SpeculationIndirectBranch", |status| {
            status.speculation_indirect_branch.as_ref().map(word)
        }),
        _ => Found::unavailable(no_line(kind), source(vm)),
    }
}

fn numbers(
    gather: &Gather,
    vm: &Arc<Vm>,
    which: &str,
    line: &str,
    tell: impl Fn(&Status) -> Option<Vec<u32>>,
) -> Found {
    told(gather, vm, which, line, |status| Some(tell(status)?.iter().map(u32::to_string).collect()))
}

fn capabilities(
    gather: &Gather,
    vm: &Arc<Vm>,
    which: &str,
    line: &str,
    tell: impl Fn(&Status) -> Option<u64>,
) -> Found {
    told(gather, vm, which, line, |status| {
        let mask = tell(status)?;
        // Of a kernel newer than this program: shown as a number, and not left out.
        let unnamed = (CAPABILITIES.len()..64).filter(|bit| mask & (1 << bit) != 0);
        let names = capability_names(mask).map(str::to_owned);
        Some(names.chain(unnamed.map(|bit| format!("CAP_{bit}"))).collect())
    })
}

/// What all threads together say, each item once; with which thread says what as evidence.
fn told(
    gather: &Gather,
    vm: &Arc<Vm>,
    which: &str,
    line: &str,
    tell: impl Fn(&Status) -> Option<Vec<String>>,
) -> Found {
    let threads = match chosen(gather, vm, which) {
        Ok(threads) => threads,
        Err(why) => return Found::unavailable(why, source(vm)),
    };
    let mut items: Vec<String> = Vec::new();
    let mut sayings: Vec<(Vec<String>, Vec<String>)> = Vec::new();
    for thread in &threads {
        let Some(said) = tell(&thread.status) else {
            return Found::unavailable(no_line(line), source(vm));
        };
        for item in &said {
            if !items.contains(item) {
                items.push(item.clone());
            }
        }
        let name = thread.status.name.clone().unwrap_or_else(|| thread.tid.to_string());
        match sayings.iter_mut().find(|(known, _)| *known == said) {
            Some((_, names)) => names.push(name),
            None => sayings.push((said, vec![name])),
        }
    }
    sort(&mut items);
    let mut raw = String::new();
    for (said, mut names) in sayings {
        names.sort_unstable();
        names.dedup();
        // Writing to a String cannot fail.
        let _ = writeln!(raw, "{line} {} in {}", said.join(","), names.join(", "));
    }
    Found::value(items, source(vm)).with_raw(&raw)
}

/// Numbers by their size, and texts after them.
fn sort(items: &mut [String]) {
    items.sort_by(|a, b| {
        let key = |text: &str| (text.parse::<u64>().unwrap_or(u64::MAX), text.to_owned());
        key(a).cmp(&key(b))
    });
}

fn chosen(gather: &Gather, vm: &Arc<Vm>, which: &str) -> Threads {
    let threads = all(gather, vm);
    let threads = threads.as_ref().as_ref().map_err(Clone::clone)?;
    let is_vcpu = |thread: &Thread| vm.vcpu_tids.contains(&thread.tid);
    let chosen: Vec<Thread> = match which {
        "" => threads.clone(),
        "vcpus" => threads.iter().filter(|thread| is_vcpu(thread)).cloned().collect(),
        "others" => threads.iter().filter(|thread| !is_vcpu(thread)).cloned().collect(),
        other => {
            let why = format!("{other:?} is no choice of threads: nothing, `vcpus` or `others`");
            return Err(Unavailable::NotExposed(why));
        }
    };
    if chosen.is_empty() {
        return Err(Unavailable::NotExposed(format!("no thread is known to be one of its {which}")));
    }
    Ok(chosen)
}

fn source(vm: &Vm) -> String {
    vm.proc("task/*/status")
}

fn no_line(line: &str) -> Unavailable {
    Unavailable::NotExposed(format!("the kernel's status has no line `{line}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::fact::Value;
    use crate::checks::facts::providers::process::tests::{Recorded, vm};

    const GOOD: &str = "Name:\tworker\nTracerPid:\t0\nUid:\t7\t7\t7\t7\nGid:\t8\t8\t8\t8\nGroups:\t36\n\
        CapEff:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t2\n";

    fn host(second: &str) -> Recorded {
        let host = Recorded::new();
        host.process(100).file("proc/100/task/100/status", GOOD).file("proc/100/task/101/status", second);
        host
    }

    fn list(items: &[&str]) -> Value {
        Value::List(items.iter().map(|&item| item.to_owned()).collect())
    }

    #[test]
    fn one_thread_that_differs_is_seen() {
        let bad = GOOD
            .replace("7\t7\t7\t7", "7\t7\t0\t7")
            .replace("CapEff:\t0000000000000000", "CapEff:\t0000020000001000")
            .replace("Privs:\t1", "Privs:\t0")
            .replace("Seccomp:\t2", "Seccomp:\t0")
            .replace("filters:\t2", "filters:\t0")
            .replace("worker", "CPU 0/KVM");
        let host = host(&bad);
        let (gather, vm) = (host.gather(&[]), vm(100));
        assert_eq!(uids(&gather, &vm, "").value, Ok(list(&["0", "7"])));
        assert_eq!(caps_effective(&gather, &vm, "").value, Ok(list(&["CAP_41", "CAP_NET_ADMIN"])));
        assert_eq!(no_new_privs(&gather, &vm, "").value, Ok(list(&["0", "1"])));
        let found = seccomp(&gather, &vm, "");
        assert_eq!(found.value, Ok(list(&["0", "2"])));
        assert!(found.raw.contains("Seccomp 0 in CPU 0/KVM"), "{}", found.raw);
        assert_eq!(seccomp(&gather, &vm, "vcpus").value, Ok(list(&["0"])));
        assert_eq!(seccomp(&gather, &vm, "others").value, Ok(list(&["2"])));
        assert_eq!(seccomp_filters(&gather, &vm, "").value, Ok(Value::Int(0)));
    }

    #[test]
    fn what_the_kernel_does_not_say_is_not_good() {
        let host = host("Name:\ta\nUid:\t7\t7\t7\t7\n");
        let (gather, vm) = (host.gather(&[]), vm(100));
        assert_eq!(uids(&gather, &vm, "").value, Ok(list(&["7"])));
        for found in
            [seccomp(&gather, &vm, ""), caps_effective(&gather, &vm, ""), no_new_privs(&gather, &vm, "")]
        {
            assert!(matches!(found.value, Err(Unavailable::NotExposed(_))), "{found:?}");
        }
    }

    #[test]
    fn groups_have_their_names_and_a_pid_that_is_another_process_now_is_gone() {
        let host = host(GOOD);
        host.file("etc/group", "disk:x:8:\nkvm:x:36:\n");
        assert_eq!(group_names(&host.gather(&[]), &vm(100), "").value, Ok(list(&["disk", "kvm"])));
        let other =
            Arc::new(Vm { id: crate::checks::VmId { pid: 100, start_ticks: 8 }, ..(*vm(100)).clone() });
        assert_eq!(uids(&host.gather(&[]), &other, "").value, Err(Unavailable::Gone));
    }

    #[test]
    fn a_tracer_is_told_by_its_name() {
        let host = host(&GOOD.replace("TracerPid:\t0", "TracerPid:\t300"));
        host.file("proc/300/comm", "gdb\n");
        assert_eq!(tracer(&host.gather(&[]), &vm(100), "").value, Ok(list(&["gdb", "none"])));
    }
}
