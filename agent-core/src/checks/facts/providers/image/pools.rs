//! Folders that hold VMs' images: who may look into them and write there, how they are mounted, and who gets them over
//! the network.

use super::host_use::{folders, mounts};
use crate::checks::fact::{Found, Unavailable};
use crate::checks::facts::Gather;
use crate::checks::parse::etc::{fstab, mountinfo};
use crate::checks::vm::Vm;
use std::sync::Arc;

/// Where libvirt keeps images when it is told nothing else, and where it keeps what it was told.
const LIBVIRT_IMAGES: &str = "/var/lib/libvirt/images";
const LIBVIRT_POOLS: &str = "/etc/libvirt/storage";
/// Where libvirt and its helpers keep guests' memory and secrets.
const STATE: [&str; 8] = [
    "/var/lib/libvirt/qemu/save",
    "/var/lib/libvirt/qemu/snapshot",
    "/var/lib/libvirt/qemu/dump",
    "/var/lib/libvirt/qemu/nvram",
    "/var/lib/libvirt/qemu/ram",
    "/var/lib/libvirt/swtpm",
    "/etc/libvirt/secrets",
    "/run/libvirt/qemu",
];
/// Options that a folder of images needs of its mount: nothing in it is to be run or to be a device.
const WANTED: [&str; 2] = ["nosuid", "nodev"];

/// Folders that images may lead to: libvirt's pools, and where VMs have their images, with the folder above, since
/// images of one kind often have a folder each.
pub(super) fn allowed(gather: &Gather) -> Arc<Vec<String>> {
    gather.memo("folders of images", |gather| {
        let mut allowed = vec![LIBVIRT_IMAGES.to_owned()];
        for name in gather.list(LIBVIRT_POOLS).unwrap_or_default() {
            if name.strip_suffix(".xml").is_some()
                && let Ok(text) = gather.text(&format!("{LIBVIRT_POOLS}/{name}"))
            {
                allowed.extend(pool_path(&text));
            }
        }
        for vm in gather.vms() {
            for folder in folders(gather, vm).unwrap_or_default() {
                if let Some((parent, _)) = folder.rsplit_once('/')
                    && parent.matches('/').count() >= 2
                {
                    allowed.push(parent.to_owned());
                }
                allowed.push(folder);
            }
        }
        allowed.sort();
        allowed.dedup();
        allowed
    })
}

/// `<path>` in a pool's XML, as libvirt writes it: on a line of its own.
fn pool_path(text: &str) -> Option<String> {
    let path = text.lines().find_map(|line| line.trim().strip_prefix("<path>")?.strip_suffix("</path>"))?;
    path.starts_with('/').then(|| path.to_owned())
}

pub(super) fn others(gather: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    each(gather, vm, |folder| Ok((gather.meta(folder)?.mode & 0o7).to_string()))
}

pub(super) fn mounted(gather: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    let mounts = mounts(gather);
    let found = each(gather, vm, |folder| {
        let mounts = mounts.as_ref().as_ref().map_err(Clone::clone)?;
        let mount = mountinfo::holding(mounts, folder);
        let mount = mount.ok_or_else(|| Unavailable::NotExposed(format!("no mount holds {folder}")))?;
        Ok(options(|option| mount.has(option)))
    });
    Found { source: "/proc/1/mountinfo".to_owned(), ..found }
}

