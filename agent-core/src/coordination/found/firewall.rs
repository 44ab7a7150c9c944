//! Whose firewall it is: nftables' tables and chains by who makes them, iptables-legacy beside it, and services that wipe
//! what others made.

use super::{Host, side};
use crate::checks::Unavailable;
use crate::checks::facts::Gather;
use crate::checks::facts::providers::network::packet_filter;
use crate::checks::parse::nft::ruleset::{ChainKey, Family, Ruleset};
use crate::coordination::firewall::pairs::{of_ruleset, overruled};
use crate::coordination::{Class, Conflict, Mode};
use std::collections::BTreeSet;

/// Who makes tables or chains that begin so.
const MAKERS: [(&str, &str); 16] = [
    ("bartizan", "bartizan"),
    ("cali-", "calico"),
    ("CNI-", "cni"),
    ("crowdsec", "crowdsec"),
    ("DOCKER", "docker"),
    ("docker", "docker"),
    ("f2b-", "fail2ban"),
    ("firewalld", "firewalld"),
    ("KUBE-", "kubernetes"),
    ("kube-", "kubernetes"),
    ("LIBVIRT_", "libvirt"),
    ("libvirt", "libvirt"),
    ("neutron", "neutron"),
    ("NETAVARK", "podman"),
    ("ufw", "ufw"),
    ("virt-nwfilter", "libvirt"),
];
/// Tables that all who use iptables share.
const SHARED: [&str; 5] = ["filter", "nat", "mangle", "raw", "security"];
/// Programs that each think that the firewall is theirs, by their unit.
const MANAGERS: [(&str, &str); 4] = [
    ("firewalld", "firewalld.service"),
    ("nftables", "nftables.service"),
    ("ufw", "ufw.service"),
    ("netfilter-persistent", "netfilter-persistent.service"),
];

pub(super) fn look(gather: &Gather, host: &mut Host) {
    let ruleset = packet_filter(gather);
    let mut makers = BTreeSet::new();
    match &ruleset {
        Ok(ruleset) => {
            tables(ruleset, host, &mut makers);
            hidden(ruleset, host);
        }
        Err(why) => host.unseen("host/nft", "nftables", &why.to_string()),
    }
    let has_rules = ruleset.as_ref().is_ok_and(|ruleset| !ruleset.rules.is_empty());
    legacy(gather, has_rules, host);
    managers(gather, &makers, host);
}

fn family(family: Family) -> String {
    match family {
        Family::Inet => "inet".to_owned(),
        Family::Ipv4 => "ip".to_owned(),
        Family::Ipv6 => "ip6".to_owned(),
        Family::Arp => "arp".to_owned(),
        Family::Bridge => "bridge".to_owned(),
        Family::Netdev => "netdev".to_owned(),
        Family::Other(number) => number.to_string(),
    }
}

fn maker(name: &str) -> Option<&'static str> {
    MAKERS.iter().find(|(begin, _)| name.starts_with(begin)).map(|(_, maker)| *maker)
}

fn tables(ruleset: &Ruleset, host: &mut Host, makers: &mut BTreeSet<&'static str>) {
    for table in &ruleset.tables {
        let path = format!("host/nft/{}/{}", family(table.family), table.name);
        let shared = matches!(table.family, Family::Ipv4 | Family::Ipv6) && SHARED.contains(&&*table.name);
        if !shared {
            let made_by = maker(&table.name);
            makers.extend(made_by);
            let party = made_by.map_or_else(|| format!("nft-{}", table.name), str::to_owned);
            host.claim(&party, "nftables", &path, Mode::Exclusive, None, "nftables (netlink)");
            continue;
        }
        let mine = |key: &&ChainKey| key.0 == table.family && key.1 == table.name;
        for (_, _, chain) in ruleset.chains.keys().filter(mine) {
            let Some(made_by) = maker(chain) else { continue };
            makers.insert(made_by);
            host.claim(
                made_by,
                "iptables-nft",
                &format!("{path}/{chain}"),
                Mode::Exclusive,
                None,
                "nftables (netlink)",
            );
        }
    }
}

fn whose(chain: &ChainKey) -> String {
    let name = maker(&chain.2).or_else(|| maker(&chain.1));
    name.map_or_else(|| format!("nft-{}", chain.1), str::to_owned)
}

fn shown(chain: &ChainKey) -> String {
    format!("{} {} {}", family(chain.0), chain.1, chain.2)
}

