//! Replays recordings of quiet hosts by the rules of this build, and counts their alarms.
//!
//! ```text
//! quiet TRACE...
//! ```
//! Recordings are made by `bartizan record --out TRACE --duration 10h`. Prints the alarms by rule, and what they come to in
//! a week with the exact interval of a Poisson rate: few hours say little about a week, and the interval says how little.

use bartizan_benches::poisson::interval;
use bartizan_core::alerts::{AlertState, Severity};
use bartizan_core::trace::{Replay, TraceError};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::process::ExitCode;

const SECONDS_PER_WEEK: f64 = 604_800.0;
const SEVERITIES: [Severity; 3] = [Severity::Info, Severity::Warning, Severity::Critical];

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("quiet: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let traces: Vec<String> = std::env::args().skip(1).collect();
    if traces.is_empty() {
        return Err("usage: quiet TRACE...".into());
    }
    let mut seconds = 0.0;
    let mut by_rule: BTreeMap<(Severity, String), u32> = BTreeMap::new();
    for trace in &traces {
        let wrong = |error: TraceError| format!("{trace}: {error}");
        let file = File::open(trace).map_err(|error| format!("{trace}: {error}"))?;
        let mut replay = Replay::new(BufReader::new(file), None).map_err(wrong)?;
        let (mut first_ns, mut last_ns) = (None, 0);
        while let Some(tick) = replay.next_tick().map_err(wrong)? {
            first_ns.get_or_insert(tick.mono_ns);
            last_ns = tick.mono_ns;
            while let Some(alert) = replay.alerts().next() {
                if alert.state == AlertState::Firing {
                    println!("{trace} tick {}: {} {}", alert.tick, alert.rule, alert.message);
                    *by_rule.entry((alert.severity, alert.rule.to_string())).or_default() += 1;
                }
            }
        }
        let span_ns: u64 = last_ns.saturating_sub(first_ns.unwrap_or(last_ns));
        seconds += std::time::Duration::from_nanos(span_ns).as_secs_f64();
    }
    println!("\n{:.2} hours of {} recordings", seconds / 3_600.0, traces.len());
    for ((severity, rule), count) in &by_rule {
        println!("{:9} {count:4}  {rule}", severity.name());
    }
    let weeks = seconds / SECONDS_PER_WEEK;
    for least in SEVERITIES {
        let count: u32 =
            by_rule.iter().filter(|((severity, _), _)| *severity >= least).map(|(_, count)| count).sum();
        let (low, high) = interval(count, 0.05);
        println!(
            "{} and worse: {count} alarms, {:.0} a host-week (95 %: {:.0} to {:.0})",
            least.name(),
            f64::from(count) / weeks,
            low / weeks,
            high / weeks
        );
    }
    Ok(())
}
