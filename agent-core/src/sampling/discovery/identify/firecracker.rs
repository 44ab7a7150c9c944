//! Firecracker's command line, plain or as the jailer writes it. Disks and taps are configured through its API and are
//! found by its open descriptors. (Firecracker's `src/firecracker/src/main.rs`, `docs/jailer.md`.)

use super::{Description, long_option};

/// Where the API socket is when nothing else is said.
const API_SOCKET: &str = "/run/firecracker.socket";

/// What Firecracker's arguments, without `argv[0]`, say of the VM.
pub(super) fn describe(arguments: &[&str]) -> Description {
    let mut description =
        Description { kvm: true, monitor: Some(API_SOCKET.to_owned()), ..Description::default() };
    let mut index = 0;
    while index < arguments.len() {
        let Some((name, value, next)) = long_option(arguments, index) else {
            index += 1;
            continue;
        };
        index = next;
        match (name, value) {
            ("id", Some(id)) => description.name = Some(id.to_owned()),
            ("api-sock", Some(path)) => description.monitor = Some(path.to_owned()),
            ("metrics-path", Some(path)) => description.metrics_file = Some(path.to_owned()),
            ("no-api", value) => {
                description.monitor = None;
                // A flag: what follows is an option of its own.
                index -= usize::from(value.is_some());
            }
            _ => {}
        }
    }
    description
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn started_by_hand_and_by_the_jailer() {
        let plain =
            describe(&["--api-sock", "/tmp/fc.sock", "--id", "vm1", "--metrics-path=/tmp/fc.metrics"]);
        assert_eq!(plain.name.as_deref(), Some("vm1"));
        assert_eq!(plain.monitor.as_deref(), Some("/tmp/fc.sock"));
        assert_eq!(plain.metrics_file.as_deref(), Some("/tmp/fc.metrics"));

        let jailed = describe(&[
            "--id=551e7604",
            "--start-time-us=1",
            "--start-time-cpu-us=2",
            "--parent-cpu-time-us=3",
        ]);
        assert_eq!(jailed.name.as_deref(), Some("551e7604"));
        assert_eq!(jailed.monitor.as_deref(), Some(API_SOCKET));

        let closed = describe(&["--no-api", "--config-file", "/vm.json", "--id", "x"]);
        assert_eq!((closed.monitor, closed.name.as_deref()), (None, Some("x")));
    }
}
