//! `bartizan sources`: what is read how, and why not better.

use crate::cli::{Common, JsonFlag};
use crate::exit::Failure;
use crate::view::paint::Paint;
use crate::view::table::Table;
use crate::view::{json, units};
use crate::watch::{configure, look};
use bartizan_core::sampling::SourceReport;
use serde_json::json;
use std::io::{self, Write};

pub(super) fn run(common: &Common, args: JsonFlag) -> Result<(), Failure> {
    let reader = look(configure(common)?, |_| {})?;
    let host = reader.host();
    let vms = reader.vms();
    let mut out = io::stdout().lock();
    if args.json {
        let object = json!({
            "host": host.sources.iter().map(json::source).collect::<Vec<_>>(),
            "vms": vms.iter().map(|vm| json!({
                "name": vm.name,
                "pid": vm.pid,
                "sources": vm.sources.iter().map(json::source).collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
        });
        serde_json::to_writer_pretty(&mut out, &object).map_err(io::Error::from)?;
        writeln!(out)?;
        return Ok(());
    }
    let paint = Paint::new(common.color);
    section(&mut out, "host", &host.sources, paint)?;
    for vm in &vms {
        writeln!(out)?;
        section(
            &mut out,
            &format!("VM {}, process {}", units::printable(&vm.name), vm.pid),
            &vm.sources,
            paint,
        )?;
    }
    Ok(())
}

fn section(out: &mut impl Write, title: &str, sources: &[SourceReport], paint: Paint) -> io::Result<()> {
    writeln!(out, "{}", paint.bold(title))?;
    let mut table = Table::new(&["SOURCE", "STATE", "TIER", "WHY"]);
    for report in sources {
        table.row(vec![
            report.source.name().to_owned(),
            paint.availability(report.availability, report.availability.name()),
            report.tier.to_owned(),
            units::printable(&report.reason),
        ]);
    }
    table.write(out, paint)
}
