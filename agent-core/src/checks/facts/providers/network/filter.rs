//! What the packet filter does by default: nftables, which is also where iptables' newer form puts its rules.
//!
//! The older form (`iptables-legacy`) keeps its rules in a place of its own that is not read; when it has any, only a
//! drop by nftables is an answer. Asking would have the kernel load `nf_tables` where nothing uses it, so it is not
//! asked where the module is known not to be loaded.

use crate::checks::fact::{Found, Unavailable, Value};
use crate::checks::facts::Gather;
use crate::checks::host::why;
use crate::checks::parse::nft::message::Dump;
use crate::checks::parse::nft::ruleset::{Family, Hook, Ruleset, parse};
use crate::checks::parse::nft::verdict::DefaultVerdict;
use crate::sys::dump::ask;
use nix::errno::Errno;
use nix::sys::socket::SockProtocol;
use std::collections::BTreeSet;
use std::sync::Arc;

const SOURCE: &str = "nftables (netlink)";
/// Bytes of all rules: a host with a set of rules for each of some thousand guests has a few MiB.
const BYTES_MAX: usize = 16 << 20;
/// Times rules are asked for that change while they are told.
const ATTEMPTS: usize = 3;

/// `filter:input`, `filter:forward`.
pub(super) fn defaults(gather: &Gather, hook: &str) -> Found {
    let hook = match hook {
        "input" => Hook::Input,
        "forward" => Hook::Forward,
        other => {
            let why = format!("there is no hook {other:?} here");
            return Found::unavailable(Unavailable::NotExposed(why), SOURCE);
        }
    };
    let rules = match rules(gather) {
        Ok(rules) => rules,
        Err(why) => return Found::unavailable(why, SOURCE),
    };
    let mut found = Vec::new();
    for (name, family, legacy) in [
        ("ip", Family::Ipv4, "/proc/net/ip_tables_names"),
        ("ip6", Family::Ipv6, "/proc/net/ip6_tables_names"),
    ] {
        if name == "ip6" && gather.host().meta("/proc/net/if_inet6").is_err() {
            // The kernel has no IPv6, or was told to do without.
            continue;
        }
        let verdict = match rules.default_verdict(family, hook) {
            DefaultVerdict::DropsByPolicy | DefaultVerdict::DropsByLastRule => "drop",
            DefaultVerdict::Undecidable(reason) => {
                let why = format!("{name}: what the rules come to could not be worked out: {reason}");
                return Found::unavailable(Unavailable::NotExposed(why), SOURCE);
            }
            verdict => {
                if gather.text(legacy).is_ok_and(|tables| tables.lines().any(|table| table == "filter")) {
                    let why = format!("{name}: iptables-legacy has rules, which are not read");
                    return Found::unavailable(Unavailable::NotExposed(why), legacy);
                }
                if verdict == DefaultVerdict::Accepts { "accept" } else { "none" }
            }
        };
        found.push((name.to_owned(), verdict.to_owned()));
    }
    Found::value(Value::Map(found), SOURCE)
}

/// `filter.tables`.
pub(super) fn tables(gather: &Gather, _: &str) -> Found {
    let rules = match rules(gather) {
        Ok(rules) => rules,
        Err(why) => return Found::unavailable(why, SOURCE),
    };
    let filters = rules.chains.values().filter(|chain| {
        let asleep = rules
            .tables
            .iter()
            .any(|table| table.dormant && (table.family, &table.name) == (chain.key.0, &chain.key.1));
        !asleep && chain.base.as_ref().is_some_and(|base| base.kind == "filter")
    });
    let name = |family| match family {
        Family::Inet => "inet",
        Family::Ipv4 => "ip",
        Family::Ipv6 => "ip6",
        Family::Arp => "arp",
        Family::Bridge => "bridge",
        Family::Netdev => "netdev",
        Family::Other(_) => "other",
    };
    let found: BTreeSet<String> = filters.map(|chain| name(chain.key.0).to_owned()).collect();
    Found::value(found.into_iter().collect::<Vec<_>>(), SOURCE)
}

/// All rules of this thread's network namespace.
///
/// # Errors
/// When the kernel does not tell them, or the host is a recorded one.
pub fn rules(gather: &Gather) -> Result<Arc<Ruleset>, Unavailable> {
    let told = gather.memo("nftables", |gather| {
        if !gather.host().is_live() {
            return Err(Unavailable::NotExposed("the packet filter is not recorded".to_owned()));
        }
        if not_loaded(gather) {
            return Ok(Arc::default());
        }
        for _ in 0..ATTEMPTS {
            let rules = asked()?;
            if !rules.interrupted {
                return Ok(Arc::new(rules));
            }
        }
        Err(Unavailable::Failed("rules changed each time they were asked for".to_owned()))
    });
    (*told).clone()
}

fn asked() -> Result<Ruleset, Unavailable> {
    let dump = |dump: Dump| match ask(SockProtocol::NetlinkNetFilter, &dump.request(1), BYTES_MAX) {
        Ok(bytes) => Ok(bytes),
        Err(Errno::EPERM) => Err(Unavailable::Denied("nftables: needs CAP_NET_ADMIN".to_owned())),
        Err(Errno::EMSGSIZE) => Err(Unavailable::TooMuch(format!("more than {BYTES_MAX} bytes of rules"))),
        Err(Errno::EINVAL | Errno::EPROTONOSUPPORT | Errno::EOPNOTSUPP | Errno::ENOENT) => {
            Err(Unavailable::NotExposed("this kernel has no nftables".to_owned()))
        }
        Err(errno) => Err(why(errno, SOURCE)),
    };
    let (tables, chains, rules) = (dump(Dump::Tables)?, dump(Dump::Chains)?, dump(Dump::Rules)?);
    parse(&tables, &chains, &rules).map_err(|wrong| Unavailable::Malformed(format!("{SOURCE}: {wrong}")))
}

/// Whether `nf_tables` is a module and is not loaded, so that there can be no rules. Not sure is no.
fn not_loaded(gather: &Gather) -> bool {
    let names = |text: String, name: fn(&str) -> &str| text.lines().any(|line| name(line) == "nf_tables");
    let Ok(loaded) = gather.text("/proc/modules") else { return false };
    let Ok(release) = gather.text("/proc/sys/kernel/osrelease") else { return false };
    let Ok(built_in) = gather.text(&format!("/lib/modules/{}/modules.builtin", release.trim())) else {
        return false;
    };
    let first_word: fn(&str) -> &str = |line| line.split(' ').next().unwrap_or_default();
    let stem: fn(&str) -> &str =
        |line| line.rsplit('/').next().and_then(|file| file.strip_suffix(".ko")).unwrap_or_default();
    !names(loaded, first_word) && !names(built_in, stem)
}
