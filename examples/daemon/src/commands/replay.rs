//! `bartizan replay`: what the rules say about a recorded trace; with `--config`, what other rules would have said.

use crate::cli::{Common, ReplayArgs};
use crate::exit::{Code, Failure};
use crate::view::json;
use crate::view::live::alert_line;
use crate::view::paint::Paint;
use crate::view::predictions;
use crate::watch::configure;
use bartizan_core::trace::{Replayed, Tail, TraceError, replay};
use serde_json::json;
use std::fs::File;
use std::io::{self, BufReader, Write};
use std::path::Path;

pub(super) fn run(common: &Common, args: &ReplayArgs) -> Result<(), Failure> {
    // Without --config the trace's own configuration judges, not the one of the host it is replayed on.
    let config = common.config.is_some().then(|| configure(common)).transpose()?;
    let file = File::open(&args.trace).map_err(|error| Failure::input(&args.trace, &error))?;
    let replayed =
        replay(BufReader::new(file), config.as_ref()).map_err(|error| failed(&args.trace, &error))?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    let paint = Paint::new(common.color);
    for alert in &replayed.alerts {
        if args.json {
            writeln!(out, "{}", json::alert(alert))?;
        } else {
            writeln!(out, "{}", alert_line(alert, paint))?;
        }
    }
    if args.json {
        let summary = json!({
            "type": "replayed",
            "ticks": replayed.ticks,
            "first_tick": replayed.first_tick,
            "ticks_missed": replayed.ticks_missed,
            "events_missed": replayed.events_missed,
            "exact": replayed.is_exact(),
            "end": end(&replayed.tail),
            "metrics_unknown": replayed.metrics_unknown,
            "alerts": json::accounts(&replayed.accounting),
            "predictions": predictions::json(&replayed.predictions),
        });
        writeln!(out, "{summary}")?;
    } else {
        writeln!(out, "{}", summary(&replayed))?;
        predictions::write(&mut out, &replayed.predictions, paint)?;
    }
    out.flush()?;
    Ok(())
}

/// A trace that could not be replayed.
pub(super) fn failed(trace: &Path, error: &TraceError) -> Failure {
    let code = match error {
        TraceError::Io { .. } => Code::Io,
        TraceError::Config(_) => Code::Config,
        TraceError::Memory(_) => Code::Os,
        _ => Code::Data,
    };
    Failure::new(code, format!("{}: {error}", trace.display()))
}

fn summary(replayed: &Replayed) -> String {
    let accounts = &replayed.accounting;
    let exact = if replayed.is_exact() {
        "the rules saw all that they saw on the host".to_owned()
    } else {
        format!(
            "not all that the rules saw on the host is in the trace: it begins with tick {}, {} ticks and {} events are \
             missing, {} metrics are unknown to this version",
            replayed.first_tick,
            replayed.ticks_missed,
            replayed.events_missed,
            replayed.metrics_unknown.len()
        )
    };
    format!(
        "replayed {} ticks ({}); {exact}; alerts: {} produced = {} delivered + {} suppressed + {} dropped + {} in flight",
        replayed.ticks,
        end(&replayed.tail),
        accounts.produced,
        accounts.delivered,
        accounts.suppressed,
        accounts.dropped,
        accounts.in_flight
    )
}

/// How the trace ends, in words.
fn end(tail: &Tail) -> String {
    match tail {
        Tail::Complete(_) => "complete".to_owned(),
        Tail::Open => "the recorder was killed; nothing that it wrote is lost".to_owned(),
        Tail::Torn { offset } => format!("torn at byte {offset}; everything before is good"),
        Tail::Unread => "not read to its end".to_owned(),
    }
}