pub(super) fn declared(gather: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    const FSTAB: &str = "/etc/fstab";
    let text = match gather.text(FSTAB) {
        Ok(text) => text,
        Err(why) => return Found::unavailable(why, FSTAB),
    };
    let (lines, _) = fstab::fstab(&text);
    let mut source = FSTAB.to_owned();
    let folders = match folders(gather, vm) {
        Ok(folders) => folders,
        Err(why) => return Found::unavailable(why, vm.proc("fd")),
    };
    let mut map = Vec::new();
    for folder in folders {
        let within = |target: &str| {
            folder
                .strip_prefix(target.trim_end_matches('/'))
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let line = lines.iter().filter(|line| within(&line.target)).max_by_key(|line| line.target.len());
        // What fstab says nothing of is mounted by something else, and nobody knows how.
        let Some(line) = line else { continue };
        source = format!("{FSTAB}:{}", line.line);
        map.push((folder.clone(), options(|option| line.options.iter().any(|have| have == option))));
    }
    if map.is_empty() { Found::unavailable(Unavailable::Absent, FSTAB) } else { Found::value(map, source) }
}

fn options(has: impl Fn(&str) -> bool) -> String {
    let have: Vec<&str> = WANTED.into_iter().filter(|option| has(option)).collect();
    if have.is_empty() { "neither".to_owned() } else { have.join(",") }
}

fn each(gather: &Gather, vm: &Arc<Vm>, tell: impl Fn(&str) -> Result<String, Unavailable>) -> Found {
    let folders = match folders(gather, vm) {
        Ok(folders) => folders,
        Err(why) => return Found::unavailable(why, vm.proc("fd")),
    };
    let mut map = Vec::new();
    for folder in folders {
        match tell(&folder) {
            Ok(said) => map.push((folder, said)),
            Err(why) => return Found::unavailable(why, folder),
        }
    }
    if map.is_empty() {
        Found::unavailable(Unavailable::Absent, vm.proc("fd"))
    } else {
        Found::value(map, "stat(2)")
    }
}

/// Whether others get into a folder at all depends on every folder above it.
pub(super) fn state_folders(gather: &Gather, _: &str) -> Found {
    let mut map = Vec::new();
    for folder in STATE {
        let mode = match gather.meta(folder) {
            Ok(meta) => meta.mode,
            Err(Unavailable::Absent) => continue,
            Err(why) => return Found::unavailable(why, folder),
        };
        let mut reachable = true;
        let mut rest = folder;
        while let Some((parent, _)) = rest.rsplit_once('/').filter(|(parent, _)| !parent.is_empty()) {
            match gather.meta(parent) {
                Ok(meta) => reachable &= meta.mode & 0o001 != 0,
                Err(why) => return Found::unavailable(why, parent),
            }
            rest = parent;
        }
        let open = reachable && mode & 0o007 != 0;
        map.push((folder.to_owned(), if open { "open" } else { "closed" }.to_owned()));
    }
    if map.is_empty() {
        Found::unavailable(Unavailable::Absent, STATE[0])
    } else {
        Found::value(map, "stat(2)")
    }
}

/// Exports and shares that hold a pool, or are in one.
pub(super) fn exports(gather: &Gather, _: &str) -> Found {
    const EXPORTS: &str = "/etc/exports";
    const EXPORTS_D: &str = "/etc/exports.d";
    const SAMBA: &str = "/etc/samba/smb.conf";
    let mut files = vec![EXPORTS.to_owned()];
    let more = gather.list(EXPORTS_D).unwrap_or_default();
    files.extend(
        more.iter().filter(|name| name.ends_with(".exports")).map(|name| format!("{EXPORTS_D}/{name}")),
    );
    let pools = allowed(gather);
    let touches = |path: &str| {
        let below = |a: &str, b: &str| {
            a.strip_prefix(b.trim_end_matches('/'))
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        pools.iter().any(|pool| below(pool, path) || below(path, pool))
    };
    let (mut map, mut there) = (Vec::new(), false);
    for file in files {
        let text = match gather.text(&file) {
            Ok(text) => text,
            Err(Unavailable::Absent) => continue,
            Err(why) => return Found::unavailable(why, file),
        };
        there = true;
        for (path, client, options) in nfs(&text) {
            if touches(&path) {
                let has = |option: &str| options.split(',').any(|have| have == option);
                let anybody = client == "*" || client.is_empty();
                let rating = if has("no_root_squash") {
                    "root"
                } else if anybody {
                    "everybody"
                } else {
                    "squashed"
                };
                map.push((format!("{path} to {client}"), rating.to_owned()));
            }
        }
    }
    match gather.text(SAMBA) {
        Ok(text) => {
            there = true;
            map.extend(samba(&text).into_iter().filter(|(path, _)| touches(path)));
        }
        Err(Unavailable::Absent) => {}
        Err(why) => return Found::unavailable(why, SAMBA),
    }
    if there { Found::value(map, EXPORTS) } else { Found::unavailable(Unavailable::Absent, EXPORTS) }
}

/// `path client(options) client(options)`, of exports(5): the path, the client and its options.
fn nfs(text: &str) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    for line in text.replace("\\\n", " ").lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let (path, clients) = match line.strip_prefix('"').and_then(|rest| rest.split_once('"')) {
            Some(parts) => parts,
            None => line.split_once(char::is_whitespace).unwrap_or((line, "")),
        };
        if !path.starts_with('/') {
            continue;
        }
        let mut defaults = "";
        let mut any = false;
        for client in clients.split_whitespace() {
            if let Some(options) = client.strip_prefix('-') {
                defaults = options;
                continue;
            }
            let (name, options) = client.split_once('(').unwrap_or((client, ""));
            let options = format!("{defaults},{}", options.trim_end_matches(')'));
            found.push((path.to_owned(), name.to_owned(), options));
            any = true;
        }
        if !any {
            found.push((path.to_owned(), "*".to_owned(), defaults.to_owned()));
        }
    }
    found
}

