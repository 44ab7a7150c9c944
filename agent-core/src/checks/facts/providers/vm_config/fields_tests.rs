use super::*;
use crate::checks::parse::vmm::{cloud_hypervisor, firecracker, qemu};
use crate::checks::vm::{Vm, VmId};
use crate::sampling::discovery::VmmKind;
use std::sync::Arc;

fn asked(vmm: VmmKind, line: &str) -> Asked {
    let arguments: Vec<String> = line.split(' ').map(str::to_owned).collect();
    let options = match vmm {
        VmmKind::Qemu => Options::Qemu(Box::new(qemu::parse(&arguments))),
        VmmKind::Firecracker => {
            let config = firecracker::parse_config(br#"{"mmds-config": {"version": "V1"}}"#).expect("JSON");
            let arguments = firecracker::parse_arguments(&arguments);
            Options::Firecracker(Box::new(arguments), Box::new(Ok(config)))
        }
        _ => Options::CloudHypervisor(Box::new(cloud_hypervisor::parse(&arguments))),
    };
    let vm = Arc::new(Vm {
        id: VmId { pid: 7, start_ticks: 1 },
        name: "web".into(),
        uuid: String::new(),
        tenant: String::new(),
        vmm,
        libvirt: false,
        cgroup: String::new(),
        vcpu_tids: Vec::new(),
        taps: Vec::new(),
    });
    Asked { vm, options, no_defaults: arguments.iter().any(|argument| argument == "-nodefaults") }
}

fn of(line: &str, name: &str) -> Told {
    field(&asked(VmmKind::Qemu, line), name)
}

fn word(told: Told) -> String {
    told.expect("told").to_string()
}

#[test]
fn every_field_is_in_order_and_asked_for_by_a_rule() {
    assert!(FIELDS.is_sorted_by_key(|(name, _)| *name));
    let rules = crate::checks::shipped();
    let conditions = rules.rules().iter().flat_map(crate::checks::Rule::conditions);
    let facts: Vec<&str> = conditions.flat_map(|condition| condition.facts()).collect();
    for fact in &facts {
        if let Some(name) = fact.strip_prefix("vm.asked:") {
            assert!(FIELDS.iter().any(|(known, _)| *known == name), "{name} is no field");
        }
    }
}

#[test]
fn memory_that_others_can_map() {
    for (line, shared, needed) in [
        ("-m 1G", "no", "no"),
        ("-object memory-backend-ram,id=m,size=1G", "no", "no"),
        ("-object memory-backend-memfd,id=m,size=1G", "yes", "no"),
        ("-object memory-backend-memfd,id=m,size=1G,share=off", "no", "no"),
        ("-object memory-backend-file,id=m,size=1G,mem-path=/dev/shm/m,share=on", "yes", "no"),
        ("-object memory-backend-memfd,id=m -device vhost-user-fs-pci,chardev=c", "yes", "yes"),
        ("-netdev vhost-user,id=n,chardev=c", "no", "yes"),
    ] {
        let told = (word(of(line, "memory-shared")), word(of(line, "memory-share-needed")));
        assert_eq!(told, (shared.to_owned(), needed.to_owned()), "{line}");
    }
    let ch = asked(VmmKind::CloudHypervisor, "--memory size=1G,shared=on");
    assert_eq!(word(field(&ch, "memory-shared")), "yes");
}

#[test]
fn memory_that_was_promised() {
    let bytes = |told: Told| told.map(|value| value.int());
    assert_eq!(bytes(of("-m 2G", "memory-bytes")), Ok(Some(2 << 30)));
    assert_eq!(bytes(of("-nodefaults", "memory-bytes")), Ok(Some(128 << 20)), "QEMU's default");
    let ch = |line: &str| field(&asked(VmmKind::CloudHypervisor, line), "memory-bytes");
    assert_eq!(bytes(ch("--memory size=1G,shared=on")), Ok(Some(1 << 30)));
    assert_eq!(bytes(ch("--cpus boot=1")), Err(Unavailable::Absent));
    let huge = ch("--memory size=0 --memory-zone id=a,size=18446744073709551615 --memory-zone id=b,size=9G");
    assert!(huge.is_ok() || huge == Err(Unavailable::Absent), "no overflow: {huge:?}");
    let fc = field(&asked(VmmKind::Firecracker, "--id a"), "memory-bytes");
    assert_eq!(fc, Err(Unavailable::Absent), "the configuration does not say");
}

#[test]
fn guests_of_guests() {
    for (line, nested) in [
        ("-cpu host", "yes"),
        ("-cpu max,-vmx", "no"),
        ("-cpu host,vmx=off", "no"),
        ("-cpu Skylake-Server", "no"),
        ("-cpu Skylake-Server,+vmx", "yes"),
        ("-S", "no"),
    ] {
        assert_eq!(word(of(line, "nested")), nested, "{line}");
    }
    assert_eq!(word(field(&asked(VmmKind::CloudHypervisor, "--cpus boot=1,nested=off"), "nested")), "no");
    let firecracker = field(&asked(VmmKind::Firecracker, "--id a"), "nested");
    assert!(matches!(firecracker, Err(Unavailable::NotExposed(_))));
}

#[test]
fn filters_of_each_vmm() {
    assert_eq!(word(of("-S", "sandbox")), "sandbox=off");
    assert!(word(of("-sandbox on,spawn=deny", "sandbox")).contains("elevateprivileges=allow"));
    let told = |vmm, line| word(field(&asked(vmm, line), "sandbox"));
    assert_eq!(told(VmmKind::Firecracker, "--no-seccomp"), "seccomp=off");
    assert_eq!(told(VmmKind::Firecracker, "--seccomp-filter /f"), "seccomp=own filter");
    assert_eq!(told(VmmKind::CloudHypervisor, "--seccomp log"), "seccomp=log");
    assert_eq!(told(VmmKind::CloudHypervisor, "--kernel /k"), "seccomp=on");
}

#[test]
fn disks_and_firmware() {
    let line = "-drive file=/a.img -drive file=nbd:h:1,format=raw,id=far -blockdev driver=qcow2,node-name=q,file=s \
                -blockdev driver=file,node-name=s,filename=/b -machine q35,pflash0=code,pflash1=vars \
                -blockdev driver=file,node-name=c0,filename=/CODE.fd -blockdev driver=raw,node-name=code,file=c0,read-only=on \
                -blockdev driver=file,node-name=vars,filename=/VARS.fd";
    let formats = of(line, "formats").expect("formats");
    let formats = formats.map().expect("a map");
    assert!(formats.contains(&("/a.img".into(), "guessed".into())));
    assert_eq!(formats.iter().filter(|(_, format)| format == "guessed").count(), 1);
    assert_eq!(word(of(line, "remote-disks")), "far=nbd clear");
    assert_eq!(word(of(line, "firmware")), "/CODE.fd=read-only, /VARS.fd=writable");
    assert!(matches!(of("-machine q35,pflash0=nothing", "firmware"), Err(Unavailable::NotExposed(_))));
    assert_eq!(word(of("-drive file=nbd+unix:///a?socket=/s,format=raw", "remote-disks")), "none");
}

#[test]
fn options_that_come_from_a_file_make_all_others_unknown() {
    let line = "-readconfig /etc/vm.cfg -vnc none";
    assert_eq!(word(of(line, "options-visible")), "no");
    assert!(matches!(of(line, "vnc"), Err(Unavailable::NotExposed(_))));
    assert_eq!(word(of(line, "vmm")), "qemu");
}

#[test]
fn the_rest() {
    assert_eq!(word(of("-device rtl8139 -device virtio-net-pci", "devices")), "rtl8139, virtio-net-pci");
    assert_eq!(word(of("-S", "default-devices")), "yes");
    assert_eq!(word(of("-nodefaults", "default-devices")), "no");
    assert_eq!(word(of("-machine pc-i440fx-2.12", "machine-version")), "2");
    assert_eq!(of("-machine q35", "machine-version"), Err(Unavailable::Absent));
    assert_eq!(word(of("-device vfio-pci,host=e1:00.0", "vfio")), "0000:e1:00.0");
    assert_eq!(word(of("-device vhost-vsock-pci,guest-cid=7", "vsock-cids")), "7");
    assert_eq!(word(of("-spice port=1,password=hunter2", "secrets")), "-spice password");
    assert_eq!(word(of("-spice port=1", "spice-clipboard")), "on");
    assert_eq!(of("-S", "spice-clipboard"), Err(Unavailable::Absent));
    let forwards = of("-nic user,hostfwd=tcp::22-:22,hostfwd=tcp:127.0.0.1:80-:80", "host-forwards");
    let forwards: Vec<String> =
        forwards.expect("told").map().expect("a map").iter().map(|f| f.1.clone()).collect();
    assert_eq!(forwards, ["loopback", "network"]);
    assert_eq!(word(field(&asked(VmmKind::Firecracker, "--id a"), "metadata")), "V1");
    assert_eq!(word(field(&asked(VmmKind::CloudHypervisor, "--landlock"), "landlock")), "declared");
    assert_eq!(word(of("-object sev-guest,id=a,policy=0", "confidential")), "sev-guest=debug");
    assert_eq!(word(of("-object tls-creds-anon,id=t", "tls-unverified")), "t=anybody");
    assert_eq!(word(of("-smp 4", "vcpus")), "4");
    assert!(matches!(of("-S", "what"), Err(Unavailable::NotExposed(_))));
}
