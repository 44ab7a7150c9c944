//! Programs that do a part of a VM's work beside its own process: a TPM, a file server, a network's other end.
//!
//! The kernel does not say who works for whom. A helper is a program of a known kind that is in the VM's own cgroup, or
//! that was told the same socket as the VM.

use super::{cgroup, memory, of_process, threads};
use crate::checks::fact::{Found, Unavailable};
use crate::checks::facts::Gather;
use crate::checks::parse::proc::status::Seccomp;
use crate::checks::vm::Vm;
use crate::sampling::discovery::process::Process;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Beginnings of their names, as the kernel cuts them to 15 bytes.
const KINDS: [&str; 12] = [
    "swtpm",
    "virtiofsd",
    "vhost-user",
    "vhost-device",
    "vhost_user",
    "passt",
    "pasta",
    "slirp4netns",
    "qemu-pr-helper",
    "qemu-storage-d",
    "qemu-nbd",
    "dbus-daemon",
];

/// One helper.
struct Helper {
    pid: i32,
    name: String,
}

/// `swtpm=0,0` and so on: the users of all threads of each.
pub(super) fn users(gather: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    told(gather, vm, |helper| {
        let own_users = gather.host().link(&format!("/proc/{}/ns/user", helper.pid)).ok();
        let init = gather.host().link("/proc/1/ns/user").ok();
        if own_users.is_some() && init.is_some() && own_users != init {
            return Ok("mapped".to_owned());
        }
        let threads = threads::of_pid(gather, helper.pid)?;
        let uids: BTreeSet<u32> = threads.iter().filter_map(|thread| thread.status.uids).flatten().collect();
        Ok(if uids.contains(&0) { "0".to_owned() } else { joined(&uids) })
    })
}

/// `swtpm=2`: the weakest mode of system call filtering that a thread of each is in.
pub(super) fn filters(gather: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    told(gather, vm, |helper| {
        let threads = threads::of_pid(gather, helper.pid)?;
        let modes = threads.iter().map(|thread| match thread.status.seccomp {
            Some(Seccomp::Filter) => Ok(2),
            Some(Seccomp::Strict) => Ok(1),
            Some(Seccomp::Disabled | Seccomp::Other(_)) => Ok(0),
            None => Err(Unavailable::NotExposed("the kernel tells no seccomp mode".to_owned())),
        });
        let modes = modes.collect::<Result<Vec<i32>, _>>()?;
        Ok(modes.into_iter().min().unwrap_or(0).to_string())
    })
}

fn joined(numbers: &BTreeSet<u32>) -> String {
    numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
}

fn told(gather: &Gather, vm: &Arc<Vm>, tell: impl Fn(&Helper) -> Result<String, Unavailable>) -> Found {
    let source = "/proc/*";
    let helpers = helpers(gather, vm);
    let helpers = match &*helpers {
        Ok(helpers) if helpers.is_empty() => return Found::unavailable(Unavailable::Absent, source),
        Ok(helpers) => helpers,
        Err(why) => return Found::unavailable(why.clone(), source),
    };
    let mut map: Vec<(String, String)> = Vec::new();
    for helper in helpers {
        match tell(helper) {
            Ok(said) => map.push((helper.name.clone(), said)),
            // It ended meanwhile.
            Err(Unavailable::Gone | Unavailable::Absent) => {}
            Err(why) => return Found::unavailable(why, format!("/proc/{}", helper.pid)),
        }
    }
    map.sort();
    map.dedup();
    if map.is_empty() { Found::unavailable(Unavailable::Absent, source) } else { Found::value(map, source) }
}

fn helpers(gather: &Gather, vm: &Arc<Vm>) -> Arc<Result<Vec<Helper>, Unavailable>> {
    gather.memo(&vm.proc("helpers"), |gather| {
        let candidates = candidates(gather);
        let candidates = candidates.as_ref().as_ref().map_err(Clone::clone)?;
        let proc = &gather.host().roots().proc;
        let arguments = Process::new(proc, vm.id.pid).arguments().unwrap_or_default();
        let sockets: BTreeSet<String> = arguments.iter().flat_map(|argument| sockets(argument)).collect();
        let companions = cgroup::companions(gather, vm);
        let own = candidates.iter().filter(|(pid, _, told)| {
            companions.contains(pid) || told.iter().any(|socket| sockets.contains(socket))
        });
        let found = own.map(|(pid, name, _)| Helper { pid: *pid, name: name.clone() }).collect();
        of_process(gather, vm, Ok(found))
    })
}

type Candidates = Result<Vec<(i32, String, BTreeSet<String>)>, Unavailable>;

/// Every process of a known kind, with the sockets it was told. Looked for once a round.
fn candidates(gather: &Gather) -> Arc<Candidates> {
    gather.memo("helpers of all VMs", |gather| {
        let mut found = Vec::new();
        for name in gather.host().list("/proc")? {
            let Ok(pid) = name.parse::<i32>() else { continue };
            let Some(comm) = memory::comm(gather, pid) else { continue };
            if KINDS.iter().any(|kind| comm.starts_with(kind)) {
                let arguments =
                    Process::new(&gather.host().roots().proc, pid).arguments().unwrap_or_default();
                found.push((pid, comm, arguments.iter().flat_map(|argument| sockets(argument)).collect()));
            }
        }
        Ok(found)
    })
}

/// Paths in an argument: `type=unixio,path=/run/tpm.sock,mode=0600`, `--socket=/run/fs.sock`, `/run/fs.sock`.
fn sockets(argument: &str) -> Vec<String> {
    argument
        .split([',', '='])
        .filter(|part| part.starts_with('/') && part.len() > 1)
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::fact::Value;
    use crate::checks::facts::providers::process::tests::{Recorded, vm};

    #[test]
    fn a_helper_is_known_by_the_socket_it_shares_with_its_vm() {
        let host = Recorded::new();
        host.process(100).file("proc/100/cmdline", "qemu\0-chardev\0socket,id=tpm,path=/run/tpm.sock\0");
        let swtpm = |pid: i32, path: &str, uid: u32| {
            let zeros = "0 ".repeat(17);
            host.file(&format!("proc/{pid}/stat"), format!("{pid} (swtpm) S {zeros}0 7 0 0\n"));
            host.file(
                &format!("proc/{pid}/cmdline"),
                format!("swtpm\0socket\0--ctrl\0type=unixio,path={path}\0"),
            );
            let status = format!("Name:\tswtpm\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\nSeccomp:\t2\n");
            host.file(&format!("proc/{pid}/task/{pid}/status"), status);
        };
        swtpm(200, "/run/other.sock", 0);
        assert_eq!(users(&host.gather(&[]), &vm(100), "").value, Err(Unavailable::Absent));
        swtpm(201, "/run/tpm.sock", 0);
        let one = |text: &str| Ok(Value::Map(vec![("swtpm".to_owned(), text.to_owned())]));
        assert_eq!(users(&host.gather(&[]), &vm(100), "").value, one("0"));
        assert_eq!(filters(&host.gather(&[]), &vm(100), "").value, one("2"));
        swtpm(201, "/run/tpm.sock", 113);
        assert_eq!(users(&host.gather(&[]), &vm(100), "").value, one("113"));
    }
}
