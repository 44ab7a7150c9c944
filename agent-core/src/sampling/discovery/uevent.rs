//! KVM announces every VM it creates or destroys, whatever the VMM: the kernel's uevent, taken apart.
//!
//! ```text
//! change@/devices/virtual/misc/kvm\0ACTION=change\0DEVPATH=/devices/virtual/misc/kvm\0SUBSYSTEM=misc\0
//! CREATED=3\0COUNT=2\0EVENT=create\0PID=1234\0STATS_PATH=/kvm/1234-11\0...
//! ```
//! (`kvm_uevent_notify_change` in `virt/kvm/kvm_main.c`, Linux 4.14.) `PID` is that of the *thread* which created the
//! VM, and the event is sent a moment before the VM's descriptor exists in the VMM.

/// What happened to a VM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was created.
    Create,
    /// It was destroyed: its last descriptor was closed.
    Destroy,
}

/// One announcement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KvmEvent {
    /// What happened.
    pub change: Change,
    /// The thread that created the VM, in the initial PID namespace.
    pub pid: i32,
    /// The VM's folder in `debugfs/kvm`, where debugfs exists: `<pid>-<fd>`.
    pub debugfs_name: Option<String>,
}

/// Takes a uevent apart. `None` when it is about something else, or makes no sense.
#[must_use]
pub fn parse(message: &[u8]) -> Option<KvmEvent> {
    let mut change = None;
    let mut pid = None;
    let mut debugfs_name = None;
    let mut of_kvm = false;
    for field in message.split(|byte| *byte == 0).filter_map(|field| std::str::from_utf8(field).ok()) {
        match field.split_once('=') {
            Some(("DEVPATH", path)) => of_kvm = path.ends_with("/misc/kvm"),
            Some(("EVENT", "create")) => change = Some(Change::Create),
            Some(("EVENT", "destroy")) => change = Some(Change::Destroy),
            Some(("PID", number)) => pid = number.parse().ok().filter(|pid| *pid > 0),
            Some(("STATS_PATH", path)) => {
                debugfs_name =
                    path.rsplit('/').next().filter(|name| is_debugfs_name(name)).map(str::to_owned);
            }
            _ => {}
        }
    }
    of_kvm.then_some(KvmEvent { change: change?, pid: pid?, debugfs_name })
}

/// Whether a name has the form `<pid>-<fd>`, and thus cannot lead out of the folder.
#[must_use]
pub fn is_debugfs_name(name: &str) -> bool {
    let digits =
        |text: &str| !text.is_empty() && text.len() <= 10 && text.bytes().all(|b| b.is_ascii_digit());
    name.split_once('-').is_some_and(|(pid, fd)| digits(pid) && digits(fd))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CREATE: &[u8] = b"change@/devices/virtual/misc/kvm\0ACTION=change\0DEVPATH=/devices/virtual/misc/kvm\0\
        SUBSYSTEM=misc\0CREATED=3\0COUNT=2\0EVENT=create\0PID=1234\0STATS_PATH=/kvm/1234-11\0MAJOR=10\0MINOR=232\0\
        DEVNAME=kvm\0SEQNUM=900\0";

    #[test]
    fn a_created_vm_is_understood() {
        let event = KvmEvent { change: Change::Create, pid: 1234, debugfs_name: Some("1234-11".into()) };
        assert_eq!(parse(CREATE), Some(event));
    }

    #[test]
    fn other_devices_and_broken_messages_are_not() {
        assert_eq!(parse(b""), None);
        assert_eq!(
            parse(b"add@/devices/virtual/net/tap0\0ACTION=add\0DEVPATH=/devices/virtual/net/tap0\0PID=3\0"),
            None
        );
        let without_pid = String::from_utf8_lossy(CREATE).replace("PID=1234\0", "PID=-4\0");
        assert_eq!(parse(without_pid.as_bytes()), None);
        let astray = String::from_utf8_lossy(CREATE).replace("1234-11", "../../etc/1234-");
        assert_eq!(parse(astray.as_bytes()).and_then(|event| event.debugfs_name), None);
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            if let Some(event) = parse(&bytes) {
                prop_assert!(event.pid > 0);
            }
        }

        #[test]
        fn every_kvm_event_is_understood(pid in 1..i32::MAX, fd in 0u32..100_000, create: bool) {
            let word = if create { "create" } else { "destroy" };
            let text = format!("change@/devices/virtual/misc/kvm\0DEVPATH=/devices/virtual/misc/kvm\0EVENT={word}\0\
                PID={pid}\0STATS_PATH=/kvm/{pid}-{fd}\0");
            let event = parse(text.as_bytes()).expect("an event");
            prop_assert_eq!(event.pid, pid);
            prop_assert_eq!(event.change == Change::Create, create);
            prop_assert_eq!(event.debugfs_name, Some(format!("{pid}-{fd}")));
        }
    }
}