fn hidden(ruleset: &Ruleset, host: &mut Host) {
    let (anomalies, too_long) = of_ruleset(ruleset);
    for found in anomalies {
        let about = format!("host/nft/{}/{}/{}", family(found.chain.0), found.chain.1, found.chain.2);
        let because: Vec<String> = found.because.iter().take(8).map(u64::to_string).collect();
        let place = shown(&found.chain);
        let rule = format!("rule {} of {place}", found.handle);
        let word = found.anomaly.name();
        let sentence = match found.anomaly.name() {
            "shadowed" => format!("{rule} is never reached: {} before it decides otherwise", rules(&because)),
            "redundant" => format!("{rule} changes nothing: {} does the same", rules(&because)),
            "generalised" => format!("{rule} is an exception to {}", rules(&because)),
            _ => format!(
                "{rule} and {} decide otherwise about packets that both match; their order decides",
                rules(&because)
            ),
        };
        let party = whose(&found.chain);
        let sides = vec![
            side(&party, "nftables", rules(&because)),
            side(&party, "nftables", format!("{rule} ({word})")),
        ];
        let conflict = Conflict { class: Class::Shadowed, about, sides, rule: None, sentence };
        if found.anomaly.is_mistake() { host.conflicts.push(conflict) } else { host.remarks.push(conflict) }
    }
    for chain in too_long {
        let why = format!(
            "it has more than {} rules; the first of them were compared",
            crate::coordination::firewall::pairs::RULES_MAX
        );
        host.unknown.push((shown(&chain), why));
    }
    for found in overruled(ruleset) {
        let (mine, theirs) = (whose(&found.chain), whose(&found.by));
        let (place, by) = (shown(&found.chain), shown(&found.by));
        let sentence = format!(
            "rule {} of {place} ({mine}) accepts what rule {} of {by} ({theirs}) drops, without effect: each table has to \
             let a packet pass",
            found.handle, found.by_handle
        );
        let sides = vec![
            side(&theirs, "nftables", format!("drops in {by}")),
            side(&mine, "nftables", format!("accepts in {place}")),
        ];
        host.conflict(
            Class::Shadowed,
            &format!("host/nft/{}/{}", family(found.chain.0), found.chain.1),
            sides,
            sentence,
        );
    }
}

fn rules(handles: &[String]) -> String {
    if handles.len() == 1 {
        format!("rule {}", handles[0])
    } else {
        format!("rules {} together", handles.join(", "))
    }
}

fn legacy(gather: &Gather, nft_has_rules: bool, host: &mut Host) {
    for (name, path) in [("ip", "/proc/net/ip_tables_names"), ("ip6", "/proc/net/ip6_tables_names")] {
        let text = match gather.text(path) {
            Ok(text) => text,
            // The older form was never used since boot.
            Err(Unavailable::Absent) => continue,
            Err(why) => {
                host.unknown(path, &why);
                continue;
            }
        };
        let tables: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
        for table in &tables {
            host.claim(
                "iptables-legacy",
                "iptables-legacy",
                &format!("host/iptables/{name}/{table}"),
                Mode::Exclusive,
                None,
                path,
            );
        }
        if !tables.is_empty() && nft_has_rules {
            let sentence = format!(
                "iptables-legacy has tables ({}) beside nftables' rules: `nft list ruleset` does not show them, and what \
                 either drops is dropped",
                tables.join(", ")
            );
            let sides = vec![
                side("nftables", "nftables", "has rules"),
                side("iptables-legacy", "iptables-legacy", format!("has {}", tables.join(", "))),
            ];
            host.conflict(Class::TwoMechanisms, &format!("host/iptables/{name}"), sides, sentence);
        }
    }
}

fn managers(gather: &Gather, makers: &BTreeSet<&'static str>, host: &mut Host) {
    let enabled = |unit: &str| {
        ["/etc/systemd/system/multi-user.target.wants", "/etc/systemd/system/sysinit.target.wants"]
            .iter()
            .any(|folder| gather.meta_of_link(&format!("{folder}/{unit}")).is_ok())
    };
    // ufw's unit is enabled as installed; whether ufw does anything is said here.
    let ufw_on = gather
        .text("/etc/ufw/ufw.conf")
        .is_ok_and(|text| text.lines().any(|line| line.trim() == "ENABLED=yes"));
    let on: Vec<&str> = MANAGERS
        .iter()
        .filter(|(name, unit)| (*name != "ufw" || ufw_on) && enabled(unit))
        .map(|(name, _)| *name)
        .collect();
    for name in &on {
        host.claim(
            name,
            "systemd",
            &format!("host/unit/{name}.service"),
            Mode::Require,
            Some("enabled"),
            "/etc/systemd/system",
        );
    }
    if on.len() > 1 {
        let sentence = format!(
            "{} are all enabled, and each of them makes the firewall its own: which rules are in force depends on which \
             started last",
            on.join(", ")
        );
        let sides = on.iter().map(|name| side(name, "systemd", "is enabled")).collect();
        host.conflict(Class::TwoMechanisms, "host/nft", sides, sentence);
    }
    let others: Vec<&str> = makers.iter().copied().filter(|maker| *maker != "bartizan").collect();
    if !on.contains(&"nftables") || others.is_empty() {
        return;
    }
    match gather.text("/etc/nftables.conf") {
        Ok(text) if text.lines().any(|line| line.trim().trim_end_matches(';') == "flush ruleset") => {
            let sentence = format!(
                "nftables.service flushes the whole ruleset when it is started or reloaded (/etc/nftables.conf), and with \
                 it the rules of {}",
                others.join(", ")
            );
            let mut sides = vec![side("nftables", "nftables.service", "flush ruleset")];
            sides.extend(others.iter().map(|other| side(other, "nftables", "has rules")));
            host.conflict(Class::TwoMechanisms, "host/nft", sides, sentence);
        }
        Ok(_) | Err(Unavailable::Absent) => {}
        Err(why) => host.unknown("/etc/nftables.conf", &why),
    }
}
