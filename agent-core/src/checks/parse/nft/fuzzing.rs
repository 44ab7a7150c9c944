//! Entry points for the fuzz targets.

use super::message::{Attributes, messages};
use super::ruleset::{self, Family, Hook};

/// Answers of netlink: one for tables, chains and rules alike, and three, cut where a byte says.
pub fn netlink(data: &[u8]) {
    Attributes::nested(data).for_each(drop);
    for message in messages(data).flatten() {
        message.attributes.for_each(drop);
    }
    let [first, second, rest @ ..] = data else { return };
    let (tables, rest) = rest.split_at(rest.len() * usize::from(*first) / 256);
    let (chains, rules) = rest.split_at(rest.len() * usize::from(*second) / 256);
    for answers in [[data; 3], [tables, chains, rules]] {
        let [tables, chains, rules] = answers;
        let Ok(found) = ruleset::parse(tables, chains, rules) else { continue };
        for family in [Family::Ipv4, Family::Ipv6, Family::Bridge] {
            let _ = found.default_verdict(family, Hook::Forward);
        }
        found.rules_about("tap0").for_each(drop);
    }
}
