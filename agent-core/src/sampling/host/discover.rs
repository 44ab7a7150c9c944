//! Which CPUs, nodes and devices there are.

use super::HostLabels;
use crate::config::Roots;
use crate::sampling::parse::{Grammar, walk};
use std::collections::BTreeSet;
use std::path::Path;

/// What was found.
pub(super) struct Devices {
    /// Logical CPUs that are online.
    pub(super) cpus: Vec<u32>,
    pub(super) nodes: Vec<u32>,
    /// Whole disks; partitions are part of theirs.
    pub(super) block: Vec<String>,
    pub(super) net: Vec<String>,
}

impl Devices {
    /// Looks. Where a file was cut short, what was there before is taken to be there still.
    pub(super) fn find(roots: &Roots, before: &HostLabels) -> Self {
        let block = keys(&roots.proc.join("diskstats"), Grammar::Third, &before.block_devices);
        Self {
            cpus: cpus(roots),
            nodes: numbered(&roots.sys.join("devices/system/node"), "node"),
            block: block.into_iter().filter(|name| !is_partition(&roots.sys, name)).collect(),
            net: keys(&roots.proc.join("net/dev"), Grammar::Lines, &before.net_devices),
        }
    }
}

fn cpus(roots: &Roots) -> Vec<u32> {
    let online = std::fs::read_to_string(roots.sys.join("devices/system/cpu/online")).unwrap_or_default();
    let listed = parse_list(online.trim());
    if !listed.is_empty() {
        return listed;
    }
    let stat = std::fs::read(roots.proc.join("stat")).unwrap_or_default();
    let mut cpus = BTreeSet::new();
    walk(Grammar::Stat, &stat, &mut |token| {
        let number: Option<u32> =
            std::str::from_utf8(token.key).ok().and_then(|key| key.strip_prefix("cpu")?.parse().ok());
        cpus.extend(number);
    });
    cpus.into_iter().collect()
}

/// The kernel's lists of CPUs: `0-3,8,10-11`. Nonsense yields nothing.
fn parse_list(text: &str) -> Vec<u32> {
    /// More CPUs than Linux can have.
    const CPUS_MAX: u32 = 1 << 16;
    let mut list = BTreeSet::new();
    for range in text.split(',').filter(|range| !range.is_empty()) {
        let (low, high) = range.split_once('-').unwrap_or((range, range));
        let (Ok(low), Ok(high)) = (low.parse::<u32>(), high.parse::<u32>()) else { return Vec::new() };
        if high >= CPUS_MAX {
            return Vec::new();
        }
        list.extend(low..=high);
    }
    list.into_iter().collect()
}

/// The numbers of folders called `prefix0`, `prefix1`, ...
pub(super) fn numbered(folder: &Path, prefix: &str) -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut numbers: Vec<u32> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.strip_prefix(prefix)?.parse().ok())
        .collect();
    numbers.sort_unstable();
    numbers
}

/// The keys of a file's lines, in their order.
fn keys(path: &Path, grammar: Grammar, before: &[Option<String>]) -> Vec<String> {
    let bytes = std::fs::read(path).unwrap_or_default();
    let mut keys: Vec<String> = Vec::new();
    walk(grammar, &bytes, &mut |token| {
        if token.column == 0 && token.name.is_empty() {
            keys.push(String::from_utf8_lossy(token.key).into_owned());
        }
    });
    if bytes.last() != Some(&b'\n') {
        let missing = before.iter().flatten().filter(|name| !keys.contains(name)).cloned();
        let missing: Vec<_> = missing.collect();
        keys.extend(missing);
    }
    keys
}

fn is_partition(sys: &Path, name: &str) -> bool {
    sys.join("class/block").join(name.replace('/', "!")).join("partition").exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cpus() {
        assert_eq!(parse_list("0-2,5,7-8"), [0, 1, 2, 5, 7, 8]);
        assert_eq!(parse_list("0"), [0]);
        for nonsense in ["", "a", "1-", "0-4294967295", "-1", "1,,x"] {
            assert_eq!(parse_list(nonsense), [] as [u32; 0], "{nonsense:?}");
        }
    }
}
