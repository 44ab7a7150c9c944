//! One table of what was injected and what was said.

use super::leaks::{Foretold, Resource};
use super::steps::{Fault, Outcome};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What a run aims at.
pub const DETECTED_MIN: f64 = 0.95;
/// Median delay of faults that begin at once, in samples.
pub const DELAY_SAMPLES_MAX: f64 = 3.0;
/// Lead of a prediction.
pub const LEAD_S_MIN: f64 = 60.0;
/// Part of the intervals that hold the truth.
pub const COVERAGE_MIN: f64 = 0.90;

/// The table of faults that begin at once; and the part detected, and the median delay in samples.
#[must_use]
pub fn steps(outcomes: &[Outcome]) -> (String, f64, f64) {
    let mut text = String::from(
        "| fault | injected | detected | delay in samples: median (least to most) | in ticks | told by (first; also) |\n\
         |---|---|---|---|---|---|\n",
    );
    for fault in Fault::ALL {
        let of: Vec<_> = outcomes.iter().filter(|outcome| outcome.fault == fault).collect();
        if of.is_empty() {
            continue;
        }
        let samples = delays(of.iter().copied(), Fault::ticks_per_sample);
        let ticks = delays(of.iter().copied(), |_| 1);
        let span = |delays: &[f64]| match (delays.first(), delays.last()) {
            (Some(least), Some(most)) => {
                format!("{} ({least:.0} to {most:.0})", shown(crate::median(delays)))
            }
            _ => "-".to_owned(),
        };
        let (name, detected) = (fault.name(), samples.len());
        let (samples, ticks) = (span(&samples), span(&ticks));
        let _ =
            writeln!(text, "| {name} | {} | {detected} | {samples} | {ticks} | {} |", of.len(), rules(&of));
    }
    let samples = delays(outcomes.iter(), Fault::ticks_per_sample);
    let part = ratio(samples.len(), outcomes.len());
    let median = crate::median(&samples);
    let ticks = crate::median(&delays(outcomes.iter(), |_| 1));
    let _ = writeln!(
        text,
        "| **all** | {} | {} ({:.0} %) | {} | {} | |",
        outcomes.len(),
        samples.len(),
        100.0 * part,
        shown(median),
        shown(ticks)
    );
    (text, part, median)
}

fn shown(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.1}") }
}

/// Delays in so many ticks each, begun ones in full, ascending.
fn delays<'o>(outcomes: impl Iterator<Item = &'o Outcome>, ticks: impl Fn(Fault) -> u64) -> Vec<f64> {
    let each = |outcome: &Outcome| Some(outcome.delay_ticks?.div_ceil(ticks(outcome.fault)));
    let float = |delay| f64::from(u32::try_from(delay).unwrap_or(u32::MAX));
    let mut delays: Vec<f64> = outcomes.filter_map(each).map(float).collect();
    delays.sort_by(f64::total_cmp);
    delays
}

/// The rules that spoke first, with how often; then the others.
fn rules(outcomes: &[&Outcome]) -> String {
    let (mut first, mut also) = (BTreeMap::new(), BTreeMap::new());
    for outcome in outcomes {
        for (index, rule) in outcome.rules.iter().enumerate() {
            *(if index == 0 { &mut first } else { &mut also }).entry(rule.as_str()).or_insert(0) += 1;
        }
    }
    let list = |rules: &BTreeMap<&str, u32>| {
        rules.iter().map(|(rule, times)| format!("`{rule}` {times}×")).collect::<Vec<_>>().join(", ")
    };
    if also.is_empty() { list(&first) } else { format!("{}; {}", list(&first), list(&also)) }
}

/// The table of predictions; and the part told in time, and the part of their intervals that held.
#[must_use]
pub fn predictions(foretold: &[Foretold]) -> (String, f64, f64) {
    let mut text = String::from(
        "| resource | used up | foretold | lead: median (least) | at least 60 s ahead | interval held |\n\
         |---|---|---|---|---|---|\n",
    );
    let mut row = |name: &str, of: &[Foretold]| {
        let mut leads: Vec<f64> = of.iter().filter_map(|one| one.lead_s).collect();
        leads.sort_by(f64::total_cmp);
        let in_time = leads.iter().filter(|lead| **lead >= LEAD_S_MIN).count();
        let held = of.iter().filter(|one| one.held).count();
        let least = leads.first().map_or_else(|| "-".to_owned(), |least| format!("{least:.0} s"));
        let _ = writeln!(
            text,
            "| {name} | {} | {} | {:.0} s ({least}) | {in_time} | {held} |",
            of.len(),
            leads.len(),
            crate::median(&leads),
        );
        (ratio(in_time, of.len()), ratio(held, leads.len()))
    };
    for resource in Resource::ALL {
        let of: Vec<_> = foretold.iter().filter(|one| one.resource == resource).copied().collect();
        if !of.is_empty() {
            row(resource.name(), &of);
        }
    }
    let (in_time, held) = row("**all**", foretold);
    (text, in_time, held)
}

fn ratio(part: usize, whole: usize) -> f64 {
    let float = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    float(part) / float(whole).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(fault: Fault, delay_ticks: Option<u64>) -> Outcome {
        let rules = delay_ticks.map_or_else(Vec::new, |_| vec!["a".to_owned(), "b".to_owned()]);
        Outcome { fault, delay_ticks, rules }
    }

    #[test]
    fn what_was_not_told_counts_as_injected() {
        let outcomes =
            [outcome(Fault::Steal, Some(2)), outcome(Fault::Steal, None), outcome(Fault::Stopped, Some(1))];
        let (text, part, median) = steps(&outcomes);
        assert!(text.contains("| steal | 2 | 1 | 2 (2 to 2) | 2 (2 to 2) | `a` 1×; `b` 1× |"), "{text}");
        assert!((part - 2.0 / 3.0).abs() < 1e-9 && (median - 1.5).abs() < 1e-9, "{part} {median}");
    }

    #[test]
    fn what_is_read_every_second_tick_is_late_in_ticks_and_not_in_samples() {
        let (text, _, median) = steps(&[outcome(Fault::ExitStorm, Some(3))]);
        assert!(text.contains("| exit-storm | 1 | 1 | 2 (2 to 2) | 3 (3 to 3) |"), "{text}");
        assert!((median - 2.0).abs() < 1e-9);
    }

    #[test]
    fn a_prediction_that_never_came_holds_nothing() {
        let one = |lead_s, held| Foretold { resource: Resource::Memory, took_s: 200.0, lead_s, held };
        let (text, in_time, held) =
            predictions(&[one(Some(90.0), true), one(Some(30.0), false), one(None, false)]);
        assert!(text.contains("| memory-leak | 3 | 2 | 60 s (30 s) | 1 | 1 |"), "{text}");
        assert!((in_time - 1.0 / 3.0).abs() < 1e-9 && (held - 0.5).abs() < 1e-9);
    }
}
