//! `bartizan rules`: what is judged, and why.

use crate::cli::{Common, JsonFlag};
use crate::exit::{Code, Failure};
use crate::view::paint::Paint;
use crate::view::table::Table;
use crate::view::units;
use crate::watch::configure;
use bartizan_core::detection;
use serde_json::json;
use std::io::{self, Write};

pub(super) fn run(common: &Common, args: JsonFlag) -> Result<(), Failure> {
    let rules = detection::list(&configure(common)?)
        .map_err(|error| Failure::new(Code::Config, error.to_string()))?;
    let mut out = io::stdout().lock();
    if args.json {
        let rules: Vec<_> = rules
            .iter()
            .map(|rule| {
                json!({
                    "name": rule.name,
                    "severity": rule.severity.name(),
                    "scope": rule.scope.name(),
                    "kind": rule.kind.name(),
                    "metric": (!rule.metric.is_empty()).then_some(&rule.metric),
                    "enabled": rule.enabled,
                    "shipped": rule.shipped,
                    "description": rule.description,
                })
            })
            .collect();
        serde_json::to_writer_pretty(&mut out, &rules).map_err(io::Error::from)?;
        writeln!(out)?;
        return Ok(());
    }
    let paint = Paint::new(common.color);
    let mut table = Table::new(&["RULE", "SCOPE", "SEVERITY", "KIND", "FROM", "WHY"]);
    for rule in &rules {
        let from = match (rule.enabled, rule.shipped) {
            (false, _) => "off",
            (true, true) => "shipped",
            (true, false) => "configured",
        };
        table.row(vec![
            rule.name.clone(),
            rule.scope.name().to_owned(),
            paint.severity(rule.severity, rule.severity.name()),
            rule.kind.name().to_owned(),
            from.to_owned(),
            units::printable(&rule.description),
        ]);
    }
    table.write(&mut out, paint)?;
    Ok(())
}
