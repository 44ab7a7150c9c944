use super::*;
use crate::checks::facts::providers::testing::{self, write};
use crate::checks::vm::Vm;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

fn vm() -> Arc<Vm> {
    Arc::new(Vm { libvirt: true, taps: vec!["vnet0".into(), "lonely".into()], ..testing::vm() })
}

/// `br0` with a guest and an uplink, `virbr0` with a guest alone, `empty` without anybody.
fn host() -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a folder");
    let at = |path: &str| root.path().join(path);
    for (bridge, ports) in [("br0", &["vnet0", "eth0"][..]), ("virbr0", &["vnet1"]), ("empty", &[])] {
        std::fs::create_dir_all(at(&format!("sys/class/net/{bridge}/brif"))).expect("a folder");
        write(root.path(), &format!("sys/class/net/{bridge}/bridge/vlan_filtering"), "0\n");
        write(root.path(), &format!("sys/class/net/{bridge}/bridge/stp_state"), "1\n");
        for port in ports {
            let folder = format!("sys/class/net/{port}");
            std::fs::create_dir_all(at(&format!("{folder}/brport"))).expect("a folder");
            symlink(format!("../../{bridge}"), at(&format!("{folder}/brport/bridge"))).expect("a link");
            symlink(format!("../../{port}"), at(&format!("sys/class/net/{bridge}/brif/{port}")))
                .expect("a link");
            for (file, text) in [("isolated", "1\n"), ("bpdu_guard", "0\n")] {
                write(root.path(), &format!("{folder}/brport/{file}"), text);
            }
        }
    }
    for tap in ["vnet0", "vnet1", "lonely"] {
        write(root.path(), &format!("sys/class/net/{tap}/tun_flags"), "0x1002\n");
    }
    std::fs::create_dir_all(at("sys/class/net/eth0/device")).expect("a folder");
    let route = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n\
        br0\t000A0A0A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n\
        virbr0\t007AA8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
    write(root.path(), "proc/net/route", route);
    root
}

fn fact(root: &Path, key: &str) -> Result<Value, Unavailable> {
    testing::fact(root, &vm(), key)
}

fn shown(root: &Path, key: &str) -> String {
    fact(root, key).expect(key).to_string()
}

#[test]
fn bridges_with_guests_and_what_the_host_does_there() {
    let root = host();
    assert_eq!(shown(root.path(), "bridges:guest"), "br0, virbr0");
    assert_eq!(shown(root.path(), "bridges:use"), "br0=host address beside an uplink, virbr0=gateway");
    let route = std::fs::read_to_string(root.path().join("proc/net/route")).expect("routes");
    let default = "br0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n";
    write(root.path(), "proc/net/route", &format!("{route}{default}"));
    assert!(shown(root.path(), "bridges:use").starts_with("br0=default route"));
    std::fs::remove_file(root.path().join("proc/net/route")).expect("a file");
    assert!(matches!(fact(root.path(), "bridges:use"), Err(Unavailable::NotExposed(_))));
    assert!(matches!(fact(root.path(), "bridges:what"), Err(Unavailable::NotExposed(_))));
}

#[test]
fn vlans_that_are_carried_and_not_kept_apart() {
    let root = host();
    assert_eq!(shown(root.path(), "bridges:vlan"), "br0=unused, virbr0=unused");
    write(root.path(), "sys/class/net/br0.7/uevent", "DEVTYPE=vlan\nINTERFACE=br0.7\n");
    symlink("../br0.7", root.path().join("sys/class/net/br0/upper_br0.7")).expect("a link");
    assert_eq!(shown(root.path(), "bridges:vlan"), "br0=unfiltered, virbr0=unused");
    write(root.path(), "sys/class/net/br0/bridge/vlan_filtering", "1\n");
    assert_eq!(shown(root.path(), "bridges:vlan"), "br0=filtered, virbr0=unused");
}

#[test]
fn ports_of_a_vm() {
    let root = host();
    assert_eq!(shown(root.path(), "vm.taps:bridge"), "vnet0=br0", "a tap that is no port is none");
    assert_eq!(shown(root.path(), "vm.taps:isolated"), "vnet0=1");
    assert_eq!(shown(root.path(), "vm.taps:vlan"), "vnet0=all");
    assert_eq!(shown(root.path(), "vm.taps:bpdu"), "vnet0=open");
    write(root.path(), "sys/class/net/br0/bridge/stp_state", "0\n");
    assert_eq!(shown(root.path(), "vm.taps:bpdu"), "none");
    std::fs::remove_file(root.path().join("sys/class/net/vnet0/brport/isolated")).expect("a file");
    assert_eq!(fact(root.path(), "vm.taps:isolated"), Err(Unavailable::Absent), "an older kernel");
}

#[test]
fn what_keeps_a_guest_from_forging() {
    let root = host();
    let unread = fact(root.path(), "vm.taps:antispoof");
    assert!(matches!(unread, Err(Unavailable::NotExposed(_))), "rules are not recorded: {unread:?}");
    let xml = "<domstatus><domain><name>web</name><devices><interface type='bridge'><target dev='vnet0'/>\
        <filterref filter='clean-traffic'/></interface></devices></domain></domstatus>";
    write(root.path(), "run/libvirt/qemu/web.xml", xml);
    assert_eq!(shown(root.path(), "vm.taps:antispoof"), "vnet0=libvirt's clean-traffic");
}

#[test]
fn the_packet_filter_of_a_recorded_host_is_unknown() {
    let root = host();
    for key in ["filter:input", "filter:forward", "filter.tables", "filter:output"] {
        assert!(matches!(fact(root.path(), key), Err(Unavailable::NotExposed(_))), "{key}");
    }
}
