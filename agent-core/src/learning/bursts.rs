//! A cause that comes in bursts: more often within a short time than its incidents, spread evenly, ever would.

use super::mine::{Candidate, Pattern, Scope, Settings};
use super::stats::{LnFactorials, as_f64, discoveries, ns_as_f64};
use std::collections::BTreeMap;

/// The fewest incidents that are a burst.
const BURST_MIN: usize = 4;

/// The bursts among the times of each cause.
///
/// The null: `n` incidents, each anywhere in the time looked at. That a window which begins with one of them holds `k` has
/// the probability of `k - 1` of the others falling into it, and there are `n` such windows; the sum bounds it.
pub(super) fn bursts(
    times: &BTreeMap<&str, Vec<u64>>,
    span_ns: u64,
    scope: &Scope,
    settings: &Settings,
    rate: f64,
) -> Vec<Candidate> {
    let most = times.values().map(Vec::len).max().unwrap_or(0);
    let ln = LnFactorials::up_to(most);
    let share = ns_as_f64(settings.gap_ns) / ns_as_f64(span_ns.max(1));
    let tested: Vec<(&str, &Vec<u64>, usize, f64)> = times
        .iter()
        .filter(|(_, times)| times.len() >= BURST_MIN.max(settings.support_min))
        .map(|(cause, times)| {
            let most = windows(times, settings.gap_ns).map(|(_, count)| count).max().unwrap_or(0);
            let p = as_f64(times.len()) * ln.at_least(times.len() - 1, most.saturating_sub(1), share);
            (*cause, times, most, p.min(1.0))
        })
        .collect();
    let p_values: Vec<f64> = tested.iter().map(|(.., p)| *p).collect();
    let found = discoveries(&p_values, tested.len(), rate);
    let burst = |((cause, times, most, p), found): ((&str, &Vec<u64>, usize, f64), bool)| {
        if !found || most < BURST_MIN {
            return None;
        }
        // How many of its incidents came in windows at least half as full as the fullest.
        let full = (most / 2).max(BURST_MIN);
        let mut inside = vec![false; times.len()];
        let mut count = 0;
        for (at, held) in windows(times, settings.gap_ns).filter(|(_, held)| *held >= full) {
            count += usize::from(!inside[at]);
            inside[at..at + held].fill(true);
        }
        let within = inside.iter().filter(|inside| **inside).count();
        let outside = times.iter().zip(&inside).filter(|(_, inside)| !**inside).map(|(at_ns, _)| *at_ns);
        let last_ns = times.last().copied().unwrap_or(0);
        Some(Candidate {
            scope: scope.clone(),
            pattern: Pattern::Burst {
                cause: cause.to_owned(),
                most,
                window_ns: settings.gap_ns,
                bursts: count,
            },
            support: within,
            tried: times.len(),
            dependence: as_f64(within) / as_f64(times.len()),
            p,
            counter_examples_ns: outside.rev().take(settings.examples_max).collect(),
            last_ns,
            expires_ns: last_ns.saturating_add(settings.keep_ns),
        })
    };
    tested.into_iter().zip(found).filter_map(burst).collect()
}

/// Every window that begins with one of the sorted times, and how many are in it.
fn windows(times: &[u64], window_ns: u64) -> impl Iterator<Item = (usize, usize)> {
    let mut end = 0;
    times.iter().enumerate().map(move |(at, begin)| {
        while times.get(end).is_some_and(|time| time - begin <= window_ns) {
            end += 1;
        }
        (at, end - at)
    })
}
