//! `bartizan metrics`: the catalogue, from which `docs/metrics.md` is made.

use crate::cli::{Common, MetricsArgs};
use crate::exit::Failure;
use crate::view::paint::Paint;
use crate::view::table::Table;
use bartizan_core::sampling::metrics::{self, Kind, Metric, Scope};
use serde_json::json;
use std::fmt::Write as _;
use std::io::{self, Write};

pub(super) fn run(common: &Common, args: MetricsArgs) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    if args.markdown {
        out.write_all(markdown().as_bytes())?;
    } else if args.json {
        let all: Vec<_> = metrics::all().map(object).collect();
        serde_json::to_writer_pretty(&mut out, &all).map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        let mut table = Table::new(&[">ID", "NAME", "KIND", "UNIT", "SOURCE", "SINCE", "MEANING"]);
        for metric in metrics::all() {
            table.row(vec![
                metric.id.number().to_string(),
                metric.name.to_owned(),
                kind(metric).to_owned(),
                unit(metric).to_owned(),
                metric.source.name().to_owned(),
                metric.since.to_owned(),
                metric.help.to_owned(),
            ]);
        }
        table.write(&mut out, Paint::new(common.color))?;
    }
    Ok(())
}

/// The page `docs/metrics.md`.
#[must_use]
pub fn markdown() -> String {
    let mut page = format!(
        "# Metrics\n\n\
         Made by `bartizan metrics --markdown`; not edited by hand.\n\n\
         {} metrics in {} scopes. On `/metrics` every name begins with `bartizan_`, and counters end in `_total`. \
         Numbers are stable: they are part of the ABI. \"Since\" names the first kernel, or where it says so the \
         first VMM, that has it.\n",
        metrics::all().count(),
        Scope::ALL.len()
    );
    // Writing to a String cannot fail.
    for scope in Scope::ALL {
        let _ = write!(
            page,
            "\n## {} ({} metrics)\n\n| number | name | kind | unit | source | since | meaning |\n\
             |---|---|---|---|---|---|---|\n",
            scope.name(),
            scope.metrics().len()
        );
        for metric in scope.metrics() {
            let _ = writeln!(
                page,
                "| {} | `{}` | {} | {} | {} | {} | {} |",
                metric.id.number(),
                metric.name,
                kind(metric),
                unit(metric),
                metric.source.name(),
                metric.since,
                metric.help.replace('|', "\\|")
            );
        }
    }
    page
}

fn object(metric: &Metric) -> serde_json::Value {
    json!({
        "id": metric.id.number(),
        "constant": metric.constant,
        "name": metric.name,
        "scope": metric.id.scope().name(),
        "kind": kind(metric),
        "unit": unit(metric),
        "source": metric.source.name(),
        "since": metric.since,
        "help": metric.help,
    })
}

const fn kind(metric: &Metric) -> &'static str {
    match metric.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
    }
}

fn unit(metric: &Metric) -> &'static str {
    match metric.unit.suffix() {
        "" => "-",
        suffix => suffix,
    }
}
