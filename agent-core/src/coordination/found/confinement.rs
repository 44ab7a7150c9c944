//! Security modules, and which VMs they confine.

use super::{Guest, Host, side};
use crate::checks::facts::Facts;
use crate::checks::{Unavailable, Value};
use crate::coordination::{Class, Mode};

/// Modules that label processes; one host uses one of them.
const LABELLING: [&str; 3] = ["apparmor", "selinux", "smack"];

pub(super) fn look(facts: &Facts, guests: &[Guest], host: &mut Host) {
    let modules = facts.get(facts.place(None, "lsm"), None);
    let mut labelling = Vec::new();
    match &modules.value {
        Ok(Value::List(names)) => {
            labelling = names.iter().filter(|name| LABELLING.contains(&&***name)).cloned().collect();
            for name in names {
                host.claim(name, "lsm", &format!("host/lsm/{name}"), Mode::Exclusive, None, &modules.source);
            }
        }
        Ok(other) => host.unknown("lsm", &Unavailable::Malformed(other.to_string())),
        Err(why) => host.unseen("host/lsm", "lsm", &why.to_string()),
    }
    if labelling.len() > 1 {
        let sentence = format!(
            "{} are in force together: a process has the label of each, and /proc/PID/attr/current shows that of the first",
            labelling.join(" and ")
        );
        let sides = labelling.iter().map(|name| side(name, "lsm", "labels processes")).collect();
        host.conflict(Class::TwoMechanisms, "host/lsm", sides, sentence);
    }
    configured(facts, &labelling, host);
    for guest in guests {
        let fact = |key: &str| facts.get(facts.place(Some(guest.vm.id), key), Some(&guest.vm));
        let (label, module) = (fact("vm.label"), fact("vm.label-module"));
        let path = format!("vm/{}/confinement/label", guest.key);
        match (&label.value, &module.value) {
            (Ok(label_text), Ok(module)) => {
                let party = module.to_string();
                host.claim(&party, "lsm", &path, Mode::Shared, Some(&label_text.to_string()), &label.source);
            }
            (Err(Unavailable::NotExposed(_)), _) | (_, Err(Unavailable::NotExposed(_))) => {}
            (Err(why), _) | (_, Err(why)) => host.unknown(&format!("label of {}", guest.vm), why),
        }
    }
}

/// `SELinux` that is configured and not in force, while another module is.
fn configured(facts: &Facts, labelling: &[String], host: &mut Host) {
    let wanted = facts.get(facts.place(None, "selinux.config:SELINUX"), None);
    let mode = wanted.value.as_ref().ok().and_then(Value::text);
    let other = labelling.iter().find(|name| *name != "selinux");
    if let (Some(mode @ ("enforcing" | "permissive")), Some(other)) = (mode, other)
        && !labelling.iter().any(|name| name == "selinux")
    {
        let sentence = format!(
            "{} asks for SELinux ({mode}), and {other} is in force instead: policies written for SELinux protect nothing here",
            wanted.source
        );
        let sides =
            vec![side(other, "lsm", "is in force"), side("selinux", "lsm", format!("SELINUX={mode}"))];
        host.conflict(Class::TwoMechanisms, "host/lsm", sides, sentence);
    }
}
