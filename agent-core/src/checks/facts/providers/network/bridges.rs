//! Bridges with guests on them, as `/sys/class/net` shows them.

use crate::checks::fact::{Found, Unavailable, Value};
use crate::checks::facts::Gather;
use crate::checks::host::why;
use crate::sys::route;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Where links are.
pub(super) const NET: &str = "/sys/class/net";

/// `bridges:guest`, `bridges:addresses`, `bridges:use`, `bridges:vlan`.
pub(super) fn bridges(gather: &Gather, what: &str) -> Found {
    match told(gather, what) {
        Ok(value) => Found::value(value, NET),
        Err(why) => Found::unavailable(why, NET),
    }
}

fn told(gather: &Gather, what: &str) -> Result<Value, Unavailable> {
    let guest = guest(gather)?;
    let each = |tell: &dyn Fn(&str) -> Result<String, Unavailable>| {
        let told = guest.iter().map(|bridge| Ok((bridge.clone(), tell(bridge)?)));
        told.collect::<Result<Vec<_>, Unavailable>>().map(Value::Map)
    };
    match what {
        "guest" => Ok(Value::List(guest)),
        "addresses" => {
            let addresses = addresses(gather)?;
            each(&|bridge| {
                let own = addresses.get(bridge).map(Vec::as_slice).unwrap_or_default();
                Ok(own.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
            })
        }
        "use" => {
            let (addresses, default) = (addresses(gather)?, default_routes(gather)?);
            each(&|bridge| {
                let has_address = addresses.get(bridge).is_some_and(|own| own.iter().any(is_global));
                Ok(match (default.iter().any(|link| link == bridge), has_address) {
                    (true, _) => "default route",
                    (false, false) => "no address",
                    (false, true) if uplinks(gather, bridge)? => "host address beside an uplink",
                    (false, true) => "gateway",
                }
                .to_owned())
            })
        }
        "vlan" => each(&|bridge| vlan(gather, bridge)),
        other => Err(Unavailable::NotExposed(format!("there is no field {other:?} of bridges"))),
    }
}

/// Link-local addresses are everybody's.
fn is_global(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !ip.is_link_local(),
        IpAddr::V6(ip) => !ip.is_unicast_link_local(),
    }
}

/// Bridges that have a tap among their ports, sorted.
fn guest(gather: &Gather) -> Result<Vec<String>, Unavailable> {
    let mut found = Vec::new();
    for link in gather.list(NET)? {
        match ports(gather, &link) {
            Ok(ports) if ports.iter().any(|port| is_tap(gather, port)) => found.push(link),
            Ok(_) | Err(Unavailable::Absent) => {}
            Err(why) => return Err(why),
        }
    }
    Ok(found)
}

fn ports(gather: &Gather, bridge: &str) -> Result<Vec<String>, Unavailable> {
    gather.host().list(&format!("{NET}/{bridge}/brif"))
}

fn is_tap(gather: &Gather, link: &str) -> bool {
    gather.host().meta(&format!("{NET}/{link}/tun_flags")).is_ok()
}

/// Whether a bridge leads out of the host: one of its ports is hardware, a bond or a VLAN.
fn uplinks(gather: &Gather, bridge: &str) -> Result<bool, Unavailable> {
    Ok(ports(gather, bridge)?.iter().any(|port| {
        let kind = kind(gather, port);
        gather.host().meta(&format!("{NET}/{port}/device")).is_ok()
            || matches!(kind.as_deref(), Some("bond" | "vlan"))
    }))
}

/// `DEVTYPE`, as udev sees it.
fn kind(gather: &Gather, link: &str) -> Option<String> {
    let text = gather.text(&format!("{NET}/{link}/uevent")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("DEVTYPE=")).map(str::to_owned)
}

/// `filtered`; `unfiltered` when VLANs are carried and not kept apart; `unused` when there are none.
fn vlan(gather: &Gather, bridge: &str) -> Result<String, Unavailable> {
    let filtering = gather.text(&format!("{NET}/{bridge}/bridge/vlan_filtering"))?;
    if filtering.trim() == "1" {
        return Ok("filtered".to_owned());
    }
    // A VLAN on top of the bridge says that tagged frames come through it.
    let carries = gather.host().list(&format!("{NET}/{bridge}"))?.iter().any(|name| {
        let upper = name.strip_prefix("upper_");
        upper.is_some_and(|upper| kind(gather, upper).as_deref() == Some("vlan"))
    });
    Ok(if carries { "unfiltered" } else { "unused" }.to_owned())
}

/// Addresses by link: from rtnetlink, or what a recorded host's `/proc/net` tells, which is IPv6 and the networks that
/// IPv4 routes lead to.
fn addresses(gather: &Gather) -> Result<BTreeMap<String, Vec<IpAddr>>, Unavailable> {
    let mut found: BTreeMap<String, Vec<IpAddr>> = BTreeMap::new();
    if gather.host().is_live() {
        let all = route::addresses().map_err(|errno| why(errno, "addresses (rtnetlink)"))?;
        for link in gather.list(NET)? {
            let index = gather.text(&format!("{NET}/{link}/ifindex")).unwrap_or_default();
            let own = all.iter().filter(|address| index.trim().parse() == Ok(address.link));
            found.insert(link, own.map(|address| address.ip).collect());
        }
        return Ok(found);
    }
    for words in routes(gather)? {
        let [link, destination, gateway] = [0, 1, 2].map(|at| words.get(at).cloned().unwrap_or_default());
        if gateway == "00000000"
            && let Ok(network) = u32::from_str_radix(&destination, 16)
        {
            found.entry(link).or_default().push(IpAddr::from(network.to_ne_bytes()));
        }
    }
    let six = match gather.text("/proc/net/if_inet6") {
        Ok(text) => text,
        Err(Unavailable::Absent) => String::new(),
        Err(why) => return Err(why),
    };
    for line in six.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let [digits, _, _, _, _, link] = words[..]
            && let Ok(bits) = u128::from_str_radix(digits, 16)
        {
            found.entry(link.to_owned()).or_default().push(IpAddr::from(bits.to_be_bytes()));
        }
    }
    Ok(found)
}

/// The links of default routes of IPv4.
fn default_routes(gather: &Gather) -> Result<Vec<String>, Unavailable> {
    let everywhere = |words: &Vec<String>| {
        words.get(1).is_some_and(|to| to == "00000000") && words.get(7).is_some_and(|mask| mask == "00000000")
    };
    Ok(routes(gather)?.into_iter().filter(everywhere).filter_map(|words| words.first().cloned()).collect())
}

/// Lines of `/proc/net/route`: link, destination, gateway, flags, ..., the mask eighth.
fn routes(gather: &Gather) -> Result<Vec<Vec<String>>, Unavailable> {
    let live = gather.host().is_live();
    let path = if live { "/proc/thread-self/net/route" } else { "/proc/net/route" };
    let text = match gather.text(path) {
        Ok(text) => text,
        Err(Unavailable::Absent) => {
            return Err(Unavailable::NotExposed(format!("{path} is not there, or was not recorded")));
        }
        Err(why) => return Err(why),
    };
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect();
    Ok(text.lines().skip(1).map(words).collect())
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
