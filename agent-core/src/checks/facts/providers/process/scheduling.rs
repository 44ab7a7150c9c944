//! Core scheduling: who may share a core with a VM's vCPUs.

use super::of_process;
use crate::checks::fact::{Found, Unavailable};
use crate::checks::facts::Gather;
use crate::checks::host::why;
use crate::checks::vm::Vm;
use crate::sys::task::core_cookie;
use nix::errno::Errno;
use std::collections::BTreeSet;
use std::sync::Arc;

const SOURCE: &str = "prctl(PR_SCHED_CORE, PR_SCHED_CORE_GET)";

/// The cookies of the vCPU threads, each once; `none` for a thread without one.
pub(super) fn cookies(gather: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    if !gather.host().is_live() {
        return Found::unavailable(Unavailable::NotExposed("cookies are not recorded".to_owned()), SOURCE);
    }
    let mut cookies = BTreeSet::new();
    for tid in &vm.vcpu_tids {
        match core_cookie(*tid) {
            Ok(0) => cookies.insert("none".to_owned()),
            Ok(cookie) => cookies.insert(format!("{cookie:x}")),
            // A vCPU that was taken out.
            Err(Errno::ESRCH) => false,
            // A kernel without CONFIG_SCHED_CORE gives nobody one.
            Err(Errno::EINVAL) => cookies.insert("none".to_owned()),
            Err(Errno::ENODEV) => {
                let why = "cores have one thread here".to_owned();
                return Found::unavailable(Unavailable::NotExposed(why), SOURCE);
            }
            Err(errno) => return Found::unavailable(why(errno, SOURCE), SOURCE),
        };
    }
    if cookies.is_empty() {
        let why = "no thread is known to be one of its vCPUs".to_owned();
        return Found::either(of_process(gather, vm, Err::<String, _>(Unavailable::NotExposed(why))), SOURCE);
    }
    let cookies = cookies.into_iter().collect::<Vec<_>>();
    Found::either(of_process(gather, vm, Ok(cookies)), SOURCE)
}
