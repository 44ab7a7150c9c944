use super::*;
use proptest::prelude::*;

const DOMAIN: &str = r#"<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>web1</name>
  <uuid>22222222-2222-2222-2222-222222222222</uuid>
  <metadata><x:a xmlns:x="http://example.org/x"><x:name>forged</x:name></x:a></metadata>
  <memory unit='GiB' dumpCore='off'>2</memory>
  <memoryBacking><nosharepages/><source type='memfd'/><access mode='shared'/></memoryBacking>
  <vcpu placement='static'>2</vcpu>
  <os>
    <type arch='x86_64' machine='pc-q35-7.2'>hvm</type>
    <loader readonly='yes' secure='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE.fd</loader>
    <nvram template='/t'>/var/lib/libvirt/qemu/nvram/web1.fd</nvram>
  </os>
  <cpu mode='host-passthrough'><feature policy='disable' name='vmx'/></cpu>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/>
      <source file='/a.qcow2'><seclabel model='dac' relabel='no'/></source>
      <target dev='vda' bus='virtio'/><shareable/><iotune><total_iops_sec>500</total_iops_sec></iotune>
    </disk>
    <disk type='network' device='disk'>
      <source protocol='nbd' name='export' tls='no'><host name='h'/></source><target dev='vdb'/>
      <auth username='u'><secret type='iscsi' usage='x'/></auth>
    </disk>
    <controller type='usb' model='piix3-uhci'/>
    <interface type='bridge'>
      <mac address='52:54:00:00:00:01'/><source bridge='br0'/><target dev='vnet0'/><model type='e1000'/>
      <filterref filter='clean-traffic'/><port isolated='yes'/><vlan><tag id='42'/></vlan>
      <bandwidth><inbound average='1000'/></bandwidth>
    </interface>
    <serial type='tcp'><source mode='bind' host='0.0.0.0' service='4555' tls='no'/><protocol type='raw'/></serial>
    <graphics type='vnc' port='-1' autoport='yes' listen='0.0.0.0' passwd='hunter2'>
      <listen type='address' address='0.0.0.0'/><listen type='socket' socket='/v.sock'/>
    </graphics>
    <graphics type='spice' tlsPort='5901'><clipboard copypaste='no'/><filetransfer enable='no'/></graphics>
    <video><model type='cirrus'/></video>
    <filesystem type='mount' accessmode='passthrough'><driver type='virtiofs'/><source dir='/'/><target dir='t'/></filesystem>
    <hostdev mode='subsystem' type='pci' managed='yes'>
      <source><address domain='0x0000' bus='0xe1' slot='0x00' function='0x1'/></source>
    </hostdev>
    <hostdev mode='subsystem' type='usb'><source><vendor id='0x1234'/><product id='0xbeef'/></source></hostdev>
    <vsock model='virtio'><cid auto='no' address='7'/></vsock>
  </devices>
  <seclabel type='none' model='selinux'/>
  <launchSecurity type='sev'><policy>0x0003</policy></launchSecurity>
  <qemu:commandline><qemu:arg value='-spice'/><qemu:arg value='port=1,password=hunter2'/></qemu:commandline>
</domain>"#;

