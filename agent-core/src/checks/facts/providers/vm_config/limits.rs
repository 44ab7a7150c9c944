//! What keeps one guest from taking the disks and the network from the others: throttles of the VMM, of its cgroup, and
//! of its taps.

use super::asked::{Asked, Options, asked};
use super::domain::running_definition;
use crate::checks::fact::{Found, Unavailable};
use crate::checks::facts::Gather;
use crate::checks::facts::providers::sockets::own_view;
use crate::checks::parse::vmm::firecracker::RateLimiter;
use crate::checks::parse::vmm::storage::Drive;
use crate::checks::vm::Vm;
use crate::sys::route::{self, Qdisc};
use std::sync::Arc;

type Limits = Vec<(String, String)>;

/// `vm.throttle:disk`, `vm.throttle:net`: each disk or tap, `limited` or `unlimited`.
pub(super) fn limits(gather: &Gather, vm: &Arc<Vm>, what: &str) -> Found {
    let (found, source) = match what {
        "disk" => (disk(gather, vm), "cmdline, its definition, io.max of its cgroup"),
        "net" => (net(gather, vm), "cmdline, its definition, queueing disciplines of its taps"),
        other => {
            let why = format!("there is no resource {other:?}");
            return Found::unavailable(Unavailable::NotExposed(why), "nowhere");
        }
    };
    match found {
        Ok(mut found) => {
            found.sort_unstable();
            Found::value(found, vm.proc(source))
        }
        Err(why) => Found::unavailable(why, vm.proc(source)),
    }
}

fn word(limited: bool) -> String {
    if limited { "limited" } else { "unlimited" }.to_owned()
}

fn disk(gather: &Gather, vm: &Arc<Vm>) -> Result<Limits, Unavailable> {
    let asked = asked(gather, vm)?;
    if let Ok(domain) = running_definition(gather, vm) {
        let by_cgroup = limited_by_cgroup(gather, vm)?;
        let disks = domain.disks.iter().filter(|disk| disk.source.is_some());
        let name = |target: &Option<String>| target.clone().unwrap_or_default();
        return Ok(disks.map(|disk| (name(&disk.target), word(disk.limited || by_cgroup))).collect());
    }
    let own = asked_disks(&asked)?;
    if own.is_empty() || own.iter().all(|(_, limited)| *limited) {
        return Ok(own.into_iter().map(|(name, limited)| (name, word(limited))).collect());
    }
    let by_cgroup = limited_by_cgroup(gather, vm)?;
    Ok(own.into_iter().map(|(name, limited)| (name, word(limited || by_cgroup))).collect())
}

fn asked_disks(asked: &Asked) -> Result<Vec<(String, bool)>, Unavailable> {
    Ok(match &asked.options {
        Options::Qemu(qemu) => {
            let images = qemu.drives.iter().filter(|drive| drive.path.is_some());
            // Firmware is no disk.
            let disks = images.filter(|drive| drive.interface.as_deref() != Some("pflash"));
            let name = |drive: &Drive| drive.id.clone().or_else(|| drive.path.clone()).unwrap_or_default();
            disks.map(|drive| (name(drive), is_throttled(&qemu.drives, drive))).collect()
        }
        Options::Firecracker(_, config) => {
            let config = config.as_ref().as_ref().map_err(Clone::clone)?;
            let limited = |limiter: &Option<RateLimiter>| limiter.as_ref().is_some_and(RateLimiter::limits);
            config.drives.iter().map(|drive| (drive.drive_id.clone(), limited(&drive.rate_limiter))).collect()
        }
        Options::CloudHypervisor(ch) => {
            ch.disks.iter().map(|disk| (disk.path.clone().unwrap_or_default(), disk.limited)).collect()
        }
    })
}

/// Whether a node of QEMU's, or one on top of it, has a throttle.
fn is_throttled<'d>(all: &'d [Drive], mut node: &'d Drive) -> bool {
    /// Nodes on top of each other; QEMU has a handful.
    const HEIGHT_MAX: usize = 32;
    for _ in 0..HEIGHT_MAX {
        if node.throttled {
            return true;
        }
        match all.iter().find(|above| above.below.is_some() && above.below == node.id) {
            Some(above) => node = above,
            None => break,
        }
    }
    false
}

/// Whether `io.max` of the VM's cgroup, or of one above it, holds any limit. (cgroup v2; without one there is none.)
fn limited_by_cgroup(gather: &Gather, vm: &Vm) -> Result<bool, Unavailable> {
    let mut place = vm.cgroup.trim_matches('/');
    while !place.is_empty() {
        match gather.text(&format!("/sys/fs/cgroup/{place}/io.max")) {
            Ok(text) if limits_something(&text) => return Ok(true),
            Ok(_) | Err(Unavailable::Absent) => {}
            Err(why) => return Err(why),
        }
        place = place.rsplit_once('/').map_or("", |(above, _)| above);
    }
    Ok(false)
}

