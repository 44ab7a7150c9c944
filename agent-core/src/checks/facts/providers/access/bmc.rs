//! The management controller's own network interface, which many servers show the host as a USB device.

use crate::checks::fact::{Found, Unavailable, Value};
use crate::checks::facts::Gather;

const NET: &str = "/sys/class/net";
/// Drivers of network devices behind USB that controllers use.
const DRIVERS: [&str; 4] = ["cdc_ether", "rndis_host", "cdc_ncm", "cdc_subset"];

/// `bmc.bridged`
pub(super) fn bridged(gather: &Gather, _: &str) -> Found {
    let names = match gather.list(NET) {
        Ok(names) => names,
        Err(why) => return Found::unavailable(why, NET),
    };
    let mut found = Vec::new();
    for name in names {
        let Ok(driver) = gather.link(&format!("{NET}/{name}/device/driver")) else { continue };
        let driver = driver.rsplit('/').next().unwrap_or_default();
        if !DRIVERS.contains(&driver) {
            continue;
        }
        match gather.meta(&format!("{NET}/{name}/brport")) {
            Ok(_) => found.push(format!("{name} ({driver})")),
            Err(Unavailable::Absent) => {}
            Err(why) => return Found::unavailable(why, format!("{NET}/{name}/brport")),
        }
    }
    Found::value(Value::List(found), NET)
}

#[cfg(test)]
mod tests {
    use super::super::super::libvirt::testing::Tree;
    use super::*;

    #[test]
    fn a_controller_s_interface_in_a_bridge_is_told() {
        let tree =
            Tree::new(&[("sys/class/net/eth0/brport/state", "3"), ("sys/class/net/usb1/ifindex", "4")]);
        tree.link("sys/class/net/eth0/device/driver", "../../../bus/pci/drivers/ixgbe");
        tree.link("sys/class/net/usb0/device/driver", "../../../bus/usb/drivers/cdc_ether");
        tree.link("sys/class/net/usb1/device/driver", "../../../bus/usb/drivers/cdc_ether");
        assert_eq!(tree.told(bridged, ""), "none", "eth0 is no controller's, usb0 in no bridge");
        tree.add("sys/class/net/usb0/brport/state", "3");
        assert_eq!(tree.told(bridged, ""), "usb0 (cdc_ether)");
        assert_eq!(Tree::new(&[]).told(bridged, ""), "!absent");
    }
}
