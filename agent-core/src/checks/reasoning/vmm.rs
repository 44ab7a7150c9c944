//! Rules about a VM's process, memory and disks that must reason.

use super::Reason;
use crate::checks::case::Case;
use crate::checks::declared::Truth;
use crate::checks::fact::{Unavailable, Value};
use crate::checks::vm::Vm;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Reasonings of this module.
pub(super) const TABLE: &[(&str, Reason)] = &[
    ("unique-user", |case| unique(case, "vm.uids", "user")),
    ("unique-group", |case| unique(case, "vm.gids", "group")),
    ("unique-label", unique_label),
    ("image-labels", image_labels),
    ("own-cgroup", own_cgroup),
    ("ptrace-reach", ptrace_reach),
    ("own-core", own_core),
    ("shared-writable-image", |case| shared_image(case, Sharing::BothWrite)),
    ("shared-read-image", |case| shared_image(case, Sharing::OneWrites)),
];

/// No other VM has one of this VM's users, unless labels keep the two apart.
fn unique(case: &Case<'_>, key: &str, word: &str) -> Result<Truth, Truth> {
    let own = numbers(&case.value(key)?);
    each_other(case, |other| {
        let theirs = numbers(&of(case, other, key)?);
        let common: Vec<&String> = own.intersection(&theirs).collect();
        let Some(number) = common.first() else { return Ok(Truth::Holds) };
        if apart(case, other)? {
            return Ok(Truth::Holds);
        }
        Ok(Truth::Fails(format!("{} has the {word} {number} too", other.name)))
    })
}

/// Whether different labels of a security module keep this VM and another apart.
fn apart(case: &Case<'_>, other: &Arc<Vm>) -> Result<bool, Truth> {
    let (Some(own), Some(theirs)) =
        (confinement(&case.fact("vm.label").value)?, confinement(&case.fact_of(other, "vm.label").value)?)
    else {
        return Ok(false);
    };
    Ok(own != theirs)
}

/// What in a label sets one VM apart from others: SELinux's categories or AppArmor's profile; `None` when nothing does.
fn confinement(label: &Result<Value, Unavailable>) -> Result<Option<String>, Truth> {
    let label = match label {
        Ok(value) => value.text().unwrap_or_default().to_owned(),
        // Where no module labels, no label keeps anything apart.
        Err(Unavailable::NotExposed(_) | Unavailable::Absent) => return Ok(None),
        Err(why) => return Err(Truth::Unknown("vm.label".to_owned(), why.clone())),
    };
    if label.starts_with("unconfined") || label.contains(":unconfined_t:") {
        return Ok(None);
    }
    if let Some(level) = level(&label) {
        return Ok(categories(level).map(str::to_owned));
    }
    match label.rsplit_once(" (") {
        Some((profile, mode)) => Ok((mode == "enforce)").then(|| profile.to_owned())),
        None => Ok(None),
    }
}

/// The level of `user:role:type:level`.
fn level(label: &str) -> Option<&str> {
    let mut parts = label.splitn(4, ':');
    let (_, _, kind) = (parts.next()?, parts.next()?, parts.next()?);
    let level = parts.next()?;
    (kind.ends_with("_t") && level.starts_with('s')).then_some(level)
}

/// `c1,c2` of `s0:c1,c2`.
fn categories(level: &str) -> Option<&str> {
    level.split_once(':').map(|(_, categories)| categories).filter(|categories| !categories.is_empty())
}

fn unique_label(case: &Case<'_>) -> Result<Truth, Truth> {
    case.value("vm.label")?;
    let Some(own) = confinement(&case.fact("vm.label").value)? else {
        return Ok(Truth::NotApplicable("nothing in its label sets it apart from other VMs".to_owned()));
    };
    each_other(case, |other| {
        let theirs = confinement(&case.fact_of(other, "vm.label").value)?;
        Ok(Truth::of(theirs.as_ref() != Some(&own), || format!("{} has {own} too", other.name)))
    })
}