/// `8:16 rbps=2097152 wbps=max riops=max wiops=120`
fn limits_something(text: &str) -> bool {
    let pairs = text.split_whitespace().filter_map(|word| word.split_once('='));
    pairs.into_iter().any(|(_, limit)| limit != "max")
}

fn net(gather: &Gather, vm: &Arc<Vm>) -> Result<Limits, Unavailable> {
    let asked = asked(gather, vm)?;
    let domain = running_definition(gather, vm).ok();
    let mut found = Limits::new();
    let mut left = Vec::new();
    for tap in &vm.taps {
        let defined = domain.iter().flat_map(|domain| &domain.interfaces);
        let by_definition = defined.into_iter().any(|nic| nic.target.as_ref() == Some(tap) && nic.limited);
        if by_definition || asked_tap(&asked, tap)? {
            found.push((tap.clone(), word(true)));
        } else {
            left.push(tap);
        }
    }
    if left.is_empty() {
        return Ok(found);
    }
    let shaped = shaped(gather, vm)?;
    for tap in left {
        let index = gather.text(&format!("/sys/class/net/{tap}/ifindex"))?;
        let index: i32 = index
            .trim()
            .parse()
            .map_err(|_| Unavailable::Malformed(format!("/sys/class/net/{tap}/ifindex")))?;
        found.push((tap.clone(), word(shaped.iter().any(|qdisc| qdisc.link == index && limits_rate(qdisc)))));
    }
    Ok(found)
}

fn asked_tap(asked: &Asked, tap: &str) -> Result<bool, Unavailable> {
    Ok(match &asked.options {
        Options::Qemu(_) => false,
        Options::Firecracker(_, config) => {
            let config = config.as_ref().as_ref().map_err(Clone::clone)?;
            let both = |nic: &crate::checks::parse::vmm::firecracker::NetworkConfig| {
                [&nic.rx_rate_limiter, &nic.tx_rate_limiter]
                    .into_iter()
                    .any(|limiter| limiter.as_ref().is_some_and(RateLimiter::limits))
            };
            config.network_interfaces.iter().any(|nic| nic.host_dev_name == tap && both(nic))
        }
        Options::CloudHypervisor(ch) => {
            ch.networks.iter().any(|nic| nic.tap.as_deref() == Some(tap) && nic.limited)
        }
    })
}

/// The queueing disciplines of the host's links.
fn shaped(gather: &Gather, vm: &Vm) -> Result<Arc<Vec<Qdisc>>, Unavailable> {
    if !gather.host().is_live() {
        let why = "queueing disciplines are not recorded".to_owned();
        return Err(Unavailable::NotExposed(why));
    }
    if own_view(gather, vm, "net")? {
        let why = "the VMM's taps are in a network namespace of their own".to_owned();
        return Err(Unavailable::NotExposed(why));
    }
    let told = gather.memo("queueing disciplines", |_| {
        let told = route::qdiscs().map(Arc::new);
        told.map_err(|errno| crate::checks::host::why(errno, "queueing disciplines (rtnetlink)"))
    });
    (*told).clone()
}

/// Whether a discipline holds traffic back. `ingress` is where libvirt polices what a guest sends.
fn limits_rate(qdisc: &Qdisc) -> bool {
    matches!(qdisc.kind.as_str(), "tbf" | "htb" | "hfsc" | "cake" | "ingress")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::parse::vmm::qemu;

    #[test]
    fn a_cgroup_that_limits_nothing_says_max() {
        assert!(limits_something("8:16 rbps=2097152 wbps=max riops=max wiops=max\n"));
        assert!(!limits_something("8:16 rbps=max wbps=max riops=max wiops=max\n"));
        assert!(!limits_something(""));
    }

    #[test]
    fn a_throttle_on_top_of_a_file_holds_its_disk_back() {
        let node = |text: &str| ["-blockdev".to_owned(), text.to_owned()];
        let file = node(r#"{"driver":"file","filename":"/a.img","node-name":"s"}"#);
        let disk = |top: &str| {
            let qemu = qemu::parse(&[file.clone(), node(top)].concat());
            let own = qemu.drives.iter().find(|drive| drive.path.is_some()).expect("a file");
            is_throttled(&qemu.drives, own)
        };
        assert!(disk(r#"{"driver":"throttle","throttle-group":"g","file":"s","node-name":"t"}"#));
        assert!(!disk(r#"{"driver":"raw","file":"s","node-name":"t"}"#));
        assert!(!disk(r#"{"driver":"throttle","throttle-group":"g","file":"another","node-name":"t"}"#));
    }

    #[test]
    fn what_holds_back() {
        let of = |kind: &str| limits_rate(&Qdisc { link: 1, kind: kind.into() });
        assert!(of("tbf") && of("ingress") && !of("fq_codel") && !of("noqueue"));
    }
}
