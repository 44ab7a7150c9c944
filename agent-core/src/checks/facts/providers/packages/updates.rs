//! Security updates that wait: by the indices of security suites that apt keeps, and by advisories that somebody laid
//! into a folder for hosts without one.

use super::dpkg::{self, Installed, STATUS};
use super::index::{self, LISTS};
use crate::checks::fact::{Found, Unavailable, Value};
use crate::checks::facts::Gather;
use crate::checks::parse::etc::os_release::OsRelease;
use crate::checks::parse::files::advisories;
use crate::checks::parse::files::dpkg::compare_versions;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

const ADVISORIES: &str = "/var/lib/bartizan/advisories";
const ADVISORY_BYTES_MAX: usize = 64 << 20;
/// An index that was not looked at for longer than this says nothing about what is missing.
const FRESH_HOURS: &str = "48";

/// Beginnings of the names of source packages that a guest's isolation stands on.
const HYPERVISOR: [&str; 29] = [
    "linux",
    "qemu",
    "libvirt",
    "cloud-hypervisor",
    "firecracker",
    "crosvm",
    "xen",
    "intel-microcode",
    "amd64-microcode",
    "firmware-nonfree",
    "firmware-",
    "seabios",
    "edk2",
    "ipxe",
    "slof",
    "u-boot",
    "swtpm",
    "libtpms",
    "spice",
    "libslirp",
    "virglrenderer",
    "rust-virtiofsd",
    "dpdk",
    "openvswitch",
    "glibc",
    "openssl",
    "gnutls",
    "glib2.0",
    "apparmor",
];

/// Updates that wait: the package or advisory, and whether a guest's isolation stands on it.
#[derive(Debug, Default)]
struct Waiting {
    found: Vec<(bool, String)>,
    /// Where that was read.
    sources: Vec<String>,
    /// Why it is not all.
    why: Option<Unavailable>,
}

/// `updates.security:hypervisor`, `updates.security:others`
pub(super) fn security(gather: &Gather, set: &str) -> Found {
    let waiting: Arc<Result<Waiting, Unavailable>> = gather.memo("waiting security updates", waiting);
    let waiting = match &*waiting {
        Ok(waiting) => waiting,
        Err(why) => return Found::unavailable(why.clone(), STATUS),
    };
    let source = waiting.sources.join(", ");
    let wanted = match set {
        "hypervisor" => true,
        "others" => false,
        _ => {
            let why = "updates.security: takes hypervisor or others".to_owned();
            return Found::unavailable(Unavailable::NotExposed(why), LISTS);
        }
    };
    let found: Vec<String> =
        waiting.found.iter().filter(|(of, _)| *of == wanted).map(|(_, name)| name.clone()).collect();
    match &waiting.why {
        // What was found waits, whatever else does.
        Some(why) if found.is_empty() => {
            Found::unavailable(why.clone(), if source.is_empty() { LISTS.into() } else { source })
        }
        _ => Found::value(Value::List(found), source),
    }
}

fn waiting(gather: &Gather) -> Result<Waiting, Unavailable> {
    let installed = dpkg::installed(gather)?;
    let mut waiting = Waiting::default();
    let indices = index::indices(gather)?;
    let offline = advisory_files(gather)?;
    if indices.is_empty() && offline.is_empty() {
        let why = format!("no index of security updates below {LISTS}, and no advisories in {ADVISORIES}");
        waiting.why = Some(Unavailable::NotExposed(why));
    }
    if !indices.is_empty() {
        match by_index(gather, &installed, &indices) {
            Ok(found) => waiting.found.extend(found.iter().cloned()),
            Err(why) => waiting.why = Some(why),
        }
        let fresh = index::fresh(gather, FRESH_HOURS).value;
        if waiting.why.is_none() && fresh != Ok(Value::from(true)) {
            let why = "the package index is old: run apt-get update".to_owned();
            waiting.why = Some(Unavailable::NotExposed(why));
        }
        waiting.sources.extend(indices);
    }
    if !offline.is_empty() {
        let found = by_advisories(gather, &installed, &offline)?;
        waiting.found.extend(found.iter().cloned());
        waiting.sources.push(ADVISORIES.to_owned());
        // Advisories answer where there is no index to be read.
        waiting.why = None;
    }
    waiting.found.sort_unstable();
    waiting.found.dedup();
    Ok(waiting)
}

