use super::*;
use crate::checks::facts::providers::testing::{self, write};
use std::os::unix::fs::symlink;
use std::path::Path;

fn link(root: &Path, path: &str, target: &str) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
    symlink(target, path).expect("a link");
}

fn vm() -> Arc<Vm> {
    Arc::new(testing::vm())
}

/// A group of a card that a guest has, a disk that the host has, and the bridge before both.
fn host() -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a folder");
    for (device, class, driver) in [
        ("0000:01:00.0", "0x020000", Some("vfio-pci")),
        ("0000:01:00.1", "0x010802", Some("nvme")),
        ("0000:00:1c.0", "0x060400", Some("pcieport")),
        ("0000:01:00.2", "0x0c0330", None),
    ] {
        let folder = format!("sys/bus/pci/devices/{device}");
        write(root.path(), &format!("{folder}/class"), class);
        link(root.path(), &format!("{folder}/iommu_group"), "../../../kernel/iommu_groups/12");
        link(root.path(), &format!("sys/kernel/iommu_groups/12/devices/{device}"), "x");
        if let Some(driver) = driver {
            link(root.path(), &format!("{folder}/driver"), &format!("../../../bus/pci/drivers/{driver}"));
        }
    }
    write(root.path(), "sys/bus/pci/devices/0000:01:00.0/reset_method", "flr bus\n");
    write(root.path(), "proc/7/cmdline", "qemu-system-x86_64\0-device\0vfio-pci,host=01:00.0\0");
    link(root.path(), "proc/7/fd/20", "/dev/vfio/12");
    link(root.path(), "proc/7/fd/21", "/dev/vfio/vfio");
    root
}

fn fact(root: &Path, key: &str) -> Result<Value, Unavailable> {
    testing::fact(root, &vm(), key)
}

fn shown(root: &Path, key: &str) -> String {
    fact(root, key).expect(key).to_string()
}

#[test]
fn groups_and_who_has_their_devices() {
    let root = host();
    assert_eq!(shown(root.path(), "iommu:groups"), "12");
    assert_eq!(shown(root.path(), "iommu:units"), "none", "no folder is no IOMMU");
    assert_eq!(
        shown(root.path(), "vfio.group:12"),
        "0000:00:1c.0=bridge, 0000:01:00.0=vfio-pci, 0000:01:00.1=nvme, 0000:01:00.2=none"
    );
    assert_eq!(fact(root.path(), "vfio.group:13"), Err(Unavailable::Absent));
    assert!(matches!(fact(root.path(), "vfio.group:../x"), Err(Unavailable::Malformed(_))));
}

#[test]
fn what_a_vm_was_given() {
    let root = host();
    assert_eq!(shown(root.path(), "vm.vfio:groups"), "12");
    assert_eq!(shown(root.path(), "vm.vfio:reset"), "0000:01:00.0=flr bus");
    assert_eq!(shown(root.path(), "vm.vfio:guard"), "none", "no virtual function");
    std::fs::remove_file(root.path().join("sys/bus/pci/devices/0000:01:00.0/reset_method")).expect("a file");
    assert_eq!(shown(root.path(), "vm.vfio:reset"), "0000:01:00.0=none");
    link(root.path(), "sys/bus/pci/devices/0000:01:00.0/physfn", "../0000:02:00.0");
    std::fs::create_dir_all(root.path().join("sys/bus/pci/devices/0000:02:00.0/net/eth1")).expect("folders");
    assert!(matches!(fact(root.path(), "vm.vfio:guard"), Err(Unavailable::NotExposed(_))));
    assert_eq!(shown(root.path(), "vm.held:vfio"), "/dev/vfio/12, /dev/vfio/vfio");
}

#[test]
fn nodes_that_lead_to_devices() {
    let root = host();
    assert_eq!(shown(root.path(), "vfio.nodes"), "none");
    for node in ["vfio", "12", "devices/vfio0"] {
        write(root.path(), &format!("dev/vfio/{node}"), "");
    }
    let set = |node: &str, mode| {
        use std::os::unix::fs::PermissionsExt;
        let path = root.path().join("dev/vfio").join(node);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("a mode");
    };
    set("vfio", 0o666);
    set("12", 0o600);
    set("devices/vfio0", 0o666);
    assert_eq!(shown(root.path(), "vfio.nodes"), "/dev/vfio/12=0, /dev/vfio/devices/vfio0=6");
}
