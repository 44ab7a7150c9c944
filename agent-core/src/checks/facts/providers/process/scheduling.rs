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

/// The cookie that all vCPU threads have; `none` without one, `mixed` when they do not have the same.
pub(super) fn cookie(gather: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    let value = all(gather, vm).map(|cookies| match cookies.as_slice() {
        [cookie] => cookie.clone(),
        _ => "mixed".to_owned(),
    });
    Found::either(value, SOURCE)
}

/// The cookies of the vCPU threads, each once; at least one.
pub(super) fn all(gather: &Gather, vm: &Arc<Vm>) -> Result<Vec<String>, Unavailable> {
    if !gather.host().is_live() {
        return Err(Unavailable::NotExposed("cookies are not recorded".to_owned()));
    }
    let mut cookies = BTreeSet::new();
    for tid in &vm.vcpu_tids {
        match core_cookie(*tid) {
            // A kernel without CONFIG_SCHED_CORE gives nobody one.
            Ok(0) | Err(Errno::EINVAL) => cookies.insert("none".to_owned()),
            Ok(cookie) => cookies.insert(format!("{cookie:x}")),
            // A vCPU that was taken out.
            Err(Errno::ESRCH) => false,
            Err(Errno::ENODEV) => {
                return Err(Unavailable::NotExposed("cores have one thread here".to_owned()));
            }
            Err(errno) => return Err(why(errno, SOURCE)),
        };
    }
    if cookies.is_empty() {
        let why = "no thread is known to be one of its vCPUs".to_owned();
        return of_process(gather, vm, Err(Unavailable::NotExposed(why)));
    }
    of_process(gather, vm, Ok(cookies.into_iter().collect()))
}
