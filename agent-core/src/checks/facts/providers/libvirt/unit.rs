//! Units of systemd as they are on disk: what the next boot makes of them (systemd.unit(5), `systemctl is-enabled`).

use crate::checks::fact::{Found, Unavailable};
use crate::checks::facts::Gather;
use crate::checks::parse::etc::ini::{Ini, Style, boolean};
use std::collections::HashMap;

/// Where units are, the first that has one wins.
const FOLDERS: [&str; 5] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// Units by name, each with the link that pulls it in.
type Links = Result<HashMap<String, String>, Unavailable>;

/// `unit:NAME`
pub(in crate::checks::facts::providers) fn state(gather: &Gather, name: &str) -> Found {
    let Some((path, masked)) = (match file(gather, name) {
        Ok(file) => file,
        Err(why) => return Found::unavailable(why, FOLDERS[0]),
    }) else {
        return Found::unavailable(Unavailable::Absent, FOLDERS[0]);
    };
    if masked {
        return Found::value("masked", path);
    }
    match &*links(gather) {
        Err(why) => Found::unavailable(why.clone(), FOLDERS[0]),
        Ok(links) => match links.get(name) {
            Some(link) => Found::value("enabled", link.as_str()),
            None => Found::value("disabled", path),
        },
    }
}

/// Whether a unit is started at the next boot; not known counts as no.
pub(in crate::checks::facts::providers) fn is_enabled(gather: &Gather, name: &str) -> bool {
    state(gather, name).value.is_ok_and(|value| value.text() == Some("enabled"))
        || matches!(&*links(gather), Ok(links) if links.contains_key(name))
}

/// The unit's file, and whether it is masked.
fn file(gather: &Gather, name: &str) -> Result<Option<(String, bool)>, Unavailable> {
    for folder in FOLDERS {
        let path = format!("{folder}/{name}");
        if gather.link(&path).is_ok_and(|target| target == "/dev/null") {
            return Ok(Some((path, true)));
        }
        match gather.meta(&path) {
            Ok(meta) => return Ok(Some((path, meta.kind() == "file" && meta.size == 0))),
            Err(Unavailable::Absent) => {}
            Err(why) => return Err(why),
        }
    }
    Ok(None)
}

/// Every link that pulls a unit in, by an administrator or by its package.
fn links(gather: &Gather) -> std::sync::Arc<Links> {
    gather.memo("systemd units that are pulled in", |gather| {
        let mut found = HashMap::new();
        // `/run` is gone at the next boot, and `/lib` is `/usr/lib`.
        for folder in ["/etc/systemd/system", "/usr/lib/systemd/system"] {
            let names = match gather.list(folder) {
                Ok(names) => names,
                Err(Unavailable::Absent) => continue,
                Err(why) => return Err(why),
            };
            for name in names {
                let path = format!("{folder}/{name}");
                if [".wants", ".requires", ".upholds"].iter().any(|end| name.ends_with(end)) {
                    for unit in gather.list(&path)? {
                        let link = format!("{path}/{unit}");
                        found.entry(unit).or_insert(link);
                    }
                } else if folder == FOLDERS[0] && name.contains('.') && name.strip_suffix(".d").is_none() {
                    // An alias: dbus-org.freedesktop.timesync1.service -> .../systemd-timesyncd.service
                    let Ok(target) = gather.link(&path) else { continue };
                    let unit = target.rsplit('/').next().unwrap_or_default().to_owned();
                    if target != "/dev/null" && unit != name {
                        found.entry(unit).or_insert(path);
                    }
                }
            }
        }
        Ok(found)
    })
}

/// `unit.loosened:NAME`
pub(super) fn loosened(gather: &Gather, name: &str) -> Found {
    let mut ini = Ini::default();
    let own = format!("/etc/systemd/system/{name}");
    let mut paths = Vec::new();
    match file(gather, name) {
        Ok(None) => return Found::unavailable(Unavailable::Absent, FOLDERS[0]),
        Ok(Some((path, false))) if path == own => paths.push(path),
        Ok(_) => {}
        Err(why) => return Found::unavailable(why, own),
    }
    for folder in ["/etc/systemd/system", "/run/systemd/system"] {
        let drop_ins = format!("{folder}/{name}.d");
        match gather.list(&drop_ins) {
            Ok(names) => {
                let conf = names.into_iter().filter(|file| file.strip_suffix(".conf").is_some());
                paths.extend(conf.map(|file| format!("{drop_ins}/{file}")));
            }
            Err(Unavailable::Absent) => {}
            Err(why) => return Found::unavailable(why, drop_ins),
        }
    }
    for path in &paths {
        match gather.text(path) {
            Ok(text) => ini.add(path, &text, Style::Systemd),
            Err(why) => return Found::unavailable(why, path.clone()),
        }
    }
    let loose =
        ini.entries.iter().filter(|entry| &*entry.section == "Service" && loosens(&entry.key, &entry.value));
    let shown =
        loose.map(|entry| format!("{}={} ({})", entry.key, entry.value, entry.origin)).collect::<Vec<_>>();
    Found::value(shown, if paths.is_empty() { format!("{own}.d") } else { paths.join(", ") })
}

