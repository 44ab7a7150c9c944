//! How much a VM's process may take, and whether others may look into it.

use super::{of_process, threads};
use crate::checks::fact::{Found, Unavailable, Value};
use crate::checks::facts::Gather;
use crate::checks::parse::proc::limits::{self, Bound, Limits, Resource};
use crate::checks::vm::Vm;
use std::sync::Arc;

const LIMITS_BYTES_MAX: usize = 16_384;

/// The limits of a VM's process. Read once a round.
#[must_use]
pub(super) fn all(gather: &Gather, vm: &Arc<Vm>) -> Arc<Result<Limits, Unavailable>> {
    gather.memo(&vm.proc("limits"), |gather| {
        let content = gather.host().read(&vm.proc("limits"), LIMITS_BYTES_MAX);
        let parsed = content.and_then(|content| {
            limits::parse(&content.bytes).map_err(|error| Unavailable::Malformed(error.to_string()))
        });
        of_process(gather, vm, parsed)
    })
}

pub(super) fn limit(gather: &Gather, vm: &Arc<Vm>, which: &str) -> Found {
    let source = vm.proc("limits");
    let (name, hard) = match which.strip_suffix(".hard") {
        Some(name) => (name, true),
        None => (which, false),
    };
    let resource = match name {
        "core" => Resource::CoreFileSize,
        "nofile" => Resource::OpenFiles,
        "fsize" => Resource::FileSize,
        "nproc" => Resource::Processes,
        "memlock" => Resource::LockedMemory,
        other => {
            return Found::unavailable(
                Unavailable::NotExposed(format!("no limit is named {other:?}")),
                source,
            );
        }
    };
    let limits = match &*all(gather, vm) {
        Ok(limits) => limits.get(resource),
        Err(why) => return Found::unavailable(why.clone(), source),
    };
    match limits.map(|limit| if hard { limit.hard } else { limit.soft }) {
        Some(Bound::At(most)) => Found::value(Value::Int(i64::try_from(most).unwrap_or(i64::MAX)), source),
        Some(Bound::Unlimited) => Found::value("unlimited", source),
        None => Found::unavailable(Unavailable::NotExposed(format!("the kernel lists no {name}")), source),
    }
}

/// The kernel gives the files of a process that is not dumpable to root (`proc(5)`, `/proc/PID/`).
pub(super) fn dumpable(gather: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    let source = vm.proc("environ");
    let meta = match of_process(gather, vm, gather.host().meta(&source)) {
        Ok(meta) => meta,
        Err(why) => return Found::unavailable(why, source),
    };
    let threads = threads::all(gather, vm);
    let leader = match &*threads {
        Ok(threads) => threads.iter().find(|thread| thread.tid == vm.id.pid).and_then(|t| t.status.uids),
        Err(why) => return Found::unavailable(why.clone(), source),
    };
    match leader {
        Some([_, 0, ..]) => {
            let why = "its files are root's in any case, since root runs it".to_owned();
            Found::unavailable(Unavailable::NotExposed(why), source)
        }
        Some([_, effective, ..]) => Found::value(meta.uid == effective, source),
        None => Found::unavailable(Unavailable::NotExposed("the kernel tells no user".to_owned()), source),
    }
}
