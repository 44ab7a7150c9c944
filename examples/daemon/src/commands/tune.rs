//! `bartizan tune`: what other settings would have said about a recorded trace, side by side.

use super::replay::failed;
use crate::cli::{Common, TuneArgs};
use crate::exit::{Code, Failure};
use crate::view::paint::Paint;
use crate::view::table::Table;
use crate::view::units;
use crate::watch::configure;
use bartizan_core::alerts::{Alert, AlertState};
use bartizan_core::config::Config;
use bartizan_core::trace::{Replay, replay};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Write};

/// Tried when nothing is asked for.
const USUAL: &str = "detection.false_alarms_per_host_week=0.1,1,10,100";
const VARIANTS_MAX: usize = 64;

/// One setting, and what it would have said.
struct Variant {
    name: String,
    alerts: Vec<Alert>,
    suppressed: u64,
}

/// How a variant differs from what the trace's own settings say.
struct Difference {
    fired: usize,
    more: Vec<String>,
    fewer: Vec<String>,
    /// Of the alerts of both: how much later, in seconds; the median.
    later_s: Option<f64>,
}

pub(super) fn run(common: &Common, args: &TuneArgs) -> Result<(), Failure> {
    let file = || File::open(&args.trace).map_err(|error| Failure::input(&args.trace, &error));
    let base = if common.config.is_some() {
        configure(common)?
    } else {
        Replay::new(BufReader::new(file()?), None)
            .and_then(|replay| replay.recorded_config())
            .map_err(|error| failed(&args.trace, &error))?
    };
    let mut configs = vec![("as it was".to_owned(), base.clone())];
    configs.extend(variants(&base, args)?);
    let mut variants = Vec::new();
    for (name, config) in configs {
        let replayed =
            replay(BufReader::new(file()?), Some(&config)).map_err(|error| failed(&args.trace, &error))?;
        variants.push(Variant { name, suppressed: replayed.accounting.suppressed, alerts: replayed.alerts });
    }
    let mut out = io::BufWriter::new(io::stdout().lock());
    let paint = Paint::new(common.color);
    let mut table = Table::new(&["SETTING", ">ALERTS", ">MORE", ">FEWER", ">LATER", ">SUPPRESSED"]);
    for variant in &variants {
        let difference = Difference::between(&variants[0], variant);
        if args.json {
            writeln!(
                out,
                "{}",
                json!({
                    "setting": variant.name,
                    "alerts": difference.fired,
                    "more": difference.more,
                    "fewer": difference.fewer,
                    "later_s": difference.later_s,
                    "suppressed": variant.suppressed,
                })
            )?;
            continue;
        }
        table.row(vec![
            variant.name.clone(),
            difference.fired.to_string(),
            difference.more.len().to_string(),
            difference.fewer.len().to_string(),
            difference.later_s.map_or_else(|| "-".to_owned(), units::seconds),
            variant.suppressed.to_string(),
        ]);
    }
    if !args.json {
        table.write(&mut out, paint)?;
        for variant in &variants[1..] {
            let difference = Difference::between(&variants[0], variant);
            for (sign, texts) in [('+', &difference.more), ('-', &difference.fewer)] {
                for text in texts {
                    writeln!(out, "{}: {sign} {}", variant.name, units::printable(text))?;
                }
            }
        }
    }
    out.flush()?;
    Ok(())
}

/// The settings that are tried: the rules of a file, alone and with each value of each key.
fn variants(base: &Config, args: &TuneArgs) -> Result<Vec<(String, Config)>, Failure> {
    let mut variants = Vec::new();
    let mut base = base.clone();
    if let Some(path) = &args.rules {
        let text = std::fs::read_to_string(path).map_err(|error| Failure::input(path, &error))?;
        base = base
            .overlaid(&text, Some(path))
            .map_err(|error| Failure::new(Code::Config, error.to_string()))?;
        variants.push((path.display().to_string(), base.clone()));
    }
    let usual = [USUAL.to_owned()];
    let sets: &[String] = if args.set.is_empty() && args.rules.is_none() { &usual } else { &args.set };
    for set in sets {
        let Some((key, values)) = set.split_once('=') else {
            let message = format!("--set {set}: KEY=VALUE is expected, or KEY=VALUE,VALUE to try several");
            return Err(Failure::new(Code::Usage, message));
        };
        for value in values.split(',') {
            let text = format!("{} = {}", key.trim(), value.trim());
            let config =
                base.overlaid(&text, None).map_err(|error| Failure::new(Code::Config, error.to_string()))?;
            variants.push((format!("{}={}", key.trim(), value.trim()), config));
        }
    }
    if variants.len() > VARIANTS_MAX {
        let message = format!("{} settings; {VARIANTS_MAX} can be tried at once", variants.len());
        return Err(Failure::new(Code::Usage, message));
    }
    Ok(variants)
}

/// What an alert is about, to find the same one elsewhere: its rule, its row, and which of those it is.
type Key = (String, u8, u32, u32);

fn fired(alerts: &[Alert]) -> BTreeMap<(Key, usize), Alert> {
    let mut counts = BTreeMap::<Key, usize>::new();
    let firing = alerts.iter().filter(|alert| alert.state == AlertState::Firing);
    firing
        .map(|alert| {
            let entity = alert.entity;
            let key = (alert.rule.to_string(), entity.scope as u8, entity.row, entity.generation);
            let count = counts.entry(key.clone()).or_default();
            *count += 1;
            ((key, *count), *alert)
        })
        .collect()
}

impl Difference {
    fn between(base: &Variant, other: &Variant) -> Self {
        let (before, after) = (fired(&base.alerts), fired(&other.alerts));
        let told = |alert: &Alert| {
            format!("{} {}: {}", units::time_of_day(alert.at_wall_ns), alert.rule, alert.message)
        };
        let only = |of: &BTreeMap<_, Alert>, other: &BTreeMap<_, Alert>| -> Vec<String> {
            of.iter().filter(|(key, _)| !other.contains_key(*key)).map(|(_, alert)| told(alert)).collect()
        };
        #[expect(clippy::cast_precision_loss, reason = "seconds, for people")]
        let mut later: Vec<f64> = after
            .iter()
            .filter_map(|(key, alert)| Some((alert.at_wall_ns - before.get(key)?.at_wall_ns) as f64 * 1e-9))
            .collect();
        later.sort_by(f64::total_cmp);
        Self {
            fired: after.len(),
            more: only(&after, &before),
            fewer: only(&before, &after),
            later_s: later.get(later.len() / 2).copied(),
        }
    }
}
