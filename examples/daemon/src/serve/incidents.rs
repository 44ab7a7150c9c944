//! Incidents and their delivery on `/metrics`.

use super::openmetrics::FamilyKind;
use crate::incidents::Desk;

type Family = (&'static str, FamilyKind, &'static str, Vec<(String, String)>);

/// The families. Accounts balance: `produced = delivered + suppressed + dropped + in flight`.
pub(super) fn families(desk: &Desk) -> Vec<Family> {
    use FamilyKind::{Counter, Gauge};
    let accounts = desk.accounts();
    let suppressed = accounts.suppressed;
    let plain = |count: u64| vec![(String::new(), count.to_string())];
    let reason = |name: &str, count: u64| (format!("{{reason=\"{name}\"}}"), count.to_string());
    let receivers = desk.deliveries();
    let of = |count: fn(&crate::deliver::Accounts) -> u64| -> Vec<(String, String)> {
        let one = |receiver: &crate::deliver::Accounts| {
            let labels = format!("{{receiver=\"{}\",kind=\"{}\"}}", receiver.name, receiver.kind);
            (labels, count(receiver).to_string())
        };
        receivers.iter().map(one).collect()
    };
    let incidents = desk
        .counts()
        .into_iter()
        .map(|(state, severity, count)| {
            (format!("{{state=\"{state}\",severity=\"{severity}\"}}"), count.to_string())
        })
        .collect();
    let held = vec![
        reason("deduplicated", suppressed.deduplicated),
        reason("inhibited", suppressed.inhibited),
        reason("flapping", suppressed.flapping),
        reason("silenced", suppressed.silenced),
        reason("rate-limited", suppressed.rate_limited),
    ];
    vec![
        ("bartizan_incidents", Gauge, "Incidents in memory, by state and severity.", incidents),
        (
            "bartizan_incident_signals_produced",
            Counter,
            "Signals offered to incidents.",
            plain(accounts.produced),
        ),
        (
            "bartizan_incident_signals_delivered",
            Counter,
            "Signals told in a notice.",
            plain(accounts.delivered),
        ),
        ("bartizan_incident_signals_suppressed", Counter, "Signals held back on purpose, by reason.", held),
        (
            "bartizan_incident_signals_dropped",
            Counter,
            "Signals lost: no room, or not recorded.",
            plain(accounts.dropped),
        ),
        (
            "bartizan_incident_signals_in_flight",
            Gauge,
            "Signals gathered for the next notice.",
            plain(accounts.in_flight),
        ),
        (
            "bartizan_deliver_notices_produced",
            Counter,
            "Notices since a receiver was configured first.",
            of(|a| a.produced),
        ),
        (
            "bartizan_deliver_notices_delivered",
            Counter,
            "Notices a receiver acknowledged.",
            of(|a| a.delivered),
        ),
        (
            "bartizan_deliver_notices_suppressed",
            Counter,
            "Notices that are not for a receiver.",
            of(|a| a.suppressed),
        ),
        (
            "bartizan_deliver_notices_dropped",
            Counter,
            "Notices a receiver refused for good.",
            of(|a| a.dropped),
        ),
        (
            "bartizan_deliver_notices_in_flight",
            Gauge,
            "Notices that wait for a receiver.",
            of(|a| a.in_flight),
        ),
        (
            "bartizan_deliver_attempts_failed",
            Counter,
            "Attempts to deliver that failed, in this run.",
            of(|a| a.failures),
        ),
    ]
}
