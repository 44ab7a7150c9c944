//! Opens what is found by looking around in `/sys`: heat, energy, memory errors, the clock source.

use super::clock::ClockWatch;
use super::discover::numbered;
use super::open::Opener;
use super::scalars::{Combine, Scalar, Scalars};
use super::schema::Root;
use crate::sampling::metrics::{MetricId, Scope, Source, cpu, host};
use nix::errno::Errno;
use std::path::{Path, PathBuf};

/// Files kept open for one kind at most; of a larger machine the first are read, and the report says so.
const FILES_MAX: usize = 1_024;

pub(super) fn open(opener: &mut Opener) {
    thermal_zones(opener);
    throttles(
        opener,
        "core_throttle_count",
        host::CORE_THROTTLES,
        cpu::CORE_THROTTLES,
        "topology/thread_siblings_list",
    );
    throttles(
        opener,
        "package_throttle_count",
        host::PACKAGE_THROTTLES,
        cpu::PACKAGE_THROTTLES,
        "topology/core_siblings_list",
    );
    memory_errors(opener);
    energy(opener);
    clock(opener);
}

/// Opens the files that can be opened; notes the rest. `None` when there is none at all.
fn scalars(
    opener: &mut Opener,
    metric: MetricId,
    combine: Combine,
    paths: Vec<(PathBuf, Option<(u32, MetricId)>)>,
    nothing: &Path,
    finish: impl Fn(&Path, &mut Scalar),
) {
    let source = metric.metric().source;
    if paths.is_empty() {
        opener.notes.closed(source, nothing, Errno::ENOENT);
        return;
    }
    if paths.len() > FILES_MAX {
        opener
            .notes
            .limit(source, format!("{} files of a kind, the first {FILES_MAX} are read", paths.len()));
    }
    let mut files = Vec::new();
    for (path, place) in paths.into_iter().take(FILES_MAX) {
        match opener.find(source, &path) {
            Ok(found) => {
                let mut scalar = Scalar::new(found.file);
                scalar.place = place.map(|(row, metric)| (Scope::Cpu, row, metric));
                opener.covered.extend(scalar.place);
                finish(&path, &mut scalar);
                files.push(scalar);
            }
            Err(availability) => {
                opener.failures.insert(metric, availability);
                if let Some((_, metric)) = place {
                    opener.failures.insert(metric, availability);
                }
            }
        }
    }
    if files.iter().any(|scalar| scalar.counts) {
        opener.covered.insert((Scope::Host, 0, metric));
        let period = opener.config.sampling.period_ticks(source);
        opener.scalars.push(Scalars::new(source, metric, combine, files, period));
    }
}

fn thermal_zones(opener: &mut Opener) {
    let folder = opener.path(Root::Sys, "class/thermal");
    let zones = numbered(&folder, "thermal_zone");
    let paths = zones.iter().map(|zone| (folder.join(format!("thermal_zone{zone}/temp")), None)).collect();
    scalars(opener, host::TEMPERATURE, Combine::Max, paths, &folder.join("thermal_zone*"), |_, _| ());
}

fn throttles(opener: &mut Opener, name: &str, metric: MetricId, of_cpu: MetricId, siblings: &str) {
    let folder = opener.path(Root::Sys, "devices/system/cpu");
    let mut paths = Vec::new();
    let cpus: Vec<_> = opener.labels.cpus.iter().flatten().copied().collect();
    for cpu in cpus {
        let path = folder.join(format!("cpu{cpu}/thermal_throttle/{name}"));
        if let (true, Some(row)) = (path.exists(), opener.cpu_row(cpu)) {
            paths.push((path, Some((row, of_cpu))));
        }
    }
    let missing = folder.join(format!("cpu*/thermal_throttle/{name}"));
    scalars(opener, metric, Combine::Sum, paths, &missing, |path, scalar| {
        // .../cpuN/thermal_throttle/NAME: the first of the CPUs that share the counter counts.
        let Some(of_cpu) = path.parent().and_then(Path::parent) else { return };
        let number = of_cpu.file_name().and_then(|name| name.to_str()?.strip_prefix("cpu"));
        let list = std::fs::read_to_string(of_cpu.join(siblings)).unwrap_or_default();
        let first = list.trim().split([',', '-']).next().unwrap_or("");
        scalar.counts = first.is_empty() || Some(first) == number;
    });
}

fn memory_errors(opener: &mut Opener) {
    let folder = opener.path(Root::Sys, "devices/system/edac/mc");
    let controllers = numbered(&folder, "mc");
    for (name, metric) in
        [("ce_count", host::MEMORY_ERRORS_CORRECTED), ("ue_count", host::MEMORY_ERRORS_UNCORRECTED)]
    {
        let paths = controllers.iter().map(|mc| (folder.join(format!("mc{mc}/{name}")), None)).collect();
        scalars(opener, metric, Combine::Sum, paths, &folder.join("mc*").join(name), |_, _| ());
    }
}

/// RAPL: `intel-rapl:0` is a package, `intel-rapl:0:2` a part of it; `name` says which.
fn energy(opener: &mut Opener) {
    let folder = opener.path(Root::Sys, "class/powercap");
    let mut zones: Vec<PathBuf> = std::fs::read_dir(&folder)
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    // `intel-rapl-mmio` shows the same packages once more.
    zones.retain(|zone| {
        zone.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("intel-rapl:"))
    });
    zones.sort();
    for (prefix, metric) in [("package", host::ENERGY_PACKAGES), ("dram", host::ENERGY_DRAM)] {
        let of_kind = |zone: &&PathBuf| {
            std::fs::read_to_string(zone.join("name")).is_ok_and(|name| name.starts_with(prefix))
        };
        let paths = zones.iter().filter(of_kind).map(|zone| (zone.join("energy_uj"), None)).collect();
        scalars(opener, metric, Combine::Unwrapped, paths, &folder.join("intel-rapl:*"), |path, scalar| {
            let range =
                std::fs::read_to_string(path.with_file_name("max_energy_range_uj")).unwrap_or_default();
            scalar.range = range.trim().parse().unwrap_or(i64::MAX);
        });
    }
}

fn clock(opener: &mut Opener) {
    let path = opener.path(Root::Sys, "devices/system/clocksource/clocksource0/current_clocksource");
    let file = opener.find(Source::Clock, &path).map(|found| found.file);
    // The clock source changes once in a machine's life, if at all: the slow rate will do.
    let turn = opener.turn(Source::KernelHealth);
    opener.clock = ClockWatch::new(file, turn);
    for metric in [host::CLOCK_SOURCE, host::CLOCK_SOURCE_CHANGES, host::CLOCK_STEPS, host::CLOCK_STEP_LAST] {
        opener.covered.insert((Scope::Host, 0, metric));
    }
}
