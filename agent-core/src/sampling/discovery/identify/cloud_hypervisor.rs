//! Cloud Hypervisor's command line: options that take several values, each a list. (`cloud-hypervisor --help`.)

use super::options::Options;
use super::{Description, Image, file_name, parse_uuid};

/// What Cloud Hypervisor's arguments, without `argv[0]`, say of the VM.
pub(super) fn describe(arguments: &[&str]) -> Description {
    let mut description = Description { kvm: true, ..Description::default() };
    let mut option = "";
    for argument in arguments {
        let value = if let Some(name) = argument.strip_prefix("--") {
            let (name, value) =
                name.split_once('=').map_or((name, None), |(name, value)| (name, Some(value)));
            option = name;
            value
        } else {
            Some(*argument)
        };
        if let Some(value) = value {
            take(option, &Options::parse(value), &mut description);
        }
    }
    // It has no name of its own; whoever runs it tells VMs apart by their API sockets.
    let stem = description.monitor.as_deref().map(|path| file_name(path).trim_end_matches(".sock"));
    description.name = stem.filter(|stem| !stem.is_empty()).map(str::to_owned);
    description
}

fn take(option: &str, options: &Options, description: &mut Description) {
    match option {
        "api-socket" => description.monitor = options.leading("path").map(str::to_owned),
        "platform" => description.uuid = options.value("uuid").and_then(parse_uuid),
        "net" => {
            description.taps.extend(options.value("tap").filter(|tap| !tap.is_empty()).map(str::to_owned));
        }
        "disk" => {
            if let Some(path) = options.value("path") {
                let mut image = Image::of_path(path);
                if let Some(id) = options.value("id") {
                    id.clone_into(&mut image.name);
                }
                description.disks.push(image);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_with_several_values() {
        let found = describe(&[
            "--api-socket",
            "path=/run/ch/web1.sock",
            "--cpus",
            "boot=4",
            "--disk",
            "path=/a.raw",
            "path=/b.raw,id=data,readonly=on",
            "--net",
            "tap=tap3,mac=12:34:56:78:90:ab",
            "--platform",
            "uuid=44444444-4444-4444-4444-444444444444",
        ]);
        assert_eq!(found.name.as_deref(), Some("web1"));
        assert_eq!(found.monitor.as_deref(), Some("/run/ch/web1.sock"));
        assert_eq!(found.uuid, Some([0x44; 16]));
        assert_eq!(found.taps, ["tap3"]);
        let data = Image { name: "data".into(), path: Some("/b.raw".into()) };
        assert_eq!(found.disks, [Image::of_path("/a.raw"), data]);
        assert_eq!(describe(&["--api-socket=/x/y"]).monitor.as_deref(), Some("/x/y"));
        assert_eq!(describe(&["--kernel", "/vmlinux"]).name, None);
    }
}
