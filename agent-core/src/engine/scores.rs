//! How the agent's own predictions came out, as its metrics.

use crate::detection::forecast::Record;
use crate::detection::{Detector, RuleKind};
use crate::sampling::frame::RowWriter;
use crate::sampling::metrics::agent;

/// Writes them to the agent's row. What nothing is known of yet stays pending: no precision is claimed of nothing.
pub(super) fn write(row: &mut RowWriter<'_>, detector: &Detector) {
    let (mut used_up, mut stopped) = (Record::default(), Record::default());
    for (_, kind, record) in detector.predictions() {
        if kind == RuleKind::Standstill { &mut stopped } else { &mut used_up }.add(record);
    }
    row.set_u64(agent::PREDICTIONS_MADE, used_up.made);
    row.set_u64(agent::PREDICTIONS_TRUE, used_up.came_true);
    row.set_u64(agent::PREDICTIONS_IN_INTERVAL, used_up.in_interval);
    row.set_u64(agent::PREDICTIONS_FALSE, used_up.came_to_nothing);
    row.set_u64(agent::PREDICTIONS_WITHDRAWN, used_up.withdrawn);
    row.set_u64(agent::PREDICTIONS_OPEN, used_up.open());
    row.set_u64(agent::PREDICTIONS_MISSED, used_up.unforeseen);
    row.set_u64(agent::PREDICTIONS_LEAD, used_up.lead_ns_total);
    if let Some(lead_ns) = used_up.lead_ns_mean() {
        row.set_u64(agent::PREDICTIONS_LEAD_MEAN, lead_ns);
    }
    if let Some(precision) = used_up.precision() {
        row.set(agent::PREDICTIONS_PRECISION, parts_per_million(precision));
    }
    if let Some(coverage) = used_up.coverage() {
        row.set(agent::PREDICTIONS_COVERAGE, parts_per_million(coverage));
    }
    row.set_u64(agent::STANDSTILLS_MADE, stopped.made);
    row.set_u64(agent::STANDSTILLS_TRUE, stopped.came_true);
    row.set_u64(agent::STANDSTILLS_FALSE, stopped.came_to_nothing);
    row.set_u64(agent::STANDSTILLS_OPEN, stopped.open());
}

#[expect(clippy::cast_possible_truncation, reason = "a part of a whole")]
fn parts_per_million(part: f64) -> i64 {
    (part * 1e6).round() as i64
}