/// The path of each share of smb.conf(5), and whether it is limited to some: by hosts or by users.
fn samba(text: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut limited = false;
    let mut path: Option<String> = None;
    let mut close = |path: Option<String>, limited: bool| {
        if let Some(path) = path {
            let rating = if limited { "squashed" } else { "everybody" };
            found.push((path, rating.to_owned()));
        }
    };
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            close(path.take(), limited);
            limited = false;
        }
        let Some((key, value)) = line.split_once('=').filter(|_| !line.starts_with(['#', ';'])) else {
            continue;
        };
        let key: String = key.to_ascii_lowercase().split_whitespace().collect();
        match key.as_str() {
            "path" | "directory" => path = Some(value.trim().to_owned()),
            "hostsallow" | "allowhosts" | "validusers" => limited = true,
            _ => {}
        }
    }
    close(path, limited);
    found
}

#[cfg(test)]
mod tests {
    use super::super::tests::host;
    use super::*;
    use crate::checks::fact::Value;
    use crate::checks::facts::providers::process::tests::{Recorded, vm};

    #[test]
    fn folders_and_their_mounts() {
        let host = host("srv/vms/a.img", b"");
        host.mode("srv/vms", 0o753);
        host.file("proc/1/mountinfo", "1 0 8:1 / / rw - ext4 a rw\n2 1 8:2 / /srv rw,nosuid - ext4 b rw\n");
        host.file("etc/fstab", "a / ext4 defaults 0 1\nb /srv ext4 nosuid,nodev 0 1\n");
        let gather = host.gather(&[vm(100)]);
        let one = |said: &str| Ok(Value::Map(vec![("/srv/vms".to_owned(), said.to_owned())]));
        assert_eq!(others(&gather, &vm(100), "").value, one("3"));
        assert_eq!(mounted(&gather, &vm(100), "").value, one("nosuid"));
        let found = declared(&gather, &vm(100), "");
        assert_eq!((found.value, found.source.as_str()), (one("nosuid,nodev"), "/etc/fstab:2"));
    }

    #[test]
    fn a_folder_below_a_closed_one_is_closed() {
        let host = Recorded::new();
        assert_eq!(state_folders(&host.gather(&[]), "").value, Err(Unavailable::Absent));
        host.file("var/lib/libvirt/qemu/save/vm.save", "").mode("var/lib/libvirt/qemu/save", 0o755);
        for parent in ["var", "var/lib", "var/lib/libvirt", "var/lib/libvirt/qemu"] {
            host.mode(parent, 0o711);
        }
        let said =
            |said: &str| Ok(Value::Map(vec![("/var/lib/libvirt/qemu/save".to_owned(), said.to_owned())]));
        assert_eq!(state_folders(&host.gather(&[]), "").value, said("open"));
        host.mode("var/lib/libvirt/qemu", 0o750);
        assert_eq!(state_folders(&host.gather(&[]), "").value, said("closed"));
    }

    #[test]
    fn exports_of_pools_are_rated_and_others_are_left_alone() {
        let host = host("srv/vms/a.img", b"");
        let value = |text: &str| {
            host.file("etc/exports", text);
            let found = exports(&host.gather(&[vm(100)]), "").value.expect("exports");
            found.map().expect("a map").iter().map(|(_, rating)| rating.clone()).collect::<Vec<_>>()
        };
        assert_eq!(value("/home *(rw)\n# /srv *(rw)\n"), Vec::<String>::new());
        assert_eq!(value("/srv 10.0.0.1(rw,no_root_squash) \\\n 10.0.0.2(rw)\n"), ["root", "squashed"]);
        assert_eq!(value("\"/srv/vms/sub\" -rw\n"), ["everybody"]);
        assert_eq!(value("/srv *(ro)\n"), ["everybody"]);
        host.file(
            "etc/samba/smb.conf",
            "[global]\n[vms]\n Path = /srv/vms\n hosts allow = 10.\n[x]\npath=/srv\n",
        );
        assert_eq!(value("/home *(rw)\n"), ["squashed", "everybody"]);
    }

    #[test]
    fn a_pool_of_libvirts_is_read_from_its_xml() {
        assert_eq!(pool_path("<pool>\n <target>\n  <path>/pool</path>\n"), Some("/pool".to_owned()));
        assert_eq!(pool_path("<path>relative</path>"), None);
    }
}
