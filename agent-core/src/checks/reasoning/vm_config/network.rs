//! Who meets whom on the host's network.

use super::{list, malformed, map, verdict};
use crate::checks::case::Case;
use crate::checks::declared::Truth;
use crate::checks::fact::Unavailable;
use std::net::{IpAddr, SocketAddr};

/// No tap of another tenant that this VM's taps reach on their bridge.
pub(super) fn tap_ports_apart(case: &Case<'_>) -> Result<Truth, Truth> {
    const BRIDGE: &str = "vm.taps:bridge";
    const ISOLATED: &str = "vm.taps:isolated";
    const VLAN: &str = "vm.taps:vlan";
    let own = map(case, BRIDGE)?;
    let Some(vm) = case.vm() else { return Ok(Truth::NotApplicable("no VM".to_owned())) };
    let (mut wrong, mut unknown) = (Vec::new(), None);
    for (other, fact) in case.each_other(BRIDGE) {
        // VMs without a known tenant are strangers to each other.
        if own.is_empty() || (!vm.tenant.is_empty() && vm.tenant == other.tenant) {
            continue;
        }
        let theirs = match &fact.value {
            Ok(value) => value.map().unwrap_or_default().to_vec(),
            Err(Unavailable::Absent | Unavailable::Gone) => continue,
            Err(why) => {
                unknown = unknown.or(Some((BRIDGE.to_owned(), why.clone())));
                continue;
            }
        };
        for (tap, bridge) in &own {
            for (their_tap, _) in theirs.iter().filter(|(_, their_bridge)| their_bridge == bridge) {
                let of = |vm, tap: &str, key: &str| -> Result<Option<String>, Unavailable> {
                    match &case.fact_of(vm, key).value {
                        Ok(value) => {
                            let pairs = value.map().unwrap_or_default();
                            Ok(pairs.iter().find(|(name, _)| name == tap).map(|(_, value)| value.clone()))
                        }
                        // Before the kernel knew of it, no port was isolated.
                        Err(Unavailable::Absent) => Ok(None),
                        Err(why) => Err(why.clone()),
                    }
                };
                let apart = (|| {
                    let isolated = |vm, tap: &str| Ok(of(vm, tap, ISOLATED)?.as_deref() == Some("1"));
                    if isolated(vm, tap)? && isolated(&other, their_tap)? {
                        return Ok(true);
                    }
                    let (mine, yours) = (of(vm, tap, VLAN)?, of(&other, their_tap, VLAN)?);
                    let one = |vlan: &Option<String>| vlan.as_ref().is_some_and(|vlan| vlan != "all");
                    Ok(one(&mine) && one(&yours) && mine != yours)
                })();
                match apart {
                    Ok(true) => {}
                    Ok(false) => {
                        wrong.push(format!("{tap} reaches {their_tap} of {} on {bridge}", other.name));
                    }
                    Err(why) => unknown = unknown.or(Some((VLAN.to_owned(), why))),
                }
            }
        }
    }
    Ok(verdict(&wrong, unknown))
}

/// Each family that is forwarded is dropped by default.
pub(super) fn forward_default_drop(case: &Case<'_>) -> Result<Truth, Truth> {
    const FILTER: &str = "filter:forward";
    let forwards = |key: &str| match case.optional(key)? {
        None => Ok(false),
        Some(value) => Ok(value.int().is_some_and(|number| number != 0)),
    };
    let families = [
        ("ip", forwards("sysctl:net.ipv4.ip_forward")?),
        ("ip6", forwards("sysctl:net.ipv6.conf.all.forwarding")?),
    ];
    let defaults = map(case, FILTER)?;
    let mut wrong = Vec::new();
    for (family, _) in families.iter().filter(|(_, forwarded)| *forwarded) {
        match defaults.iter().find(|(name, _)| name == family).map(|(_, verdict)| verdict.as_str()) {
            Some("drop") => {}
            Some("none") => wrong.push(format!("{family} is forwarded, and nothing filters it")),
            Some(_) => wrong.push(format!("{family} is forwarded, and accepted by default")),
            None => return Err(malformed(FILTER, &format!("nothing is said of {family}"))),
        }
    }
    Ok(verdict(&wrong, None))
}