/// Whether an assignment takes a protection of systemd.exec(5) away.
fn loosens(key: &str, value: &str) -> bool {
    const ON: [&str; 18] = [
        "NoNewPrivileges",
        "ProtectSystem",
        "ProtectHome",
        "ProtectClock",
        "ProtectControlGroups",
        "ProtectHostname",
        "ProtectKernelLogs",
        "ProtectKernelModules",
        "ProtectKernelTunables",
        "PrivateDevices",
        "PrivateMounts",
        "PrivateNetwork",
        "PrivateTmp",
        "PrivateUsers",
        "LockPersonality",
        "MemoryDenyWriteExecute",
        "RestrictRealtime",
        "RestrictSUIDSGID",
    ];
    const LISTS: [&str; 6] = [
        "CapabilityBoundingSet",
        "SystemCallFilter",
        "RestrictNamespaces",
        "RestrictAddressFamilies",
        "DevicePolicy",
        "AppArmorProfile",
    ];
    let off = value.is_empty() || boolean(value) == Some(false);
    (ON.contains(&key) || LISTS.contains(&key)) && off
        || key == "User" && matches!(value, "root" | "0")
        || key == "AmbientCapabilities" && !value.is_empty() && !value.starts_with('~')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::fact::Value;
    use crate::checks::host::HostFiles;
    use crate::config::Roots;
    use crate::sys::clock::Clock;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_enable_null_masks_and_a_file_alone_does_neither() {
        let folder = tempfile::tempdir().expect("a folder");
        let etc = folder.path().join("etc/systemd/system");
        let usr = folder.path().join("usr/lib/systemd/system");
        fs::create_dir_all(etc.join("multi-user.target.wants")).expect("folders");
        fs::create_dir_all(&usr).expect("folders");
        for name in ["a.service", "b.service", "c.service", "d.service"] {
            fs::write(usr.join(name), "[Unit]\n").expect("a unit");
        }
        symlink("/usr/lib/systemd/system/a.service", etc.join("multi-user.target.wants/a.service"))
            .expect("a link");
        symlink("/dev/null", etc.join("b.service")).expect("a link");
        symlink("/usr/lib/systemd/system/d.service", etc.join("dbus-d.service")).expect("a link");
        let gather = Gather::new(HostFiles::new(Roots::below(folder.path())), Clock::System);
        let told = |name| state(&gather, name).value;
        assert_eq!(told("a.service"), Ok(Value::from("enabled")));
        assert_eq!(told("b.service"), Ok(Value::from("masked")));
        assert_eq!(told("c.service"), Ok(Value::from("disabled")));
        assert_eq!(told("d.service"), Ok(Value::from("enabled")), "by an alias");
        assert_eq!(told("e.service"), Err(Unavailable::Absent));
        assert!(state(&gather, "a.service").source.ends_with("multi-user.target.wants/a.service"));
    }

    #[test]
    fn a_drop_in_that_takes_a_protection_away_is_told_and_one_that_adds_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let usr = folder.path().join("usr/lib/systemd/system");
        let drop_ins = folder.path().join("etc/systemd/system/libvirtd.service.d");
        fs::create_dir_all(&usr).expect("folders");
        fs::create_dir_all(&drop_ins).expect("folders");
        fs::write(usr.join("libvirtd.service"), "[Service]\nNoNewPrivileges=no\n").expect("a unit");
        fs::write(
            drop_ins.join("10-a.conf"),
            "[Service]\nProtectHome=yes\nSystemCallFilter=@system-service\n",
        )
        .expect("a drop-in");
        let gather = Gather::new(HostFiles::new(Roots::below(folder.path())), Clock::System);
        assert_eq!(loosened(&gather, "libvirtd.service").value, Ok(Value::List(vec![])), "as packaged");
        fs::write(drop_ins.join("20-b.conf"), "[Service]\nProtectHome=no\n").expect("a drop-in");
        fs::write(drop_ins.join("30-c.conf.bak"), "[Service]\nPrivateTmp=no\n").expect("no drop-in");
        let found = loosened(&gather, "libvirtd.service").value.expect("a list").to_string();
        assert_eq!(found, "ProtectHome=no (/etc/systemd/system/libvirtd.service.d/20-b.conf:2)");
        assert_eq!(loosened(&gather, "x.service").value, Err(Unavailable::Absent));
    }
}