type Found2 = Result<Vec<(bool, String)>, Unavailable>;

fn by_index(
    gather: &Gather,
    installed: &Installed,
    indices: &[String],
) -> Result<Vec<(bool, String)>, Unavailable> {
    let stamp = stamp(gather, indices.iter().map(String::as_str).chain([STATUS]));
    for path in indices {
        gather.note(path);
    }
    let found: Arc<Found2> = gather.kept("packages of security indices", stamp, |gather| {
        let mut newest: BTreeMap<(bool, String), (String, String)> = BTreeMap::new();
        for path in indices {
            index::packages(gather, path, &mut |package| {
                let (Some(version), Some(own)) = (package.version, installed.0.get(package.name)) else {
                    return;
                };
                for one in own {
                    let same = package.architecture == "all"
                        || package.architecture.is_empty()
                        || *one.architecture == *package.architecture;
                    if same && compare_versions(version, &one.version).is_gt() {
                        let key = (of_hypervisor(&one.source), package.name.to_owned());
                        let known = newest
                            .entry(key)
                            .or_insert_with(|| (one.version.to_string(), version.to_owned()));
                        if compare_versions(version, &known.1).is_gt() {
                            version.clone_into(&mut known.1);
                        }
                    }
                }
            })?;
        }
        Ok(newest
            .into_iter()
            .map(|((of, name), (old, new))| (of, format!("{name} {old} -> {new}")))
            .collect())
    });
    (*found).clone()
}

fn advisory_files(gather: &Gather) -> Result<Vec<String>, Unavailable> {
    match gather.list(ADVISORIES) {
        Ok(names) => {
            let json = names.into_iter().filter(|name| name.strip_suffix(".json").is_some());
            Ok(json.map(|name| format!("{ADVISORIES}/{name}")).collect())
        }
        Err(Unavailable::Absent) => Ok(Vec::new()),
        Err(why) => Err(why),
    }
}

fn by_advisories(
    gather: &Gather,
    installed: &Installed,
    files: &[String],
) -> Result<Vec<(bool, String)>, Unavailable> {
    let release = match gather.text("/etc/os-release") {
        Err(Unavailable::Absent) => gather.text("/usr/lib/os-release"),
        text => text,
    };
    let release = OsRelease::parse(&release?);
    if release.id != "debian" {
        let why = format!("advisories are matched with Debian's packages, and this is {}", release.id);
        return Err(Unavailable::NotExposed(why));
    }
    let stamp = stamp(gather, files.iter().map(String::as_str).chain([STATUS, "/etc/os-release"]));
    for path in files {
        gather.note(path);
    }
    let found: Arc<Found2> = gather.kept("advisories", stamp, |gather| {
        let mut sources: BTreeMap<&str, &str> = BTreeMap::new();
        for package in installed.0.values().flatten() {
            sources.insert(&package.source, &package.source_version);
        }
        let mut found = Vec::new();
        for path in files {
            let content = gather.host().read(path, ADVISORY_BYTES_MAX)?;
            let parsed = advisories::parse(&content.bytes, &mut |advisory| {
                if advisory.withdrawn.is_some() {
                    return;
                }
                for affected in &advisory.affected {
                    let name = affected.package.name.as_str();
                    let Some(own) = sources.get(name) else { continue };
                    if affected.is_about(name, &release.version_id)
                        && affected.affects(own)
                        && let Some(fixed) = affected.fixed_after(own)
                    {
                        found
                            .push((of_hypervisor(name), format!("{}: {name} {own} -> {fixed}", advisory.id)));
                    }
                }
            });
            parsed.map_err(|error| Unavailable::Malformed(format!("{path}: {error}")))?;
        }
        Ok(found)
    });
    (*found).clone()
}

