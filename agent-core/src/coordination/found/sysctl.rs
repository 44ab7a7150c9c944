//! Who sets which sysctl: the layers of sysctl.d(5), which of them wins, and whether the running kernel still agrees.

use super::{Host, side};
use crate::checks::Unavailable;
use crate::checks::facts::Gather;
use crate::checks::facts::providers::kernel::sysctl_layers;
use crate::checks::parse::etc::sysctl_d::{Assignment, Merged};
use crate::coordination::{Class, Mode};

pub(super) fn look(gather: &Gather, host: &mut Host) {
    match &*sysctl_layers(gather) {
        Ok(merged) => layers(gather, merged, host),
        Err(why) => host.unseen("host/sysctl", "sysctl.d", &why.to_string()),
    }
}

fn layers(gather: &Gather, merged: &Merged, host: &mut Host) {
    let mut keys: Vec<&str> = merged.keys().collect();
    keys.sort_unstable();
    for key in keys {
        let Some(setting) = merged.setting(key) else { continue };
        let Some(value) = setting.winner.value.as_deref() else { continue };
        let path = format!("host/sysctl/{key}");
        let winner = setting.winner.origin.to_string();
        host.claim(&owner(&setting.winner), "sysctl.d", &path, Mode::Shared, Some(value), &winner);
        for other in setting.overridden.iter().filter(|other| other.pattern.is_none()) {
            let Some(lost) = other.value.as_deref().filter(|lost| !same(lost, value)) else { continue };
            let sentence = format!(
                "{} sets {key} = {lost}, without effect: {winner}, read later, sets it to {value}",
                other.origin
            );
            let sides = vec![
                side(&owner(&setting.winner), "sysctl.d", format!("{key} = {value}")),
                side(&owner(other), "sysctl.d", format!("{key} = {lost}")),
            ];
            host.conflict(Class::Shadowed, &path, sides, sentence);
        }
        match gather.text(&format!("/proc/sys/{key}")) {
            Ok(running) if !same(&running, value) => {
                let running = running.trim();
                let sentence = format!(
                    "{key} is {running} in the running kernel, and {winner} sets it to {value} at boot: somebody set it \
                     since, or it was never applied"
                );
                let sides = vec![
                    side("somebody", "running kernel", format!("{key} = {running}")),
                    side(&owner(&setting.winner), "sysctl.d", format!("{key} = {value}")),
                ];
                host.conflict(Class::Contradiction, &path, sides, sentence);
            }
            // A key of a module that is not loaded, or one that can only be written.
            Ok(_) | Err(Unavailable::Absent | Unavailable::NotExposed(_)) => {}
            Err(why) => host.unknown(&format!("sysctl {key}"), &why),
        }
    }
}

/// Whose file it is: the package's name in it, such as `ufw` of `/etc/sysctl.d/10-ufw.conf`.
fn owner(assignment: &Assignment) -> String {
    let file = assignment.origin.file.rsplit('/').next().unwrap_or_default();
    let stem = file.strip_suffix(".conf").unwrap_or(file);
    let name = stem.trim_start_matches(|char: char| char.is_ascii_digit() || char == '-');
    if name.is_empty() { stem.to_owned() } else { name.to_owned() }
}

/// Whether two texts mean one value: the kernel writes tabs where files have blanks.
fn same(a: &str, b: &str) -> bool {
    a.split_whitespace().eq(b.split_whitespace())
}
