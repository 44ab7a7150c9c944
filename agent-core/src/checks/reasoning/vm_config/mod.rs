//! Rules about how a VM was asked for, its devices and its network that must reason.

mod devices;
mod network;
mod sockets;

use super::Reason;
use crate::checks::case::Case;
use crate::checks::declared::Truth;
use crate::checks::fact::{Unavailable, Value};

/// Reasonings of this module.
pub(super) const TABLE: &[(&str, Reason)] = &[
    ("control-sockets-closed", |case| sockets::closed(case, "vm.reach:control")),
    ("console-sockets-closed", |case| sockets::closed(case, "vm.reach:console")),
    ("backend-sockets-closed", |case| sockets::closed(case, "vm.reach:backend")),
    ("other-sockets-closed", |case| sockets::closed(case, "vm.reach:other")),
    ("vcpus-fit", devices::vcpus_fit),
    ("firmware-closed", devices::firmware_closed),
    ("nvram-unique", devices::nvram_unique),
    ("vsock-cid-unique", devices::vsock_cid_unique),
    ("remote-disks-protected", |case| devices::remote_disks(case, "vm.asked:remote-disks")),
    ("defined-remote-disks-protected", |case| devices::remote_disks(case, "vm.definition:remote-disks")),
    ("vfio-group-single-owner", devices::group_single_owner),
    ("usb-as-asked", devices::usb_as_asked),
    ("tap-ports-apart", network::tap_ports_apart),
    ("forward-default-drop", network::forward_default_drop),
    ("guest-reachable-services", network::guest_reachable_services),
    ("guest-bridges-ignore-advertisements", network::bridges_ignore_advertisements),
    ("guest-bridges-own-arp", network::bridges_own_arp),
    ("rp-filter-effective", network::rp_filter),
];

/// A fact that must be a list.
fn list(case: &Case<'_>, key: &str) -> Result<Vec<String>, Truth> {
    match case.value(key)? {
        Value::List(list) => Ok(list),
        other => Err(malformed(key, &format!("{other} is no list"))),
    }
}

/// A fact that must be a map.
fn map(case: &Case<'_>, key: &str) -> Result<Vec<(String, String)>, Truth> {
    match case.value(key)? {
        Value::Map(map) => Ok(map),
        // Nothing at all may be written as an empty list.
        Value::List(list) if list.is_empty() => Ok(Vec::new()),
        other => Err(malformed(key, &format!("{other} is no map"))),
    }
}

/// A fact that must be a number.
fn int(case: &Case<'_>, key: &str) -> Result<i64, Truth> {
    let value = case.value(key)?;
    value.int().ok_or_else(|| malformed(key, &format!("{value} is no number")))
}

fn malformed(key: &str, what: &str) -> Truth {
    Truth::Unknown(key.to_owned(), Unavailable::Malformed(what.to_owned()))
}

/// Fails when something is wrong, else is unknown when something is, else holds.
fn verdict(wrong: &[String], unknown: Option<(String, Unavailable)>) -> Truth {
    match (wrong, unknown) {
        ([], None) => Truth::Holds,
        ([], Some((key, why))) => Truth::Unknown(key, why),
        (wrong, _) => Truth::Fails(wrong.join("; ")),
    }
}
