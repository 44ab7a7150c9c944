//! Incidents as Alertmanager's API v2 has alerts (`POST /api/v2/alerts`).
//!
//! Alertmanager keeps alerts in memory alone. So what fires is sent again and again, and what is over is sent as over
//! until that was acknowledged, and for a while longer: an Alertmanager that is restarted in between learns of it again.

use bartizan_core::checks::report::json::rfc3339;
use bartizan_core::incidents::{Notice, State};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

const SECOND_NS: i64 = 1_000_000_000;
/// What is over is sent as over for so long after it was acknowledged; Prometheus does the same.
const OVER_SENT_NS: i64 = 900 * SECOND_NS;
/// What fires is over for Alertmanager when it was not sent again for so long: longer than the agent takes to restart.
const HOLD_NS_MIN: i64 = 900 * SECOND_NS;

/// What Alertmanager is to know.
#[derive(Default)]
pub struct Alerts {
    latest: BTreeMap<u64, Arc<Notice>>,
    /// Severities it was told of incidents: labels name an alert, so one of another severity is another alert.
    told: BTreeMap<u64, &'static str>,
}

impl Alerts {
    /// Takes note of a notice.
    pub fn note(&mut self, notice: &Arc<Notice>) {
        self.latest.insert(notice.incident, Arc::clone(notice));
    }

    /// Whether there is something to send again.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.latest.is_empty()
    }

    /// It will never take these.
    pub fn forget(&mut self, incidents: impl Iterator<Item = u64>) {
        for incident in incidents {
            self.latest.remove(&incident);
        }
    }

    /// The alerts as they are to be sent now.
    #[must_use]
    pub fn body(&self, host: &str, now_ns: i64, repeat_ns: i64) -> Value {
        let mut alerts = Vec::new();
        for notice in self.latest.values() {
            if let Some(before) = self.told.get(&notice.incident)
                && *before != notice.severity.name()
            {
                alerts.push(alert(notice, host, before, Some(notice.at_ns), now_ns, repeat_ns));
            }
            let over_ns = over_at(notice);
            alerts.push(alert(notice, host, notice.severity.name(), over_ns, now_ns, repeat_ns));
        }
        Value::Array(alerts)
    }

    /// Alertmanager has them: what has been over for long is not sent again.
    pub fn acknowledged(&mut self, now_ns: i64) {
        self.told = self.latest.iter().map(|(id, notice)| (*id, notice.severity.name())).collect();
        self.latest.retain(|_, notice| {
            over_at(notice).is_none_or(|over| now_ns.saturating_sub(over) < OVER_SENT_NS)
        });
        self.told.retain(|id, _| self.latest.contains_key(id));
    }
}

/// When it was over; one that was closed while it fires is over for those who are on call.
fn over_at(notice: &Notice) -> Option<i64> {
    notice.over_ns.or((notice.state == State::Closed).then_some(notice.state_since_ns))
}

fn alert(
    notice: &Notice,
    host: &str,
    severity: &str,
    over_ns: Option<i64>,
    now_ns: i64,
    repeat_ns: i64,
) -> Value {
    let hold_ns = HOLD_NS_MIN.max(repeat_ns.saturating_mul(4));
    // Alertmanager refuses an alert that ends before it starts.
    let ends_ns = over_ns.unwrap_or(now_ns.saturating_add(hold_ns)).max(notice.opened_ns);
    let mut labels = json!({
        "alertname": notice.detector,
        "incident": notice.incident.to_string(),
        "host": host,
        "resource": notice.resource.shown(),
        "severity": severity,
        "source": notice.source.name(),
    });
    for (name, value) in
        [("vm", &notice.resource.vm), ("tenant", &notice.resource.tenant), ("cause", &notice.cause)]
    {
        // An empty label is no label.
        if !value.is_empty() {
            labels[name] = json!(value);
        }
    }
    json!({
        "labels": labels,
        "annotations": {
            "summary": notice.message,
            "state": notice.state.name(),
            "conditions": (notice.members.len() + notice.members_left_out as usize).to_string(),
        },
        "startsAt": rfc3339(notice.opened_ns),
        "endsAt": rfc3339(ends_ns),
    })
}
