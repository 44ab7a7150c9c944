//! What libvirt holds of each VM, and which agents run beside us.

use super::{Guest, Host};
use crate::checks::Unavailable;
use crate::checks::facts::Gather;
use crate::checks::parse::vmm::domain_xml;
use crate::coordination::Mode;
use std::collections::BTreeSet;

/// Programs that watch or change a host, by the name of their process (`comm`, at most 15 bytes).
const AGENTS: [(&str, &str); 22] = [
    ("auditd", "auditd"),
    ("ceilometer-poll", "ceilometer"),
    ("collectd", "collectd"),
    ("crowdsec", "crowdsec"),
    ("dockerd", "docker"),
    ("elastic-agent", "elastic-agent"),
    ("fail2ban-server", "fail2ban"),
    ("falco", "falco"),
    ("firewalld", "firewalld"),
    ("kubelet", "kubernetes"),
    ("libvirtd", "libvirt"),
    ("netdata", "netdata"),
    ("neutron-openvsw", "neutron"),
    ("node_exporter", "node_exporter"),
    ("nova-compute", "nova"),
    ("osqueryd", "osquery"),
    ("ovs-vswitchd", "openvswitch"),
    ("tetragon", "tetragon"),
    ("tracee", "tracee"),
    ("tuned", "tuned"),
    ("virtqemud", "libvirt"),
    ("wazuh-agentd", "wazuh"),
];

pub(super) fn look(gather: &Gather, guests: &[Guest], host: &mut Host) {
    for guest in guests.iter().filter(|guest| guest.vm.libvirt && !guest.vm.name.contains('/')) {
        libvirt(gather, guest, host);
    }
    agents(gather, host);
}

fn libvirt(gather: &Gather, guest: &Guest, host: &mut Host) {
    let path = format!("/run/libvirt/qemu/{}.xml", guest.vm.name);
    let parse = |bytes: &[u8]| {
        domain_xml::parse(bytes).map_err(|wrong| Unavailable::Malformed(format!("{path}: {wrong}")))
    };
    match gather.document(&path, domain_xml::BYTES_MAX, parse) {
        Ok(domain) => {
            for nic in &domain.interfaces {
                let (Some(filter), Some(tap)) = (&nic.filter, &nic.target) else { continue };
                let at = format!("vm/{}/net/{tap}/filter", guest.key);
                host.claim("libvirt", "nwfilter", &at, Mode::Shared, Some(filter), &path);
            }
        }
        Err(Unavailable::Absent) => {}
        Err(why) => host.unknown(&path, &why),
    }
    let link = format!("/etc/libvirt/qemu/autostart/{}.xml", guest.vm.name);
    match gather.meta_of_link(&link) {
        Ok(_) => {
            let at = format!("vm/{}/power/autostart", guest.key);
            host.claim("libvirt", "autostart", &at, Mode::Shared, Some("yes"), &link);
        }
        Err(Unavailable::Absent) => {}
        Err(why) => host.unknown(&link, &why),
    }
}

fn agents(gather: &Gather, host: &mut Host) {
    let pids = match gather.list("/proc") {
        Ok(names) => names,
        Err(why) => return host.unseen("host/unit", "processes", &why.to_string()),
    };
    let mut seen = BTreeSet::new();
    for pid in pids.iter().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())) {
        // A process that ended meanwhile.
        let Ok(comm) = gather.text(&format!("/proc/{pid}/comm")) else { continue };
        let Some((_, party)) = AGENTS.iter().find(|(known, _)| *known == comm.trim()) else { continue };
        if seen.insert(*party) {
            host.claim(
                party,
                "process",
                &format!("host/unit/{party}"),
                Mode::Shared,
                Some("running"),
                &format!("/proc/{pid}/comm"),
            );
        }
    }
}
