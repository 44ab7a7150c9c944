//! `bartizan explain`: one check, for a person.

use crate::cli::{Common, ExplainArgs};
use crate::exit::{Code, Failure};
use crate::view::paint::Paint;
use crate::watch::configure;
use bartizan_core::checks::report::json;
use bartizan_core::checks::rules;
use std::io::{self, Write};

pub(super) fn run(common: &Common, args: &ExplainArgs) -> Result<(), Failure> {
    let rules = rules(&configure(common)?);
    let Some((_, rule)) = rules.find(&args.rule) else {
        let nearest =
            rules.nearest(&args.rule).map_or_else(String::new, |like| format!("; did you mean {like}?"));
        let message = format!("no check is called {:?}{nearest} (all: bartizan check --list)", args.rule);
        return Err(Failure::new(Code::Usage, message));
    };
    let mut out = io::stdout().lock();
    if args.json {
        writeln!(out, "{}", json::rule(rule))?;
        return Ok(());
    }
    let paint = Paint::new(common.color);
    writeln!(out, "{}: {}", paint.bold(&rule.id), rule.title)?;
    let severity = paint.check_severity(rule.severity, rule.severity.name());
    writeln!(
        out,
        "severity {severity}, looks at: {}",
        match rule.scope.name() {
            "host" => "the host",
            "vm" => "each VM",
            _ => "each VM beside the others",
        }
    )?;
    if let Some(when) = &rule.when {
        writeln!(out, "\n{}\n  {when}", paint.bold("Applies when"))?;
    }
    writeln!(out, "\n{}", paint.bold("Expected"))?;
    for (facet, _) in rule.facets() {
        writeln!(out, "  {}: {}", facet.name(), rule.expectation(facet))?;
    }
    writeln!(out, "\n{}\n  {}", paint.bold("Why"), rule.rationale.trim())?;
    writeln!(out, "\n{}\n  {}", paint.bold("How to put it right"), rule.remediation.trim())?;
    if !rule.references.is_empty() {
        writeln!(out, "\n{}", paint.bold("References"))?;
        for reference in &rule.references {
            writeln!(out, "  {reference}")?;
        }
    }
    Ok(())
}