/// Nothing but DHCP and DNS on addresses that guests reach, or a filter that drops by default.
pub(super) fn guest_reachable_services(case: &Case<'_>) -> Result<Truth, Truth> {
    let mut reached: Vec<IpAddr> = Vec::new();
    for (_, addresses) in map(case, "bridges:addresses")? {
        reached.extend(addresses.split_whitespace().filter_map(|ip| ip.parse::<IpAddr>().ok()));
    }
    if reached.is_empty() {
        return Ok(Truth::NotApplicable("the host has no address on a bridge with guests".to_owned()));
    }
    let filter = case.fact("filter:input");
    let drops = filter.value.as_ref().is_ok_and(|value| {
        let families = value.map().unwrap_or_default();
        !families.is_empty() && families.iter().all(|(_, verdict)| verdict == "drop")
    });
    if drops {
        return Ok(Truth::Holds);
    }
    let mut services = Vec::new();
    for (key, protocol, harmless) in
        [("listen.tcp", "TCP", &[53][..]), ("listen.udp", "UDP", &[53, 67, 546, 547][..])]
    {
        for (address, program) in map(case, key)? {
            let Ok(at) = address.parse::<SocketAddr>() else {
                return Err(malformed(key, &format!("{address} is no address")));
            };
            let open = at.ip().is_unspecified() || reached.contains(&at.ip().to_canonical());
            if open && !harmless.contains(&at.port()) {
                services.push(format!("{protocol} {address} ({program})"));
            }
        }
    }
    match &filter.value {
        _ if services.is_empty() => Ok(Truth::Holds),
        // Services that guests may reach, and a filter of which nobody knows whether it lets them.
        Err(why) => Ok(Truth::Unknown("filter:input".to_owned(), why.clone())),
        Ok(_) => Ok(Truth::Fails(format!("guests reach {}", services.join(", ")))),
    }
}

/// A setting of one link: a sysctl that is written with slashes, since names of links may hold dots.
fn setting(case: &Case<'_>, family: &str, link: &str, name: &str) -> Result<Option<i64>, Truth> {
    let key = format!("sysctl:net/{family}/conf/{link}/{name}");
    match case.optional(&key)? {
        None => Ok(None),
        Some(value) => value.int().map(Some).ok_or_else(|| malformed(&key, &format!("{value} is no number"))),
    }
}

/// No bridge with guests believes a router that it hears.
pub(super) fn bridges_ignore_advertisements(case: &Case<'_>) -> Result<Truth, Truth> {
    let mut wrong = Vec::new();
    for bridge in list(case, "bridges:guest")? {
        let of = |name| setting(case, "ipv6", &bridge, name);
        // Without IPv6 there is no setting.
        let (Some(accept), Some(off)) = (of("accept_ra")?, of("disable_ipv6")?) else { continue };
        let forwards = of("forwarding")?.unwrap_or(0) != 0;
        let believes = off == 0 && if forwards { accept == 2 } else { accept != 0 };
        if believes {
            wrong.push(format!("{bridge}: accept_ra is {accept}"));
        }
    }
    Ok(verdict(&wrong, None))
}

/// Bridges with guests answer ARP for their own addresses alone.
pub(super) fn bridges_own_arp(case: &Case<'_>) -> Result<Truth, Truth> {
    let all = setting(case, "ipv4", "all", "arp_ignore")?;
    let Some(all) = all else {
        return Err(Truth::Unknown("sysctl:net/ipv4/conf/all/arp_ignore".to_owned(), Unavailable::Absent));
    };
    let mut wrong = Vec::new();
    for bridge in list(case, "bridges:guest")? {
        let effective = setting(case, "ipv4", &bridge, "arp_ignore")?.unwrap_or(0).max(all);
        if effective < 1 {
            wrong.push(format!("{bridge}: arp_ignore is {effective}"));
        }
    }
    Ok(verdict(&wrong, None))
}

/// `rp_filter` as it counts: the larger of the interface's and `all`'s. (ip-sysctl.rst.)
pub(super) fn rp_filter(case: &Case<'_>) -> Result<Truth, Truth> {
    const KEY: &str = "sysctl:net.ipv4.conf.*.rp_filter";
    /// Links of the host to itself, and the template for new ones.
    const APART: [&str; 3] = ["all", "default", "lo"];
    let settings = map(case, KEY)?;
    let mut parsed = Vec::with_capacity(settings.len());
    for (link, value) in &settings {
        let number: i64 =
            value.trim().parse().map_err(|_| malformed(KEY, &format!("{value} is no number")))?;
        parsed.push((link.as_str(), number));
    }
    let all = parsed.iter().find(|(link, _)| *link == "all").map_or(0, |(_, number)| *number);
    let open = parsed.iter().filter(|(link, number)| !APART.contains(link) && (*number).max(all) < 1);
    let wrong: Vec<String> = open.map(|(link, _)| format!("{link}: rp_filter is 0")).collect();
    Ok(verdict(&wrong, None))
}