#[test]
fn a_domain() {
    let found = parse(DOMAIN.as_bytes()).expect("a domain");
    assert_eq!((found.name.as_deref(), found.uuid), (Some("web1"), Some([0x22; 16])));
    assert_eq!(
        (found.memory_bytes, found.vcpus, found.memory.dump_core),
        (Some(2 << 30), Some(2), Some(false))
    );
    assert!(found.memory.no_share_pages && found.memory.shared && !found.memory.huge_pages);
    let loader = found.loader.as_ref().expect("a loader");
    assert_eq!((loader.read_only, loader.secure), (Some(true), Some(true)));
    assert_eq!(found.nvram.as_deref(), Some("/var/lib/libvirt/qemu/nvram/web1.fd"));
    assert_eq!(found.cpu_features, [("vmx".into(), "disable".into())]);
    assert_eq!(found.labels[0].kind.as_deref(), Some("none"));
    let disk = &found.disks[0];
    assert_eq!((disk.format.as_deref(), disk.source.as_deref()), (Some("qcow2"), Some("/a.qcow2")));
    assert!(disk.shareable && disk.limited && !disk.read_only);
    assert_eq!(disk.labels[0].relabel, Some(false));
    let network = &found.disks[1];
    assert_eq!(
        (network.protocol.as_deref(), network.tls, network.format.as_deref()),
        (Some("nbd"), Some(false), None)
    );
    assert!(network.authenticates);
    let interface = &found.interfaces[0];
    assert_eq!(
        (interface.source.as_deref(), interface.filter.as_deref()),
        (Some("br0"), Some("clean-traffic"))
    );
    assert!(interface.isolated && interface.limited && interface.vlans == [42]);
    assert_eq!(found.channels[0].service.as_deref(), Some("4555"));
    assert!(found.channels[0].listens);
    let vnc = &found.graphics[0];
    assert_eq!(
        (vnc.listen.as_slice(), vnc.sockets.as_slice()),
        (&["0.0.0.0".into()][..], &["/v.sock".into()][..])
    );
    assert!(vnc.password);
    assert_eq!((found.graphics[1].copy_paste, found.graphics[1].file_transfer), (Some(false), Some(false)));
    assert_eq!(found.models, ["controller:piix3-uhci", "video:cirrus"]);
    assert_eq!(found.filesystems[0].source.as_deref(), Some("/"));
    let sources: Vec<_> = found.host_devices.iter().filter_map(|device| device.source.as_deref()).collect();
    assert_eq!(sources, ["0000:e1:00.1", "0x1234:0xbeef"]);
    assert_eq!(found.vsock_cid, Some(Some(7)));
    assert_eq!(found.launch_security.as_ref().and_then(|security| security.policy), Some(3));
    assert!(found.raw);
    assert_eq!(found.raw_arguments, ["-spice", "port=1,password=REDACTED"]);
    assert!(!format!("{found:?}").contains("hunter2"), "no password is kept");
}

#[test]
fn a_running_domain_is_inside_its_state() {
    let found =
        parse(b"<domstatus state='running'><monitor path='/m'/><domain><name>a</name></domain></domstatus>");
    assert_eq!(found.expect("a domain").name.as_deref(), Some("a"));
    let bare = parse(b"<domain/>").expect("a domain");
    assert_eq!(bare, Domain::default());
}

#[test]
fn what_is_no_definition_is_refused() {
    let wrong = |text: &str| parse(text.as_bytes()).expect_err("refused");
    let bomb = "<!DOCTYPE d [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]><domain><name>&b;</name></domain>";
    assert_eq!(wrong(bomb).what, "a document type");
    assert_eq!(wrong("<domain>\n <!DOCTYPE a>"), Malformed { line: 2, column: 2, what: "a document type" });
    assert_eq!(wrong("<domain>\n<name></domain>"), Malformed { line: 2, column: 7, what: "no XML" });
    assert_eq!(wrong("<network/>").what, "no domain");
    assert_eq!(wrong("").what, "no XML");
    let deep = format!("<domain>{}{}</domain>", "<a>".repeat(50_000), "</a>".repeat(50_000));
    assert_eq!(wrong(&deep).what, "nested too deep");
    let wide = format!("<domain>{}</domain>", "<a/>".repeat(200_000));
    assert_eq!(wrong(&wide).what, "more nodes than a definition has");
    assert_eq!(parse(&vec![b' '; BYTES_MAX + 1]).expect_err("refused").what, "larger than a definition");
    assert_eq!(parse(b"<domain>\xff</domain>").expect_err("refused").what, "not UTF-8");
}

proptest! {
    #[test]
    fn any_bytes_come_back(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0..DOMAIN.len(), byte: u8) {
        let _ = parse(&bytes);
        let mut damaged = DOMAIN.as_bytes().to_vec();
        damaged[at] = byte;
        let _ = parse(&damaged);
    }
}
