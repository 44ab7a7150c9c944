//! The host's network: bridges with guests on them, taps, and what the packet filter does by default.

mod bridges;
mod filter;
mod taps;

pub use filter::rules as packet_filter;

use super::{Provider, Read, Refresh};

/// Facts about the network.
pub const PROVIDERS: &[Provider] = &[
    Provider {
        name: "bridges",
        help: "bridges with taps on them: as a list (guest), or for each its addresses, what the host uses it for (use), \
               whether VLANs are kept apart (vlan)",
        read: Read::Host(bridges::bridges),
        refresh: Refresh::Seconds(60),
    },
    Provider {
        name: "filter",
        help: "what becomes of a packet that no rule is about, at a hook (input, forward), for ip and ip6: drop, accept, \
               none; nftables",
        read: Read::Host(filter::defaults),
        refresh: Refresh::Seconds(10),
    },
    Provider {
        name: "filter.tables",
        help: "the families for which nftables has base chains that filter: inet, ip, ip6, arp, bridge, netdev",
        read: Read::Host(filter::tables),
        refresh: Refresh::Seconds(10),
    },
    Provider {
        name: "vm.taps",
        help: "the VM's taps that are ports of a bridge, each with its bridge, isolated, vlan, bpdu (guarded, open) or \
               antispoof",
        read: Read::Vm(taps::taps),
        refresh: Refresh::Vm,
    },
];
