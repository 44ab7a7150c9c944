//! Drop-ins of systemd units that set one thing two ways: which wins, which are without effect. (systemd.unit(5).)

use super::{Host, side};
use crate::checks::Unavailable;
use crate::checks::facts::Gather;
use crate::checks::parse::etc::ini::{Entry, Ini, Style};
use crate::coordination::{Class, Mode};
use std::collections::BTreeMap;

/// Where units are; of drop-ins of one name that in the earlier folder is the one that is read.
const FOLDERS: [&str; 4] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
];

/// Settings of which the last counts; of others the values add up.
const SCALARS: [&str; 32] = [
    "AmbientCapabilities",
    "CPUQuota",
    "CPUWeight",
    "DynamicUser",
    "Group",
    "IOWeight",
    "LimitMEMLOCK",
    "LimitNOFILE",
    "MemoryDenyWriteExecute",
    "MemoryHigh",
    "MemoryLow",
    "MemoryMax",
    "MemoryMin",
    "MemorySwapMax",
    "NoNewPrivileges",
    "OOMScoreAdjust",
    "PrivateDevices",
    "PrivateNetwork",
    "PrivateTmp",
    "PrivateUsers",
    "ProtectHome",
    "ProtectKernelModules",
    "ProtectKernelTunables",
    "ProtectSystem",
    "Restart",
    "RestrictRealtime",
    "RestrictSUIDSGID",
    "Slice",
    "TasksMax",
    "Type",
    "UMask",
    "User",
];

pub(super) fn look(gather: &Gather, host: &mut Host) {
    // Unit, then drop-in by name; the folder that comes first wins.
    let mut units: BTreeMap<String, BTreeMap<String, Vec<String>>> = BTreeMap::new();
    for folder in FOLDERS {
        let names = match gather.list(folder) {
            Ok(names) => names,
            Err(Unavailable::Absent) => continue,
            Err(why) => {
                host.unknown(folder, &why);
                continue;
            }
        };
        for name in names.iter().filter(|name| name.strip_suffix(".d").is_some()) {
            let drop_ins = format!("{folder}/{name}");
            match gather.list(&drop_ins) {
                Ok(files) => {
                    let unit = units.entry(name.trim_end_matches(".d").to_owned()).or_default();
                    for file in files.into_iter().filter(|file| file.strip_suffix(".conf").is_some()) {
                        let path = format!("{drop_ins}/{file}");
                        unit.entry(file).or_default().push(path);
                    }
                }
                Err(Unavailable::Absent) => {}
                Err(why) => host.unknown(&drop_ins, &why),
            }
        }
    }
    for (unit, files) in units {
        one_unit(gather, &unit, &files, host);
    }
}

fn one_unit(gather: &Gather, unit: &str, files: &BTreeMap<String, Vec<String>>, host: &mut Host) {
    let mut read = Ini::default();
    for paths in files.values() {
        let Some((winner, masked)) = paths.split_first() else { continue };
        match gather.text(winner) {
            Ok(text) => read.add(winner, &text, Style::Systemd),
            // A link to /dev/null masks the others of its name.
            Err(Unavailable::Malformed(_)) => {}
            Err(why) => host.unknown(winner, &why),
        }
        for path in masked {
            let sentence = format!("{path} is not read: {winner} has the same name and goes before it");
            let sides =
                vec![side("systemd", "drop-in", winner.as_str()), side("systemd", "drop-in", path.as_str())];
            host.conflict(Class::Shadowed, &format!("host/unit/{unit}"), sides, sentence);
        }
    }
    let mut settings: BTreeMap<(&str, &str), Vec<&Entry>> = BTreeMap::new();
    for entry in read.entries.iter().filter(|entry| SCALARS.contains(&&*entry.key)) {
        settings.entry((&entry.section, &entry.key)).or_default().push(entry);
    }
    for ((_, key), entries) in settings {
        let Some((winner, others)) = entries.split_last() else { continue };
        let path = format!("host/unit/{unit}/{key}");
        let place = winner.origin.to_string();
        host.claim(&owner(winner), "systemd drop-in", &path, Mode::Shared, Some(&winner.value), &place);
        for other in others.iter().filter(|other| other.value != winner.value && !other.value.is_empty()) {
            let sentence = format!(
                "{} sets {key}={} for {unit}, without effect: {place}, read later, sets it to {:?}",
                other.origin, other.value, winner.value
            );
            let says = |entry: &Entry| format!("{key}={}", entry.value);
            let sides = vec![
                side(&owner(winner), "systemd drop-in", says(winner)),
                side(&owner(other), "systemd drop-in", says(other)),
            ];
            host.conflict(Class::Shadowed, &path, sides, sentence);
        }
    }
}

/// Whose drop-in it is, by the name of its file.
fn owner(entry: &Entry) -> String {
    let file = entry.origin.file.rsplit('/').next().unwrap_or_default();
    let stem = file.strip_suffix(".conf").unwrap_or(file);
    let name = stem.trim_start_matches(|char: char| char.is_ascii_digit() || char == '-' || char == '_');
    if name.is_empty() || name == "override" { "administrator".to_owned() } else { name.to_owned() }
}
