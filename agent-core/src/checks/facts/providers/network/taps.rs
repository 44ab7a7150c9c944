//! The ports through which a VM's packets enter a bridge.

use super::bridges::NET;
use super::filter;
use crate::checks::fact::{Found, Unavailable, Value};
use crate::checks::facts::Gather;
use crate::checks::facts::providers::sockets::own_view;
use crate::checks::facts::providers::vm_config::running_definition;
use crate::checks::host::why;
use crate::checks::parse::nft::ruleset::Family;
use crate::checks::vm::Vm;
use crate::sys::route::{self, BridgePort};
use std::sync::Arc;

/// `vm.taps:bridge`, `vm.taps:isolated`, `vm.taps:vlan`, `vm.taps:bpdu`, `vm.taps:antispoof`.
pub(super) fn taps(gather: &Gather, vm: &Arc<Vm>, what: &str) -> Found {
    match told(gather, vm, what) {
        Ok(value) => Found::value(value, NET),
        Err(why) => Found::unavailable(why, NET),
    }
}

fn told(gather: &Gather, vm: &Arc<Vm>, what: &str) -> Result<Value, Unavailable> {
    let mut found = Vec::new();
    for (tap, bridge) in bridged(gather, vm)? {
        let port = |file: &str| gather.text(&format!("{NET}/{tap}/brport/{file}"));
        let value = match what {
            "bridge" => bridge,
            "isolated" => port("isolated")?.trim().to_owned(),
            "vlan" => vlan(gather, &tap, &bridge)?,
            "bpdu" => {
                if gather.text(&format!("{NET}/{bridge}/bridge/stp_state"))?.trim() == "0" {
                    continue;
                }
                if port("bpdu_guard")?.trim() == "1" { "guarded" } else { "open" }.to_owned()
            }
            "antispoof" => antispoof(gather, vm, &tap)?,
            other => return Err(Unavailable::NotExposed(format!("there is no field {other:?} of taps"))),
        };
        found.push((tap, value));
    }
    Ok(Value::Map(found))
}

/// The VM's taps that are ports of a bridge, with the bridge.
fn bridged(gather: &Gather, vm: &Arc<Vm>) -> Result<Vec<(String, String)>, Unavailable> {
    let mut found = Vec::new();
    if vm.taps.is_empty() {
        return Ok(found);
    }
    if own_view(gather, vm, "net")? {
        let why = "the VMM's taps are in a network namespace of their own".to_owned();
        return Err(Unavailable::NotExposed(why));
    }
    for tap in &vm.taps {
        match gather.link(&format!("{NET}/{tap}/brport/bridge")) {
            Ok(target) => {
                let bridge = target.rsplit('/').next().unwrap_or_default().to_owned();
                found.push((tap.clone(), bridge));
            }
            // No port of a bridge, or no tap any more.
            Err(Unavailable::Absent) => {}
            Err(why) => return Err(why),
        }
    }
    Ok(found)
}

/// The VLAN of untagged frames, or `all` when the bridge keeps none apart.
fn vlan(gather: &Gather, tap: &str, bridge: &str) -> Result<String, Unavailable> {
    match gather.text(&format!("{NET}/{bridge}/bridge/vlan_filtering")) {
        Ok(filtering) if filtering.trim() == "1" => {}
        Ok(_) | Err(Unavailable::Absent) => return Ok("all".to_owned()),
        Err(why) => return Err(why),
    }
    if !gather.host().is_live() {
        return Err(Unavailable::NotExposed("VLANs of ports are not recorded".to_owned()));
    }
    let Some(port) = port(gather, tap)? else { return Ok("none".to_owned()) };
    let several = port.vlans.len() > 1;
    let untagged = port.vlans.iter().find(|(_, untagged)| *untagged).map(|(vlan, _)| vlan.to_string());
    Ok(match (untagged, several) {
        // Tagged frames of other VLANs pass too.
        (_, true) => "all".to_owned(),
        (Some(vlan), false) => vlan,
        (None, false) => "none".to_owned(),
    })
}

/// A tap as its bridge has it; the live host's.
fn port(gather: &Gather, tap: &str) -> Result<Option<BridgePort>, Unavailable> {
    let ports = gather.memo("ports of bridges", |_| {
        route::bridge_ports().map_err(|errno| why(errno, "ports of bridges (rtnetlink)"))
    });
    let ports = (*ports).as_ref().map_err(Clone::clone)?;
    let index = gather.text(&format!("{NET}/{tap}/ifindex"))?;
    Ok(ports.iter().find(|port| index.trim().parse() == Ok(port.link)).cloned())
}

/// What keeps the guest from sending in another's name: libvirt's filter, a rule of nftables for the tap, a port that
/// is locked; `none` otherwise.
fn antispoof(gather: &Gather, vm: &Arc<Vm>, tap: &str) -> Result<String, Unavailable> {
    match running_definition(gather, vm) {
        Ok(domain) => {
            let nic = domain.interfaces.iter().find(|nic| nic.target.as_deref() == Some(tap));
            if let Some(filter) = nic.and_then(|nic| nic.filter.as_ref()) {
                return Ok(format!("libvirt's {filter}"));
            }
        }
        Err(Unavailable::Absent) => {}
        Err(why) => return Err(why),
    }
    if gather.host().is_live() && port(gather, tap)?.is_some_and(|port| port.locked == Some(true)) {
        return Ok("locked port".to_owned());
    }
    let rules = match filter::rules(gather) {
        Ok(rules) => rules,
        Err(Unavailable::NotExposed(_)) if gather.host().is_live() => return Ok("none".to_owned()),
        Err(why) => return Err(why),
    };
    // Rules of a bridge or of the device itself see frames; those of IP see only what is routed.
    let of_frames = |family: Family| matches!(family, Family::Bridge | Family::Netdev);
    let named = rules.rules_about(tap).any(|rule| {
        of_frames(rule.chain.0)
            && rule.interfaces().iter().any(|interface| interface.incoming && interface.matches(tap))
    });
    let device = rules.chains.values().any(|chain| {
        let own = chain.base.as_ref().is_some_and(|base| base.devices.iter().any(|device| device == tap));
        own && rules.rules.get(&chain.key).is_some_and(|rules| !rules.is_empty())
    });
    Ok(if named || device { "nftables" } else { "none" }.to_owned())
}
