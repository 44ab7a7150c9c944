//! A cause that comes at the same time of an hour, a day or a week: jobs that are started by a clock.

use super::mine::{Candidate, Pattern, Scope, Settings};
use super::stats::{as_f64, discoveries, ns_as_f64};
use std::collections::{BTreeMap, BTreeSet};
use std::f64::consts::TAU;

const MINUTE_NS: u64 = 60_000_000_000;
/// What clocks are set to. A cause that keeps one of them keeps all that divide it; the longest is told.
const PERIODS_MINUTES: [u64; 11] = [15, 30, 60, 120, 180, 240, 360, 480, 720, 1_440, 10_080];
/// Periods in which it must have come.
const CYCLES_MIN: usize = 5;
/// How much of a whole circle its times must agree: 1 is to the nanosecond.
const AGREEMENT_MIN: f64 = 0.6;

/// The periods among the times of each cause.
///
/// The null is Rayleigh's: times anywhere on the circle. Incidents of one burst are one occurrence, since they are not
/// independent.
pub(super) fn periods(
    times: &BTreeMap<&str, Vec<u64>>,
    scope: &Scope,
    settings: &Settings,
    rate: f64,
) -> Vec<Candidate> {
    let mut tested: Vec<(&str, Vec<u64>, u64, f64, f64)> = Vec::new();
    for (cause, times) in times {
        let occurrences = thinned(times, settings.gap_ns);
        for minutes in PERIODS_MINUTES {
            let period_ns = minutes * MINUTE_NS;
            let cycles: BTreeSet<u64> = occurrences.iter().map(|at_ns| at_ns / period_ns).collect();
            // More than one in a period on the average is a rate rather than a clock.
            if cycles.len() < CYCLES_MIN.max(settings.support_min) || period_ns <= settings.gap_ns {
                continue;
            }
            let agreement = agreement(&occurrences, period_ns);
            tested.push((
                cause,
                occurrences.clone(),
                period_ns,
                agreement,
                rayleigh(occurrences.len(), agreement),
            ));
        }
    }
    let p_values: Vec<f64> = tested.iter().map(|(.., p)| *p).collect();
    let found = discoveries(&p_values, tested.len(), rate);
    let mut longest: BTreeMap<&str, Candidate> = BTreeMap::new();
    for ((cause, occurrences, period_ns, agreement, p), found) in tested.iter().zip(found) {
        if !found || *agreement < AGREEMENT_MIN {
            continue;
        }
        let phase_ns = phase(occurrences, *period_ns);
        let off = |at_ns: &&u64| {
            let distance = (*at_ns % period_ns).abs_diff(phase_ns);
            distance.min(period_ns - distance) > period_ns / 8
        };
        let counter: Vec<u64> = occurrences.iter().filter(off).copied().collect();
        let last_ns = occurrences.last().copied().unwrap_or(0);
        let candidate = Candidate {
            scope: scope.clone(),
            pattern: Pattern::Period { cause: (*cause).to_owned(), period_ns: *period_ns, phase_ns },
            support: occurrences.len() - counter.len(),
            tried: occurrences.len(),
            dependence: *agreement,
            p: *p,
            counter_examples_ns: counter.into_iter().rev().take(settings.examples_max).collect(),
            last_ns,
            expires_ns: last_ns.saturating_add(settings.keep_ns),
        };
        // Periods come in their order: a later one is longer.
        longest.insert(cause, candidate);
    }
    longest.into_values().collect()
}

fn thinned(times: &[u64], gap_ns: u64) -> Vec<u64> {
    let mut kept: Vec<u64> = Vec::new();
    let mut last: Option<u64> = None;
    for at_ns in times {
        if last.is_none_or(|last| at_ns - last > gap_ns) {
            kept.push(*at_ns);
        }
        last = Some(*at_ns);
    }
    kept
}

fn sums(times: &[u64], period_ns: u64) -> (f64, f64) {
    times.iter().fold((0.0, 0.0), |(sine, cosine), at_ns| {
        let angle = TAU * ns_as_f64(at_ns % period_ns) / ns_as_f64(period_ns);
        (sine + angle.sin(), cosine + angle.cos())
    })
}

/// The length of the mean of all times, as points of a circle.
fn agreement(times: &[u64], period_ns: u64) -> f64 {
    let (sine, cosine) = sums(times, period_ns);
    sine.hypot(cosine) / as_f64(times.len().max(1))
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a part of the period, which is positive"
)]
fn phase(times: &[u64], period_ns: u64) -> u64 {
    let (sine, cosine) = sums(times, period_ns);
    let turn = (sine.atan2(cosine) / TAU).rem_euclid(1.0);
    (turn * ns_as_f64(period_ns)) as u64
}

/// How likely such an agreement is by chance: Rayleigh's test with its correction for few points (Zar, Biostatistical
/// Analysis, 27.1).
fn rayleigh(count: usize, agreement: f64) -> f64 {
    let n = as_f64(count);
    let length = n * agreement;
    ((4.0f64.mul_add(n, 1.0) + 4.0 * length.mul_add(-length, n * n)).sqrt() - 2.0f64.mul_add(n, 1.0))
        .exp()
        .min(1.0)
}
