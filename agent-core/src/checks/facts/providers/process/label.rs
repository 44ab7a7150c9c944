//! The label that a security module put on a VM's process.

use super::of_process;
use crate::checks::fact::{Found, Unavailable};
use crate::checks::facts::Gather;
use crate::checks::vm::Vm;
use std::sync::Arc;

/// More than a context of SELinux or a stack of AppArmor profiles takes.
const LABEL_BYTES_MAX: usize = 4_096;

/// Whose label, and what it says; `None` when no module labels processes.
type Label = Result<Option<(&'static str, String)>, Unavailable>;

pub(super) fn label(gather: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    let value = match &*read(gather, vm) {
        Ok(Some((_, label))) => Ok(label.clone()),
        Ok(None) => Err(Unavailable::NotExposed("no security module labels processes here".to_owned())),
        Err(why) => Err(why.clone()),
    };
    Found::either(value, vm.proc("attr/current"))
}

pub(super) fn module(gather: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    let value = read(gather, vm).as_ref().clone();
    let value = value.map(|label| label.map_or("none", |(module, _)| module));
    Found::either(value, vm.proc("attr/current"))
}

fn read(gather: &Gather, vm: &Arc<Vm>) -> Arc<Label> {
    gather.memo(&vm.proc("attr"), |gather| of_process(gather, vm, read_now(gather, vm)))
}

fn read_now(gather: &Gather, vm: &Vm) -> Label {
    // With several modules `current` speaks for the first of them, and AppArmor has a folder of its own.
    for (file, module) in [("attr/apparmor/current", Some("apparmor")), ("attr/current", None)] {
        match gather.host().read(&vm.proc(file), LABEL_BYTES_MAX) {
            Ok(content) => {
                let text = String::from_utf8_lossy(&content.bytes);
                let text = text.trim_matches(|c: char| c == '\0' || c.is_whitespace());
                if !text.is_empty() {
                    return Ok(Some((module.unwrap_or_else(|| whose(text)), text.to_owned())));
                }
            }
            // What the kernel says where no module answers.
            Err(Unavailable::Absent | Unavailable::NotExposed(_)) => {}
            Err(why) => return Err(why),
        }
    }
    Ok(None)
}

/// `user:role:type:level` is SELinux's; a path or name with a mode in brackets, or `unconfined`, AppArmor's.
fn whose(label: &str) -> &'static str {
    if label.ends_with(')') || label == "unconfined" {
        "apparmor"
    } else if label.split(':').count() >= 3 {
        "selinux"
    } else {
        "smack"
    }
}
