//! One alert as one JSON object: what `bartizan run --json` prints line by line, and the ledger records.
//!
//! | key | what |
//! |---|---|
//! | `type` | `alert` |
//! | `id`, `sequence`, `time`, `tick` | which, and when (RFC 3339 in UTC) |
//! | `series` | the same for all alerts of one rule about one thing, also after a restart |
//! | `since_mono_ns` | when it began, `CLOCK_MONOTONIC`; with `series` it makes the `id` |
//! | `state`, `severity`, `rule` | `firing` or `resolved`; how bad; the rule that spoke |
//! | `scope`, `subject`, `uuid`, `tenant` | about what, and whose |
//! | `metric`, `observed`, `expected_min`, `expected_max` | in the exported unit; an end that is not there is `null` |
//! | `tail_probability`, `signs` | how likely it is in quiet time; how many signs speak for it |
//! | `message` | one sentence for people |

use super::{Alert, AlertState};
use crate::checks::report::json::rfc3339;
use crate::sampling::discovery::identify::uuid_text;
use serde_json::{Value, json};

/// An alert.
#[must_use]
pub fn alert(alert: &Alert) -> Value {
    json!({
        "type": "alert",
        "id": format!("{:016x}", alert.id),
        "sequence": alert.sequence,
        "series": format!("{:016x}", alert.series),
        "since_mono_ns": alert.since_mono_ns,
        "time": rfc3339(alert.at_wall_ns),
        "tick": alert.tick,
        "state": match alert.state {
            AlertState::Firing => "firing",
            AlertState::Resolved => "resolved",
        },
        "severity": alert.severity.name(),
        "rule": alert.rule.as_str(),
        "scope": alert.entity.scope.name(),
        "subject": alert.subject.as_str(),
        "uuid": (alert.uuid != [0; 16]).then(|| uuid_text(&alert.uuid)),
        "tenant": (!alert.tenant.is_empty()).then_some(alert.tenant.as_str()),
        "metric": alert.metric.metric().name,
        "observed": finite(alert.observed),
        "expected_min": finite(alert.expected_min),
        "expected_max": finite(alert.expected_max),
        "tail_probability": alert.tail_probability,
        "signs": alert.signs,
        "message": alert.message.as_str(),
    })
}

/// JSON has no infinity.
fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}