fn image_labels(case: &Case<'_>) -> Result<Truth, Truth> {
    let label = case.value("vm.label")?;
    let own = level(label.text().unwrap_or_default()).and_then(categories);
    let Some(own) = own else {
        return Ok(Truth::Fails(format!("the process has no categories: {label}")));
    };
    let labels = case.value("vm.images-labels")?;
    let images = case.value("vm.images")?;
    let (labels, images) = (labels.map().unwrap_or_default(), images.map().unwrap_or_default());
    if images.is_empty() {
        return Ok(Truth::NotApplicable("the VM has no images".to_owned()));
    }
    let judged = images.iter().map(|(path, said)| {
        let Some((_, label)) = labels.iter().find(|(labelled, _)| labelled == path) else {
            return Truth::Fails(format!("{path} has no label"));
        };
        let same = level(label).and_then(categories) == Some(own);
        let read_only_base = said.starts_with("ro ") && label.contains(":virt_content_t:");
        Truth::of(same || read_only_base, || format!("{path} is {label}, and not of {own}"))
    });
    Ok(Truth::all(judged))
}

fn own_cgroup(case: &Case<'_>) -> Result<Truth, Truth> {
    let own = case.value("vm.cgroup")?;
    let own = own.map().unwrap_or_default();
    let roots: Vec<&str> =
        own.iter().filter(|(_, path)| path == "/").map(|(controller, _)| controller.as_str()).collect();
    if !roots.is_empty() {
        return Ok(Truth::Fails(format!("it is in the root cgroup of {}", roots.join(", "))));
    }
    each_other(case, |other| {
        let theirs = of(case, other, "vm.cgroup")?;
        let theirs = theirs.map().unwrap_or_default();
        let shared: Vec<&str> = own
            .iter()
            .filter(|pair| theirs.contains(pair))
            .map(|(controller, _)| controller.as_str())
            .collect();
        Ok(Truth::of(shared.is_empty(), || {
            format!("{} is in the same cgroup of {}", other.name, shared.join(", "))
        }))
    })
}

/// Processes may be traced by others of their user, unless something forbids it.
fn ptrace_reach(case: &Case<'_>) -> Result<Truth, Truth> {
    let own = numbers(&case.value("vm.uids")?);
    // Without Yama nothing but the user is looked at.
    let scope = case.optional("sysctl:kernel.yama.ptrace_scope")?.and_then(|value| value.int()).unwrap_or(0);
    each_other(case, |other| {
        let theirs = numbers(&of(case, other, "vm.uids")?);
        let common: BTreeSet<&String> = own.intersection(&theirs).collect();
        if common.is_empty() || scope >= 3 || apart(case, other)? {
            return Ok(Truth::Holds);
        }
        // Root's capabilities open what scopes 1 and 2 close, and a process that is not dumpable.
        if !common.iter().any(|user| *user == "0") {
            let closed =
                case.fact("vm.dumpable").value.as_ref().is_ok_and(|value| value.text() == Some("no"));
            if scope >= 1 || closed {
                return Ok(Truth::Holds);
            }
        }
        Ok(Truth::Fails(format!("{} has the same user, and could trace it", other.name)))
    })
}

fn own_core(case: &Case<'_>) -> Result<Truth, Truth> {
    let cookies = case.value("vm.core-cookies")?;
    let own = cookies.list().unwrap_or_default();
    let [cookie] = own else {
        return Ok(Truth::Fails(format!("its vCPUs have different cookies: {cookies}")));
    };
    if cookie == "none" {
        return Ok(Truth::Fails("its vCPUs have no core-scheduling cookie".to_owned()));
    }
    let tenant = case.optional("vm.tenant")?;
    each_other(case, |other| {
        if tenant.is_some() && case.fact_of(other, "vm.tenant").value.as_ref().ok() == tenant.as_ref() {
            return Ok(Truth::Holds);
        }
        let theirs = of(case, other, "vm.core-cookies")?;
        let shared = theirs.list().unwrap_or_default().contains(cookie);
        Ok(Truth::of(!shared, || format!("{} has the same cookie", other.name)))
    })
}

