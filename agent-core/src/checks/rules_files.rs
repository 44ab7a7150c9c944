//! The rules that are compiled in, and those that the host's owner adds; the owner's waivers.

use super::declared::RuleSet;
use super::host::HostFiles;
use super::reasoning;
use super::waiver::{self, Waivers};
use crate::config::Config;
use std::path::Path;

/// The shipped rule files: a name to show in errors, and the text.
pub const SHIPPED: &[(&str, &str)] = &[
    ("cpu.toml", include_str!("rules/cpu.toml")),
    ("cpu-vuln.toml", include_str!("rules/cpu-vuln.toml")),
    ("cpu-switches.toml", include_str!("rules/cpu-switches.toml")),
    ("kernel.toml", include_str!("rules/kernel.toml")),
    ("kernel-config.toml", include_str!("rules/kernel-config.toml")),
    ("boot.toml", include_str!("rules/boot.toml")),
    ("memory.toml", include_str!("rules/memory.toml")),
    ("vmm.toml", include_str!("rules/vmm.toml")),
    ("vmcfg.toml", include_str!("rules/vmcfg.toml")),
    ("storage.toml", include_str!("rules/storage.toml")),
    ("iommu.toml", include_str!("rules/iommu.toml")),
    ("net.toml", include_str!("rules/net.toml")),
    ("mgmt.toml", include_str!("rules/mgmt.toml")),
    ("patch.toml", include_str!("rules/patch.toml")),
    ("audit.toml", include_str!("rules/audit.toml")),
    ("access.toml", include_str!("rules/access.toml")),
];

/// The shipped rules.
#[must_use]
pub fn shipped() -> RuleSet {
    Loading::default().finish()
}

/// Reads the shipped rules file by file: all at once they take milliseconds, and much longer under a tool that looks
/// at every instruction.
#[derive(Default)]
pub struct Loading {
    set: RuleSet,
    read: usize,
}

impl Loading {
    /// Reads one more file; whether there are others.
    pub fn step(&mut self) -> bool {
        if let Some((name, text)) = SHIPPED.get(self.read) {
            self.set.add(Path::new(name), text, &known);
            self.read += 1;
        }
        self.read < SHIPPED.len()
    }

    /// The shipped rules.
    #[must_use]
    pub fn finish(mut self) -> RuleSet {
        while self.step() {}
        self.set.shrink();
        self.set
    }
}

/// The rules in force by a configuration.
#[must_use]
pub fn rules(config: &Config) -> RuleSet {
    in_force(shipped(), &HostFiles::new(config.roots.clone()), &config.checks.folder, &config.checks.off)
}

/// The shipped rules, and those of a folder on the host (`*.toml`, in the order of their names), less those that are
/// switched off. A rule of a shipped rule's name replaces it. A file that is not owned by root, or that others may
/// write to, is not believed.
#[must_use]
pub(super) fn in_force(shipped: RuleSet, host: &HostFiles, folder: &str, off: &[String]) -> RuleSet {
    let mut set = with_own(shipped, host, folder);
    for id in off {
        if !set.remove(id) {
            let like = set.nearest(id).map_or_else(String::new, |like| format!("; did you mean {like:?}?"));
            set.unreadable(Path::new("checks.off"), &format!("there is no rule {id:?}{like}"));
        }
    }
    set
}

/// The waivers of a file; none when there is no file.
#[must_use]
pub(super) fn waivers(host: &HostFiles, path: &str) -> Waivers {
    match host.read(path, waiver::FILE_BYTES_MAX) {
        Err(super::Unavailable::Absent) => Waivers::default(),
        Err(why) => Waivers::broken(why.to_string()),
        Ok(content) if host.is_live() && untrusted(&content.meta) => Waivers::broken(
            "can be changed by others than root and this user: chown it, and chmod go-w".to_owned(),
        ),
        Ok(content) => match std::str::from_utf8(&content.bytes) {
            Ok(text) => Waivers::parse(text).unwrap_or_else(|error| Waivers::broken(error.to_string())),
            Err(error) => Waivers::broken(format!("is not UTF-8: {error}")),
        },
    }
}

fn with_own(mut set: RuleSet, host: &HostFiles, folder: &str) -> RuleSet {
    let names = match host.list(folder) {
        Ok(names) => names,
        Err(super::Unavailable::Absent) => return set,
        Err(why) => {
            set.unreadable(Path::new(folder), &why.to_string());
            return set;
        }
    };
    for name in names.into_iter().filter(|name| is_rule_file(name)) {
        let path = format!("{folder}/{name}");
        let file = Path::new(&path);
        match host.read(&path, super::declared::rule_file::FILE_BYTES_MAX) {
            Ok(content) if host.is_live() && untrusted(&content.meta) => {
                set.unreadable(
                    file,
                    "can be changed by others than root and this user: chown it, and chmod go-w",
                );
            }
            Ok(content) => match String::from_utf8(content.bytes) {
                Ok(text) => set.add(file, &text, &known),
                Err(error) => set.unreadable(file, &format!("is not UTF-8: {error}")),
            },
            Err(why) => set.unreadable(file, &why.to_string()),
        }
    }
    set
}

/// As conf.d folders have it: an editor's backups and hidden files do not count.
fn is_rule_file(name: &str) -> bool {
    name.strip_suffix(".toml").is_some_and(|stem| !stem.is_empty() && !stem.starts_with('.'))
}

fn known(code: &str) -> bool {
    reasoning::find(code).is_some()
}

fn untrusted(meta: &super::host::Meta) -> bool {
    let own = nix::unistd::geteuid().as_raw();
    (meta.uid != 0 && meta.uid != own) || meta.permissions() & 0o022 != 0
}
