//! crosvm's command line: `crosvm run [options] KERNEL`. Its control socket speaks a protocol of its own, thus there is
//! no monitor here. (`crosvm run --help`.)

use super::options::Options;
use super::{Description, Image, file_name, long_option};

/// What crosvm's arguments, without `argv[0]`, say of the VM.
pub(super) fn describe(arguments: &[&str]) -> Description {
    let runs = arguments.contains(&"run");
    let mut description = Description { kvm: true, probe: !runs, ..Description::default() };
    let mut socket = None;
    let mut index = 0;
    while let Some(argument) = arguments.get(index) {
        // Short forms of options that matter.
        let (name, value, next) = match (*argument, arguments.get(index + 1)) {
            ("-b", Some(value)) => ("block", Some(*value), index + 2),
            ("-s", Some(value)) => ("socket", Some(*value), index + 2),
            _ => long_option(arguments, index).unwrap_or(("", None, index + 1)),
        };
        index = next;
        let Some(value) = value else { continue };
        let options = Options::parse(value);
        match name {
            "name" => description.name = Some(value.to_owned()),
            "socket" => socket = Some(value),
            "block" | "disk" | "rwdisk" | "root" | "rwroot" | "qcow" | "rwqcow" => {
                description.disks.extend(options.leading("path").map(Image::of_path));
            }
            "tap-name" => description.taps.push(value.to_owned()),
            "net" => description.taps.extend(options.value("tap-name").map(str::to_owned)),
            _ => {}
        }
    }
    if description.name.is_none() {
        let stem = socket.map(|path| file_name(path).trim_end_matches(".sock"));
        description.name = stem.filter(|stem| !stem.is_empty()).map(str::to_owned);
    }
    description
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_vm() {
        let found = describe(&[
            "run",
            "--name",
            "arcvm",
            "--cpus",
            "4",
            "--block",
            "path=/a.img,ro",
            "-b",
            "/b.img",
            "--net",
            "tap-name=vmtap0",
            "-s",
            "/run/vm/x.sock",
            "/vmlinux",
        ]);
        assert_eq!(found.name.as_deref(), Some("arcvm"));
        assert_eq!(found.disks, [Image::of_path("/a.img"), Image::of_path("/b.img")]);
        assert_eq!(found.taps, ["vmtap0"]);
        assert!(!found.probe);
        assert_eq!(describe(&["run", "--socket=/run/x.sock", "k"]).name.as_deref(), Some("x"));
        assert!(describe(&["version"]).probe, "crosvm without run is a tool");
    }
}
