//! Modules of the running kernel: which are loaded, which may be, and with what parameters.

use super::dropins;
use super::{believed, release, values};
use crate::checks::fact::{Found, Unavailable};
use crate::checks::facts::Gather;
use crate::checks::facts::providers::boot;
use crate::checks::parse::etc::kernel_cmdline::same_name;
use crate::checks::parse::etc::modprobe_d::{Blocked, Modprobe};
use std::collections::HashSet;
use std::sync::Arc;

/// `modules.dep` of a distribution's kernel is about 1 MiB.
const BYTES_MAX: usize = 8 << 20;
const LOADED: &str = "/proc/modules";

pub(super) fn module(gather: &Gather, name: &str) -> Found {
    match state(gather, name) {
        Ok((state, source)) => Found::value(state, source),
        Err((why, source)) => Found::unavailable(why, source),
    }
}

type State = Result<(&'static str, String), (Unavailable, String)>;

fn state(gather: &Gather, name: &str) -> State {
    let name = name.replace('-', "_");
    let loaded = gather.memo("modules", |gather| {
        gather.text(LOADED).map(|text| {
            let names = text.lines().filter_map(|line| line.split(' ').next());
            names.map(str::to_owned).collect::<HashSet<String>>()
        })
    });
    match &*loaded {
        Ok(names) if names.contains(&name) => return Ok(("loaded", LOADED.to_owned())),
        Ok(_) => {}
        // A kernel that loads no modules has no such file; it may still have this one built in.
        Err(Unavailable::Absent) if gather.host().meta("/proc/sys/kernel").is_ok() => {}
        Err(Unavailable::Absent) => {
            return Err((Unavailable::NotExposed("/proc is not there".to_owned()), LOADED.to_owned()));
        }
        Err(why) => return Err((why.clone(), LOADED.to_owned())),
    }
    let folder = format!("/sys/module/{name}");
    // `/sys/module` has what is loaded, and what is built in and has a parameter or a version.
    if gather.meta(&folder).is_ok() {
        return Ok(("built-in", folder));
    }
    match names(gather, "modules.builtin") {
        Ok((path, names)) if names.contains(&name) => Ok(("built-in", path)),
        Ok((path, _)) => Ok(("not-loaded", path)),
        Err(Unavailable::Absent) => {
            let why = "modules.builtin is not there, and without it what is built in is not known";
            Err((Unavailable::NotExposed(why.to_owned()), "/lib/modules".to_owned()))
        }
        Err(why) => Err((why, "/lib/modules".to_owned())),
    }
}

type Names = Arc<HashSet<String>>;

/// The modules that a list of the running kernel's names, each line of which begins with a path.
fn names(gather: &Gather, list: &str) -> Result<(String, Names), Unavailable> {
    let path = format!("/lib/modules/{}/{list}", release(gather)?);
    let names = gather.document(&path, BYTES_MAX, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let name = |line: &str| {
            let path = line.split(':').next()?;
            let file = path.trim().rsplit('/').next()?;
            Some(file.split_once(".ko")?.0.replace('-', "_"))
        };
        Ok(text.lines().filter_map(name).collect::<HashSet<String>>())
    })?;
    Ok((path, names))
}

fn configuration(gather: &Gather) -> Arc<Result<Modprobe, Unavailable>> {
    gather.memo("modprobe.d", |gather| {
        let files = dropins::files(gather, "modprobe.d")?;
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (&**path, &**text)).collect();
        Ok(Modprobe::merge(&files))
    })
}

pub(super) fn modprobe_d(gather: &Gather, name: &str) -> Found {
    const SOURCE: &str = "/etc/modprobe.d and its like";
    let configuration = configuration(gather);
    let configuration = match &*configuration {
        Ok(configuration) => configuration,
        Err(why) => return Found::unavailable(why.clone(), SOURCE),
    };
    if let Ok(("built-in", source)) = state(gather, name) {
        return Found::value("built-in", source);
    }
    let (word, origin) = match configuration.blocked(name) {
        Blocked::Install(origin) => ("blocked", Some(origin)),
        Blocked::Replaced(origin) => ("replaced", Some(origin)),
        Blocked::Blacklist(origin) => ("blacklisted", Some(origin)),
        Blocked::No => ("open", None),
    };
    if word != "blocked"
        && let Ok((path, names)) = names(gather, "modules.dep")
        && !names.contains(&name.replace('-', "_"))
    {
        return Found::value("not-there", path);
    }
    let source =
        origin.map_or_else(|| SOURCE.to_owned(), |origin| format!("{}:{}", origin.file, origin.line));
    Found::value(word, source)
}

pub(super) fn module_param(gather: &Gather, name: &str) -> Found {
    parameter(gather, name)
}

/// A parameter of a loaded module, by `module.parameter`.
pub(in super::super) fn parameter(gather: &Gather, name: &str) -> Found {
    let Some((module, parameter)) = name.split_once('.') else { return nameless(name) };
    let path = format!("/sys/module/{}/parameters/{}", module.replace('-', "_"), parameter.replace('-', "_"));
    let mut found = values(gather, &path);
    if let Err(why) = found.value {
        found.value = Err(believed(gather, why, &path));
    }
    found
}

/// Parameters' values when nothing sets them (kernel-parameters.txt).
const DEFAULTS: &[(&str, &str)] = &[("kvm_amd.nested", "1"), ("kvm_intel.nested", "1")];