/// How two VMs share an image.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sharing {
    BothWrite,
    OneWrites,
}

/// One image, as `vm.images` tells it: `rw file 8:2/77 0600 0:0 shareable`.
struct Image<'a> {
    path: &'a str,
    writable: bool,
    identity: &'a str,
    shareable: bool,
}

fn parsed(value: &Value) -> Vec<Image<'_>> {
    let images = value.map().unwrap_or_default().iter().filter_map(|(path, said)| {
        let words: Vec<&str> = said.split_whitespace().collect();
        let [access, _, identity, rest @ ..] = words.as_slice() else { return None };
        let shareable = rest.contains(&"shareable");
        Some(Image { path, writable: *access == "rw", identity, shareable })
    });
    images.collect()
}

fn shared_image(case: &Case<'_>, sharing: Sharing) -> Result<Truth, Truth> {
    let own = case.value("vm.images")?;
    let own = parsed(&own);
    let tenant = case.optional("vm.tenant")?;
    each_other(case, |other| {
        let theirs = of(case, other, "vm.images")?;
        let same_tenant =
            tenant.is_some() && case.fact_of(other, "vm.tenant").value.as_ref().ok() == tenant.as_ref();
        let mut shared = Vec::new();
        for image in &own {
            for their in parsed(&theirs).iter().filter(|their| their.identity == image.identity) {
                let wrong = match sharing {
                    Sharing::BothWrite => image.writable && their.writable,
                    Sharing::OneWrites => image.writable != their.writable,
                };
                if wrong && !(same_tenant && image.shareable && their.shareable) {
                    shared.push(image.path.to_owned());
                }
            }
        }
        Ok(Truth::of(shared.is_empty(), || {
            let how = match sharing {
                Sharing::BothWrite => "writes",
                Sharing::OneWrites => "has open",
            };
            format!("{} {how} {} too", other.name, shared.join(", "))
        }))
    })
}

/// What all other VMs come to. One that ended meanwhile shares nothing any more.
fn each_other(case: &Case<'_>, judge: impl Fn(&Arc<Vm>) -> Result<Truth, Truth>) -> Result<Truth, Truth> {
    let judged = case.others().into_iter().map(|other| match judge(&other) {
        Ok(truth) | Err(truth) => truth,
    });
    Ok(Truth::all(judged.filter(|truth| !matches!(truth, Truth::Unknown(_, Unavailable::Gone)))))
}

fn of(case: &Case<'_>, vm: &Arc<Vm>, key: &str) -> Result<Value, Truth> {
    case.fact_of(vm, key).value.clone().map_err(|why| Truth::Unknown(format!("{key} of {}", vm.name), why))
}

fn numbers(value: &Value) -> BTreeSet<String> {
    value.items().iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sets_labels_apart() {
        let of = |label: &str| confinement(&Ok(Value::from(label))).expect("a label");
        let svirt = "system_u:system_r:svirt_t:s0:c1,c2";
        assert_eq!(of(svirt).as_deref(), Some("c1,c2"));
        assert_eq!(of("system_u:object_r:svirt_t:s0"), None);
        assert_eq!(of("unconfined_u:unconfined_r:unconfined_t:s0-s0:c0.c1023"), None);
        assert_eq!(of("libvirt-1 (enforce)").as_deref(), Some("libvirt-1"));
        assert_eq!(of("libvirt-1 (complain)"), None, "it keeps nothing apart");
        assert_eq!(of("unconfined"), None);
        assert!(confinement(&Err(Unavailable::Denied(String::new()))).is_err());
    }
}
