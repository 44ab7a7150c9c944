//! How the predictions of the rules came out.

use super::paint::Paint;
use super::table::Table;
use super::units;
use bartizan_core::detection::RuleKind;
use bartizan_core::detection::forecast::Record;
use serde_json::{Value, json};
use std::io::{self, Write};

/// A rule, its kind, and its score.
type Scored = (String, RuleKind, Record);

/// As JSON, those rules that predicted something or missed something.
#[must_use]
pub fn json(predictions: &[Scored]) -> Vec<Value> {
    let score = |(name, kind, record): &Scored| {
        json!({
            "rule": name,
            "kind": kind.name(),
            "made": record.made,
            "true": record.came_true,
            "in_interval": record.in_interval,
            "false": record.came_to_nothing,
            "withdrawn": record.withdrawn,
            "open": record.open(),
            "missed": record.unforeseen,
            "precision_ratio": record.precision(),
            "coverage_ratio": record.coverage(),
            "lead_seconds_mean": record.lead_ns_mean().map(seconds),
        })
    };
    spoke(predictions).map(score).collect()
}

/// As a table; nothing when there is nothing to tell.
///
/// # Errors
/// When it cannot be written.
pub fn write(out: &mut impl Write, predictions: &[Scored], paint: Paint) -> io::Result<()> {
    let mut table = Table::new(&[
        "PREDICTIONS OF",
        ">MADE",
        ">TRUE",
        ">IN INTERVAL",
        ">FALSE",
        ">WITHDRAWN",
        ">OPEN",
        ">MISSED",
        ">MEAN LEAD",
    ]);
    let mut any = false;
    for (name, _, record) in spoke(predictions) {
        any = true;
        let counts = [
            record.made,
            record.came_true,
            record.in_interval,
            record.came_to_nothing,
            record.withdrawn,
            record.open(),
            record.unforeseen,
        ];
        let mut row = vec![name.clone()];
        row.extend(counts.map(|count| count.to_string()));
        row.push(record.lead_ns_mean().map_or_else(|| "-".to_owned(), |ns| units::seconds(seconds(ns))));
        table.row(row);
    }
    if any { table.write(out, paint) } else { Ok(()) }
}

fn spoke(predictions: &[Scored]) -> impl Iterator<Item = &Scored> {
    predictions.iter().filter(|(_, _, record)| record.made + record.unforeseen > 0)
}

#[expect(clippy::cast_precision_loss, reason = "a duration needs no more than 53 bits")]
fn seconds(ns: u64) -> f64 {
    ns as f64 * 1e-9
}
