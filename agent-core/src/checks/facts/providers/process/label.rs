//! The label that a security module put on a VM's process.

use super::of_process;
use crate::checks::fact::{Found, Unavailable};
use crate::checks::facts::Gather;
use crate::checks::vm::Vm;
use std::sync::Arc;

/// More than a context of `SELinux` or a stack of `AppArmor` profiles takes.
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

/// What sets a VM's label apart from other VMs': `SELinux`'s categories or `AppArmor`'s profile. `None` when nothing does.
pub(super) fn guard(gather: &Gather, vm: &Arc<Vm>) -> Result<Option<String>, Unavailable> {
    let label = read(gather, vm).as_ref().clone()?;
    Ok(label.and_then(|(_, label)| set_apart(&label)))
}

fn set_apart(label: &str) -> Option<String> {
    if label.starts_with("unconfined") || label.contains(":unconfined_t:") {
        return None;
    }
    if let Some(level) = level(label) {
        return categories(level).map(str::to_owned);
    }
    // A profile that only complains keeps nothing apart.
    label.strip_suffix(" (enforce)").map(str::to_owned)
}

/// The level of `SELinux`'s `user:role:type:level`.
pub(in crate::checks) fn level(label: &str) -> Option<&str> {
    let mut parts = label.splitn(4, ':');
    let (_, _, kind) = (parts.next()?, parts.next()?, parts.next()?);
    let level = parts.next()?;
    (kind.ends_with("_t") && level.starts_with('s')).then_some(level)
}

/// `c1,c2` of `s0:c1,c2`.
pub(in crate::checks) fn categories(level: &str) -> Option<&str> {
    level.split_once(':').map(|(_, categories)| categories).filter(|categories| !categories.is_empty())
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

/// `user:role:type:level` is `SELinux`'s; a path or name with a mode in brackets, or `unconfined`, `AppArmor`'s.
fn whose(label: &str) -> &'static str {
    if label.ends_with(')') || label == "unconfined" {
        "apparmor"
    } else if label.split(':').count() >= 3 {
        "selinux"
    } else {
        "smack"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::facts::providers::process::tests::{Recorded, vm};

    #[test]
    fn what_sets_labels_apart() {
        let svirt = "system_u:system_r:svirt_t:s0:c1,c2";
        assert_eq!(set_apart(svirt).as_deref(), Some("c1,c2"));
        assert_eq!(set_apart("system_u:object_r:svirt_t:s0"), None);
        assert_eq!(set_apart("unconfined_u:unconfined_r:unconfined_t:s0-s0:c0.c1023"), None);
        assert_eq!(set_apart("libvirt-1 (enforce)").as_deref(), Some("libvirt-1"));
        assert_eq!(set_apart("libvirt-1 (complain)"), None);
        assert_eq!(set_apart("unconfined"), None);
    }

    #[test]
    fn whose_label_it_is() {
        let host = Recorded::new();
        host.process(100);
        let module = || module(&host.gather(&[]), &vm(100), "").value;
        assert_eq!(module(), Ok("none".into()));
        host.file("proc/100/attr/current", "system_u:system_r:svirt_t:s0:c1,c2\0");
        assert_eq!(module(), Ok("selinux".into()));
        host.file("proc/100/attr/apparmor/current", "libvirt-1 (enforce)\n");
        assert_eq!(module(), Ok("apparmor".into()));
        assert_eq!(label(&host.gather(&[]), &vm(100), "").value, Ok("libvirt-1 (enforce)".into()));
    }
}
