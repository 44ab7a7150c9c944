use super::*;
use crate::checks::parse::vmm::storage::Protocol;
use proptest::prelude::*;

/// One option a line: the option, a space, its value.
fn of(lines: &str) -> Qemu {
    let arguments = lines.lines().flat_map(|line| match line.trim().split_once(' ') {
        Some((option, value)) => vec![option.to_owned(), value.to_owned()],
        None => vec![line.trim().to_owned()],
    });
    parse(&arguments.collect::<Vec<_>>())
}

#[test]
fn as_libvirt_starts_it() {
    let found = of(r#"-name guest=web1,debug-threads=on
        -S
        -object {"qom-type":"secret","id":"masterKey0","format":"raw","file":"/var/lib/libvirt/qemu/domain-3-web1/master-key.aes"}
        -machine pc-q35-7.2,usb=off,dump-guest-core=off,mem-merge=off,memory-backend=pc.ram,pflash0=libvirt-pflash0-format
        -accel kvm
        -cpu host,migratable=on,vmx=off
        -m size=2097152k
        -object {"qom-type":"memory-backend-memfd","id":"pc.ram","share":true,"x-use-canonical-path-for-ramblock-id":false,"size":2147483648}
        -smp 2,sockets=2,cores=1,threads=1
        -uuid 22222222-2222-2222-2222-222222222222
        -no-user-config
        -nodefaults
        -chardev socket,id=charmonitor,fd=31,server=on,wait=off
        -mon chardev=charmonitor,id=monitor,mode=control
        -blockdev {"driver":"file","filename":"/var/lib/libvirt/images/web1.qcow2","node-name":"libvirt-1-storage","auto-read-only":true}
        -blockdev {"node-name":"libvirt-1-format","read-only":false,"driver":"qcow2","file":"libvirt-1-storage","backing":null}
        -device {"driver":"virtio-blk-pci","bus":"pci.4","drive":"libvirt-1-format","id":"virtio-disk0"}
        -netdev {"type":"tap","fd":"33","vhost":true,"vhostfd":"35","id":"hostnet0"}
        -chardev pty,id=charserial0
        -device {"driver":"isa-serial","chardev":"charserial0","id":"serial0"}
        -device {"driver":"vfio-pci","host":"0000:e1:00.0","id":"hostdev0"}
        -device {"driver":"vhost-vsock-pci","id":"vsock0","guest-cid":7,"vhostfd":"29"}
        -vnc 127.0.0.1:0,audiodev=audio1
        -sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"#);
    assert_eq!(found.name.as_deref(), Some("web1"));
    let sandbox = found.sandbox.expect("a sandbox");
    assert!(sandbox.on && sandbox.obsolete_denied && sandbox.spawn_denied && sandbox.resource_control_denied);
    assert_eq!(sandbox.elevate_privileges, "deny");
    assert_eq!(found.machine.version(), Some((7, 2)));
    assert!(found.machine.uses_kvm());
    assert_eq!((found.machine.mem_merge, found.machine.dump_guest_core), (Some(false), Some(false)));
    assert_eq!(found.machine.pflash_nodes, ["libvirt-pflash0-format"]);
    assert_eq!((found.cpu.feature("vmx"), found.cpu.feature("svm")), (Some(false), None));
    assert_eq!((found.memory_bytes, found.vcpus), (Some(2 << 30), Some(2)));
    assert_eq!(found.memory_backends[0].share, Some(true));
    let roles: Vec<_> = found.endpoints.iter().map(|end| (end.role, end.transport.clone())).collect();
    assert_eq!(roles, [(Role::Qmp, Transport::Fd("31".into())), (Role::Serial, Transport::Pty)]);
    assert_eq!(found.devices[2].vfio_host(), Some("0000:e1:00.0"));
    assert_eq!(found.devices[3].vsock_cid(), Some(7));
    assert_eq!(found.drives.len(), 2);
    assert!(found.drives.iter().all(|drive| !drive.probes_format()));
    assert_eq!(found.vnc[0].place, VncPlace::Tcp("127.0.0.1".into(), Some(5900)));
    assert_eq!(found.networks[0].vhost, Some(true));
    assert!(found.secrets.is_empty(), "{:?}", found.secrets);
}

#[test]
fn wide_open() {
    let found = of("-qmp tcp:0.0.0.0:4444,server,nowait
        -monitor telnet::55,server=on
        -serial mon:stdio
        -s
        -incoming tcp:[::]:49152
        -chardev socket,id=c0,host=10.0.0.1,port=7
        -vnc :1,password,websocket=on
        -spice port=5930,disable-ticketing=on,password=hunter2
        -sandbox off
        -drive file=/vm,,1.img
        -drive file=nbd:h:1,format=raw,if=none
        -drive file=/usr/share/OVMF/CODE.fd,if=pflash,unit=0,readonly=on
        -pflash /vars.fd
        -virtfs local,path=/,mount_tag=all,security_model=none
        -netdev tap,id=n0,ifname=tap3,script=/x,vhost=on
        -nic user,model=rtl8139,hostfwd=tcp::22-:22,hostfwd=tcp::80-:80
        -device usb-host,vendorid=1
        -device e1000
        -object secret,id=s0,data=hunter2
        -object sev-guest,id=sev0,policy=0x0,cbitpos=47
        -object tls-creds-x509,id=t,endpoint=server,verify-peer=no,dir=/tls
        -machine pc-i440fx-rhel7.6.0,accel=tcg:kvm
        -cpu max,+vmx,svm=on,-svm
        -run-with user=qemu,chroot=/empty
        -D /var/log/q.log
        -daemonize
        -m 4G");
    let network: Vec<_> = found.endpoints.iter().filter(|end| end.is_network()).map(|end| end.role).collect();
    assert_eq!(network, [Role::Qmp, Role::Hmp, Role::Gdb, Role::Incoming, Role::Chardev]);
    assert!(found.endpoints.iter().filter(|end| end.role == Role::Gdb).all(|end| end.listens));
    assert_eq!(found.vnc[0].place, VncPlace::Tcp(String::new(), Some(5901)));
    assert!(found.vnc[0].password && found.vnc[0].tls_creds.is_none());
    let spice = found.spice.expect("spice");
    assert_eq!((spice.port, spice.ticketing_disabled, spice.password), (Some(5930), true, true));
    assert!(!found.sandbox.expect("a sandbox").on);
    assert!(found.drives[0].probes_format());
    assert_eq!(found.drives[1].protocol, Protocol::Nbd);
    let firmware: Vec<_> = found.firmware.iter().map(|code| (code.path.as_str(), code.read_only)).collect();
    assert_eq!(firmware, [("/usr/share/OVMF/CODE.fd", true), ("/vars.fd", false)]);
    assert_eq!((found.shares[0].path.as_deref(), found.shares[0].read_only), (Some("/"), false));
    assert_eq!(found.networks[0].interface.as_deref(), Some("tap3"));
    assert_eq!(found.networks[1].host_forwards.len(), 2);
    let legacy: Vec<_> = found.devices.iter().filter(|device| device.is_legacy()).collect();
    assert_eq!(legacy.iter().map(|device| device.driver.as_str()).collect::<Vec<_>>(), ["rtl8139", "e1000"]);
    assert!(found.devices.iter().any(Device::is_host_usb));
    let secrets: Vec<_> = found.secrets.iter().map(|at| (at.option.as_str(), at.key.as_str())).collect();
    assert_eq!(secrets, [("spice", "password"), ("object", "data")]);
    assert_eq!(found.confidential[0].allows_debugging(), Some(true));
    assert!(!found.tls_credentials[0].verifies_peer);
    assert_eq!(found.machine.version(), Some((7, 6)));
    assert!(!found.machine.uses_kvm(), "TCG is tried first");
    assert_eq!((found.cpu.feature("vmx"), found.cpu.feature("svm")), (Some(true), Some(false)));
    assert_eq!((found.run_as.as_deref(), found.chroot.as_deref()), (Some("qemu"), Some("/empty")));
    assert!(found.daemonize && found.log_file.is_some());
}

#[test]
fn nothing_said() {
    let found = of("-S");
    assert_eq!(found, Qemu::default());
    assert_eq!(found.machine.version(), None);
    assert_eq!(of("-machine q35").machine.version(), None);
    assert_eq!(of("-vnc none").vnc[0].place, VncPlace::None);
    assert_eq!(of("-vnc unix:/run/v").vnc[0].place, VncPlace::Unix("/run/v".into()));
    assert_eq!(of("-smp sockets=2,cores=3").vcpus, Some(6));
    assert_eq!(of("-smp maxcpus=3").vcpus, None);
    let snp = of("-object sev-snp-guest,id=a");
    assert_eq!(snp.confidential[0].allows_debugging(), Some(false));
}

#[test]
fn secrets_are_found_and_never_kept() {
    for (line, option, key) in [
        ("-drive file=https://me:hunter2@h/a", "drive", "file"),
        ("-hda iscsi://me%hunter2@h/iqn/0", "hda", ""),
        ("-hda iscsi://me%hunter2@h/iqn=1/0", "hda", ""),
        (r#"-blockdev {"driver":"http","url":"http://h","cookie":"hunter2"}"#, "blockdev", "cookie"),
        (r#"-object {"qom-type":"secret","id":"a","data":"hunter2"}"#, "object", "data"),
        ("-device x,file.password=hunter2", "device", "file.password"),
        (r#"-drive file=json:{"driver":"ssh",,"password":"hunter2"}"#, "drive", "file"),
    ] {
        let found = of(line);
        let expected = InlineSecret { option: option.into(), key: key.into() };
        assert_eq!(found.secrets, [expected], "{line}");
        assert!(!format!("{found:?}").contains("hunter2"), "{line}");
    }
}

proptest! {
    #[test]
    fn any_arguments_come_back(
        options in prop::collection::vec((0_usize..16, ".{0,60}"), 0..8), raw in prop::collection::vec(".{0,40}", 0..6)
    ) {
        const NAMES: [&str; 16] = [
            "-qmp", "-mon", "-chardev", "-vnc", "-spice", "-object", "-machine", "-cpu", "-smp", "-device",
            "-drive", "-blockdev", "-netdev", "-virtfs", "-sandbox", "-hda",
        ];
        let arguments: Vec<_> = options.into_iter().flat_map(|(name, value)| [NAMES[name].to_owned(), value]).collect();
        let found = parse(&arguments);
        prop_assert!(found.drives.len() + found.devices.len() + found.endpoints.len() <= 2 * arguments.len());
        let _ = parse(&raw);
    }
}