fn of_hypervisor(source: &str) -> bool {
    HYPERVISOR.iter().any(|name| source.starts_with(name))
}

fn stamp<'p>(gather: &Gather, paths: impl Iterator<Item = &'p str>) -> u64 {
    let mut hasher = DefaultHasher::new();
    for path in paths {
        path.hash(&mut hasher);
        let meta = gather.host().meta(path).ok().map(<(u64, u64, u64, i64, i64)>::from);
        meta.hash(&mut hasher);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::super::super::libvirt::testing::Tree;
    use super::*;

    const INDEX: &str = "var/lib/apt/lists/deb.example_dists_bookworm-security_main_binary-amd64_Packages";

    fn package(name: &str, version: &str, architecture: &str) -> String {
        format!(
            "Package: {name}\nStatus: install ok installed\nArchitecture: {architecture}\nVersion: {version}\n\n"
        )
    }

    fn tree() -> Tree {
        let status = package("qemu-system-x86", "1:7.2+dfsg-7", "amd64")
            + &package("nano", "7.2-1", "amd64")
            + &package("curl", "8-1", "amd64");
        Tree::new(&[
            ("var/lib/dpkg/status", &status),
            ("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n"),
            ("var/lib/apt/lists/partial/x", ""),
        ])
    }

    #[test]
    fn what_waits_is_told_by_set_and_what_is_not_installed_or_another_s_is_not() {
        let tree = tree();
        assert_eq!(tree.told(security, "hypervisor"), "!not-exposed", "no index");
        let text = package("qemu-system-x86", "1:7.2+dfsg-7+deb12u1", "amd64")
            + &package("qemu-system-x86", "1:7.2+dfsg-7+deb12u9", "amd64")
            + &package("curl", "9-1", "i386")
            + &package("nano", "7.2-1", "amd64")
            + &package("emacs", "99", "amd64");
        tree.add(INDEX, text);
        assert_eq!(tree.told(security, "hypervisor"), "qemu-system-x86 1:7.2+dfsg-7 -> 1:7.2+dfsg-7+deb12u9");
        assert_eq!(tree.told(security, "others"), "none");
        assert_eq!(tree.told(security, ""), "!not-exposed");
    }

    #[test]
    fn an_old_index_does_not_say_that_nothing_waits() {
        let tree = tree();
        tree.add(INDEX, package("nano", "9", "amd64"));
        tree.add(
            "var/lib/apt/lists/deb.example_dists_bookworm-security_InRelease",
            "Valid-Until: Mon, 02 Nov 2026 02:22:30 UTC\n",
        );
        assert_eq!(tree.told(security, "hypervisor"), "!not-exposed");
        assert_eq!(tree.told(security, "others"), "nano 7.2-1 -> 9", "but what it has waits");
    }

    #[test]
    fn advisories_answer_where_no_index_can_be_read() {
        let tree = tree();
        tree.add(&format!("{INDEX}.xz"), "?");
        assert_eq!(tree.told(security, "hypervisor"), "!not-exposed");
        let advisory = |ecosystem: &str, extra: &str| {
            format!(
                r#"{{"id":"DSA-1","affected":[{{"package":{{"ecosystem":"{ecosystem}","name":"curl"}},
                "ranges":[{{"type":"ECOSYSTEM","events":[{{"introduced":"0"}},{{"fixed":"8-2"}}]}}]}}]{extra}}}"#
            )
        };
        tree.add("var/lib/bartizan/advisories/a.json", advisory("Debian:12", ""));
        assert_eq!(tree.told(security, "others"), "DSA-1: curl 8-1 -> 8-2");
        assert_eq!(tree.told(security, "hypervisor"), "none");
        for other in
            [advisory("Debian:11", ""), advisory("Debian:12", r#","withdrawn":"2026-01-01T00:00:00Z""#)]
        {
            tree.add("var/lib/bartizan/advisories/a.json", other);
            assert_eq!(tree.told(security, "others"), "none");
        }
        tree.add("var/lib/bartizan/advisories/a.json", "{");
        assert_eq!(tree.told(security, "others"), "!malformed");
    }
}
