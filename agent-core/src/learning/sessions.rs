//! Incidents of one VM that follow each other closely are one session.

use super::incident::Incident;
use std::collections::BTreeMap;

/// Incidents with their names as numbers, sorted, and cut into sessions.
pub(super) struct Sessions<'a> {
    /// Names of causes, in order.
    pub(super) causes: Vec<&'a str>,
    /// Names of tenants, in order.
    pub(super) tenants: Vec<&'a str>,
    /// Every session.
    pub(super) all: Vec<Session>,
}

/// One session.
pub(super) struct Session {
    pub(super) tenant: usize,
    /// When each cause came first, in the order in which they came; a cause once.
    pub(super) firsts: Vec<(u64, usize)>,
    /// Every incident.
    pub(super) events: Vec<(u64, usize)>,
}

fn numbered<'a>(names: impl Iterator<Item = &'a str>) -> (Vec<&'a str>, BTreeMap<&'a str, usize>) {
    let mut numbers: BTreeMap<&str, usize> = names.map(|name| (name, 0)).collect();
    for (number, slot) in numbers.values_mut().enumerate() {
        *slot = number;
    }
    (numbers.keys().copied().collect(), numbers)
}

impl<'a> Sessions<'a> {
    /// Cuts where nothing happened on a VM for longer than `gap_ns`.
    pub(super) fn of(incidents: &'a [Incident], gap_ns: u64) -> Self {
        let (causes, cause_numbers) = numbered(incidents.iter().map(|incident| &*incident.cause));
        let (tenants, tenant_numbers) = numbered(incidents.iter().map(|incident| &*incident.tenant));
        let number = |numbers: &BTreeMap<&str, usize>, name: &str| numbers.get(name).copied().unwrap_or(0);
        let mut order: Vec<(usize, &str, u64, usize)> = incidents
            .iter()
            .map(|incident| {
                let tenant = number(&tenant_numbers, &incident.tenant);
                (tenant, &*incident.vm, incident.opened_ns, number(&cause_numbers, &incident.cause))
            })
            .collect();
        order.sort_unstable();
        let mut all: Vec<Session> = Vec::new();
        let mut last: Option<(usize, &str, u64)> = None;
        for (tenant, vm, at_ns, cause) in order {
            let goes_on = last.is_some_and(|(same_tenant, same_vm, before)| {
                (same_tenant, same_vm) == (tenant, vm) && at_ns - before <= gap_ns
            });
            if !goes_on {
                all.push(Session { tenant, firsts: Vec::new(), events: Vec::new() });
            }
            last = Some((tenant, vm, at_ns));
            let Some(session) = all.last_mut() else { continue };
            session.events.push((at_ns, cause));
            if session.firsts.iter().all(|(_, known)| *known != cause) {
                session.firsts.push((at_ns, cause));
            }
        }
        Self { causes, tenants, all }
    }
}