pub(super) fn module_param_next(gather: &Gather, name: &str) -> Found {
    const SOURCE: &str = "/etc/modprobe.d and its like";
    let Some((module, parameter)) = name.split_once('.') else { return nameless(name) };
    // modprobe(8) hands on what the kernel's command line says of a module, and a module that is built in sees only
    // that.
    let next = boot::next(gather);
    if let Ok(next) = &next
        && let Some((value, source)) = next.sole(name)
    {
        return Found::value(value, source);
    }
    let configuration = configuration(gather);
    let configuration = match &*configuration {
        Ok(configuration) => configuration,
        Err(why) => return Found::unavailable(why.clone(), SOURCE),
    };
    let built_in = matches!(state(gather, module), Ok(("built-in", _)));
    if let Some((value, origin)) = configuration.option(module, parameter).filter(|_| !built_in) {
        return Found::value(value, format!("{}:{}", origin.file, origin.line));
    }
    match DEFAULTS.iter().find(|(known, _)| same_name(known, name)) {
        Some((_, value)) => Found::value(*value, "the kernel's default"),
        None => Found::unavailable(Unavailable::Absent, SOURCE),
    }
}

fn nameless(name: &str) -> Found {
    Found::unavailable(Unavailable::Malformed("wants `module.parameter`".to_owned()), name)
}

#[cfg(test)]
mod tests {
    use super::super::tests::host;
    use super::*;
    use crate::checks::fact::Value;

    fn recorded(more: &[(&str, &str)]) -> (tempfile::TempDir, Gather) {
        let mut files = vec![
            ("/proc/sys/kernel/osrelease", "6.1.0\n"),
            ("/proc/modules", "sctp 450560 2 - Live 0x0000000000000000\nusb_storage 81920 0 - Live 0x0\n"),
            ("/lib/modules/6.1.0/modules.builtin", "kernel/fs/udf/udf.ko\nkernel/drivers/a-b.ko.xz\n"),
            (
                "/lib/modules/6.1.0/modules.dep",
                "kernel/net/sctp/sctp.ko: kernel/lib/libcrc32c.ko\nkernel/net/rds/rds.ko.zst:\n\
                 kernel/drivers/usb/storage/usb-storage.ko:\nkernel/net/tipc/tipc.ko:\n",
            ),
        ];
        files.extend(more);
        host(&files)
    }

    #[test]
    fn a_module_is_loaded_built_in_or_neither() {
        let (_folder, gather) = recorded(&[]);
        let value = |name: &str| module(&gather, name).value;
        assert_eq!(value("sctp"), Ok(Value::from("loaded")));
        assert_eq!(value("usb-storage"), Ok(Value::from("loaded")), "a dash is an underscore");
        assert_eq!(value("udf"), Ok(Value::from("built-in")));
        assert_eq!(value("a_b"), Ok(Value::from("built-in")));
        assert_eq!(value("rds"), Ok(Value::from("not-loaded")));
        assert_eq!(value("libcrc32c"), Ok(Value::from("not-loaded")), "a dependency is not its dependant");
    }

    #[test]
    fn without_a_list_what_is_built_in_is_not_known() {
        let (_folder, gather) =
            host(&[("/proc/sys/kernel/osrelease", "6.18.44\n"), ("/sys/module/kvm/parameters/x", "1\n")]);
        assert_eq!(module(&gather, "kvm").value, Ok(Value::from("built-in")));
        assert!(matches!(module(&gather, "sctp").value, Err(Unavailable::NotExposed(_))));
    }

    #[test]
    fn a_blacklist_is_not_a_block() {
        let (_folder, gather) = recorded(&[(
            "/etc/modprobe.d/a.conf",
            "blacklist rds\ninstall sctp /bin/false\ninstall tipc /sbin/modprobe -i tipc\n",
        )]);
        let found = |name: &str| modprobe_d(&gather, name);
        assert_eq!(found("rds").value, Ok(Value::from("blacklisted")));
        assert_eq!(
            (found("sctp").value, &*found("sctp").source),
            (Ok(Value::from("blocked")), "/etc/modprobe.d/a.conf:2")
        );
        assert_eq!(found("tipc").value, Ok(Value::from("replaced")));
        assert_eq!(found("usb-storage").value, Ok(Value::from("open")));
        assert_eq!(found("cramfs").value, Ok(Value::from("not-there")), "this kernel has no such module");
        assert_eq!(found("udf").value, Ok(Value::from("built-in")), "nothing blocks what is built in");
    }

    #[test]
    fn parameters_now_and_next() {
        let (_folder, gather) = recorded(&[
            ("/sys/module/kvm_intel/parameters/nested", "Y\n"),
            ("/etc/modprobe.d/kvm.conf", "options kvm_intel nested=1\noptions kvm-intel ept=1 nested=0\n"),
        ]);
        assert_eq!(module_param(&gather, "kvm-intel.nested").value, Ok(Value::from("Y")));
        assert_eq!(module_param(&gather, "kvm_amd.nested").value, Err(Unavailable::Absent));
        // It is built in as long as /proc/modules does not name it: what modprobe is told does not reach it.
        assert_eq!(module_param_next(&gather, "kvm_intel.nested").value, Ok(Value::from("1")));
        let (_folder, gather) =
            recorded(&[("/etc/modprobe.d/kvm.conf", "options kvm-intel ept=1 nested=0\n")]);
        let next = module_param_next(&gather, "kvm_intel.nested");
        assert_eq!((next.value, &*next.source), (Ok(Value::from("0")), "/etc/modprobe.d/kvm.conf:1"));
        assert_eq!(module_param_next(&gather, "kvm_amd.nested").value, Ok(Value::from("1")), "the default");
        assert_eq!(module_param_next(&gather, "kvm.ignore_msrs").value, Err(Unavailable::Absent));
    }
}
