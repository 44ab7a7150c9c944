//! `bartizan show`: values now, with their age, and the reason where there is none.

use crate::cli::{Common, ShowArgs};
use crate::exit::{Code, Failure};
use crate::serve::labels::host_row_name;
use crate::view::paint::Paint;
use crate::view::rates::{Rates, float};
use crate::view::table::Table;
use crate::view::units;
use crate::watch::{configure, look};
use bartizan_core::engine::Reader;
use bartizan_core::sampling::availability::Availability;
use bartizan_core::sampling::frame::Entity;
use bartizan_core::sampling::metrics::{self, Kind, Metric, Scope};
use serde_json::json;
use std::io::{self, Write};

/// How alike two names must be (Levenshtein steps) to suggest one for the other.
const SUGGESTION_DISTANCE_MAX: usize = 8;

pub(super) fn run(common: &Common, args: &ShowArgs) -> Result<(), Failure> {
    let wanted = wanted(args.metric.as_deref())?;
    let mut rates = Rates::default();
    let mut entities = Vec::new();
    let reader = look(configure(common)?, |reader| {
        rates.begin();
        entities = named_entities(reader, args.entity.as_deref());
        for (metric, entity, _) in pairs(&wanted, &entities) {
            if metric.kind == Kind::Counter {
                rates.rate(reader, entity, metric.id);
            }
        }
    })?;
    if entities.is_empty()
        && let Some(name) = &args.entity
    {
        return Err(Failure::new(Code::Usage, format!("nothing here is called {name:?}; see: bartizan vms")));
    }
    let mut out = io::stdout().lock();
    let mut table = Table::new(&["METRIC", "ENTITY", ">VALUE", ">RATE", "STATE", ">AGE"]);
    let paint = Paint::new(common.color);
    for (metric, entity, name) in pairs(&wanted, &entities) {
        let reading = reader.read(entity, metric.id);
        let value = matches!(reading.availability, Availability::Ok | Availability::Stale)
            .then(|| float(reading.value) * metric.unit.scale());
        let rate = (metric.kind == Kind::Counter).then(|| rates.rate(&reader, entity, metric.id)).flatten();
        let age_ns = reader.clock().mono_ns().saturating_sub(reading.read_at_ns);
        let age = (reading.read_at_ns > 0).then(|| std::time::Duration::from_nanos(age_ns).as_secs_f64());
        if args.json {
            let object = json!({
                "metric": metric.name,
                "scope": entity.scope.name(),
                "entity": name,
                "value": value,
                "rate_per_second": rate,
                "state": reading.availability.name(),
                "age_seconds": age,
            });
            writeln!(out, "{object}")?;
            continue;
        }
        table.row(vec![
            metric.name.to_owned(),
            units::printable(name),
            units::optional(value, |value| units::value(value, metric.unit)),
            units::optional(rate, |rate| rate_text(rate, metric)),
            paint.availability(reading.availability, reading.availability.name()),
            units::optional(age, units::seconds),
        ]);
    }
    if !args.json {
        table.write(&mut out, paint)?;
    }
    Ok(())
}

/// A rate in the unit that says most: time per time is a share.
fn rate_text(rate: f64, metric: &Metric) -> String {
    match metric.unit {
        metrics::Unit::Nanoseconds => units::percent(rate),
        unit => format!("{}/s", units::value(rate, unit)),
    }
}

fn pairs<'a>(
    wanted: &'a [&'static Metric],
    entities: &'a [(Entity, String)],
) -> impl Iterator<Item = (&'static Metric, Entity, &'a str)> {
    wanted.iter().flat_map(move |metric| {
        entities
            .iter()
            .filter(|(entity, _)| entity.scope == metric.id.scope())
            .map(|(entity, name)| (*metric, *entity, name.as_str()))
    })
}

/// The metrics that a name or a pattern with `*` means.
fn wanted(pattern: Option<&str>) -> Result<Vec<&'static Metric>, Failure> {
    let Some(pattern) = pattern else { return Ok(metrics::all().collect()) };
    let bare = pattern.strip_prefix("bartizan_").unwrap_or(pattern);
    let bare = bare.strip_suffix("_total").unwrap_or(bare);
    let found: Vec<_> = metrics::all().filter(|metric| matches(bare, metric.name)).collect();
    if found.is_empty() {
        let nearest = metrics::all()
            .map(|metric| (distance(bare, metric.name), metric.name))
            .min()
            .filter(|(distance, _)| *distance <= SUGGESTION_DISTANCE_MAX);
        let hint = nearest.map_or_else(String::new, |(_, name)| format!("; did you mean {name}?"));
        return Err(Failure::new(
            Code::Usage,
            format!("there is no metric {pattern:?}{hint} (all of them: bartizan metrics)"),
        ));
    }
    Ok(found)
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((head, rest)) => name.strip_prefix(head).is_some_and(|tail| {
            (0..=tail.len()).any(|skip| tail.get(skip..).is_some_and(|tail| matches(rest, tail)))
        }),
    }
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let next = (diagonal + usize::from(x != y)).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = row[j + 1];
            row[j + 1] = next;
        }
    }
    row[b.len()]
}

/// Everything there is, or what bears this name: a VM and its parts, a device, a CPU.
fn named_entities(reader: &Reader, wanted: Option<&str>) -> Vec<(Entity, String)> {
    let mut all = vec![(Entity::HOST, "host".to_owned()), (Entity::AGENT, "agent".to_owned())];
    for scope in [Scope::Cpu, Scope::Node, Scope::Block, Scope::Net] {
        all.extend(reader.frame().entities(scope).map(|entity| (entity, host_row_name(reader, entity))));
    }
    for vm in reader.vms() {
        let name = &vm.name;
        all.push((vm.entity, name.clone()));
        all.extend(vm.vcpus.iter().map(|vcpu| (vcpu.entity, format!("{name}/{}", vcpu.index))));
        all.extend(vm.nics.iter().map(|nic| (nic.entity, format!("{name}/{}", nic.tap))));
        all.extend(vm.disks.iter().map(|disk| (disk.entity, format!("{name}/{}", disk.name))));
    }
    if let Some(wanted) = wanted {
        all.retain(|(_, name)| {
            name == wanted || name.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('/'))
        });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_they_say() {
        assert!(
            matches("vm_*", "vm_state") && matches("*", "x") && matches("*cpu*wait*", "vm_vcpu_wait_seconds")
        );
        assert!(!matches("vm_*", "vmnet_x") && !matches("vm", "vm_state"));
    }

    #[test]
    fn a_name_as_prometheus_writes_it_is_understood() {
        assert_eq!(
            wanted(Some("bartizan_vm_cpu_user_seconds_total")).unwrap()[0].name,
            "vm_cpu_user_seconds"
        );
    }

    #[test]
    fn an_unknown_name_gets_a_suggestion() {
        let failure = wanted(Some("vm_stat")).unwrap_err();
        assert_eq!(failure.code, Code::Usage);
        assert!(failure.message.contains("did you mean vm_state?"), "{failure}");
        assert!(!wanted(Some("qqqqqqqqqqqqqqqqqqqqqqqqqqq")).unwrap_err().message.contains("did you mean"));
    }
}
